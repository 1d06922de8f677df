import { observeScrape, startRun, takeStep } from "./run.ts";
import type { Past, Scrape, ShareRules } from "./share.ts";
import { count } from "./threshold.ts";
import { decideShare, type Policy } from "./verdict.ts";

/** What a rule says after a scrape; `undefined`: go on. */
export type Move = "rollBack" | "promote" | undefined;

/** One way to judge releases, playing one rollout scrape by scrape: on simulated traffic, or on traffic of the past. */
export interface Player {
  /** Canary's share of the traffic in percent, until the next scrape. */
  weight(): number;
  see(scrape: Scrape): Move;
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
export function sharePlayer({ past, boundsMs, rules, policy, pace, firstWeight, scrapeMs, atMs }: ShareGame): Player {
  let weight = policy.steps === "fixed" ? (pace.weights[0] ?? 0) : firstWeight;
  let steppedMs = atMs;
  const run = startRun({ past, boundsMs, weight, atMs });
  const shift = (to: number, nowMs: number): Move => {
    weight = to;
    steppedMs = nowMs;
    takeStep(run, { weight, atMs: nowMs });
    return undefined;
  };
  return {
    weight: () => weight,
    see: (scrape) => {
      observeScrape(run, scrape, rules);
      const nowMs = scrape.atMs;
      const { rollBack, next } = decideShare(run, { rules, policy, moment: { nowMs, scrapeMs } });
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
  /** Smallest success rate that passes, a fraction. */
  readonly minSuccess: number;
  /** Failed checks that roll back. */
  readonly threshold: number;
  /** A check of fewer requests counts neither way. */
  readonly minRequests: number;
  readonly atMs: number;
}

/** Plays one threshold of the success rate, checked once an interval on what came in it, with fixed steps. */
export function thresholdPlayer({ pace, minSuccess, threshold, minRequests, atMs }: ThresholdGame): Player {
  let [weight, failedChecks, checkedMs] = [pace.weights[0] ?? 0, 0, atMs];
  let [requests, bad] = [0, 0];
  return {
    weight: () => weight,
    see: ({ errors: { canary }, atMs: nowMs }) => {
      requests += canary.requests;
      bad += canary.bad;
      if (nowMs - checkedMs < pace.intervalMs) return undefined;
      const unscored = requests === 0 || requests < minRequests;
      const verdict = unscored ? "inconclusive" : requests - bad < minSuccess * requests ? "fail" : "pass";
      const counted = count(verdict, { failedChecks, threshold });
      ({ failedChecks } = counted);
      [requests, bad, checkedMs] = [0, 0, nowMs];
      if (counted.rollBack) return "rollBack";
      if (verdict !== "pass") return undefined;
      const to = pace.weights.find((each) => each > weight);
      if (to === undefined) return "promote";
      weight = to;
      return undefined;
    },
  };
}
