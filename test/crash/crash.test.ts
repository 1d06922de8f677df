import { expect, test } from "vitest";
import { createBeginnings, play } from "./driver.ts";
import { scheduleOf } from "./moves.ts";
import { report } from "./shrink.ts";

/** Ten thousand and more are played by `npm run test:crash`. */
const schedules = 500;

test(`every promise is kept in ${schedules} schedules of pushes, outages and kills`, { timeout: 240_000 }, async () => {
  const beginnings = createBeginnings();
  for (let seed = 1; seed <= schedules; seed += 1) {
    const schedule = scheduleOf(seed);
    const outcome = await play(schedule, beginnings);
    expect(await report(schedule, outcome, beginnings)).toBe("");
  }
});

test("the same seed plays the same way", async () => {
  const beginnings = createBeginnings();
  const traces = [];
  for (const _ of [1, 2]) traces.push((await play(scheduleOf(2), beginnings, { traced: true })).trace.join("\n"));
  expect(traces[0]).toContain("kube create Revert");
  expect(traces[1]).toBe(traces[0]);
});
