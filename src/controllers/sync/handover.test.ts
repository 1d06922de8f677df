import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { appIn, eventually, never, startWorld, type World } from "../../../test/sync-world.ts";
import { apiVersion, managers } from "../../api/meta.ts";
import type { KubeObject } from "../../api/object.ts";

const signal = never();
let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.close());

const workload = (image: string) => `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: app, image: "${image}"}]}
`;
const service = "apiVersion: v1\nkind: Service\nmetadata: {name: web, labels: {team: a}}\nspec:\n  selector: {app: web}\n  ports: [{name: http, port: 80, protocol: TCP}]\n";
const canary = (name = "web") => `apiVersion: ${apiVersion}
kind: Canary
metadata: {name: ${name}}
spec:
  provider: gatewayapi:v1
  targetRef: {kind: Deployment, name: web}
  service: {port: 80, gatewayRefs: [{name: gate}]}
  analysis: {stepWeight: 10, metrics: [{name: request-success-rate, thresholdRange: {min: 99}}]}
`;

type Workload = KubeObject & { spec: { replicas: number; selector: unknown; ports: unknown } };

test("replicas, selector and ports go over to the Canary without ever changing in between", async () => {
  const app = appIn(world, "handed");
  const files = { "web.yaml": workload("x:1"), "service.yaml": service };
  const first = app.source.commit(files);
  await app.create();
  await app.becomes(first, "True");
  const ref = (kind: string) => ({ apiVersion: kind === "Service" ? "v1" : "apps/v1", kind, namespace: "handed", name: "web" });

  const second = app.source.commit({ ...files, "canary.yaml": canary() });
  await app.poke();
  await app.becomes(second, "True");
  expect(((await world.kube.get(ref("Service"), signal)) as Workload).spec.selector).toEqual({ app: "web" });

  // What the Canary's controller does when it takes over: the live value first, its own afterwards.
  const own = { fieldManager: managers.canary };
  const spec = (kind: string, fields: object) =>
    world.kube.apply({ apiVersion: ref(kind).apiVersion, kind, metadata: { namespace: "handed", name: "web" }, spec: fields }, own, signal);
  await spec("Deployment", { replicas: 3 });
  await spec("Service", { selector: { app: "web-primary" }, ports: [{ name: "http", port: 80, protocol: "TCP", targetPort: 8080 }] });
  const released = async (kind: string, field: string) =>
    eventually(async () => {
      const live = await world.kube.get(ref(kind), signal);
      const ours = live.metadata.managedFields?.find(({ manager }) => manager === managers.sync);
      return (ours?.fieldsV1?.["f:spec"] as Record<string, unknown> | undefined)?.[`f:${field}`] === undefined ? true : undefined;
    }, () => `${field} is still Sync's`);
  await released("Deployment", "replicas");
  await released("Service", "selector");
  // No commit changed the Deployment: it still names the one that did.
  expect((await world.kube.get(ref("Deployment"), signal)).metadata.annotations?.["serin.dev/commit"]).toBe(first);
  await spec("Deployment", { replicas: 0 });

  const third = app.source.commit({
    "web.yaml": workload("x:2"),
    "service.yaml": service.replace("team: a", "team: b"),
    "canary.yaml": canary(),
  });
  await app.poke();
  await app.becomes(third, "True");
  expect(((await world.kube.get(ref("Deployment"), signal)) as Workload).spec.replicas).toBe(0);
  const live = (await world.kube.get(ref("Service"), signal)) as Workload;
  expect(live.spec).toMatchObject({ selector: { app: "web-primary" }, ports: [{ port: 80, targetPort: 8080 }] });
  expect(live.metadata.labels).toMatchObject({ team: "b" });
  await eventually(async () => (await app.events()).find((event) => event.includes("ServiceAdopted")), () => "no event");
});

describe("what the Canary makes by itself must not be in Git too", () => {
  test.each([
    ["primary", "apiVersion: v1\nkind: Service\nmetadata: {name: web-primary}\nspec: {ports: [{port: 80}]}\n", "Service/clash-primary/web-primary (x.yaml:1)"],
    ["route", "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: web}\nspec: {}\n", "HTTPRoute/clash-route/web (x.yaml:1)"],
  ])("%s", async (name, yaml, object) => {
    const app = appIn(world, `clash-${name}`);
    const commit = app.source.commit({ "web.yaml": workload("x:1"), "canary.yaml": canary(), "x.yaml": yaml });
    await app.create();
    const { message } = await app.becomes(commit, "False", "GeneratedByCanary");
    expect(message).toContain(`${object} is made by Canary/clash-${name}/web`);
  });
});

test("a Canary whose target stays is not pruned while that would leave the target without pods", async () => {
  const app = appIn(world, "kept");
  const files = { "web.yaml": workload("x:1"), "canary.yaml": canary() };
  const first = app.source.commit(files);
  await app.create();
  await app.becomes(first, "True");
  await world.kube.patch(
    { apiVersion: "apps/v1", kind: "Deployment", namespace: "kept", name: "web" },
    { status: { observedGeneration: 1, replicas: 3, updatedReplicas: 3, availableReplicas: 3, readyReplicas: 3 } },
    { fieldManager: "x", subresource: "status" },
    signal,
  );
  const second = app.source.commit({ "web.yaml": workload("x:1") });
  await app.poke();
  const { message } = await app.becomes(second, "False", "PruneWouldDropTraffic");
  expect(message).toContain("Canary/kept/web: Deployment/kept/web stays but has no pods while the Canary runs it; set spec.revertOnDeletion in it first");
  expect(await app.find("Canary", "web", apiVersion)).toBeDefined();
});
