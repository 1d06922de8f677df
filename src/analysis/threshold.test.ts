import { describe, expect, test } from "vitest";
import type { CanaryMetric } from "../api/analysis.ts";
import type { Sample, Verdict } from "./sample.ts";
import { judge } from "./threshold.ts";

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

describe("fewer requests than a check needs", () => {
  const enough = { ...state, minRequests: 50 };
  const bad = { metric: latency, canary: number(900) };

  test("are not scored", () => {
    expect(judge([bad], { ...enough, requests: 49 })).toMatchObject({
      verdict: "inconclusive",
      failedChecks: 0,
      message: "not scored: the canary had 49 requests, fewer than the 50 a check needs",
    });
  });

  test.each<[string, number | undefined]>([
    ["just enough are", 50],
    ["and so is a check whose requests nobody counted", undefined],
  ])("%s", (_, requests) => {
    expect(judge([bad], { ...enough, requests })).toMatchObject({ verdict: "fail", failedChecks: 1 });
  });
});
