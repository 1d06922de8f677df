import { currentStep, type RunState } from "./run.ts";
import { holdLevel, isWarmingUp, logEvidence, type ShareRules, type ShareState, slowDispersion } from "./share.ts";
import type { Tally } from "./stream.ts";

/** When a rollout may go on, beside what {@link ShareRules} say. */
export interface StepRules {
  /** No promotion earlier than this after the first traffic: for faults that need time, such as leaks. */
  readonly minDurationMs: number;
  /** The end, whatever the evidence; `undefined`: none. */
  readonly maxDurationMs: number | undefined;
}

/** Adaptive steps end after this long, unless the user says otherwise. */
export const longestAdaptiveMs = 20 * 60_000;

/** What the evidence allows. */
export type Next =
  | { readonly do: "stay"; readonly why: "warmup" | "soak" | "suspicious" | "evidence" }
  | { readonly do: "advance"; readonly mayPromote: boolean } // fixed steps: whatever comes next
  | { readonly do: "shift"; readonly weight: number; readonly proven: boolean } // percent; not proven: only the time was up
  | { readonly do: "promote" };

/** Weights that adaptive steps may take, in percent. */
export const ladder: readonly number[] = [2, 5, 10, 20, 30, 40, 50];
/** A canary is promoted from this weight on, in percent. */
const promoteFrom = 30;
/** A step is at most this many times the one before, but 5 % is always allowed. */
const growth = 3;
const alwaysAllowed = 5;
/** β: how sure it must be that the canary is not as bad as feared, 5 %. */
const beta = 0.05;
/** A step lasts at least this many scrapes. */
const soakScrapes = 2;
/** After this long on one step the next one is tried without further proof: more traffic is the only way to learn more. */
const rungMs = 5 * 60_000;
/** Doubt may hold a rollout up for this long in all. */
export const maxHeldMs = 5 * 60_000;
/** Until then a promotion needs the canary's excess to be below a tenth of the error budget, later half of it. */
const strictMs = 5 * 60_000;
const strictBudget = 0.1;
const laterBudget = 0.5;
/** And never more than this many times stable's rate. */
const promoteRatio = 2;
/** Canary requests that the first step shall bring in one scrape. */
const requestsPerScrape = 30;
const smallestWeight = 2;
const largestFirstWeight = 20;

/**
 * The first step's weight in percent: w0 = clamp(30 / (rps · scrape), 2 %, 20 %), rounded up; one scrape then brings about 30
 * canary requests.
 * @param requestsPerSecond of the whole service; `undefined` when not known: 5 %
 */
export function firstWeight(requestsPerSecond: number | undefined, scrapeMs: number): number {
  if (requestsPerSecond === undefined) return alwaysAllowed;
  const perScrape = (requestsPerSecond * scrapeMs) / 1_000;
  return Math.ceil(Math.min(Math.max((100 * requestsPerScrape) / perScrape, smallestWeight), largestFirstWeight) - 1e-9);
}

/** Whether the evidence is reason to wait and there is time left to. */
export function isSuspicious(run: RunState, rules: Pick<ShareRules, "alpha">): boolean {
  return logEvidence(run.share) >= holdLevel(rules) && run.heldMs <= maxHeldMs;
}

/** The moment and the rules that a step rests on. */
export interface StepInput {
  readonly rules: ShareRules;
  readonly steps: StepRules;
  readonly nowMs: number;
}

/**
 * Fixed steps: whatever comes next, once this one was seen and unless the evidence is reason to wait. The interval between steps is
 * the caller's.
 */
export function nextFixed(run: RunState, { rules, steps, nowMs }: StepInput): Next {
  // A gateway that does not obey yet, or no sample at all: time alone earns nothing.
  if (currentStep(run).canary.requests === 0) return { do: "stay", why: "soak" };
  if (isSuspicious(run, rules)) return { do: "stay", why: "suspicious" };
  // A rollout that fits into its warm-up would be promoted unjudged.
  const isWarm = !isWarmingUp(run.share, rules);
  return { do: "advance", mayPromote: isWarm && nowMs - run.startedMs >= steps.minDurationMs };
}

/**
 * Adaptive steps: the largest weight at which even a canary as bad as is still plausible costs at most one error budget.
 * With p̂ stable's rate and S(q) = [X_c ln(p̂/q) + (N_c−X_c) ln((1−p̂)/(1−q))] / φ̂ over all of the rollout, "as bad as q" is
 * excluded when S(q) ≥ ln(1/β). A weight c needs q = p̂ + (1−SLO)/c excluded; promotion, from 30 % on, q = max(2p̂, p̂+d) with
 * d = 0.1·(1−SLO) in the first five minutes and 0.5·(1−SLO) after, and the same of the share above the middle bound of latency,
 * with stable's rate of the same scrapes, and evidence below the level that holds. Source: analysis §7, where latency has no d and
 * stable's rate is that of all scrapes.
 */
export function nextAdaptive(run: RunState, { rules, steps, nowMs }: StepInput): Next {
  const why = reasonToStay(run, rules);
  if (why !== undefined) return { do: "stay", why };
  const { weight, fromMs } = currentStep(run);
  const ageMs = nowMs - run.startedMs;
  if (weight >= promoteFrom && ageMs >= steps.minDurationMs && mayPromote(run, rules, ageMs)) return { do: "promote" };
  const proven = ladder.findLast((next) => next <= Math.max(weight * growth, alwaysAllowed) && isHarmless(run.share, next, rules));
  if (proven !== undefined && proven > weight) return { do: "shift", weight: proven, proven: true };
  const rung = nowMs - fromMs >= rungMs ? ladder.find((next) => next > weight) : undefined;
  return rung === undefined ? { do: "stay", why: "evidence" } : { do: "shift", weight: rung, proven: false };
}

function reasonToStay(run: RunState, rules: ShareRules): "warmup" | "suspicious" | "soak" | undefined {
  if (isWarmingUp(run.share, rules)) return "warmup";
  if (isSuspicious(run, rules)) return "suspicious";
  return run.scrapesInStep < soakScrapes ? "soak" : undefined;
}

function isHarmless(share: ShareState, weight: number, rules: ShareRules): boolean {
  const rate = stableRate(share, rules);
  return excludes(share.canary, { rate, feared: rate + (100 * (1 - rules.slo)) / weight, dispersion: share.past.dispersion });
}

function mayPromote({ share }: RunState, rules: ShareRules, ageMs: number): boolean {
  // After five minutes doubt no longer keeps the weight from growing; a promotion must be beyond it all the same.
  if (logEvidence(share) >= holdLevel(rules)) return false;
  const excess = (ageMs < strictMs ? strictBudget : laterBudget) * (1 - rules.slo);
  const rate = stableRate(share, rules);
  const wellEnough = excludes(share.canary, { rate, feared: tooMuch(rate, excess), dispersion: share.past.dispersion });
  return wellEnough && isFastEnough(share, excess);
}

function tooMuch(rate: number, excess: number): number {
  return Math.max(promoteRatio * rate, rate + excess);
}

function isFastEnough({ slowCanary, slowExpected }: ShareState, excess: number): boolean {
  const middle = promotionBound(slowCanary.length);
  const [canary, expected] = [slowCanary[middle], slowExpected[middle]];
  // Nothing of the latency is known, or there was nothing to compare it with.
  if (!canary || expected === undefined || canary.requests === 0) return true;
  const rate = rateOf({ requests: canary.requests, bad: expected }, 1e-4);
  // Where next to nothing is slow, twice that is next to nothing too, and would take tens of thousands of requests to rule out.
  return excludes(canary, { rate, feared: tooMuch(rate, excess), dispersion: slowDispersion });
}

/** Which of so many bounds of latency a promotion rests on: the middle one. */
export function promotionBound(bounds: number): number {
  return Math.floor(bounds / 2);
}

/** p̂: how often stable fails, from the last hour and the rollout so far; as the SLO says while it was never seen. */
export function stableRate(share: ShareState, { slo }: Pick<ShareRules, "slo">): number {
  const known = knownOfStable(share);
  return known.requests === 0 ? 1 - slo : rateOf(known, 1e-5);
}

/** All that is known of stable's errors: its last hour and the rollout so far. */
export function knownOfStable({ past: { tally }, stable }: ShareState): Tally {
  return { requests: tally.requests + stable.requests, bad: tally.bad + stable.bad };
}

function rateOf({ requests, bad }: Readonly<Tally>, least: number): number {
  return Math.min(Math.max((bad + 0.5) / (requests + 1), least), 0.5);
}

/** Whether a canary as bad as `feared` would have shown it: S(feared) ≥ ln(1/β). */
function excludes(
  { requests, bad }: Readonly<Tally>,
  { rate, feared, dispersion }: { rate: number; feared: number; dispersion: number },
): boolean {
  const worst = Math.min(feared, 0.99);
  const support = (bad * Math.log(rate / worst) + (requests - bad) * Math.log((1 - rate) / (1 - worst))) / dispersion;
  return support >= -Math.log(beta);
}
