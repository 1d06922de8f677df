import type { PastSamples } from "./past-samples.ts";
import { type Method, methods, type Outcome } from "./replay.ts";

/** Replays of one kind, by method. */
export type Results = Readonly<Record<Method, readonly Outcome[]>>;

/** What was read: how much, how busy, how bad. */
export function headOf({ scrapes, scrapeMs, boundsMs }: PastSamples): string {
  const [first, last] = [scrapes[0], scrapes.at(-1)];
  if (!first || !last) return "There are no samples in this time.";
  const sides = scrapes.flatMap(({ errors }) => [errors.canary, errors.stable]);
  const requests = sides.reduce((sum, side) => sum + side.requests, 0);
  const bad = sides.reduce((sum, side) => sum + side.bad, 0);
  const seconds = (last.atMs - first.fromMs) / 1_000;
  const latency = boundsMs.length === 0 ? "no latency" : `latency against ${boundsMs.join(", ")} ms`;
  return [
    `${scrapes.length} scrapes, one every ${Math.round(scrapeMs / 1_000)} s, from ${iso(first.fromMs)} to ${iso(last.atMs)};`,
    `${rounded(requests / seconds)} requests a second, ${requests > 0 ? rounded((100 * bad) / requests) : 0} % failed; ${latency}.`,
  ].join("\n");
}

function iso(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}

function rounded(value: number): string {
  return String(Number(value.toPrecision(3)));
}

/** Many replays on one service's traffic, with what each method made of them. */
export function tableOf(title: string, results: Results): string {
  const rows = methods.map((method) => [method, ...cellsOf(results[method])]);
  return [`${title}:`, ...aligned([["", "rolled back", "after", "requests lost", "promoted", "after"], ...rows])].join("\n");
}

function cellsOf(outcomes: readonly Outcome[]): string[] {
  const [back, promoted] = [outcomes.filter(({ end }) => end === "rollBack"), outcomes.filter(({ end }) => end === "promote")];
  const lost = back.reduce((sum, outcome) => sum + outcome.lost, 0) / Math.max(back.length, 1);
  return [
    share(back, outcomes),
    median(back.map(({ seconds }) => seconds)),
    back.length === 0 ? "–" : String(Math.round(lost)),
    share(promoted, outcomes),
    median(promoted.map(({ seconds }) => seconds)),
  ];
}

function share(some: readonly Outcome[], all: readonly Outcome[]): string {
  return `${rounded((100 * some.length) / Math.max(all.length, 1))} %`;
}

function median(seconds: readonly number[]): string {
  const middle = seconds.toSorted((a, b) => a - b)[Math.floor(seconds.length / 2)];
  return middle === undefined ? "–" : `${Math.round(middle)} s`;
}

/** Two versions that ran beside each other: what each method would have said. */
export function verdictsOf(outcomes: Readonly<Record<Method, Outcome>>, rules: string): string {
  const rows = methods.map((method) => {
    const { end, seconds, lost } = outcomes[method];
    const what = end === "rollBack" ? `rolled back after ${Math.round(seconds)} s` : "not rolled back";
    return [method, what, `${Math.max(0, Math.round(lost))} requests lost until then`];
  });
  return [`The canary would have been, ${rules}:`, ...aligned(rows)].join("\n");
}

function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ").trimEnd()}`);
}
