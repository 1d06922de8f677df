import { fits, type Labels, type Matcher, signatureOf } from "./labels.ts";

/** A value at a time. `undefined`: the series ended here (Prometheus' stale marker). */
export interface Point {
  readonly timeMs: number;
  readonly value: number | undefined;
}

/** One series, oldest sample first. */
interface Series {
  readonly labels: Labels;
  readonly points: readonly Point[];
}

/** Samples in memory, within bounds. */
export interface Tsdb {
  /** Adds a sample. One that is not newer than the series' last is ignored; `false` when there is no room for a new series. */
  append(labels: Labels, point: Point): boolean;
  /** Series whose labels meet every condition. */
  select(matchers: readonly Matcher[]): Series[];
  /** Forgets what is older than the retention. */
  trim(nowMs: number): void;
}

/** An empty store that keeps samples for `retentionMs`, of at most `maxSeries` series. */
export function createTsdb({ retentionMs, maxSeries }: { retentionMs: number; maxSeries: number }): Tsdb {
  const byName = new Map<string, Map<string, { labels: Labels; points: Point[] }>>();
  let count = 0;

  const append = (labels: Labels, point: Point): boolean => {
    const name = labels.get("__name__") ?? "";
    const signature = signatureOf(labels);
    const family = byName.get(name) ?? new Map<string, { labels: Labels; points: Point[] }>();
    const series = family.get(signature);
    if (series) {
      if (point.timeMs > (series.points.at(-1)?.timeMs ?? -Infinity)) series.points.push(point);
      return true;
    }
    if (count >= maxSeries) return false;
    byName.set(name, family.set(signature, { labels, points: [point] }));
    count += 1;
    return true;
  };

  const select = (matchers: readonly Matcher[]): Series[] => {
    const name = matchers.find(({ label, equals }) => label === "__name__" && equals !== undefined)?.equals;
    const families = name === undefined ? [...byName.values()] : [byName.get(name) ?? new Map<string, Series>()];
    return families.flatMap((family) => [...family.values()]).filter(({ labels }) => fits(labels, matchers));
  };

  const trim = (nowMs: number): void => {
    const oldest = nowMs - retentionMs;
    for (const [name, family] of byName) {
      for (const [signature, series] of family) {
        const kept = series.points.findIndex(({ timeMs }) => timeMs >= oldest);
        if (kept > 0) series.points.splice(0, kept);
        if (kept === -1 && family.delete(signature)) count -= 1;
      }
      if (family.size === 0) byName.delete(name);
    }
  };

  return { append, select, trim };
}
