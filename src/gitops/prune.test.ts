import { expect, test } from "vitest";
import { canary as canaryKind, type Canary } from "../api/canary.ts";
import { apiVersion, names, parseObject } from "../api/meta.ts";
import { type KubeObject, refOf } from "../api/object.ts";
import { entryId } from "./inventory.ts";
import { planPrune } from "./prune.ts";

const owner = { name: "app", namespace: "shop" };
const labels = { [names.syncName]: "app", [names.syncNamespace]: "shop" };
const object = (version: string, kind: string, name: string, more: Record<string, unknown> = {}): KubeObject => ({
  apiVersion: version,
  kind,
  ...more,
  metadata: { namespace: "shop", name, uid: `${kind}-${name}`, labels, ...(more["metadata"] as object | undefined) },
});
const service = (name: string) => object("v1", "Service", name);
const route = (name: string, backend: string, metadata: object = {}) =>
  object("gateway.networking.k8s.io/v1", "HTTPRoute", name, {
    metadata,
    spec: {
      parentRefs: [{ name: "gate" }],
      hostnames: ["shop.test"],
      rules: [{ backendRefs: [{ name: backend }, { name: "unused", weight: 0 }] }],
    },
  });
const ingress = (backend: string, metadata: object = {}) =>
  object("networking.k8s.io/v1", "Ingress", "in", {
    metadata,
    spec: { rules: [{ host: "shop.test", http: { paths: [{ backend: { service: { name: backend } } }] } }] },
  });
const aCanary = (name: string, spec: object = {}) =>
  object(apiVersion, "Canary", name, {
    spec: {
      targetRef: { kind: "Deployment", name },
      service: { port: 80 },
      analysis: { stepWeight: 10, metrics: [{ name: "request-success-rate" }] },
      ...spec,
    },
  });
const parsed = (live: KubeObject): Canary => {
  const result = parseObject(canaryKind, live);
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.value;
};
const ownedBy = (live: KubeObject) => ({
  ownerReferences: [{ apiVersion: live.apiVersion, kind: live.kind, name: live.metadata.name, uid: live.metadata.uid }],
});

interface Case {
  readonly stale: readonly KubeObject[];
  readonly live?: readonly KubeObject[];
  readonly desired?: readonly KubeObject[];
  readonly serves?: readonly string[];
}
const web = object("apps/v1", "Deployment", "web");
const leaving = { ...object("v1", "ConfigMap", "c"), metadata: { namespace: "shop", name: "c", labels, deletionTimestamp: "x" } };
const kept = object("v1", "ConfigMap", "kept", { metadata: { annotations: { "serin.dev/prune": "Disabled" } } });
const foreign = { ...service("s"), metadata: { namespace: "shop", name: "s", labels: { ...labels, [names.syncName]: "other" } } };
const mine = route("web", "web-primary", ownedBy(aCanary("web")));
const labelled = route("web", "web-primary", { labels: { [names.canary]: "web", [names.canaryUid]: "Canary-web" } });

test.each<[string, Case, { remove?: string[]; forget?: string[]; blocked?: string }]>([
  ["a plain object goes", { stale: [object("v1", "ConfigMap", "c")] }, { remove: ["c"] }],
  ["the last applied goes first", { stale: [object("v1", "ConfigMap", "c"), web, object("v1", "Secret", "s")] }, { remove: ["web", "s", "c"] }],
  ["another Sync's is only forgotten", { stale: [foreign] }, { forget: ["s"] }],
  ["one that is going already is only forgotten", { stale: [leaving] }, { forget: ["c"] }],
  ["one that asks to stay stays", { stale: [kept] }, { forget: ["kept"] }],
  ["a Service that nobody reaches goes", { stale: [service("s")], live: [route("r", "other")] }, { remove: ["s"] }],
  ["a Service that a route uses stays", { stale: [service("s")], live: [route("r", "s")], serves: ["shop/s"] }, { blocked: "HTTPRoute/shop/r still sends requests to it" }],
  ["a Service that an Ingress uses stays", { stale: [service("s")], live: [ingress("s")], serves: ["shop/s"] }, { blocked: "Ingress/shop/in still sends requests to it" }],
  ["a Service whose successor is not ready stays", { stale: [service("s")], live: [route("r", "new")], serves: ["shop/s"] }, { blocked: "Service/shop/new, to which HTTPRoute/shop/r sends requests, has no ready endpoint yet" }],
  ["a Service whose successor serves goes", { stale: [service("s")], live: [route("r", "new")], serves: ["shop/s", "shop/new"] }, { remove: ["s"] }],
  ["a Service whose route goes too goes", { stale: [service("s"), route("r", "s")], serves: ["shop/s"] }, { remove: ["r", "s"] }],
  ["a Deployment that a Canary runs stays", { stale: [web], live: [aCanary("web")] }, { blocked: "Canary/shop/web still runs it" }],
  ["the apex Service of a Canary that stays is the Canary's", { stale: [service("web")], live: [aCanary("web")], serves: ["shop/web"] }, { forget: ["web"] }],
  ["a Canary goes with its target", { stale: [web, aCanary("web")], live: [mine] }, { remove: ["web", "web"] }],
  ["a Canary whose target stays, too, stays", { stale: [aCanary("web")], desired: [web] }, { blocked: "Deployment/shop/web stays but has no pods while the Canary runs it; set spec.revertOnDeletion in it first" }],
  ["unless it gives the target its pods back", { stale: [aCanary("web", { revertOnDeletion: true })], desired: [web] }, { remove: ["web"] }],
  ["a Canary whose successor at the same host does not serve yet stays", { stale: [aCanary("web")], live: [mine, route("next", "next")] }, { blocked: "Service/shop/next, to which HTTPRoute/shop/next sends requests, has no ready endpoint yet" }],
  ["a route of another kind at its host is no successor", { stale: [aCanary("web")], live: [ingress("web-primary", ownedBy(aCanary("web"))), route("next", "next")] }, { remove: ["web"] }],
  ["nor is a route that says nothing", { stale: [aCanary("web")], live: [mine, object("gateway.networking.k8s.io/v1", "HTTPRoute", "empty")] }, { remove: ["web"] }],
  ["and goes when that goes too", { stale: [aCanary("web"), route("next", "next")], live: [mine] }, { remove: ["web", "next"] }],
  ["one that has its route by label instead of owner reference is no other", { stale: [aCanary("web", { revertOnDeletion: true })], live: [labelled, route("next", "next")] }, { blocked: "Service/shop/next, to which HTTPRoute/shop/next sends requests, has no ready endpoint yet" }],
  ["a Service whose route is labelled with a Canary that goes too goes", { stale: [service("s"), aCanary("s")], live: [route("r", "s", { labels: { [names.canary]: "s", [names.canaryUid]: "Canary-s" } })], serves: ["shop/s"] }, { remove: ["s", "s"] }],
  ["and goes when it does", { stale: [aCanary("web")], live: [mine, route("next", "next")], serves: ["shop/next"] }, { remove: ["web"] }],
])("%s", (_, { stale, live = [], desired = [], serves = [] }, { remove = [], forget = [], blocked }) => {
  const all = [...stale, ...live, ...desired];
  const result = planPrune({
    stale: stale.map(refOf),
    desired: desired.map(refOf),
    owner,
    live: (ref) => all.find((candidate) => entryId(refOf(candidate)) === entryId(ref)),
    routes: all.filter(({ kind }) => kind === "HTTPRoute" || kind === "Ingress"),
    canaries: all.filter(({ kind }) => kind === "Canary").map(parsed),
    serves: (key) => serves.includes(key),
  });
  expect({
    remove: result.remove.map(({ metadata }) => metadata.name),
    forget: result.forget.map(({ ref }) => ref.name),
    blocked: result.blocked.at(0)?.why,
  }).toEqual({ remove, forget, blocked });
});
