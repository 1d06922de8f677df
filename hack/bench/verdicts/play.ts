import type { NewPlayer } from "./player.ts";
import { type Scenario, scrapeSeconds, traffic } from "./traffic.ts";

/** What is watched of each rollout: half an hour. */
const horizonSeconds = 30 * 60;

/** One rollout, played to its end. */
interface Played {
  readonly end: "rollBack" | "promote" | "none";
  readonly seconds: number;
  /** Requests that failed because of the release until then. */
  readonly failed: number;
}

/** Many rollouts of one scenario under one rule. */
export interface Summary {
  readonly trials: number;
  /** Fractions of the trials. */
  readonly rolledBack: number;
  /** Within two scrapes of the first traffic. */
  readonly rolledBackAtOnce: number;
  readonly promoted: number;
  /** Median seconds to weight 0, over those rolled back; `undefined` when none was. */
  readonly secondsToRollBack: number | undefined;
  /** Mean failed requests until then. */
  readonly failedUntilRollBack: number | undefined;
  /** Median and 90th percentile of seconds until promotion. */
  readonly secondsToPromote: number | undefined;
  readonly secondsToPromote90: number | undefined;
  /** Mean failed requests in the first half hour; a bad release that is promoted goes on at full traffic. */
  readonly cost: number;
}

/** Plays `trials` rollouts, seeded by the cell and the number of the trial. */
export function playAll(scenario: Scenario, newPlayer: NewPlayer, { trials, seed }: { trials: number; seed: number }): Summary {
  return summaryOf(scenario, Array.from({ length: trials }, (_, trial) => play(scenario, newPlayer, [seed, trial])));
}

function play(scenario: Scenario, newPlayer: NewPlayer, seeds: readonly number[]): Played {
  const world = traffic(scenario, ...seeds);
  const player = newPlayer(world, scenario.rps);
  // What stable would have failed as well is not the release's doing.
  const excess = scenario.canaryErrors > 0 ? 1 - Math.min(scenario.stableErrors / scenario.canaryErrors, 1) : 0;
  let failed = 0;
  for (let index = 0; (index + 1) * scrapeSeconds <= horizonSeconds; index++) {
    const observed = world.scrape(index, player.weight());
    failed += observed.canary.errors * excess;
    const move = player.see(observed, index);
    if (move !== undefined) return { end: move, seconds: (index + 1) * scrapeSeconds, failed };
  }
  return { end: "none", seconds: horizonSeconds, failed };
}

function summaryOf(scenario: Scenario, played: readonly Played[]): Summary {
  const rolledBack = played.filter(({ end }) => end === "rollBack");
  const promoted = played.filter(({ end }) => end === "promote");
  const lost = (each: Played) => each.failed + (each.end === "promote" ? afterwards(scenario, each.seconds) : 0);
  return {
    trials: played.length,
    rolledBack: rolledBack.length / played.length,
    rolledBackAtOnce: rolledBack.filter(({ seconds }) => seconds <= 2 * scrapeSeconds).length / played.length,
    promoted: promoted.length / played.length,
    secondsToRollBack: quantile(rolledBack.map(({ seconds }) => seconds), 0.5),
    failedUntilRollBack: mean(rolledBack.map(({ failed }) => failed)),
    secondsToPromote: quantile(promoted.map(({ seconds }) => seconds), 0.5),
    secondsToPromote90: quantile(promoted.map(({ seconds }) => seconds), 0.9),
    cost: mean(played.map(lost)) ?? 0,
  };
}

function afterwards({ rps, canaryErrors, stableErrors }: Scenario, seconds: number): number {
  return (horizonSeconds - seconds) * rps * (canaryErrors - stableErrors);
}

function mean(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** As numpy's, interpolated. */
function quantile(values: readonly number[], part: number): number | undefined {
  const sorted = Float64Array.from(values).sort();
  if (sorted.length === 0) return undefined;
  const at = part * (sorted.length - 1);
  const [low = 0, high = 0] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  return low + (high - low) * (at - Math.floor(at));
}
