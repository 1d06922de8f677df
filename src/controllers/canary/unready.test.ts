import { expect, test } from "vitest";
import { aCanary } from "../../../test/builders.ts";
import { manualClock } from "../../../test/fakes/manual-clock.ts";
import type { CanaryStatus } from "../../api/canary.ts";
import type { Health } from "../../canary/decide.ts";
import { createUnreadyTimes } from "./unready.ts";

const ready: Health = { state: "ready" };
const unready: Health = { state: "progressing", reason: "PodsNotReady", message: "too few pods are available", commitsFault: true };
const neither = { canary: unready, primary: unready };
const run: CanaryStatus = { phase: "Progressing", trackedRevision: "v2", promotedRevision: "v1", startedAt: "2026-01-02T03:04:05.000Z" };

test.each<[string, CanaryStatus, CanaryStatus, { canary: number; primary: number }]>([
  ["go on in the same run", run, run, { canary: 90_000, primary: 90_000 }],
  ["begin anew with a step, but for the primary", run, { ...run, steppedAt: "2026-01-02T03:05:00.000Z" }, { canary: 30_000, primary: 90_000 }],
  ["begin anew with another run, but for the primary", run, { ...run, trackedRevision: "v3" }, { canary: 30_000, primary: 90_000 }],
  ["begin anew for a primary that gets another revision", run, { ...run, phase: "Promoting" }, { canary: 0, primary: 30_000 }],
  ["are those of the primary alone at rest", { ...run, phase: "Failed" }, { ...run, phase: "Failed" }, { canary: 0, primary: 90_000 }],
])("times without readiness %s", (_, before, after, want) => {
  const clock = manualClock();
  const times = createUnreadyTimes(clock);
  times.note(aCanary({}, before), neither);
  clock.jump(60_000);
  clock.set(3_600_000);
  times.note(aCanary({}, after), neither);
  clock.jump(30_000);
  expect(times.until(aCanary({}, after))).toEqual(want);
});

test.each<[string, Parameters<ReturnType<typeof createUnreadyTimes>["note"]>[1], { canary: number; primary: number }]>([
  ["the canary", { canary: ready, primary: unready }, { canary: 0, primary: 60_000 }],
  ["the primary", { canary: unready, primary: ready }, { canary: 60_000, primary: 0 }],
])("%s that is ready for a moment begins anew", (_, seen, want) => {
  const clock = manualClock();
  const times = createUnreadyTimes(clock);
  times.note(aCanary({}, run), neither);
  clock.jump(60_000);
  expect(times.note(aCanary({}, run), seen)).toEqual(want);
  expect(times.note(aCanary({}, run), neither)).toEqual(want);
});

test("nothing is known of a Canary that was forgotten", () => {
  const clock = manualClock();
  const times = createUnreadyTimes(clock);
  times.note(aCanary({}, run), neither);
  clock.jump(60_000);
  times.forget("shop/checkout");
  expect(times.until(aCanary({}, run))).toEqual({ canary: 0, primary: 0 });
});
