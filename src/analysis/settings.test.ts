import { expect, test } from "vitest";
import { canarySpec } from "../../test/builders.ts";
import { usualMaxDuration } from "../api/analysis.ts";
import { parseDurationMs } from "../lib/duration.ts";
import { policyOf } from "./settings.ts";
import { longestAdaptiveMs } from "./steps.ts";

const minuteMs = 60_000;
const unset = { metrics: undefined, stepWeight: undefined, maxWeight: undefined };

test.each<[string, Record<string, unknown>, number | undefined]>([
  ["adaptive steps end after 20m", unset, 20],
  ["a minDuration within that changes nothing", { ...unset, minDuration: "20m" }, 20],
  ["a longer one lengthens them to as much", { ...unset, minDuration: "30m" }, 30],
  ["what is written stands", { ...unset, minDuration: "30m", maxDuration: "40m" }, 40],
  ["fixed steps end by themselves", { ...unset, stepWeight: 10, minDuration: "30m" }, undefined],
  ["unless something is written", { ...unset, stepWeight: 10, maxDuration: "5m" }, 5],
])("%s", (_, analysis, minutes) => {
  const { maxDurationMs } = policyOf(canarySpec({ analysis }).analysis, { progressDeadlineSeconds: 600 });
  expect(maxDurationMs).toBe(minutes === undefined ? undefined : minutes * minuteMs);
});

test("the rule of admission knows the same end of adaptive steps", () => {
  expect(parseDurationMs(usualMaxDuration)).toBe(longestAdaptiveMs);
});
