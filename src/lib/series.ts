/** One sample of a series. */
export interface Point {
  /** When it was scraped, in milliseconds. */
  readonly atMs: number;
  readonly value: number;
}

/** One sample of a native histogram. */
export interface HistogramPoint {
  readonly atMs: number;
  readonly count: number;
  /** Populated buckets only, ascending; each counts for itself, not cumulatively. */
  readonly buckets: readonly { readonly lower: number; readonly upper: number; readonly count: number }[];
}

/** A series as a metric server has stored it: ascending in time, nothing computed. */
export interface RawSeries {
  /** Without the metric's name. */
  readonly labels: Readonly<Record<string, string>>;
  readonly points: readonly Point[];
  /** Of a native histogram; `points` is then empty. */
  readonly histograms?: readonly HistogramPoint[] | undefined;
}

/** Which series: all labels must match. */
export interface Selector {
  readonly metric: string;
  readonly matchers: readonly Matcher[];
}

/** What a label must be. */
export type Matcher =
  | { readonly label: string; readonly oneOf: readonly string[] }
  | { readonly label: string; readonly startsWith: string };

/** A server that gives raw samples back. */
export interface SeriesReader {
  /** The server's own time, in milliseconds: that of its samples, whatever our clock says. */
  nowMs(signal: AbortSignal): Promise<number>;
  /** Every stored sample with `atMs − rangeMs` < time ≤ `atMs`; an instant query of a range selector. */
  samples(
    selector: Selector,
    window: { readonly atMs: number; readonly rangeMs: number },
    signal: AbortSignal,
  ): Promise<readonly RawSeries[]>;
  /** The newest sample at every step, at the time of the step; a range query of the selector itself. */
  steps(
    selector: Selector,
    window: { readonly fromMs: number; readonly untilMs: number; readonly stepMs: number },
    signal: AbortSignal,
  ): Promise<readonly RawSeries[]>;
}
