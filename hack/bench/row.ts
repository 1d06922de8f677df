import { z } from "zod";
import type { Ground } from "./ground.ts";

const unit = z.enum(["s", "ms", "requests", "MiB", "B", "%", "failed requests", "events"]);

/** Units as they are printed; `%` is of one core. */
export type Unit = z.infer<typeof unit>;

const figure = z.object({
  /** Which line of the table, e.g. `1,000 ConfigMaps: create`. */
  work: z.string(),
  /** What was counted or timed, e.g. `requests`. */
  what: z.string(),
  value: z.number(),
  unit,
  /** The same work done another way in the same run; the limit then is a ratio. */
  beside: z.object({ what: z.string(), value: z.number() }).optional(),
  /** At most this; of a figure with `beside` the ratio. Missing: told without being judged. */
  limit: z.number().optional(),
  /** What the peers of the field take for it, as it shall stand in the table. */
  peer: z.string().optional(),
  /** What limits it, from a profile; told when the goal is missed. */
  why: z.string().optional(),
});

/** One number that was measured, and what it is held to. */
export type Figure = Readonly<z.infer<typeof figure>>;

const points = z.array(z.object({ beside: z.number(), value: z.number() }));

const curve = z.object({
  title: z.string(),
  /** What the numbers along the bottom count, e.g. `idle canaries`. */
  others: z.string(),
  unit,
  points,
  /** A peer's, for comparison. */
  peer: z.object({ name: z.string(), points }).optional(),
});

/** Cost of one thing beside a growing number of others, for a plot. */
export type Curve = Readonly<z.infer<typeof curve>>;

/** What a scenario gave, as it is stored. */
export const result = z.object({ figures: z.array(figure), curves: z.array(curve).optional() });

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
  /** It is broken off after this. Default: 6 minutes. */
  readonly limitMs?: number;
  run(ground: Ground, signal: AbortSignal): Promise<Result>;
}
