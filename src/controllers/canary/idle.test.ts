import { afterAll, beforeAll, expect, test } from "vitest";
import { always, type CanaryWorld, kindsSeen, never, startCanaryWorld } from "../../../test/canary-world.ts";
import { systemClock } from "../../lib/clock.ts";
import { createLogger, type Logger } from "../../lib/log.ts";

let world: CanaryWorld;
/** The Canary of each reconcile, in order. */
const runs: string[] = [];

beforeAll(async () => {
  world = await startCanaryWorld();
  const debug: unknown = ({ canary }: { canary: string }, message: string) => void (message === "canary reconciled" && runs.push(canary));
  void world.startController({ deps: { log: { ...createLogger("error"), debug: debug as Logger["debug"] } } });
});
afterAll(() => world.close());

/** Requests about objects while nothing happens, but the node's heartbeat. A watch that is opened again is no question. */
async function requestsWithin(ms: number): Promise<string[]> {
  const from = world.requests.length;
  await systemClock.sleep(ms);
  const asked = world.requests.slice(from).filter(({ verb, resource }) => verb !== "watch" && !/^(leases|nodes)/.test(resource));
  return asked.map(({ verb, resource, name }) => `${verb} ${resource} ${name}`);
}

test("a canary at rest costs no request, neither promoted nor failed, and a rollback is no storm", async () => {
  const analysis = { metrics: [always], stepWeight: 50, maxWeight: 50 };
  await Promise.all([world.underCanary("good", { analysis }), world.underCanary("bad", { analysis: { ...analysis, metrics: [never] } })]);
  await Promise.all([world.release("good", "2"), world.release("bad", "2")]);
  await world.phase("bad", "Failed");
  const before = runs.length;
  await Promise.all([world.phase("good", "Succeeded"), world.replicas("good", 0), world.replicas("bad", 0)]);
  for (const name of ["good", "bad"])
    await world.until(kindsSeen.deployment, name, ({ status }) => ((status as { replicas?: number }).replicas ?? 0) === 0);
  // Two pods end, and there is a status, a route and replicas to write: some ten changes, each looked at once or twice.
  expect(runs.slice(before).filter((canary) => canary === "shop/bad").length).toBeLessThan(20);

  await requestsWithin(1_000);
  const atRest = runs.length;
  expect(await requestsWithin(3_000)).toEqual([]);
  expect(runs.length).toBe(atRest);
});
