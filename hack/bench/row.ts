import type { Ground } from "./ground.ts";

/** One number that was measured, and what it is held to. */
export interface Figure {
  /** Which line of the table, e.g. `1,000 ConfigMaps: create`. */
  readonly work: string;
  /** What was counted or timed, e.g. `requests`. */
  readonly what: string;
  readonly value: number;
  readonly unit: Unit;
  /** The same work done another way in the same run; the limit then is a ratio. */
  readonly beside?: { readonly what: string; readonly value: number } | undefined;
  /** At most this; of a figure with `beside` the ratio. Missing: told without being judged. */
  readonly limit?: number | undefined;
  /** What measured.md says of the peers, as it shall stand in the table. */
  readonly peer?: string | undefined;
}

/** Units as they are printed. */
export type Unit = "s" | "ms" | "requests" | "MiB" | "B" | "%" | "failed requests";

/** Cost of one thing beside a growing number of others, for a plot. */
export interface Curve {
  readonly title: string;
  readonly unit: Unit;
  readonly points: readonly { readonly beside: number; readonly value: number }[];
}

/** What a scenario gave. */
export interface Result {
  readonly figures: readonly Figure[];
  readonly curves?: readonly Curve[];
}

/** Work that is measured, on its own or with others. */
export interface Scenario {
  /** For `--only`. */
  readonly name: string;
  /** One line for `--list`. */
  readonly summary: string;
  run(ground: Ground, signal: AbortSignal): Promise<Result>;
}
