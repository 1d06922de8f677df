import { afterAll, beforeAll, expect, test } from "vitest";
import { always, type CanaryWorld, kindsSeen, startCanaryWorld } from "../../../test/canary-world.ts";

let world: CanaryWorld;
beforeAll(async () => {
  world = await startCanaryWorld();
  void world.startController();
});
afterAll(() => world.close());

/** What a healthy release may cost, all events and the first and last writes included. */
const mostRequests = 60;

test("a healthy release of ten steps costs few requests and no reads, one of them a step for the route", async () => {
  await world.underCanary("thrifty", { analysis: { metrics: [always], stepWeight: 5, maxWeight: 50 } });
  const from = world.requests.length;
  await world.release("thrifty", "2");
  // In parts, for each wait has a limit that is made for shorter ones.
  for (const weight of [20, 40]) await world.phase("thrifty", "Progressing", ({ canaryWeight = 0 }) => canaryWeight >= weight);
  await world.phase("thrifty", "Succeeded");
  await world.replicas("thrifty", 0);
  await world.until(kindsSeen.deployment, "thrifty", ({ status }) => ((status as { replicas?: number }).replicas ?? 0) === 0);
  const asked = world.requests.slice(from).filter(({ user }) => user === "serin");
  const of = (wanted: string): number => asked.filter(({ verb, resource }) => `${verb} ${resource}` === wanted).length;
  expect(asked.filter(({ verb }) => !["patch", "create"].includes(verb))).toEqual([]);
  // Ten up, one back.
  expect(of("patch httproutes")).toBe(11);
  // The target's replicas twice, the primary once.
  expect(of("patch deployments")).toBe(3);
  expect(asked.length).toBeLessThanOrEqual(mostRequests);
});
