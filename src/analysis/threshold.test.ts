import { describe, expect, test } from "vitest";
import type { CanaryMetric } from "../api/analysis.ts";
import type { Sample, Verdict } from "./sample.ts";
import { count, flaggerCounting, judge } from "./threshold.ts";

const metric = (more: Partial<CanaryMetric> = {}): CanaryMetric => ({
  name: "request-success-rate",
  interval: "1m",
  thresholdRange: { min: 99 },
  ...more,
});
const latency = metric({ name: "request-duration", thresholdRange: { max: 500 } });
const custom = metric({ name: "queue", query: "queue", thresholdRange: { min: 1, max: 10 } });
const number = (value: number): Sample => ({ kind: "number", value });
const empty: Sample = { kind: "noData", why: "empty" };
const state = { failedChecks: 0, threshold: 5 };

describe("all metrics together", () => {
  const good = { metric: metric(), canary: number(100) };
  const bad = { metric: latency, canary: number(900) };
  const silent = { metric: custom, canary: empty };

  test.each<[string, Parameters<typeof judge>[0], Verdict, number]>([
    ["all good", [good, good], "pass", 0],
    ["one bad", [good, bad], "fail", 1],
    ["one bad and one silent: the number counts", [silent, bad], "fail", 1],
    ["two bad are one failed check", [bad, bad], "fail", 1],
    ["one silent", [good, silent], "inconclusive", 0],
    ["nothing measured", [], "inconclusive", 0],
  ])("%s", (_, samples, verdict, counted) => {
    expect(judge(samples, { failedChecks: 2, threshold: 5 })).toMatchObject({ verdict, failedChecks: 2 + counted, rollBack: false });
  });

  test.each<[string, number, number, boolean]>([
    ["the first of one", 0, 1, true],
    ["the fourth of five", 3, 5, false],
    ["the fifth of five, at once", 4, 5, true],
    ["one after a threshold that was lowered meanwhile", 7, 5, true],
  ])("a failed check: %s", (_, failedChecks, threshold, rollBack) => {
    expect(judge([bad], { failedChecks, threshold })).toMatchObject({ rollBack, failedChecks: failedChecks + 1 });
  });

  test("only failure rolls back, however many checks failed before", () => {
    expect(judge([silent], { failedChecks: 9, threshold: 5 })).toMatchObject({ verdict: "inconclusive", rollBack: false, failedChecks: 9 });
    expect(judge([good], { failedChecks: 4, threshold: 5 })).toMatchObject({ verdict: "pass", rollBack: false, failedChecks: 4 });
  });

  test("the sentence says what decided", () => {
    expect(judge([good, bad, silent], state).message).toBe("request-duration is 900 ms, above the maximum 500 ms");
    expect(judge([good, silent], state).message).toBe("queue has no data: no series matches, or there was no traffic yet");
    expect(judge([], state).message).toBe("no metric was measured");
  });
});

describe("Flagger's own counting", () => {
  test.each<[string, Verdict, number, number, boolean]>([
    ["the check that reaches the threshold only counts", "fail", 4, 5, false],
    ["the next one rolls back, whatever it would say", "pass", 5, 5, true],
    ["a check without a number counts as failed", "inconclusive", 1, 2, false],
    ["a passed check never lowers the count", "pass", 3, 3, false],
  ])("%s", (_, verdict, failedChecks, ...[counted, rollBack]) => {
    expect(count(verdict, { failedChecks, threshold: 5 }, flaggerCounting)).toEqual({ failedChecks: counted, rollBack });
  });
});

describe("fewer requests than a check needs", () => {
  const counting = { ...flaggerCounting, minRequests: 50 };
  const bad = { metric: latency, canary: number(900) };

  test("are not scored, not even as a check without a number", () => {
    expect(judge([bad], { ...state, requests: 49 }, counting)).toMatchObject({
      verdict: "inconclusive",
      failedChecks: 0,
      message: "not scored: the canary had 49 requests, fewer than the 50 a check needs",
    });
  });

  test.each<[string, number | undefined]>([
    ["just enough are", 50],
    ["and so is a check whose requests nobody counted", undefined],
  ])("%s", (_, requests) => {
    expect(judge([bad], { ...state, requests }, counting)).toMatchObject({ verdict: "fail", failedChecks: 1 });
  });
});
