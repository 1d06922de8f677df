import { expect, test } from "vitest";
import type { Deployment, ReplicaSet } from "../kinds.ts";
import { deployment, replicaSet } from "../kinds.ts";
import type { ObservedDeployment } from "./deployment.ts";
import { planDeployment } from "./deployment.ts";
import type { Write } from "./writes.ts";

const nowMs = Date.parse("2026-01-01T00:10:00Z");
const template = (image: string) => ({ metadata: { labels: { app: "a" } }, spec: { containers: [{ name: "app", image }] } });

function aDeployment(spec: object = {}, status: object = {}, image = "shop:1"): Deployment {
  const metadata = { name: "a", namespace: "shop", uid: "d", generation: 2, annotations: { "deployment.kubernetes.io/revision": "1" } };
  return deployment.parse({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata,
    spec: { replicas: 2, selector: { matchLabels: { app: "a" } }, template: template(image), ...spec },
    status,
  });
}

function aSet(
  image: string,
  revision: number,
  replicas: number,
  status: object = { replicas, readyReplicas: replicas, availableReplicas: replicas },
): ReplicaSet {
  const annotations = {
    "deployment.kubernetes.io/revision": String(revision),
    "deployment.kubernetes.io/desired-replicas": "2",
    "deployment.kubernetes.io/max-replicas": "3",
  };
  const metadata = { name: `a-${revision}`, namespace: "shop", uid: `s${revision}`, annotations };
  const labelled = { ...template(image), metadata: { labels: { app: "a", "pod-template-hash": `h${revision}` } } };
  return replicaSet.parse({
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata,
    spec: { replicas, selector: {}, template: labelled },
    status,
  });
}

const plan = (given: Deployment, sets: ReplicaSet[], live: [string, number][] = []): Write[] => {
  const observed: ObservedDeployment = { deployment: given, sets, livePods: new Map(live), nowMs };
  return [...planDeployment(observed).writes];
};
const statusOf = (writes: Write[]) =>
  writes.flatMap((write) => (write.do === "patch" && write.subresource === "status" ? [JSON.stringify(write.patch)] : [])).join();
const sizes = (writes: Write[]) =>
  writes.flatMap((write) =>
    write.do === "patch" && write.ref.kind === "ReplicaSet" && "spec" in write.patch ? [[write.ref.name, write.patch.spec]] : [],
  );
const created = (writes: Write[]) => writes.flatMap((write) => (write.do === "create" ? [write.object] : []));
const progressing = (reason: string, status = "True", lastUpdateTime = "2026-01-01T00:00:00Z") => ({
  conditions: [{ type: "Progressing", status, reason, lastUpdateTime, lastTransitionTime: lastUpdateTime }],
});

test("a new template makes a set with the hash in name, labels and selector", () => {
  const [set] = created(plan(aDeployment({}, {}, "shop:2"), [aSet("shop:1", 1, 2)]));
  const hash = set!.metadata.labels!["pod-template-hash"]!;
  expect(set!.metadata.name).toBe(`a-${hash}`);
  expect(set!.metadata.annotations).toMatchObject({ "deployment.kubernetes.io/revision": "2", "deployment.kubernetes.io/desired-replicas": "2" });
  expect(set!["spec"]).toMatchObject({ replicas: 1, selector: { matchLabels: { app: "a", "pod-template-hash": hash } } });
  expect(set!.metadata.ownerReferences).toMatchObject([{ kind: "Deployment", uid: "d", controller: true }]);
});

test("the same template gives the same hash, whatever the replicas", () => {
  const name = (spec: object) => created(plan(aDeployment(spec), []))[0]!.metadata.name;
  expect(name({ replicas: 5 })).toBe(name({ replicas: 1 }));
});

test("a template that comes back takes its old set and the next revision", () => {
  const writes = plan(aDeployment({}, {}, "shop:1"), [aSet("shop:1", 1, 0), aSet("shop:2", 2, 2)]);
  expect(created(writes)).toEqual([]);
  expect(JSON.stringify(writes)).toContain('"deployment.kubernetes.io/revision":"3","deployment.kubernetes.io/revision-history":"1"');
  expect(sizes(writes)).toEqual([["a-1", { replicas: 1 }]]);
});

test("Recreate stops all old pods before it makes new ones", () => {
  const recreate = aDeployment({ strategy: { type: "Recreate" } }, {}, "shop:2");
  expect(sizes(plan(recreate, [aSet("shop:1", 1, 2)], [["s1", 2]]))).toEqual([["a-1", { replicas: 0 }]]);
  expect(created(plan(recreate, [aSet("shop:1", 1, 0)], [["s1", 1]]))).toEqual([]);
  expect(created(plan(recreate, [aSet("shop:1", 1, 0)], [["s1", 0]]))).toHaveLength(1);
});

test("a paused Deployment scales but does not roll out", () => {
  const paused = aDeployment({ paused: true, replicas: 4 }, {}, "shop:2");
  const writes = plan(paused, [aSet("shop:1", 1, 2)]);
  expect(created(writes)).toEqual([]);
  expect(sizes(writes)).toEqual([["a-1", { replicas: 4 }]]);
  expect(statusOf(writes)).toContain("DeploymentPaused");
});

test("history beyond the limit is deleted, oldest first", () => {
  const sets = [aSet("shop:1", 1, 0), aSet("shop:2", 2, 0), aSet("shop:3", 3, 2)];
  const writes = plan(aDeployment({ revisionHistoryLimit: 1 }, {}, "shop:3"), sets);
  expect(writes.flatMap((write) => (write.do === "delete" ? [write.ref.name] : []))).toEqual(["a-1"]);
});

test("a finished rollout is written once and then left alone", () => {
  const sets = [aSet("shop:1", 1, 2)];
  const writes = plan(aDeployment({}, progressing("ReplicaSetUpdated")), sets);
  const [status] = writes.flatMap((write) =>
    write.do === "patch" && write.subresource === "status" ? [(write.patch as { status: object }).status] : [],
  );
  expect(JSON.stringify(status)).toContain("NewReplicaSetAvailable");
  expect(plan(aDeployment({}, status), sets)).toEqual([]);
});

test.each<[string, Deployment, ReplicaSet[], string]>([
  ["made", aDeployment(), [], "NewReplicaSetCreated"],
  ["found", aDeployment(), [aSet("shop:1", 1, 2, { replicas: 0 })], "FoundNewReplicaSet"],
  ["moving", aDeployment({}, progressing("NewReplicaSetCreated")), [aSet("shop:1", 1, 2, { replicas: 2, readyReplicas: 1 })], "ReplicaSetUpdated"],
  ["done", aDeployment({}, progressing("ReplicaSetUpdated")), [aSet("shop:1", 1, 2)], "NewReplicaSetAvailable"],
  ["too late", aDeployment({ progressDeadlineSeconds: 60 }, { replicas: 2, updatedReplicas: 2, ...progressing("ReplicaSetUpdated") }), [aSet("shop:1", 1, 2, { replicas: 2 })], "ProgressDeadlineExceeded"],
  ["resumed", aDeployment({}, progressing("DeploymentPaused", "Unknown")), [aSet("shop:1", 1, 2, { replicas: 2 })], "DeploymentResumed"],
  ["too few", aDeployment(), [aSet("shop:1", 1, 2, { replicas: 2 })], "MinimumReplicasUnavailable"],
  ["enough", aDeployment(), [aSet("shop:1", 1, 2)], "MinimumReplicasAvailable"],
])("says when it is %s", (_, given, sets, reason) => {
  expect(statusOf(plan(given, sets))).toContain(reason);
});

test("it looks again when the deadline comes, though nothing changes", () => {
  const given = aDeployment({ progressDeadlineSeconds: 660 }, { replicas: 2, updatedReplicas: 2, ...progressing("ReplicaSetUpdated") });
  const { againAfterMs } = planDeployment({ deployment: given, sets: [aSet("shop:1", 1, 2, { replicas: 2 })], livePods: new Map(), nowMs });
  expect(againAfterMs).toBe(60_050);
});
