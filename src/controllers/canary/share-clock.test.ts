import { expect, test } from "vitest";
import { type ShareWorld, startShareWorld } from "../../../test/share-world.ts";
import type { CanaryStatus } from "../../api/canary.ts";

/** A Canary that names no metrics and no steps. */
const byShare = { analysis: { metrics: undefined, stepWeight: undefined, maxWeight: undefined } };
const hour = 3_600;

const ended = ({ phase }: CanaryStatus) => phase === "Succeeded" || phase === "Failed";
const hasTraffic = ({ canaryWeight = 0 }: CanaryStatus) => canaryWeight > 0;

/** By how many seconds our clock is ahead of that of Prometheus before the first traffic, and from then on. */
const clocks: [string, number, number][] = [
  ["is set back an hour under traffic", 0, -hour],
  ["was an hour ahead until the first traffic", hour, -hour],
  ["goes an hour ahead under traffic", 0, hour],
  ["is ten minutes behind all the time", -600, 0],
  ["is ten minutes ahead all the time", 600, 0],
];

/** A release that has its first traffic, and how far our clock is ahead before and after it. */
async function underTraffic(image: string, { before, after }: { before: number; after: number }): Promise<ShareWorld> {
  const world = await startShareWorld(byShare, { rps: 100 });
  world.setClock(before);
  await world.release(image);
  await world.until(hasTraffic);
  world.setClock(after);
  return world;
}

test.each(clocks)("a canary that fails altogether is rolled back within two scrapes when our clock %s", async (_, before, after) => {
  const world = await underTraffic("shop:b100", { before, after });
  const { status, seconds } = await world.until(ended);
  expect(status).toMatchObject({ phase: "Failed", failure: { reason: "EvidenceAgainst", propose: true } });
  expect(seconds).toBeLessThanOrEqual(2 * 15 + 2);
});

test.each(clocks)("a good one is promoted in its time when our clock %s", async (_, before, after) => {
  const world = await underTraffic("shop:2", { before, after });
  const { status, seconds } = await world.until(ended);
  expect(status).toMatchObject({ phase: "Succeeded", evidence: { reason: "GoodEnough" } });
  expect(seconds).toBeLessThan(10 * 60);
});

test.each(clocks)("a Prometheus that loses its gateway is noticed when our clock %s", async (_, before, after) => {
  const world = await underTraffic("shop:2", { before, after });
  await world.pass(40);
  world.now.lost = true;
  await world.pass(80);
  expect(world.status().evidence).toMatchObject({ reason: "MetricsUnreadable" });
});
