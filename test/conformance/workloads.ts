import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { KubeObject } from "../../src/api/object.ts";
import type { Kube } from "../../src/kube/kube.ts";
import { kinds } from "../../src/sandbox/kinds.ts";
import { conditionOf, shopDeployment, shopService, statusField } from "../sandbox-cluster.ts";

/** Workload controllers under test, with a node that runs `serin.dev/shop` and a namespace `shop` that is theirs. */
export interface WorkloadSubject {
  readonly kube: Kube;
  close(): Promise<void>;
}

const signal = AbortSignal.timeout(300_000);
const patience = { timeout: 25_000, interval: 25 };
const rolledOut = "True/NewReplicaSetAvailable";

/** What Serin needs of Deployments, ReplicaSets, pods, quotas and autoscalers. Run against the sandbox's controllers and Kubernetes' own. */
export function workloadSuite(name: string, factory: () => Promise<WorkloadSubject>): void {
  describe(`workloads: ${name}`, () => {
    let subject: WorkloadSubject;
    beforeAll(async () => {
      subject = await factory();
    });
    afterAll(async () => {
      await subject.close();
    });
    const apply = async (...objects: KubeObject[]): Promise<void> => {
      for (const object of objects) await subject.kube.apply(object, { fieldManager: "workload-suite" }, signal);
    };
    const podsOf = (app: string) => subject.kube.list(kinds.pod, { namespace: "shop", labelSelector: `app=${app}` }, signal);
    const textOf = async (app: string) => JSON.stringify(await podsOf(app));
    const until = async (kind: { apiVersion: string; kind: string }, name: string, wanted: (object: KubeObject) => boolean) => {
      let last: KubeObject | undefined;
      const isWanted = async (): Promise<boolean> => {
        last = await subject.kube.find({ ...kind, namespace: "shop", name }, signal);
        return last !== undefined && wanted(last);
      };
      await vi.waitUntil(isWanted, patience).catch(() => {
        throw new Error(`${kind.kind} ${name} is not as wanted: ${JSON.stringify(last?.["status"] ?? last ?? "missing")}`);
      });
      return last!;
    };
    const available = (app: string, wanted: number) =>
      until(kinds.deployment, app, (object) => statusField(object, "availableReplicas") === wanted);
    const scale = async (app: string, replicas: number) =>
      void (await subject.kube.patch({ ...kinds.deployment, namespace: "shop", name: app }, { spec: { replicas } }, { fieldManager: "test" }, signal));

    test("a Deployment rolls out, scales and goes with its pods", async () => {
      await apply(shopDeployment("web"), shopService("web"));
      const done = await until(kinds.deployment, "web", (object) => conditionOf(object, "Progressing") === rolledOut);
      expect(conditionOf(done, "Available")).toBe("True/MinimumReplicasAvailable");
      expect(done["status"]).toMatchObject({ observedGeneration: 1, replicas: 2, updatedReplicas: 2, readyReplicas: 2, availableReplicas: 2 });
      expect(done.metadata.annotations?.["deployment.kubernetes.io/revision"]).toBe("1");
      await scale("web", 3);
      await available("web", 3);
      await subject.kube.delete({ ...kinds.deployment, namespace: "shop", name: "web" }, {}, signal);
      await expect.poll(async () => (await podsOf("web")).length, patience).toBe(0);
    });

    test("a rolling update with a surge of one never has fewer ready pods than asked for, nor more than one above", async () => {
      const strategy = { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } };
      await apply(shopDeployment("surge", { replicas: 3, spec: { strategy } }));
      await available("surge", 3);
      await apply(shopDeployment("surge", { tag: "2", replicas: 3, spec: { strategy } }));
      const seen = { fewest: 3, most: 3 };
      await until(kinds.deployment, "surge", (object) => {
        seen.fewest = Math.min(seen.fewest, Number(statusField(object, "availableReplicas") ?? 0));
        seen.most = Math.max(seen.most, Number(statusField(object, "replicas") ?? 0));
        if (statusField(object, "observedGeneration") !== 2) return false;
        return statusField(object, "updatedReplicas") === 3 && statusField(object, "replicas") === 3 && conditionOf(object, "Progressing") === rolledOut;
      });
      expect(seen).toEqual({ fewest: 3, most: 4 });
      const pods = (await podsOf("surge")).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
      expect(new Set(pods.map(({ metadata }) => metadata.labels?.["pod-template-hash"])).size).toBe(1);
    });

    test("the same template again is the same ReplicaSet, with a new revision number", async () => {
      const setOf = async () => {
        const sets = await subject.kube.list(kinds.replicaSet, { namespace: "shop", labelSelector: "app=again" }, signal);
        return sets.filter((set) => statusField(set, "replicas") !== 0).map(({ metadata }) => metadata.name);
      };
      const at = (revision: string) => (object: KubeObject) =>
        object.metadata.annotations?.["deployment.kubernetes.io/revision"] === revision && conditionOf(object, "Progressing") === rolledOut &&
        statusField(object, "replicas") === 1;
      await apply(shopDeployment("again", { replicas: 1 }));
      await until(kinds.deployment, "again", at("1"));
      const first = await setOf();
      await apply(shopDeployment("again", { replicas: 1, tag: "2" }));
      await until(kinds.deployment, "again", at("2"));
      await apply(shopDeployment("again", { replicas: 1 }));
      await until(kinds.deployment, "again", at("3"));
      await expect.poll(setOf, patience).toEqual(first);
    });

    test("a pod that crashes again and again says CrashLoopBackOff and how it ended", async () => {
      await apply(shopDeployment("crash", { replicas: 1, env: { CRASH_AFTER_MS: "30" } }));
      await expect.poll(async () => (await textOf("crash")).includes("CrashLoopBackOff"), patience).toBe(true);
      const [pod] = await podsOf("crash");
      expect(pod!["status"]).toMatchObject({
        phase: "Running",
        containerStatuses: [{ ready: false, lastState: { terminated: { exitCode: 1, reason: "Error" } } }],
      });
    });

    test("an image that does not exist is told from a registry that is down", async () => {
      await apply(
        shopDeployment("missing", { tag: "missing-1", replicas: 1 }),
        shopDeployment("registry", { tag: "broken-registry", replicas: 1 }),
      );
      await expect.poll(() => textOf("missing"), patience).toContain("ImagePullBackOff");
      await expect.poll(() => textOf("registry"), patience).toContain("500 Internal Server Error");
      expect(await textOf("missing")).toContain("not found");
      expect(await textOf("registry")).not.toContain("not found");
    });

    test("a missing ConfigMap keeps the container from starting until it is there", async () => {
      const container = { name: "app", image: "serin.dev/shop:1", envFrom: [{ configMapRef: { name: "settings" } }] };
      await apply(shopDeployment("config", { replicas: 1, pod: { containers: [container] } }));
      await expect.poll(() => textOf("config"), patience).toContain('configmap \\"settings\\" not found');
      await apply({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "settings", namespace: "shop" }, data: { TITLE: "Found" } });
      await available("config", 1);
    });

    test("a rollout that cannot become ready passes its deadline, and the old pods go on", async () => {
      const spec = { progressDeadlineSeconds: 1 };
      await apply(shopDeployment("late", { spec }));
      await available("late", 2);
      await apply(shopDeployment("late", { tag: "2", env: { READINESS: "never" }, spec }));
      const stuck = await until(kinds.deployment, "late", (object) => conditionOf(object, "Progressing") === "False/ProgressDeadlineExceeded");
      expect(statusField(stuck, "availableReplicas")).toBe(2);
      await apply(shopDeployment("late", { spec }));
      const back = await until(kinds.deployment, "late", (object) => conditionOf(object, "Progressing") === rolledOut);
      expect(back.metadata.annotations?.["deployment.kubernetes.io/revision"]).toBe("3");
    });

    test("a pod that no node fits is Unschedulable", async () => {
      await apply(shopDeployment("nowhere", { replicas: 1, pod: { nodeSelector: { disk: "ssd" } } }));
      await expect
        .poll(async () => (await podsOf("nowhere")).map((pod) => conditionOf(pod, "PodScheduled")), patience)
        .toEqual(["False/Unschedulable"]);
    });

    test("a quota that leaves no room is said by the Deployment as ReplicaFailure", async () => {
      const namespace = "shop-quota";
      await apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
      await apply({ apiVersion: "v1", kind: "ResourceQuota", metadata: { name: "none", namespace }, spec: { hard: { pods: "0" } } });
      const quota = { apiVersion: "v1", kind: "ResourceQuota", namespace, name: "none" };
      await vi.waitUntil(async () => JSON.stringify(await subject.kube.get(quota, signal)).includes('"used"'), patience);
      const crowded = shopDeployment("crowded", { replicas: 1 });
      await apply({ ...crowded, metadata: { ...crowded.metadata, namespace } });
      const failure = async () =>
        conditionOf(await subject.kube.get({ ...kinds.deployment, namespace, name: "crowded" }, signal), "ReplicaFailure");
      await expect.poll(failure, patience).toBe("True/FailedCreate");
    });

    test("an autoscaler lifts its target to minReplicas and is disabled at zero", async () => {
      const scaler = {
        ...kinds.autoscaler,
        metadata: { name: "scaled", namespace: "shop" },
        spec: { scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "scaled" }, minReplicas: 3, maxReplicas: 5 },
      };
      await apply(shopDeployment("scaled", { replicas: 1 }), scaler);
      await available("scaled", 3);
      await scale("scaled", 0);
      await until(kinds.autoscaler, "scaled", (object) => conditionOf(object, "ScalingActive") === "False/ScalingDisabled");
      await expect.poll(async () => (await podsOf("scaled")).length, patience).toBe(0);
    });
  });
}
