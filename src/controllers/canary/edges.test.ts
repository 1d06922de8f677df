import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  always,
  type CanaryWorld,
  deploymentSpec,
  eventually,
  imageOf,
  kindsSeen,
  never,
  shopCanary,
  startCanaryWorld,
} from "../../../test/canary-world.ts";
import { conditionOf, shopDeployment } from "../../../test/sandbox-cluster.ts";
import { names } from "../../api/meta.ts";
import type { KubeObject } from "../../api/object.ts";
import { kindsRead } from "./cluster.ts";

let world: CanaryWorld;
beforeAll(async () => {
  world = await startCanaryWorld();
  void world.startController();
});
afterAll(() => world.close());

const { canary, deployment, service, autoscaler, secret, configMap } = kindsSeen;
const steady = { analysis: { metrics: [always] } };
const remove = (kind: typeof deployment | typeof service | typeof canary, name: string, propagation?: "Foreground") =>
  world.kube.delete({ ...kind, namespace: "shop", name }, propagation ? { propagation } : {}, world.signal);
const readyReason = async (name: string): Promise<string> => conditionOf((await world.get(canary, name)) ?? shopCanary(name), "Ready");
const kindIn = (described: string): string => described.slice(0, described.indexOf("/"));
/** What carries the Canary's label, as `Kind/name`. */
async function madeBy(name: string, which: (object: KubeObject) => boolean = () => true): Promise<string[]> {
  const lists = Object.values(kindsRead).map((kind) =>
    world.kube.list(kind, { namespace: "shop", labelSelector: `${names.canary}=${name}` }, world.signal),
  );
  return (await Promise.all(lists)).flat().filter(which).map((object) => `${object.kind}/${object.metadata.name}`);
}
const podWith = (name: string, extra: object): object => ({ ...deploymentSpec(shopDeployment(name)).template.spec, ...extra });

describe.concurrent("a canary", () => {
  test("waits for a Deployment that does not exist yet", async () => {
    const name = "early";
    await world.apply(shopCanary(name, steady));
    await world.until(canary, name, (object) => conditionOf(object, "Ready") === "False/TargetMissing");
    await world.apply(shopDeployment(name));
    expect((await world.phase(name, "Initialized")).canaryWeight).toBe(0);
  });

  test("says so when its first primary cannot start, and takes over once that is mended; the target serves all the time", async () => {
    const name = "unstartable";
    await world.apply(shopDeployment(name, { tag: "missing-1" }), shopCanary(name, { ...steady, progressDeadlineSeconds: 2 }));
    await world.until(canary, name, (object) => conditionOf(object, "Ready") === "False/PrimaryFailed");
    expect(deploymentSpec(await world.get(deployment, name)).replicas).toBe(2);
    await world.release(name, "2");
    await world.phase(name, "Initialized");
  });

  test("counts its checks without traffic when it is blue/green, and then takes all at once", async () => {
    const name = "blue";
    await world.underCanary(name, { analysis: { iterations: 2, metrics: [always] } });
    const users = new AbortController();
    const traffic = world.load(name, users.signal);
    await world.release(name, "2");
    const counted = await world.phase(name, "Progressing", ({ iterations }) => iterations === 1);
    expect(counted.canaryWeight).toBe(0);
    await world.phase(name, "Progressing", ({ canaryWeight }) => canaryWeight === 100);
    await world.phase(name, "Succeeded");
    users.abort();
    expect(await traffic.ended).toMatchObject({ lost: 0, failed: 0 });
    expect(imageOf(await world.get(deployment, `${name}-primary`))).toBe("serin.dev/shop:2");
  });

  test("goes on when its last step is later than now, as after a clock that was set back", async () => {
    const name = "ahead";
    await world.underCanary(name, { analysis: { metrics: [always], stepWeight: 20, maxWeight: 60 } });
    await world.release(name, "2");
    await world.phase(name, "Progressing", ({ canaryWeight = 0 }) => canaryWeight > 0);
    const later = new Date(Date.now() + 3_600_000).toISOString();
    const ref = { ...canary, namespace: "shop", name };
    const status = { steppedAt: later, firstTrafficAt: later };
    await world.kube.patch(ref, { status }, { fieldManager: "test", subresource: "status" }, world.signal);
    await world.phase(name, "Succeeded");
    expect(imageOf(await world.get(deployment, `${name}-primary`))).toBe("serin.dev/shop:2");
  });

  test("makes a primary that somebody deleted after a failure again from the promoted revision, not from the failed one", async () => {
    const name = "remade";
    await world.underCanary(name, { analysis: { metrics: [never] } });
    await world.release(name, "2");
    await world.phase(name, "Failed");
    const before = await world.get(deployment, `${name}-primary`);
    await remove(deployment, `${name}-primary`);
    const again = await world.until(
      deployment,
      `${name}-primary`,
      ({ metadata, status }) =>
        metadata.uid !== before?.metadata.uid && (status as { availableReplicas?: number } | undefined)?.availableReplicas === 2,
    );
    expect(imageOf(again)).toBe("serin.dev/shop:1");
    expect(imageOf(await world.get(deployment, name))).toBe("serin.dev/shop:2");
  });

  test("puts back its primary's Service, and takes pods away that a person gave the target at rest", async () => {
    const name = "mended";
    await world.underCanary(name, steady);
    await remove(service, `${name}-primary`);
    await eventually(async () => (await world.get(service, `${name}-primary`)) !== undefined);
    await world.patch(deployment, name, { spec: { replicas: 3 } });
    await world.replicas(name, 0);
    expect((await world.status(name)).phase).toBe("Initialized");
  });

  test("gives the target back when it is deleted in the foreground, though the garbage collector does not wait for that", async () => {
    const name = "foreground";
    await world.underCanary(name, { ...steady, revertOnDeletion: true });
    const users = new AbortController();
    const traffic = world.load(name, users.signal);
    await eventually(() => traffic.snapshot().answered > 20);
    await remove(canary, name, "Foreground");
    await eventually(async () => (await world.get(canary, name)) === undefined);
    expect(deploymentSpec(await world.get(deployment, name)).replicas).toBe(2);
    const answered = traffic.snapshot().answered;
    await eventually(() => traffic.snapshot().answered > answered + 60);
    users.abort();
    expect(await traffic.ended).toMatchObject({ lost: 0, failed: 0 });
    // What it made has gone with it; the apex Service and its route stay and serve.
    expect((await madeBy(name)).sort()).toEqual([`HTTPRoute/${name}`, `Service/${name}`]);
  });

  test("takes the owner references off what it made when it shall give everything back, and puts them on again", async () => {
    const name = "switched";
    const made = ["ControllerRevision", "Deployment", "HTTPRoute", "Service"];
    const referenced = async () => new Set((await madeBy(name, (object) => object.metadata.ownerReferences?.length === 1)).map(kindIn));
    await world.underCanary(name, steady);
    expect([...(await referenced())].sort()).toEqual(made);
    await world.patch(canary, name, { spec: { revertOnDeletion: true } });
    await eventually(async () => (await referenced()).size === 0);
    expect((await world.get(canary, name))?.metadata.finalizers).toEqual([names.finalizer]);
    await world.patch(canary, name, { spec: { revertOnDeletion: false } });
    await eventually(async () => ((await world.get(canary, name))?.metadata.finalizers ?? []).length === 0);
    expect([...(await referenced())].sort()).toEqual(made);
    expect((await world.status(name)).phase).toBe("Initialized");
  });

  test("says so when another Canary has its target, naming both, and takes over when that goes", async () => {
    const name = "shared";
    await world.underCanary(name, { ...steady, revertOnDeletion: true });
    const second = shopCanary(name, { ...steady, service: { name: "shared-second" } });
    await world.apply({ ...second, metadata: { ...second.metadata, name: "shared-second" } });
    const stalled = await world.until(canary, "shared-second", (object) => conditionOf(object, "Stalled") === "True/TargetTaken");
    expect(JSON.stringify(stalled["status"])).toMatch(/Canary shop\/shared-second.*Canary shop\/shared /);
    expect(await readyReason(name)).toBe("True/Initialized");
    await remove(canary, name);
    await world.phase("shared-second", "Initialized");
  });

  test.each<[string, object, number]>([
    ["without a node for its pods", { nodeSelector: { disk: "none" } }, 2],
  ])("is rolled back %s, and no commit is blamed", async (_, extra, progressDeadlineSeconds) => {
    const name = "unscheduled";
    await world.underCanary(name, { ...steady, progressDeadlineSeconds });
    await world.release(name, "2", { pod: podWith(name, extra) });
    const failed = await world.phase(name, "Failed");
    expect(failed.failure).toMatchObject({ reason: "ProgressDeadlineExceeded", propose: false });
    expect(failed.failure?.message).toMatch(/no node/);
  });

  test("copies its autoscaler for the primary, and follows its changes", async () => {
    const name = "scaled";
    const hpa = (maxReplicas: number): KubeObject => ({
      ...autoscaler,
      metadata: { name, namespace: "shop" },
      spec: { scaleTargetRef: { ...deployment, name }, minReplicas: 2, maxReplicas },
    });
    await world.apply(hpa(5));
    await world.underCanary(name, { ...steady, autoscalerRef: { kind: "HorizontalPodAutoscaler", name } });
    const spec = async () =>
      (await world.get(autoscaler, `${name}-primary`))?.["spec"] as { maxReplicas: number; scaleTargetRef: { name: string } };
    expect(await spec()).toMatchObject({ maxReplicas: 5, scaleTargetRef: { name: `${name}-primary` } });
    await world.apply(hpa(7));
    await eventually(async () => (await spec()).maxReplicas === 7);
    await world.patch(deployment, `${name}-primary`, { spec: { replicas: 4 } });
    await world.release(name, "2");
    await world.phase(name, "Succeeded");
    expect(deploymentSpec(await world.get(deployment, `${name}-primary`)).replicas).toBe(4);
  });

  test("copies Secrets and binary data to the primary once they were analysed, and keeps values out of its status", async () => {
    const name = "secretive";
    const base64 = (text: string): string => Buffer.from(text).toString("base64");
    const configs = (text: string): KubeObject[] => [
      { ...secret, metadata: { name: `${name}-keys`, namespace: "shop" }, data: { KEY: base64(text) } },
      { ...configMap, metadata: { name: `${name}-blobs`, namespace: "shop" }, binaryData: { blob: base64(`\u0000${text}`) } },
    ];
    const volumes = [{ name: "blobs", configMap: { name: `${name}-blobs` } }, { name: "keys", secret: { secretName: `${name}-keys` } }];
    await world.apply(...configs("first-value"));
    await world.underCanary(name, { skipAnalysis: true }, { pod: { volumes } });
    await world.apply(...configs("second-value"));
    await world.phase(name, "Succeeded");
    const copy = await world.get(secret, `${name}-keys-primary`);
    expect(copy?.["data"]).toEqual({ KEY: base64("second-value") });
    expect((await world.get(configMap, `${name}-blobs-primary`))?.["binaryData"]).toEqual({ blob: base64("\u0000second-value") });
    const records = await world.kube.list({ apiVersion: "apps/v1", kind: "ControllerRevision" }, { namespace: "shop" }, world.signal);
    const told = JSON.stringify([
      await world.status(name),
      records
        .filter(({ metadata }) => metadata.name.startsWith(name))
        .map(({ data }) => (data as { configs: Record<string, unknown> }).configs[`Secret/${name}-keys`]),
    ]);
    expect(told).not.toContain(base64("second-value"));
  });
});
