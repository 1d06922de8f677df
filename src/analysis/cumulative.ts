import type { HistogramPoint, RawSeries } from "../lib/series.ts";
import type { Side, Source, Subject } from "./sources.ts";

/** One moment of a {@link Cumulative}. */
export interface Reading {
  readonly atMs: number;
  /** Since the process began. */
  readonly requests: number;
  /** Of these, for each kind of bad event; NaN where this sample does not say. */
  readonly bad: readonly number[];
}

/** Requests and bad ones among them, as one process has counted them since its start. */
export interface Cumulative {
  readonly labels: RawSeries["labels"];
  readonly side: Side;
  readonly readings: readonly Reading[];
}

/** Counters by status code: bad are those that failed. What has no status code, or is of somebody else, is left out. */
export function countersOf(series: readonly RawSeries[], source: Source, subject: Subject): Cumulative[] {
  return series.flatMap(({ labels, points, histograms = [] }) => {
    const side = source.side(labels, subject);
    const isBad = source.isBad(labels);
    if (!side || isBad === undefined) return [];
    const counts = histograms.length > 0 ? histograms.map(({ atMs, count }) => ({ atMs, value: count })) : points;
    return [{ labels, side, readings: counts.map(({ atMs, value }) => ({ atMs, requests: value, bad: [isBad ? value : 0] })) }];
  });
}

/** How many requests took at most so long: ascending bounds in milliseconds, the last one Infinity. */
interface Distribution {
  readonly labels: RawSeries["labels"];
  readonly atMs: number;
  readonly boundsMs: readonly number[];
  readonly cumulative: readonly number[];
}

/** Histograms, classic or native: bad are those that took longer than each of these bounds. */
export function slowOf(
  series: readonly RawSeries[],
  { source, subject, boundsMs }: { source: Source; subject: Subject; boundsMs: readonly number[] },
): Cumulative[] {
  return histogramsIn(series, source).flatMap((distributions): Cumulative[] => {
    const [first] = distributions;
    const side = first && source.side(first.labels, subject);
    if (!first || !side) return [];
    const readings = distributions.map((distribution): Reading => {
      const requests = distribution.cumulative.at(-1) ?? 0;
      const bad = boundsMs.map((bound) => requests - (atMost(distribution, bound) ?? Number.NaN));
      return { atMs: distribution.atMs, requests, bad };
    });
    return [{ labels: first.labels, side, readings }];
  });
}

/** For each histogram its moments, ascending in time. */
function histogramsIn(series: readonly RawSeries[], { unitMs }: Source): Distribution[][] {
  const native = series.flatMap(({ labels, histograms }) =>
    histograms ? [histograms.map((point) => nativeAt(point, labels, unitMs))] : [],
  );
  const classic = new Map<string, RawSeries[]>();
  for (const one of series) {
    if (one.histograms || one.labels["le"] === undefined) continue;
    const key = seriesKey(withoutBound(one.labels));
    classic.set(key, [...(classic.get(key) ?? []), one]);
  }
  return [...native, ...[...classic.values()].map((buckets) => classicOf(buckets, unitMs))];
}

/** The same text for the same labels, whatever their order. */
export function seriesKey(labels: RawSeries["labels"]): string {
  return JSON.stringify(Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function withoutBound({ le: _le, ...labels }: RawSeries["labels"]): RawSeries["labels"] {
  return labels;
}

/** Puts the bucket series of one histogram together, moment by moment; a moment without the +Inf bucket counts nothing. */
function classicOf(buckets: readonly RawSeries[], unitMs: number): Distribution[] {
  const labels = withoutBound(buckets[0]?.labels ?? {});
  const moments = new Map<number, [boundMs: number, count: number][]>();
  for (const { labels: own, points } of buckets) {
    const boundMs = own["le"] === "+Inf" ? Infinity : rounded(Number(own["le"]) * unitMs);
    for (const { atMs, value } of points) moments.set(atMs, [...(moments.get(atMs) ?? []), [boundMs, value]]);
  }
  return [...moments]
    .toSorted(([a], [b]) => a - b)
    .map(([atMs, found]) => ({ labels, atMs, ...monotonic(found.toSorted(([a], [b]) => a - b)) }))
    .filter(({ boundsMs }) => boundsMs.at(-1) === Infinity);
}

/** Buckets of one scrape may have been read while they changed: a higher bound never holds less. */
function monotonic(buckets: readonly (readonly [boundMs: number, count: number])[]): Pick<Distribution, "boundsMs" | "cumulative"> {
  let most = 0;
  return { boundsMs: buckets.map(([bound]) => bound), cumulative: buckets.map(([, count]) => (most = Math.max(most, count))) };
}

function nativeAt({ atMs, count, buckets }: HistogramPoint, labels: RawSeries["labels"], unitMs: number): Distribution {
  const [boundsMs, cumulative]: [number[], number[]] = [[], []];
  let below = 0;
  for (const bucket of buckets) {
    boundsMs.push(rounded(bucket.lower * unitMs), rounded(bucket.upper * unitMs));
    cumulative.push(below, (below += bucket.count));
  }
  return { labels, atMs, boundsMs: [...boundsMs, Infinity], cumulative: [...cumulative, count] };
}

/** Seconds become milliseconds without the dust of binary fractions. */
function rounded(value: number): number {
  return Number.isFinite(value) ? Number(value.toPrecision(12)) : value;
}

/** Requests that took at most `boundMs`; `undefined` where a bucket lies across it. */
function atMost({ boundsMs, cumulative }: Distribution, boundMs: number): number | undefined {
  const above = boundsMs.findIndex((bound) => bound >= boundMs);
  const [upper, count, below] = [boundsMs[above], cumulative[above], above === 0 ? 0 : cumulative[above - 1]];
  if (upper === boundMs) return cumulative[boundsMs.lastIndexOf(boundMs)];
  // Nothing lies between these two bounds: native histograms leave out the empty buckets.
  return count === below ? count : undefined;
}

/** Parts of stable's requests after which a bound is wanted. */
const wanted: readonly number[] = [0.5, 0.9, 0.99];

/**
 * The bounds of latency to watch, in milliseconds: the upper ends of the buckets that hold stable's 50th, 90th and 99th
 * percentile, each another one. Fewer where there are not so many, none without a request.
 */
export function boundsFor(series: readonly RawSeries[], source: Source, subject: Subject): number[] {
  const newest = histogramsIn(series, source)
    .flatMap((distributions) => distributions.at(-1) ?? [])
    .filter(({ labels }) => source.side(labels, subject) === "stable");
  const known = [...new Set(newest.flatMap(({ boundsMs }) => boundsMs))]
    .filter((bound) => bound > 0 && bound !== Infinity)
    .toSorted((a, b) => a - b);
  const counts = known.map((bound) => newest.reduce((sum, one) => sum + (atMost(one, bound) ?? 0), 0));
  const all = newest.reduce((sum, { cumulative }) => sum + (cumulative.at(-1) ?? 0), 0);
  if (all === 0) return [];
  const chosen = new Set<number>();
  for (const part of wanted) {
    const holding = counts.findIndex((count) => count >= part * all);
    const candidates = [...known.slice(holding < 0 ? known.length - 1 : holding), ...known.toReversed()];
    const bound = candidates.find((candidate) => !chosen.has(candidate));
    if (bound !== undefined) chosen.add(bound);
  }
  return [...chosen].toSorted((a, b) => a - b);
}
