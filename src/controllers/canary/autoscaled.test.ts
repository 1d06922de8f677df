import { afterAll, beforeAll, expect, test } from "vitest";
import { type CanaryWorld, deploymentSpec, eventually, kindsSeen, startCanaryWorld } from "../../../test/canary-world.ts";
import type { KubeObject } from "../../api/object.ts";
import { createInformers } from "../../kube/informers.ts";
import type { Kube } from "../../kube/kube.ts";
import { silentLogger } from "../../lib/log.ts";

const { deployment, autoscaler } = kindsSeen;
/** Replicas that an autoscaler sets in the moment in which the Deployment of this name is written, once. */
const armed = new Map<string, number>();

let world: CanaryWorld;
beforeAll(async () => {
  world = await startCanaryWorld();
  const kube = world.as("serin");
  const apply: Kube["apply"] = async (object, ...more) => {
    const { name } = object.metadata;
    const replicas = object.kind === deployment.kind ? armed.get(name) : undefined;
    if (replicas !== undefined) {
      armed.delete(name);
      await world.patch(deployment, name, { spec: { replicas } });
    }
    return kube.apply(object, ...more);
  };
  void world.startController({ kube: { ...kube, apply } });
});
afterAll(() => world.close());

/** Everything that the replicas of a Deployment are from now on. */
function replicasOf(name: string): (number | undefined)[] {
  const all: (number | undefined)[] = [];
  createInformers({ watch: world.kube, log: silentLogger, signal: world.signal })
    .of(deployment)
    .onChange(({ after }) => {
      const replicas = after?.metadata.name === name ? deploymentSpec(after).replicas : undefined;
      if (replicas !== all.at(-1) && replicas !== undefined) all.push(replicas);
    });
  return all;
}

test("what an autoscaler sets while a Deployment is written stays, of the target and of the primary", async () => {
  const name = "scaled";
  const primary = `${name}-primary`;
  const hpa: KubeObject = {
    ...autoscaler,
    metadata: { name, namespace: "shop" },
    spec: { scaleTargetRef: { ...deployment, name }, minReplicas: 2, maxReplicas: 9 },
  };
  await world.apply(hpa);
  const analysis = { interval: "1s", threshold: 1, stepWeight: 10, maxWeight: 40 };
  await world.underCanary(name, { analysis, autoscalerRef: { kind: autoscaler.kind, name } });
  const users = new AbortController();
  const traffic = world.load(name, users.signal);
  const seen = replicasOf(name);
  await world.release(name, "2");
  await world.replicas(name, 2);
  armed.set(name, 5);
  armed.set(primary, 4);
  // Ours again, with the value of the moment: in that moment it is another.
  await world.patch(deployment, name, { spec: { replicas: 3 } });
  await eventually(() => armed.size === 1);
  await world.phase(name, "Succeeded");
  users.abort();
  await traffic.ended;
  await eventually(() => seen.at(-1) === 0);
  expect(seen.slice(seen.indexOf(5))).toEqual([5, 0]);
  expect(armed.size).toBe(0);
  expect(deploymentSpec(await world.get(deployment, primary)).replicas).toBe(4);
});
