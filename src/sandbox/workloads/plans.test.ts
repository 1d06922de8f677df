import { expect, test } from "vitest";
import { autoscaler, kinds, pod, replicaSet, service } from "../kinds.ts";
import { planAutoscaler } from "./autoscaler.ts";
import { planEndpointSlices } from "./endpoint-slices.ts";
import { planReplicaSet } from "./replica-set.ts";
import { planScheduling } from "./scheduler.ts";
import type { Write } from "./writes.ts";
import { changes } from "./writes.ts";

const nowMs = Date.parse("2026-01-01T00:10:00Z");

const sketch = { ready: true, readySince: "2026-01-01T00:00:00Z", phase: "Running", deleting: false, node: "one", port: 8080 };
type PodSketch = Partial<typeof sketch>;
const aPod = (name: string, changed: PodSketch = {}) => {
  const { ready, readySince, phase, deleting, node, port } = { ...sketch, ...changed };
  return pod.parse({
    ...kinds.pod,
    metadata: {
      name,
      namespace: "shop",
      uid: name,
      labels: { app: "a" },
      ...(deleting ? { deletionTimestamp: "2026-01-01T00:09:00Z" } : {}),
    },
    spec: { ...(node === "" ? {} : { nodeName: node }), containers: [{ name: "app", ports: [{ name: "http", containerPort: port }] }] },
    status: {
      phase,
      podIP: "10.244.0.9",
      conditions: [{ type: "Ready", status: ready ? "True" : "False", lastTransitionTime: readySince }],
    },
  });
};

const aSet = (replicas: number, minReadySeconds = 0) =>
  replicaSet.parse({
    ...kinds.replicaSet,
    metadata: { name: "a-1", namespace: "shop", uid: "s1" },
    spec: {
      replicas,
      minReadySeconds,
      selector: {},
      template: { metadata: { labels: { app: "a" } }, spec: { containers: [{ name: "app" }] } },
    },
  });

const setPlan = (replicas: number, pods: ReturnType<typeof aPod>[], rest: { minReadySeconds?: number; failure?: string } = {}) => {
  let next = 0;
  return planReplicaSet({ set: aSet(replicas, rest.minReadySeconds), pods, nowMs, suffix: () => `n${next++}`, failure: rest.failure });
};
const done = (writes: readonly Write[]) =>
  writes.flatMap((write) =>
    write.do === "create" ? [`+${write.object.metadata.name}`] : write.do === "delete" ? [`-${write.ref.name}`] : [],
  );
const status = (writes: readonly Write[]) => writes.find((write) => write.do === "patch" && write.subresource === "status");

test.each<[string, number, ReturnType<typeof aPod>[], string[]]>([
  ["makes what is missing", 2, [], ["+a-1-n0", "+a-1-n1"]],
  ["replaces a pod that is going", 1, [aPod("x", { deleting: true })], ["+a-1-n0"]],
  ["replaces a pod that has failed", 1, [aPod("x", { phase: "Failed" })], ["+a-1-n0"]],
  ["does nothing when all is there", 1, [aPod("x")], []],
  ["deletes first what is not scheduled", 1, [aPod("x"), aPod("y", { node: "" })], ["-y"]],
  ["then what is not ready", 1, [aPod("x", { ready: false }), aPod("y")], ["-x"]],
  ["then what became ready last", 1, [aPod("x"), aPod("y", { readySince: "2026-01-01T00:05:00Z" })], ["-y"]],
])("a ReplicaSet %s", (_, replicas, pods, want) => {
  expect(done(setPlan(replicas, pods).writes)).toEqual(want);
});

test("a pod is available only after minReadySeconds, and the set looks again then", () => {
  const plan = setPlan(1, [aPod("x", { readySince: "2026-01-01T00:09:50Z" })], { minReadySeconds: 30 });
  expect(status(plan.writes)).toMatchObject({ patch: { status: { readyReplicas: 1 } } });
  expect(JSON.stringify(plan.writes)).not.toContain("availableReplicas");
  expect(plan.againAfterMs).toBe(20_000);
});

test("a refused pod is told in the set's status", () => {
  expect(JSON.stringify(setPlan(1, [], { failure: "exceeded quota: small" }).writes)).toContain(
    '"reason":"FailedCreate","message":"exceeded quota: small"',
  );
});

const aService = (targetPort: number | string = "http") =>
  service.parse({
    ...kinds.service,
    metadata: { name: "web", namespace: "shop", uid: "v" },
    spec: { selector: { app: "a" }, ports: [{ name: "http", port: 80, targetPort }] },
  });
const slices = (pods: ReturnType<typeof aPod>[], targetPort?: number | string) =>
  planEndpointSlices({ service: aService(targetPort), pods, slices: [] }).writes.flatMap((write) =>
    write.do === "create" ? [write.object] : [],
  );

test.each<[string, PodSketch, object]>([
  ["is ready", {}, { ready: true, serving: true, terminating: false }],
  ["is not ready", { ready: false }, { ready: false, serving: false, terminating: false }],
  ["still serves while it is going, but gets nothing new", { deleting: true }, { ready: false, serving: true, terminating: true }],
])("an endpoint %s", (_, sketch, conditions) => {
  expect(slices([aPod("x", sketch)])[0]!["endpoints"]).toMatchObject([
    { addresses: ["10.244.0.9"], conditions, targetRef: { kind: "Pod", name: "x" } },
  ]);
});

test("a named port is looked up in each pod, and pods that differ get slices of their own", () => {
  const made = slices([aPod("x", { port: 8080 }), aPod("y", { port: 9090 })]);
  expect(made.map((slice) => slice["ports"])).toEqual([
    [{ name: "http", port: 8080, protocol: "TCP" }],
    [{ name: "http", port: 9090, protocol: "TCP" }],
  ]);
  expect(slices([aPod("x")], 3000)[0]!["ports"]).toMatchObject([{ port: 3000 }]);
});

test("a slice holds at most a hundred endpoints", () => {
  const pods = Array.from({ length: 150 }, (_, at) => aPod(`p${String(at).padStart(3, "0")}`));
  expect(slices(pods).map((slice) => (slice["endpoints"] as unknown[]).length)).toEqual([100, 50]);
});

test("slices are written once, changed when a pod changes and deleted when they are no longer wanted", () => {
  const [live] = slices([aPod("x")]);
  const again = (pods: ReturnType<typeof aPod>[]) => planEndpointSlices({ service: aService(), pods, slices: [live!] }).writes;
  expect(again([aPod("x")])).toEqual([]);
  expect(again([aPod("x", { ready: false })])).toMatchObject([{ do: "patch", ref: { name: live!.metadata.name } }]);
  expect(again([aPod("x", { port: 1 })]).map((write) => write.do)).toEqual(["create", "delete"]);
});

test("a Service without selector is left alone", () => {
  const bare = service.parse({ ...kinds.service, metadata: { name: "web", namespace: "shop" }, spec: { ports: [{ port: 80 }] } });
  expect(planEndpointSlices({ service: bare, pods: [aPod("x")], slices: [] }).writes).toEqual([]);
});

const aScaler = (minReplicas: number, maxReplicas: number) =>
  autoscaler.parse({
    ...kinds.autoscaler,
    metadata: { name: "a", namespace: "shop" },
    spec: { scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "a" }, minReplicas, maxReplicas },
  });

test.each<[string, { wanted: number; current: number } | undefined, number | undefined, string]>([
  ["lifts to the minimum", { wanted: 1, current: 1 }, 2, "SucceededRescale"],
  ["cuts to the maximum", { wanted: 9, current: 9 }, 5, "SucceededRescale"],
  ["leaves what is between", { wanted: 3, current: 3 }, undefined, "FailedGetResourceMetric"],
  ["is disabled at zero", { wanted: 0, current: 0 }, undefined, "ScalingDisabled"],
  ["says when there is no target", undefined, undefined, "FailedGetScale"],
])("an autoscaler %s", (_, target, scaled, reason) => {
  const { writes } = planAutoscaler({ autoscaler: aScaler(2, 5), target, nowMs });
  expect(writes.flatMap((write) => (write.do === "patch" && write.subresource === "scale" ? [write.patch] : []))).toEqual(
    scaled === undefined ? [] : [{ spec: { replicas: scaled } }],
  );
  expect(JSON.stringify(status(writes))).toContain(reason);
});

const aNode = (name: string, labels: Record<string, string> = {}, unschedulable = false) => ({
  ...kinds.node,
  metadata: { name, labels },
  spec: { unschedulable },
  status: { conditions: [{ type: "Ready", status: "True" }], allocatable: { cpu: "2", memory: "4Gi" } },
});

test.each<[string, ReturnType<typeof aNode>[], Record<string, string>, string]>([
  ["goes to the first node", [aNode("b"), aNode("a")], {}, '"target":{"apiVersion":"v1","kind":"Node","name":"a"}'],
  ["goes where its selector fits", [aNode("a"), aNode("b", { disk: "ssd" })], { disk: "ssd" }, '"name":"b"'],
  ["waits when no selector fits", [aNode("a")], { disk: "ssd" }, "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."],
  ["waits when all are cordoned", [aNode("a", {}, true)], {}, "1 node(s) were unschedulable"],
  ["waits when there is none", [], {}, "no nodes available to schedule pods"],
])("a pod %s", (_, nodes, nodeSelector, want) => {
  const waiting = pod.parse({
    ...kinds.pod,
    metadata: { name: "x", namespace: "shop" },
    spec: { nodeSelector, containers: [{ name: "app" }] },
  });
  expect(JSON.stringify(planScheduling({ pod: waiting, nodes, nowMs }).writes)).toContain(want);
});

test.each<[string, object, object, object]>([
  ["nothing changed", { a: 1, b: { c: [1, { d: 2 }] } }, { a: 1, b: { c: [1, { d: 2 }] } }, {}],
  ["a field changed", { a: 1, b: 2 }, { a: 1, b: 3 }, { b: 3 }],
  ["a field is gone", { a: 1, b: 2 }, { a: 1 }, { b: null }],
  ["undefined is as good as gone", { a: 1 }, { a: undefined }, { a: null }],
  ["an item of a list changed", { a: [{ b: 1 }] }, { a: [{ b: 2 }] }, { a: [{ b: 2 }] }],
])("the smallest patch when %s", (_, before, after, want) => {
  expect(changes(before, after)).toEqual(want);
});

test.each<[string, Record<string, string | number>, string]>([
  ["goes to a node that has what it requests", { cpu: "1500m", memory: "4Gi" }, '"name":"a"'],
  ["waits when it requests more cpu than the node has", { cpu: 3 }, "0/1 nodes are available: 1 Insufficient cpu."],
  ["waits when it requests more memory than the node has", { memory: "4100Mi" }, "0/1 nodes are available: 1 Insufficient memory."],
])("a pod %s", (_, requests, want) => {
  const asking = pod.parse({
    ...kinds.pod,
    metadata: { name: "x", namespace: "shop" },
    spec: { containers: [{ name: "app", resources: { requests } }] },
  });
  expect(JSON.stringify(planScheduling({ pod: asking, nodes: [aNode("a")], nowMs }).writes)).toContain(want);
});
