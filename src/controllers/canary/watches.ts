import { apiVersion } from "../../api/meta.ts";
import { keyOf, type KubeObject } from "../../api/object.ts";
import { matters } from "../../canary/changes.ts";
import type { Watched } from "../../kube/controller.ts";
import type { Change, Informer, Informers } from "../../kube/kube.ts";
import { isRecord } from "../../lib/json.ts";
import { kindsRead, labelKey, platformKinds, revertKey } from "./cluster.ts";

const uses = "canary: uses";
const secretOf = "canary: secret of a template";

/** What a Canary must hear of, beside its own edits. Call once, at wiring: defines an index. */
export function canaryWatches(informers: Informers): Watched[] {
  const canaries = informers.of({ apiVersion, kind: "Canary" });
  canaries.addIndex(uses, usedBy);
  const users = (kind: string, { namespace, name }: KubeObject["metadata"]): string[] =>
    canaries.byIndex(uses, `${kind}/${keyOf({ namespace, name })}`).map(({ metadata }) => keyOf(metadata));
  const templates = informers.of({ apiVersion, kind: "MetricTemplate" });
  templates.addIndex(secretOf, secretOfTemplate);
  const byTemplate = ({ metadata }: KubeObject): string[] =>
    templates.byIndex(secretOf, keyOf(metadata)).flatMap((template) => users(template.kind, template.metadata));
  const byUse = (object: KubeObject): string[] => [...users(object.kind, object.metadata), ...labelKey(object.metadata)];
  // Classes seldom change, and any Canary may depend on one.
  const everyone = (): string[] => canaries.list().map(({ metadata }) => keyOf(metadata));
  // Whoever wanted the target of a Canary that goes may have it now.
  const sharers = ({ metadata, spec }: KubeObject): string[] => {
    const name = nameIn(isRecord(spec) ? spec["targetRef"] : undefined);
    return name === undefined ? [] : users("Deployment", { ...metadata, name });
  };
  const deployments = informers.of(kindsRead.deployment);
  const replicaSets = informers.of(kindsRead.replicaSet);
  const throughOwner = (owners: Informer, next: (owner: KubeObject) => string[]) => ({ metadata }: KubeObject): string[] => {
    const owner = metadata.ownerReferences?.find(({ controller }) => controller);
    const found = owner && owners.find(keyOf({ namespace: metadata.namespace, name: owner.name }));
    return found ? next(found) : [];
  };
  const byDeployment = throughOwner(deployments, byUse);
  const urgent = new Set<string>(["Deployment", "Pod"]);
  const watched = (informer: Informer, keysOf: (object: KubeObject) => string[]): Watched => ({
    informer,
    keysOf: (change) => (matters(change.before, change.after) ? keysBoth(change, keysOf) : []),
    priority: urgent.has(informer.kind.kind) ? "now" : "normal",
  });
  const { service, ConfigMap, Secret, autoscaler, httpRoute, ingress, revert, record } = kindsRead;
  return [
    watched(deployments, byUse),
    watched(informers.of(kindsRead.pod), throughOwner(replicaSets, byDeployment)),
    ...[service, ConfigMap, Secret, autoscaler, httpRoute, ingress, record].map((kind) => watched(informers.of(kind), byUse)),
    watched(informers.of(revert), revertKey),
    { informer: canaries, keysOf: ({ before, after }) => (before && !after ? sharers(before) : []) },
    // What the metrics are measured by: a Canary that misses one of these waits for it.
    watched(templates, byUse),
    watched(informers.of(Secret), byTemplate),
    watched(informers.of(platformKinds.gateway), byUse),
    watched(informers.of(platformKinds.gatewayClass), everyone),
    watched(informers.of(platformKinds.ingressClass), everyone),
  ];
}

/** Keys by the object as it was and as it is: a label may have gone. */
function keysBoth({ before, after }: Change, keysOf: (object: KubeObject) => string[]): string[] {
  return [...new Set([before, after].flatMap((object) => (object ? keysOf(object) : [])))];
}

/** `Kind/namespace/name` of everything that a Canary, as stored, refers to. */
function usedBy(canary: KubeObject): string[] {
  const { namespace } = canary.metadata;
  const spec = recordIn(canary, "spec");
  const target = nameIn(spec["targetRef"]);
  const service = nameIn(spec["service"]) ?? target;
  const named: [string, string | undefined][] = [
    ["Deployment", target],
    ["Service", service],
    ["HTTPRoute", service],
    ["Ingress", nameIn(spec["ingressRef"])],
    ["HorizontalPodAutoscaler", nameIn(spec["autoscalerRef"])],
  ];
  const own = named.flatMap(([kind, name]) => (name === undefined ? [] : [`${kind}/${keyOf({ namespace, name })}`]));
  return [
    ...own,
    ...configsOf(canary),
    ...anywhere("Gateway", namespace, gatewaysOf(spec)),
    ...anywhere("MetricTemplate", namespace, templatesOf(spec)),
  ];
}

function configsOf(canary: KubeObject): string[] {
  const { namespace } = canary.metadata;
  return Object.keys(recordIn(recordIn(canary, "status"), "trackedConfigs")).map((key) => {
    const slash = key.indexOf("/");
    return `${key.slice(0, slash)}/${keyOf({ namespace, name: key.slice(slash + 1) })}`;
  });
}

function gatewaysOf(spec: Record<string, unknown>): unknown[] {
  return listIn(recordIn(spec, "service"), "gatewayRefs");
}

function templatesOf(spec: Record<string, unknown>): unknown[] {
  return listIn(recordIn(spec, "analysis"), "metrics").map((metric) => (isRecord(metric) ? metric["templateRef"] : undefined));
}

/** References that may name a namespace of their own. */
function anywhere(kind: string, own: string | undefined, refs: readonly unknown[]): string[] {
  return refs.flatMap((ref) => {
    const name = nameIn(ref);
    const namespace = isRecord(ref) && typeof ref["namespace"] === "string" ? ref["namespace"] : own;
    return name === undefined ? [] : [`${kind}/${keyOf({ namespace, name })}`];
  });
}

/** Key of the Secret with a MetricTemplate's credentials: one or none. */
function secretOfTemplate({ metadata: { namespace }, spec }: KubeObject): string[] {
  const name = isRecord(spec) ? nameIn(recordIn(spec, "provider")["secretRef"]) : undefined;
  return name === undefined ? [] : [keyOf({ namespace, name })];
}

function recordIn(object: Readonly<Record<string, unknown>>, field: string): Record<string, unknown> {
  const value = object[field];
  return isRecord(value) ? value : {};
}

function listIn(object: Readonly<Record<string, unknown>>, field: string): unknown[] {
  const value = object[field];
  return Array.isArray(value) ? value : [];
}

function nameIn(ref: unknown): string | undefined {
  return isRecord(ref) && typeof ref["name"] === "string" ? ref["name"] : undefined;
}
