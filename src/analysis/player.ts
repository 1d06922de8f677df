import { evidenceOf, type RunEvidence } from "./follow.ts";
import { observeScrape, startRun, takeStep } from "./run.ts";
import type { Past, Scrape, ShareRules } from "./share.ts";
import type { Verdict } from "./sample.ts";
import { count } from "./threshold.ts";
import { decideShare, type JudgeInput, judgeShare, type Policy } from "./verdict.ts";

/** What a rule says after a scrape; `undefined`: go on. */
export type Move = "rollBack" | "promote" | undefined;

/** One way to judge releases, playing one rollout scrape by scrape: on simulated traffic, or on traffic of the past. */
export interface Player {
  /** Canary's share of the traffic in percent, until the next scrape. */
  weight(): number;
  see(scrape: Scrape): Move;
}

/** A player that can tell what it saw. */
export interface SharePlayer extends Player {
  /** What the shares said in the end. */
  evidence(): RunEvidence;
}

/** Fixed steps and their pace. */
export interface Pace {
  /** Percent, rising. */
  readonly weights: readonly number[];
  readonly intervalMs: number;
}

/** What a share verdict is played with. */
export interface ShareGame {
  readonly past: Past;
  readonly boundsMs: readonly number[];
  readonly rules: ShareRules;
  readonly policy: Policy;
  readonly pace: Pace;
  /** Percent that adaptive steps begin with. */
  readonly firstWeight: number;
  readonly scrapeMs: number;
  /** When the canary gets its first traffic. */
  readonly atMs: number;
}

/** Plays the shares of the bad requests, with fixed or adaptive steps as the policy says. */
export function sharePlayer({ past, boundsMs, rules, policy, pace, firstWeight, scrapeMs, atMs }: ShareGame): SharePlayer {
  let weight = policy.steps === "fixed" ? (pace.weights[0] ?? 0) : firstWeight;
  let steppedMs = atMs;
  const run = startRun({ past, boundsMs, weight, atMs });
  const shift = (to: number, nowMs: number): Move => {
    weight = to;
    steppedMs = nowMs;
    takeStep(run, { weight, atMs: nowMs });
    return undefined;
  };
  const inputAt = (nowMs: number): JudgeInput => ({ rules, policy, moment: { nowMs, scrapeMs } });
  return {
    weight: () => weight,
    evidence: () => evidenceOf(run, judgeShare(run, inputAt(run.share.throughMs)), true),
    see: (scrape) => {
      observeScrape(run, scrape, rules);
      const nowMs = scrape.atMs;
      const { rollBack, next } = decideShare(run, inputAt(nowMs));
      if (rollBack) return "rollBack";
      if (next.do === "promote") return "promote";
      if (next.do === "shift") return shift(next.weight, nowMs);
      if (next.do !== "advance" || nowMs - steppedMs < pace.intervalMs) return undefined;
      const to = pace.weights.find((each) => each > weight);
      if (to !== undefined) return shift(to, nowMs);
      return next.mayPromote ? "promote" : undefined;
    },
  };
}

/** What thresholds are played with. */
export interface ThresholdGame {
  readonly pace: Pace;
  /** Success rates that pass, fractions, both inclusive. */
  readonly success: { readonly min: number; readonly max: number };
  /** How far back a check looks, but never before the canary's first traffic. */
  readonly windowMs: number;
  /** Failed checks that roll back. */
  readonly threshold: number;
  /** A check of fewer requests counts neither way. */
  readonly minRequests: number;
  /** No promotion earlier than this after the first traffic. */
  readonly minDurationMs: number;
  readonly atMs: number;
}

/** Plays bounds of the success rate, checked once an interval, with fixed steps. */
export function thresholdPlayer(game: ThresholdGame): Player {
  const { pace, threshold, minDurationMs, atMs } = game;
  let [weight, failedChecks, checkedMs] = [pace.weights[0] ?? 0, 0, atMs];
  let seen: Scrape[] = [];
  return {
    weight: () => weight,
    see: (scrape) => {
      const nowMs = scrape.atMs;
      seen.push(scrape);
      if (nowMs - checkedMs < pace.intervalMs) return undefined;
      checkedMs = nowMs;
      seen = seen.filter((each) => each.atMs > nowMs - game.windowMs);
      const verdict = successVerdict(seen, game);
      const counted = count(verdict, { failedChecks, threshold });
      ({ failedChecks } = counted);
      if (counted.rollBack) return "rollBack";
      if (verdict !== "pass") return undefined;
      const to = pace.weights.find((each) => each > weight);
      if (to === undefined) return nowMs - atMs < minDurationMs ? undefined : "promote";
      weight = to;
      return undefined;
    },
  };
}

function successVerdict(seen: readonly Scrape[], { success: { min, max }, minRequests }: ThresholdGame): Verdict {
  const requests = seen.reduce((sum, { errors }) => sum + errors.canary.requests, 0);
  const good = requests - seen.reduce((sum, { errors }) => sum + errors.canary.bad, 0);
  if (requests === 0 || requests < minRequests) return "inconclusive";
  return good < min * requests || good > max * requests ? "fail" : "pass";
}
