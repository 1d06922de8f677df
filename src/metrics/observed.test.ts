import { expect, test } from "vitest";
import type { RawSeries } from "../lib/series.ts";
import { MetricError, type MetricProvider } from "./metric-provider.ts";
import { observedProvider } from "./observed.ts";

const signal = new AbortController().signal;

test.each<[string, MetricProvider["query"], string]>([
  ["a number", async () => ({ kind: "number", value: 1 }), "number"],
  ["no samples", async () => ({ kind: "noData", why: "nan" }), "noData"],
  ["several series", async () => ({ kind: "ambiguous", series: 2 }), "ambiguous"],
  ["a refused query", () => Promise.reject(new MetricError("query", "bad")), "refused"],
  ["a dead server", () => Promise.reject(new MetricError("unavailable", "down")), "unavailable"],
  ["an abort", () => Promise.reject(new Error("stop")), "aborted"],
])("%s is told in a word and passed on", async (_, query, want) => {
  const heard: string[] = [];
  const observed = observedProvider({ query }, ({ result }) => heard.push(result));
  expect(await outcome(observed.query("up", signal))).toEqual(await outcome(query("up", signal)));
  expect(heard).toEqual([want]);
});

test.each<[string, RawSeries[], string]>([
  ["some", [{ labels: {}, points: [] }], "series"],
  ["none", [], "noData"],
])("raw samples are told of as well: %s", async (_, series, want) => {
  const heard: string[] = [];
  const reader = { samples: async () => series, steps: async () => series, nowMs: async () => 5 };
  const provider: MetricProvider = { query: async () => ({ kind: "noData", why: "nan" }), series: reader };
  const observed = observedProvider(provider, ({ result }) => heard.push(result));
  const window = { atMs: 0, rangeMs: 1, fromMs: 0, untilMs: 1, stepMs: 1 };
  expect(await observed.series?.samples({ metric: "up", matchers: [] }, window, signal)).toBe(series);
  expect(await observed.series?.steps({ metric: "up", matchers: [] }, window, signal)).toBe(series);
  expect(await observed.series?.nowMs(signal)).toBe(5);
  expect(heard).toEqual([want, want, "number"]);
});

async function outcome(promise: Promise<unknown>): Promise<unknown> {
  return promise.catch((error: unknown) => String(error));
}
