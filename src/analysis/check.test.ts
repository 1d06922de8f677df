import { describe, expect, test } from "vitest";
import type { CanaryMetric } from "../api/analysis.ts";
import type { CheckResult } from "../api/canary.ts";
import type { Sample, Verdict } from "./sample.ts";
import { checkOf, rangeOf } from "./check.ts";

const metric = (more: Partial<CanaryMetric> = {}): CanaryMetric => ({
  name: "request-success-rate",
  interval: "1m",
  thresholdRange: { min: 99 },
  ...more,
});
const latency = metric({ name: "request-duration", thresholdRange: { max: 500 } });
const custom = metric({ name: "queue", query: "queue", thresholdRange: { min: 1, max: 10 } });
const number = (value: number): Sample => ({ kind: "number", value });
const down: Sample = { kind: "error", error: "unavailable", message: "http://prometheus:9090 cannot be reached" };
const refused: Sample = { kind: "error", error: "query", message: "the query was refused: parse error" };
const empty: Sample = { kind: "noData", why: "empty" };

function checkOne(on: CanaryMetric, canary: Sample, primary?: Sample): CheckResult {
  return checkOf({ metric: on, canary, primary });
}

describe("one metric", () => {
  test.each<[string, CanaryMetric, Sample, Verdict, string]>([
    ["below the minimum", metric(), number(71.2), "fail", "request-success-rate is 71.2 %, below the minimum 99 %"],
    ["just below the minimum", metric(), number(98.9999), "fail", "request-success-rate is 98.9999 %, below the minimum 99 %"],
    ["on the minimum", metric(), number(99), "pass", "request-success-rate is 99 %, within the minimum 99 %"],
    ["on the minimum but for the dust of binary fractions", metric({ thresholdRange: { min: 100 } }), number(99.99999999999999), "pass", "request-success-rate is 100 %, within the minimum 100 %"],
    ["above the maximum", latency, number(1234.5678), "fail", "request-duration is 1234.568 ms, above the maximum 500 ms"],
    ["on the maximum", latency, number(500), "pass", "request-duration is 500 ms, within the maximum 500 ms"],
    ["inside both", custom, number(3.3333333), "pass", "queue is 3.333, within 1 to 10"],
    ["infinite", latency, number(Infinity), "fail", "request-duration is Infinity ms, above the maximum 500 ms"],
    ["minus infinity below a maximum", latency, number(-Infinity), "pass", "request-duration is -Infinity ms, within the maximum 500 ms"],
    ["no series", metric(), empty, "inconclusive", "request-success-rate has no data: no series matches, or there was no traffic yet"],
    ["NaN", metric(), { kind: "noData", why: "nan" }, "inconclusive", "request-success-rate has no data: no traffic in the window (NaN)"],
    ["NaN as a number", metric(), number(Number.NaN), "inconclusive", "request-success-rate is NaN %, which is no number"],
    [
      "several series",
      custom,
      { kind: "ambiguous", series: 3 },
      "inconclusive",
      "queue is ambiguous: the query gives 3 series; aggregate them to one",
    ],
    [
      "too early",
      metric(),
      { kind: "tooEarly" },
      "inconclusive",
      "request-success-rate is not known yet: this revision has had traffic for too short a time",
    ],
    ["a dead server", metric(), down, "inconclusive", "request-success-rate is not known: http://prometheus:9090 cannot be reached"],
    ["a refused query", custom, refused, "inconclusive", "queue cannot be measured: the query was refused: parse error"],
    [
      "no bounds",
      metric({ name: "queue", query: "queue", thresholdRange: undefined }),
      number(3),
      "inconclusive",
      "queue is 3, which says nothing without a thresholdRange",
    ],
  ])("%s", (_, ...[on, sample, verdict, message]) => {
    expect(checkOne(on, sample)).toMatchObject({ name: on.name, verdict, message });
  });

  test("a value that is not finite stays out of the status, which JSON could not hold", () => {
    expect(checkOne(latency, number(Infinity))).not.toHaveProperty("value");
    expect(checkOne(latency, number(501))).toHaveProperty("value", 501);
    expect(checkOne(metric(), empty)).not.toHaveProperty("value");
  });
});

describe("the primary beside it", () => {
  test.each<[string, Sample | undefined, Pick<CheckResult, "primary" | "primaryPassed">, string]>([
    ["passed: the release is to blame", number(99.9), { primary: 99.9, primaryPassed: true }, "; the primary's is 99.9 %"],
    ["is whole but for the dust of binary fractions", number(99.99999999999999), { primary: 100, primaryPassed: true }, "; the primary's is 100 %"],
    ["failed too: it is not", number(60), { primary: 60, primaryPassed: false }, "; the primary's is 60 %"],
    ["was not asked: nobody knows", undefined, {}, ""],
    ["has no data: nobody knows", empty, {}, ""],
    ["cannot be reached: nobody knows", down, {}, ""],
  ])("%s", (_, primary, want, beside) => {
    const check = checkOne(metric(), number(71.2), primary);
    expect(check).toEqual({
      name: "request-success-rate",
      verdict: "fail",
      value: 71.2,
      message: `request-success-rate is 71.2 %, below the minimum 99 %${beside}`,
      ...want,
    });
  });
});

test("a query that cannot tell the primary from the canary says that it proposes nothing, and how it would", () => {
  expect(checkOne(custom, number(20)).message).toBe(
    "queue is 20, above the maximum 10; its query cannot be asked of the primary, so by itself it only holds the change back and proposes no revert: write {{ target }} or {{ service }}-canary in it",
  );
  expect(checkOne(custom, number(20), number(5)).message).toBe("queue is 20, above the maximum 10; the primary's is 5");
  expect(checkOne(custom, number(5)).message).toBe("queue is 5, within 1 to 10");
});

test.each<[string, CanaryMetric, object | undefined]>([
  ["the user's own come first", metric({ thresholdRange: { min: 95 } }), { min: 95 }],
  ["a success rate without any", metric({ thresholdRange: undefined }), { min: 99 }],
  ["a duration without any", metric({ name: "request-duration", thresholdRange: undefined }), { max: 500 }],
  ["another query under a ready-made name", metric({ query: "x", thresholdRange: undefined }), undefined],
  ["a metric of the user's own", metric({ name: "queue", templateRef: { name: "queue" }, thresholdRange: undefined }), undefined],
  ["a name that every object has", metric({ name: "constructor", thresholdRange: undefined }), undefined],
])("bounds: %s", (_, on, want) => {
  expect(rangeOf(on)).toEqual(want);
});
