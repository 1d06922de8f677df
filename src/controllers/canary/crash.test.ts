import { afterAll, beforeAll, expect, test } from "vitest";
import {
  always,
  type CanaryWorld,
  canaryStatus,
  eventually,
  imageOf,
  kindsSeen,
  never,
  shopCanary,
  startCanaryWorld,
  withoutReplicas,
} from "../../../test/canary-world.ts";
import { shopDeployment } from "../../../test/sandbox-cluster.ts";
import { names } from "../../api/meta.ts";
import type { KubeObject } from "../../api/object.ts";
import { createInformers } from "../../kube/informers.ts";
import type { Kube } from "../../kube/kube.ts";
import { silentLogger } from "../../lib/log.ts";
import { kindsRead } from "./cluster.ts";

let world: CanaryWorld;
beforeAll(async () => {
  world = await startCanaryWorld();
});
afterAll(() => world.close());

/** A client through which one write about anything but Events goes; with it the process dies, like one that is killed. */
function mortal(kube: Kube, life: AbortController, writes: string[]): Kube {
  let left = 1;
  const once =
    <A extends [{ readonly kind: string }, ...unknown[]], R>(verb: string, write: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      const [{ kind }] = args;
      if (kind === "Event") return write(...args);
      if (left === 0) throw new Error("killed");
      left -= 1;
      const done = await write(...args);
      writes.push(`${verb} ${kind}`);
      life.abort(new Error("killed"));
      return done;
    };
  return {
    ...kube,
    create: once("create", (...args: Parameters<Kube["create"]>) => kube.create(...args)),
    apply: once("apply", (...args: Parameters<Kube["apply"]>) => kube.apply(...args)),
    patch: once("patch", (...args: Parameters<Kube["patch"]>) => kube.patch(...args)),
    replace: once("replace", (...args: Parameters<Kube["replace"]>) => kube.replace(...args)),
    delete: once("delete", (...args: Parameters<Kube["delete"]>) => kube.delete(...args)),
  };
}

/** Processes one after another, each killed after its first write, until the signal aborts. Returns what they wrote. */
function manyLives(signal: AbortSignal): { writes: string[]; ended: Promise<void> } {
  const writes: string[] = [];
  const live = async (): Promise<void> => {
    while (!signal.aborted) {
      const life = new AbortController();
      await world.startController({ kube: mortal(world.kube, life, writes), signal: AbortSignal.any([life.signal, signal]) });
    }
  };
  return { writes, ended: live() };
}

/** The shop as a Sync applies it, so that a failure becomes a Revert. */
function fromSync(name: string, tag: string): KubeObject {
  const shop = shopDeployment(name, { tag });
  return { ...shop, metadata: { ...shop.metadata, labels: { [names.syncName]: "apps", [names.syncNamespace]: "shop" } } };
}

test("killed after each single write, a good and a bad run and the end keep every promise, and the Revert is created once", async () => {
  const name = "mortal";
  const stop = new AbortController();
  const seen = { weights: [] as number[], images: new Set<string | undefined>() };
  const informers = createInformers({ watch: world.kube, log: silentLogger, signal: world.signal });
  informers.of(kindsSeen.canary).onChange(({ after }) => {
    const { canaryWeight = 0 } = after ? canaryStatus(after) : {};
    if (seen.weights.at(-1) !== canaryWeight) seen.weights.push(canaryWeight);
  });
  informers
    .of(kindsSeen.deployment)
    .onChange(({ after }) => void (after?.metadata.name === `${name}-primary` && seen.images.add(imageOf(after))));
  const { writes, ended } = manyLives(AbortSignal.any([stop.signal, world.signal]));

  await world.apply(fromSync(name, "1"), shopCanary(name, { analysis: { metrics: [always] } }));
  await world.phase(name, "Initialized");
  await world.replicas(name, 0);
  const traffic = world.load(name, stop.signal);
  await world.apply(withoutReplicas(fromSync(name, "2")));
  await world.phase(name, "Succeeded");
  await world.replicas(name, 0);
  expect(seen.weights).toEqual([0, 25, 50, 0]);
  expect(imageOf(await world.get(kindsSeen.deployment, `${name}-primary`))).toBe("serin.dev/shop:2");

  await world.patch(kindsSeen.canary, name, { spec: { analysis: { metrics: [never] } } });
  await world.apply(withoutReplicas(fromSync(name, "3")));
  const failed = await world.phase(name, "Failed", ({ revertRef }) => revertRef !== undefined);
  await world.replicas(name, 0);

  await world.patch(kindsSeen.canary, name, { spec: { revertOnDeletion: true } });
  await eventually(async () => (await world.get(kindsSeen.deployment, `${name}-primary`))?.metadata.ownerReferences === undefined);
  await world.kube.delete({ ...kindsSeen.canary, namespace: "shop", name }, { propagation: "Foreground" }, world.signal);
  await eventually(async () => (await world.get(kindsSeen.canary, name)) === undefined);
  const made = Object.values(kindsRead).map((kind) => world.kube.list(kind, { labelSelector: names.canaryUid }, world.signal));
  expect((await Promise.all(made)).flat()).toEqual([]);
  const answered = traffic.snapshot().answered;
  await eventually(() => traffic.snapshot().answered > answered + 60);
  stop.abort();
  await ended;
  expect(failed).toMatchObject({ canaryWeight: 0, failure: { reason: "CheckFailed" }, refused: [{ revert: failed.revertRef }] });
  expect(seen.weights).toEqual([0, 25, 50, 0, 25, 0, 100, 0]);
  expect([...seen.images]).toEqual(["serin.dev/shop:1", "serin.dev/shop:2"]);
  expect(writes.filter((write) => write === "create Revert")).toHaveLength(1);
  expect(await world.kube.list(kindsSeen.revert, { namespace: "shop" }, world.signal)).toHaveLength(1);
  // The kill between the routes and the Revert is one of them.
  expect(writes.indexOf("create Revert")).toBeGreaterThan(writes.indexOf("apply HTTPRoute"));
  expect(await traffic.ended).toMatchObject({ lost: 0, failed: 0 });
});
