import type { RawSeries } from "../lib/series.ts";
import type { Cumulative, Reading } from "./cumulative.ts";
import type { Side } from "./sources.ts";

/** What one counter gained between two samples of it. */
export interface Growth {
  /** Who was scraped. */
  readonly target: string;
  readonly side: Side;
  readonly labels: RawSeries["labels"];
  readonly fromMs: number;
  readonly atMs: number;
  readonly requests: number;
  /** NaN where one of the two samples does not say. */
  readonly bad: readonly number[];
}

/** When each target was scraped, ascending. */
export type Scrapes = ReadonlyMap<string, readonly number[]>;

/** What is known beside the samples themselves. */
export interface Births {
  /** Since when requests count: the canary's first traffic. */
  readonly sinceMs: number;
  readonly scrapes: Scrapes;
  /** When the process behind a series began; `undefined`: not known. */
  readonly startedMs?: ((labels: RawSeries["labels"]) => number | undefined) | undefined;
}

/** Who was scraped, as the labels that every scrape adds say it. */
export function targetOf({ job = "", instance = "", pod = "" }: RawSeries["labels"]): string {
  return `${job}/${instance}/${pod}`;
}

/** When each target was scraped, as these series show it together. */
export function scrapesOf(series: readonly RawSeries[]): Scrapes {
  const times = new Map<string, Set<number>>();
  for (const { labels, points, histograms = [] } of series) {
    const target = targetOf(labels);
    const seen = times.get(target) ?? new Set();
    for (const { atMs } of [...points, ...histograms]) seen.add(atMs);
    times.set(target, seen);
  }
  return new Map([...times].map(([target, seen]) => [target, [...seen].toSorted((a, b) => a - b)]));
}

/**
 * Differences of raw counters between the timestamps of their samples; `rate()` would lose what a counter had when it was
 * first seen, and make noise of what it extrapolates.
 *
 * - A counter that is lower than before has begun anew: it gained what it shows. A repeated timestamp is the same sample.
 * - A counter that appears where its target had been scraped before was zero until then: an error's counter is most often
 *   born by the first error. One that appears together with its target counts from zero only if the process began after
 *   `sinceMs`; else it may have counted for days, and the first sample is only what later ones are compared with.
 * - A target that vanishes counts up to its last sample.
 */
export function growthOf(series: readonly Cumulative[], births: Births): Growth[] {
  return series.flatMap(({ labels, side, readings }) => {
    const target = targetOf(labels);
    const grown: Growth[] = [];
    let before: Reading | undefined;
    for (const reading of readings) {
      if (!Number.isFinite(reading.requests) || (before !== undefined && reading.atMs <= before.atMs)) continue;
      const base = before ?? birthOf(reading, labels, births);
      if (base) grown.push({ target, side, labels, fromMs: base.atMs, atMs: reading.atMs, ...difference(base, reading) });
      before = reading;
    }
    return grown;
  });
}

/** The zero before a counter's first sample; `undefined` when it may have counted before anybody looked. */
function birthOf({ atMs, bad }: Reading, labels: RawSeries["labels"], births: Births): Reading | undefined {
  const zero = { requests: 0, bad: bad.map(() => 0) };
  const scraped = births.scrapes.get(targetOf(labels))?.findLast((time) => time < atMs);
  if (scraped !== undefined) return { ...zero, atMs: scraped };
  const startedMs = births.startedMs?.(labels);
  return startedMs !== undefined && startedMs >= births.sinceMs ? { ...zero, atMs: startedMs } : undefined;
}

function difference(before: Reading, { requests, bad }: Reading): Pick<Growth, "requests" | "bad"> {
  if (requests < before.requests) return { requests, bad };
  return { requests: requests - before.requests, bad: bad.map((count, kind) => Math.max(count - (before.bad[kind] ?? 0), 0)) };
}
