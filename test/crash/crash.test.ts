import { expect, test } from "vitest";
import { createBeginnings, play } from "./driver.ts";
import { scheduleOf } from "./moves.ts";
import { report } from "./shrink.ts";
import { shortIn, sumOf, type Tally } from "./tally.ts";

/** Ten thousand and more are played by `npm run test:crash`. */
const schedules = 500;

test(`every promise is kept in ${schedules} schedules of pushes, outages and kills`, { timeout: 600_000 }, async () => {
  const beginnings = createBeginnings();
  const tallies: Tally[] = [];
  for (let seed = 1; seed <= schedules; seed += 1) {
    const schedule = scheduleOf(seed);
    const outcome = await play(schedule, beginnings);
    expect(await report(schedule, outcome, beginnings)).toBe("");
    tallies.push(outcome.tally);
  }
  expect(shortIn(sumOf(tallies), schedules)).toEqual([]);
});

test("the same seed plays the same way, whatever was played before", async () => {
  const beginnings = createBeginnings();
  const traces = new Map<number, string[]>();
  for (const seed of [2, 55, 56, 55, 2, 56, 2]) {
    const { trace } = await play(scheduleOf(seed), beginnings, { traced: true });
    traces.set(seed, [...(traces.get(seed) ?? []), trace.join("\n")]);
  }
  expect(traces.get(2)?.[0]).toContain("kube create Revert");
  for (const [, [first, ...others]] of traces) expect(others.filter((other) => other !== first)).toEqual([]);
});
