import { drop, type Labels, signatureOf } from "../labels.ts";
import type { ValueType } from "./ast.ts";

/** One element of an instant vector. */
export interface Element {
  readonly labels: Labels;
  readonly value: number;
}

/** A sample inside a range. */
interface RangePoint {
  readonly timeMs: number;
  readonly value: number;
}

/** One series of a range vector. */
export interface RangeElement {
  readonly labels: Labels;
  readonly points: readonly RangePoint[];
}

/** The time span that a range selector looked at, ends included. */
export interface Span {
  readonly startMs: number;
  readonly endMs: number;
}

/** Functions of one range vector: one series' samples to a value; `undefined`: too few samples. */
export const rangeFunctions: Readonly<Record<string, (points: readonly RangePoint[], span: Span) => number | undefined>> = {
  rate: (points, span) => scaled(extrapolated(points, span, true), 1_000 / (span.endMs - span.startMs)),
  increase: (points, span) => extrapolated(points, span, true),
  delta: (points, span) => extrapolated(points, span, false),
  sum_over_time: (points) => sum(points),
  avg_over_time: (points) => sum(points) / points.length,
  count_over_time: (points) => points.length,
  max_over_time: (points) => points.map(({ value }) => value).reduce((max, value) => (value > max || Number.isNaN(max) ? value : max)),
  min_over_time: (points) => points.map(({ value }) => value).reduce((min, value) => (value < min || Number.isNaN(min) ? value : min)),
  last_over_time: (points) => points.at(-1)?.value,
};

/** Functions of an instant vector, element by element, with scalars beside it. */
export const vectorFunctions: Readonly<Record<string, (value: number, ...scalars: number[]) => number>> = {
  abs: (value) => Math.abs(value),
  ceil: (value) => Math.ceil(value),
  floor: (value) => Math.floor(value),
  clamp_min: (value, min = Number.NaN) => Math.max(value, min),
  clamp_max: (value, max = Number.NaN) => Math.min(value, max),
};

/** The types of each function's arguments, by its name. */
export const signatures: Readonly<Record<string, readonly ValueType[]>> = {
  ...Object.fromEntries(Object.keys(rangeFunctions).map((name) => [name, ["matrix"] as const])),
  abs: ["vector"],
  ceil: ["vector"],
  floor: ["vector"],
  clamp_min: ["vector", "scalar"],
  clamp_max: ["vector", "scalar"],
  histogram_quantile: ["scalar", "vector"],
  scalar: ["vector"],
  vector: ["scalar"],
  time: [],
};

/** What a function of {@link signatures} gives. */
export function resultType(name: string): ValueType {
  return name === "scalar" || name === "time" ? "scalar" : "vector";
}

function sum(points: readonly RangePoint[]): number {
  return points.reduce((total, { value }) => total + value, 0);
}

function scaled(value: number | undefined, factor: number): number | undefined {
  return value === undefined ? undefined : value * factor;
}

/**
 * How much a series grew over the span. As Prometheus 2 does it: the growth between the first and last sample, resets of a
 * counter undone, carried on to the ends of the span when they are as near as the next sample would have been, else by
 * half the distance between samples, and for a counter not to before it was zero.
 */
function extrapolated(points: readonly RangePoint[], { startMs, endMs }: Span, counter: boolean): number | undefined {
  const first = points[0];
  const last = points.at(-1);
  if (!first || !last || points.length < 2) return undefined;
  const growth = last.value - first.value + (counter ? lostInResets(points) : 0);
  const sampled = (last.timeMs - first.timeMs) / 1_000;
  const between = sampled / (points.length - 1);
  const near = between * 1.1;
  const toZero = counter && growth > 0 && first.value >= 0 ? sampled * (first.value / growth) : Infinity;
  const toStart = Math.min((first.timeMs - startMs) / 1_000, toZero);
  const toEnd = (endMs - last.timeMs) / 1_000;
  const covered = sampled + (toStart < near ? toStart : between / 2) + (toEnd < near ? toEnd : between / 2);
  return growth * (covered / sampled);
}

function lostInResets(points: readonly RangePoint[]): number {
  let lost = 0;
  let previous = points[0]?.value ?? 0;
  for (const { value } of points) {
    if (value < previous) lost += previous;
    previous = value;
  }
  return lost;
}

interface Bucket {
  readonly upperBound: number;
  readonly count: number;
}

/** `histogram_quantile`: the quantile of each group of `le` buckets. */
export function histogramQuantile(quantile: number, elements: readonly Element[]): Element[] {
  const groups = new Map<string, { labels: Labels; buckets: Bucket[] }>();
  for (const { labels, value } of elements) {
    const le = labels.get("le");
    const upperBound = le === "+Inf" ? Infinity : Number(le ?? "none");
    if (Number.isNaN(upperBound)) continue;
    const rest = drop(labels, ["le", "__name__"]);
    const signature = signatureOf(rest);
    const group = groups.get(signature) ?? { labels: rest, buckets: [] };
    group.buckets.push({ upperBound, count: value });
    groups.set(signature, group);
  }
  return [...groups.values()].map(({ labels, buckets }) => ({ labels, value: bucketQuantile(quantile, buckets) }));
}

function bucketQuantile(quantile: number, unsorted: readonly Bucket[]): number {
  if (Number.isNaN(quantile)) return Number.NaN;
  if (quantile < 0 || quantile > 1) return quantile < 0 ? -Infinity : Infinity;
  const buckets = monotonic(unsorted);
  const highest = buckets.pop();
  const secondHighest = buckets.at(-1);
  if (!highest || !secondHighest || highest.upperBound !== Infinity || highest.count === 0) return Number.NaN;
  const rank = quantile * highest.count;
  const index = buckets.findIndex(({ count }) => count >= rank);
  const bucket = buckets[index];
  // The highest bucket has no upper end to interpolate to.
  return bucket ? interpolated(bucket, buckets[index - 1], rank) : secondHighest.upperBound;
}

// Evenly within the bucket; the lowest one begins at 0 unless it ends below.
function interpolated(bucket: Bucket, below: Bucket | undefined, rank: number): number {
  if (!below && bucket.upperBound <= 0) return bucket.upperBound;
  const { upperBound: start, count: countBelow } = below ?? { upperBound: 0, count: 0 };
  return start + (bucket.upperBound - start) * ((rank - countBelow) / (bucket.count - countBelow));
}

// Buckets of the same bound are added up, and counts that fall are raised: they are cumulative by definition.
function monotonic(unsorted: readonly Bucket[]): Bucket[] {
  const byBound = new Map<number, number>();
  for (const { upperBound, count } of unsorted) byBound.set(upperBound, (byBound.get(upperBound) ?? 0) + count);
  let highest = -Infinity;
  return [...byBound]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([upperBound, count]) => {
      highest = count < highest ? highest : Number.isNaN(count) ? count : Math.max(highest, count);
      return { upperBound, count: highest };
    });
}
