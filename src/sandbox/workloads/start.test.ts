import { afterAll, beforeAll, expect, test } from "vitest";
import { conditionOf, shopDeployment, shopService, startTestCluster, statusField } from "../../../test/sandbox-cluster.ts";
import type { TestCluster } from "../../../test/sandbox-cluster.ts";
import { kinds } from "../kinds.ts";

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await startTestCluster();
});
afterAll(async () => {
  await cluster.close();
});

const podsOf = async (app: string) =>
  await cluster.kube.list(kinds.pod, { namespace: "shop", labelSelector: `app=${app}` }, cluster.signal);

test("a Deployment rolls out, scales and goes with its pods", async () => {
  await cluster.apply(shopDeployment("web"), shopService("web"));
  const done = await cluster.until(
    kinds.deployment,
    "web",
    (object) => conditionOf(object, "Progressing") === "True/NewReplicaSetAvailable",
  );
  expect(conditionOf(done, "Available")).toBe("True/MinimumReplicasAvailable");
  expect(done["status"]).toMatchObject({ observedGeneration: 1, replicas: 2, updatedReplicas: 2, readyReplicas: 2, availableReplicas: 2 });
  expect(done.metadata.annotations?.["deployment.kubernetes.io/revision"]).toBe("1");
  await cluster.kube.patch(
    { ...kinds.deployment, namespace: "shop", name: "web" },
    { spec: { replicas: 3 } },
    { fieldManager: "test" },
    cluster.signal,
  );
  await cluster.until(kinds.deployment, "web", (object) => statusField(object, "availableReplicas") === 3);
  await cluster.kube.delete({ ...kinds.deployment, namespace: "shop", name: "web" }, {}, cluster.signal);
  await expect.poll(async () => (await podsOf("web")).length, { timeout: 15_000 }).toBe(0);
});

test("a pod that crashes again and again says CrashLoopBackOff and how it ended", async () => {
  await cluster.apply(shopDeployment("crash", { replicas: 1, env: { CRASH_AFTER_MS: "30" } }));
  const waiting = (pod: object) => JSON.stringify(pod).includes("CrashLoopBackOff");
  await expect.poll(async () => (await podsOf("crash")).some(waiting), { timeout: 15_000 }).toBe(true);
  const [pod] = await podsOf("crash");
  expect(pod!["status"]).toMatchObject({
    phase: "Running",
    containerStatuses: [{ ready: false, lastState: { terminated: { exitCode: 1, reason: "Error" } } }],
  });
});

test("an image that does not exist is told from a registry that is down", async () => {
  await cluster.apply(
    shopDeployment("missing", { tag: "missing-1", replicas: 1 }),
    shopDeployment("registry", { tag: "broken-registry", replicas: 1 }),
  );
  const text = async (app: string) => JSON.stringify(await podsOf(app));
  await expect.poll(async () => await text("missing"), { timeout: 15_000 }).toContain("ImagePullBackOff");
  await expect.poll(async () => await text("registry"), { timeout: 15_000 }).toContain("500 Internal Server Error");
  expect(await text("missing")).toContain("not found");
  expect(await text("registry")).not.toContain("not found");
});

test("a missing ConfigMap keeps the container from starting until it is there", async () => {
  const from = { envFrom: [{ configMapRef: { name: "settings" } }] };
  const container = { name: "app", image: "serin.dev/shop:1", ...from };
  await cluster.apply(shopDeployment("config", { replicas: 1, pod: { containers: [container] } }));
  await expect
    .poll(async () => JSON.stringify(await podsOf("config")), { timeout: 15_000 })
    .toContain('configmap \\"settings\\" not found');
  await cluster.apply({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "settings", namespace: "shop" }, data: { TITLE: "Found" } });
  await cluster.until(kinds.deployment, "config", (object) => statusField(object, "availableReplicas") === 1);
});

test("a rollout that cannot become ready passes its deadline, and the old pods go on", async () => {
  await cluster.apply(shopDeployment("late", { spec: { progressDeadlineSeconds: 1 } }));
  await cluster.until(kinds.deployment, "late", (object) => statusField(object, "availableReplicas") === 2);
  await cluster.apply(shopDeployment("late", { tag: "2", env: { READINESS: "never" }, spec: { progressDeadlineSeconds: 1 } }));
  const stuck = await cluster.until(
    kinds.deployment,
    "late",
    (object) => conditionOf(object, "Progressing") === "False/ProgressDeadlineExceeded",
  );
  expect(statusField(stuck, "availableReplicas")).toBe(2);
  await cluster.apply(shopDeployment("late", { spec: { progressDeadlineSeconds: 1 } }));
  const back = await cluster.until(
    kinds.deployment,
    "late",
    (object) => conditionOf(object, "Progressing") === "True/NewReplicaSetAvailable",
  );
  expect(back.metadata.annotations?.["deployment.kubernetes.io/revision"]).toBe("3");
});

test("a pod that no node fits is Unschedulable", async () => {
  await cluster.apply(shopDeployment("nowhere", { replicas: 1, pod: { nodeSelector: { disk: "ssd" } } }));
  await expect
    .poll(async () => (await podsOf("nowhere")).map((pod) => conditionOf(pod, "PodScheduled")), { timeout: 15_000 })
    .toEqual(["False/Unschedulable"]);
});

test("an autoscaler lifts its target to minReplicas and is disabled at zero", async () => {
  const scaler = {
    ...kinds.autoscaler,
    metadata: { name: "scaled", namespace: "shop" },
    spec: { scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "scaled" }, minReplicas: 3, maxReplicas: 5 },
  };
  await cluster.apply(shopDeployment("scaled", { replicas: 1 }), scaler);
  await cluster.until(kinds.deployment, "scaled", (object) => statusField(object, "availableReplicas") === 3);
  const zero = { spec: { replicas: 0 } };
  await cluster.kube.patch({ ...kinds.deployment, namespace: "shop", name: "scaled" }, zero, { fieldManager: "test" }, cluster.signal);
  await cluster.until(kinds.autoscaler, "scaled", (object) => conditionOf(object, "ScalingActive") === "False/ScalingDisabled");
  await expect.poll(async () => (await podsOf("scaled")).length, { timeout: 15_000 }).toBe(0);
});
