import { expect, test } from "vitest";
import type { RawSeries } from "../lib/series.ts";
import { blockMs, historyOf } from "./past.ts";
import { sources, type Subject } from "./sources.ts";

const subject: Subject = { namespace: "shop", target: "checkout", service: "checkout", port: 80 };
const nowMs = 12 * blockMs;

function series(labels: Record<string, string>, ...values: readonly number[]): RawSeries {
  return { labels, points: values.map((value, index) => ({ atMs: nowMs - (values.length - 1 - index) * blockMs, value })) };
}

const pod = (name: string, code: string) => ({ namespace: "shop", pod: name, code });
const stable = (code: string) => ({ envoy_cluster_name: "shop_checkout-primary_80", envoy_response_code: code });

test("adds up what stable's counters gained, resets and births included, and leaves out the canary", () => {
  const found = [
    series(stable("200"), 1_000, 4_000, 2_000, 5_000),
    series(stable("503"), 5, 7),
    series({ ...stable("200"), envoy_cluster_name: "shop_checkout-canary_80" }, 0, 99_999),
  ];
  // The 503 counter was born when its target had been seen before: its first five count.
  expect(historyOf(found, { source: sources.contour, subject, nowMs })).toEqual({
    past: { tally: { requests: 3_000 + 2_000 + 3_000 + 5 + 2, bad: 7 }, dispersion: 1.25, measured: false },
    requestsPerSecond: (3_000 + 2) / 300,
  });
});

test("nothing known", () => {
  expect(historyOf([], { source: sources.contour, subject, nowMs })).toEqual({
    past: { tally: { requests: 0, bad: 0 }, dispersion: 1.25, measured: false },
    requestsPerSecond: undefined,
  });
});

const source = sources.http_requests_total;
const steps = Array.from({ length: 13 }, (_, block) => block);

test("measures the clumps between stable's pods", () => {
  const found = ["checkout-primary-abc12-aaaaa", "checkout-primary-abc12-bbbbb"].flatMap((name, index) => [
    series(pod(name, "200"), ...steps.map((block) => block * 10_000)),
    // Twenty errors at a time, now on this pod, now on that.
    series(pod(name, "500"), ...steps.map((block) => 20 * Math.floor((block + index) / 2))),
  ]);
  const { past } = historyOf(found, { source, subject, nowMs });
  expect(past.measured).toBe(true);
  // As the formula has it, but for the pods' shares: the one with errors had a few more requests.
  expect(past.dispersion).toBeCloseTo((12 * 2 * 100 + 25) / (12 * 10 + 20), 1);
});

test("one pod alone measures nothing", () => {
  const found = [series(pod("checkout-primary-abc12-aaaaa", "200"), 0, 1_000, 2_000)];
  expect(historyOf(found, { source, subject, nowMs }).past).toMatchObject({ dispersion: 1.25, measured: false });
});
