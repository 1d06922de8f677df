import type { Move } from "../../../src/analysis/player.ts";
import type { Observed, Side, Traffic } from "./traffic.ts";
import { boundsMs, scrapeSeconds } from "./traffic.ts";

/** Scrapes in one minute, which is the interval of those who look once in a while. */
export const scrapesPerMinute = 60 / scrapeSeconds;
/** Flagger's usual steps, in percent. */
export const fixedSteps: readonly number[] = [10, 20, 30, 40, 50];

/** One way to judge releases, playing one rollout. */
export interface Player {
  /** Canary's share of the traffic in percent, until the next scrape. */
  weight(): number;
  /** The `index`th scrape, from 0. */
  see(observed: Observed, index: number): Move;
}

/** Makes a player for one rollout. */
export type NewPlayer = (traffic: Traffic, rps: number) => Player;

/** What {@link fixedPlayer} asks once a minute: to go a step on, stay, or end it. */
type Answer = "advance" | "stay" | "rollBack";

/** A player with fixed steps that looks once a minute at what `look` is told of each scrape. */
export function fixedPlayer(note: (observed: Observed) => void, look: () => Answer): Player {
  let step = 0;
  return {
    weight: () => fixedSteps[step] ?? 0,
    see: (observed, index) => {
      note(observed);
      if ((index + 1) % scrapesPerMinute !== 0) return undefined;
      const answer = look();
      if (answer === "rollBack") return "rollBack";
      if (answer === "advance") step++;
      return step >= fixedSteps.length ? "promote" : undefined;
    },
  };
}

/** The last minute of scrapes. */
export function lastMinute(scrapes: readonly Observed[]): readonly Observed[] {
  return scrapes.slice(-scrapesPerMinute);
}

/** The 99th percentile in milliseconds by Prometheus' histogram_quantile; NaN without requests. */
export function p99(sides: readonly Side[]): number {
  const counts = boundsMs.map((_, index) => sides.reduce((sum, side) => sum + (side.buckets[index] ?? 0), 0));
  const all = counts.reduce((sum, count) => sum + count, 0);
  const rank = 0.99 * all;
  let below = 0;
  for (const [index, count] of counts.entries()) {
    const [upper = Infinity, lower] = [boundsMs[index], boundsMs[index - 1] ?? 0];
    if (below + count < rank || all === 0) {
      below += count;
      continue;
    }
    return upper === Infinity ? lower : lower + ((upper - lower) * (rank - below)) / Math.max(count, 1);
  }
  return Number.NaN;
}
