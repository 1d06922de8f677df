import { expect, test } from "vitest";
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

async function outcome(promise: Promise<unknown>): Promise<unknown> {
  return promise.catch((error: unknown) => String(error));
}
