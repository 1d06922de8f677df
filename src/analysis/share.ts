import { assumedDispersion } from "./dispersion.ts";
import { addToGuard, type Guard, highestLimit, isAnomalous, logGuardOf, newGuard, upperRate } from "./guard.ts";
import {
  addComparison,
  type Comparison,
  logAdd,
  logEvidenceOf,
  newSingleStream,
  newStream,
  restart,
  type Stream,
  type Tally,
  type Tolerance,
} from "./stream.ts";

/** What a user may set, as `rulesOf` reads it from a spec; the schema holds the defaults of analysis §6. */
export interface ShareRules {
  /** α: at most this share of all rollouts of a tolerable release is rolled back. */
  readonly alpha: number;
  /** Wanted success rate, as a fraction. */
  readonly slo: number;
  /** ρ: the canary may fail this many times as often as stable. */
  readonly ratio: number;
  /** δ: and this much on top, as a fraction of requests. */
  readonly absolute: number;
  /** How long only massive failure counts, from the first scrape of the rollout that saw any request. */
  readonly warmupMs: number;
}

/** δ when the user names none: 0.01 · (1 − SLO). */
export function defaultAbsolute(slo: number): number {
  return 0.01 * (1 - slo);
}

/** What was known of stable before the rollout; frozen when it starts. */
export interface Past {
  /** Of the last hour. Zero requests: nothing is known. */
  readonly tally: Readonly<Tally>;
  /** φ̂, see {@link dispersionOf}. */
  readonly dispersion: number;
  /** Whether φ̂ was measured between pods, or is only assumed. */
  readonly measured: boolean;
}

/** A past of which nothing is known. */
export const noPast: Past = { tally: { requests: 0, bad: 0 }, dispersion: assumedDispersion, measured: false };

/** What one scrape brought: the growth of the counters of both versions since the scrape before. */
export interface Scrape {
  readonly fromMs: number;
  /** Time of the newest sample in it. */
  readonly atMs: number;
  readonly errors: Comparison;
  /** Requests slower than each bound, in the order of the run's bounds; each with its own requests, as histograms count them. */
  readonly slow: readonly Comparison[];
  /** Canary's share of the traffic that was set for all of this time, in percent; missing when it changed. */
  readonly weight?: number | undefined;
}

const nothing: Readonly<Tally> = { requests: 0, bad: 0 };

/** The canary's part of a scrape: what is left where it gets other users than stable. */
export function withoutStable(scrape: Scrape): Scrape {
  return {
    ...scrape,
    errors: { canary: scrape.errors.canary, stable: nothing },
    slow: scrape.slow.map(({ canary }) => ({ canary, stable: nothing })),
  };
}

/** Seconds of stable's own errors that the guard looks at are kept in slots of this length. */
const slotMs = 15_000;
/** Two minutes of them. */
const slots = 8;

/**
 * All that a rollout has learnt: about 200 numbers, fit to be stored as JSON and read back exactly. A scrape that it has
 * already seen is passed over, so that whoever stores it with each decision neither loses nor counts twice.
 */
export interface ShareState {
  readonly past: Past;
  /** Newest sample seen, in milliseconds. */
  throughMs: number;
  /** Begin of the first scrape that saw a request, of either version; missing before. */
  firstRequestMs?: number | undefined;
  readonly errors: Stream;
  /** One stream for each bound of latency; none where latency is not known. */
  readonly slow: Stream[];
  readonly guard: Guard;
  /** What stable had in those scrapes in which the guard bet and the canary failed. */
  readonly besideGuard: Tally;
  /** The canary gets more, and less, than its weight. */
  readonly split: { readonly more: Stream; readonly less: Stream };
  /** Since the rollout began. */
  readonly canary: Tally;
  readonly stable: Tally;
  /** For each bound, since the warm-up: scrapes in which both versions had requests. */
  readonly slowCanary: Tally[];
  readonly slowStable: Tally[];
  /** How many slow ones the canary would have had at stable's rate of the same scrapes: a busy moment is none of its doing. */
  readonly slowExpected: number[];
  /** Stable's last two minutes: slot number, requests, errors, for each slot. */
  readonly recent: number[];
  /** Whether stable itself had more errors than its past explains when last seen: the guard then bets nothing. */
  stableAnomalous: boolean;
}

/** A rollout that begins now. `bounds`: how many bounds of latency are watched, up to three. */
export function newShare(past: Past, { bounds, atMs }: { bounds: number; atMs: number }): ShareState {
  const tallies = () => Array.from({ length: bounds }, () => ({ requests: 0, bad: 0 }));
  return {
    past,
    throughMs: atMs,
    errors: newStream(),
    slow: Array.from({ length: bounds }, newStream),
    guard: newGuard(),
    besideGuard: { requests: 0, bad: 0 },
    split: { more: newSingleStream(), less: newSingleStream() },
    canary: { requests: 0, bad: 0 },
    stable: { requests: 0, bad: 0 },
    slowCanary: tallies(),
    slowStable: tallies(),
    slowExpected: Array.from({ length: bounds }, () => 0),
    recent: Array.from({ length: slots * 3 }, () => 0),
    stableAnomalous: false,
  };
}

/** δ of latency: 0.1 percentage points. */
const slowAbsolute = 0.001;
/** φ of latency is a floor, not an estimate. */
export const slowDispersion = 1.25;
/** During the warm-up the guard knows only this: a quarter of all requests. */
export const warmupLimit = 0.25;

/**
 * Learns from one scrape; one that ends no later than the newest seen changes nothing. Changes `state` in place and allocates
 * nothing that grows with time. During the warm-up only the guard bets, and only against a quarter of all requests failing.
 */
export function addScrape(state: ShareState, scrape: Scrape, rules: ShareRules): void {
  if (scrape.atMs <= state.throughMs) return;
  state.throughMs = scrape.atMs;
  const { canary, stable } = scrape.errors;
  if (canary.requests + stable.requests > 0) state.firstRequestMs ??= scrape.fromMs;
  const warm = isWarmingUp(state, rules);
  if (!warm) compare(state, scrape, rules);
  // The limit rests on what was seen before this scrape; only then is it added.
  const limit = guardLimit(state, rules);
  remember(state, scrape);
  state.stableAnomalous = isStableAnomalous(state, { now: stable, rules });
  if (!state.stableAnomalous) {
    addToGuard(state.guard, canary, { limit: warm ? Math.max(limit, warmupLimit) : limit, dispersion: state.past.dispersion });
    if (canary.bad > 0) add(state.besideGuard, stable);
  }
  add(state.canary, canary);
  add(state.stable, stable);
  if (scrape.weight !== undefined) addSplit(state, scrape.errors, scrape.weight);
}

/** Whether the rollout's traffic began less than the warm-up before the newest sample, or not yet. */
export function isWarmingUp({ firstRequestMs, throughMs }: ShareState, { warmupMs }: ShareRules): boolean {
  return firstRequestMs === undefined || throughMs - firstRequestMs <= warmupMs;
}

function compare(state: ShareState, { errors, slow }: Scrape, { ratio, absolute }: ShareRules): void {
  addComparison(state.errors, errors, { ratio, absolute, dispersion: state.past.dispersion });
  for (let index = 0; index < state.slow.length; index++) {
    const [stream, seen, canary, stable] = [state.slow[index], slow[index], state.slowCanary[index], state.slowStable[index]];
    if (!stream || !seen || !canary || !stable) continue;
    addComparison(stream, seen, { ratio, absolute: slowAbsolute, dispersion: slowDispersion });
    if (seen.canary.requests === 0 || seen.stable.requests === 0) continue;
    add(canary, seen.canary);
    add(stable, seen.stable);
    const expected = state.slowExpected[index];
    if (expected !== undefined) state.slowExpected[index] = expected + (seen.canary.requests * seen.stable.bad) / seen.stable.requests;
  }
}

/**
 * The rate of errors that the guard tolerates: p0 = max(1−SLO, ρ·p_s^up + δ), with p_s^up from the last hour and all of the
 * rollout, and at most {@link highestLimit}: few requests bound no rate. 1−SLO alone when stable was never seen.
 */
export function guardLimit({ past, stable }: ShareState, { slo, ratio, absolute }: ShareRules): number {
  const requests = past.tally.requests + stable.requests;
  if (requests === 0) return 1 - slo;
  const upper = upperRate({ requests, bad: past.tally.bad + stable.bad });
  return Math.min(Math.max(1 - slo, ratio * upper + absolute), highestLimit);
}

function remember({ recent }: ShareState, { atMs, errors }: Scrape): void {
  const slot = Math.ceil(atMs / slotMs);
  const at = (slot % slots) * 3;
  if (recent[at] !== slot) {
    recent[at] = slot;
    recent[at + 1] = 0;
    recent[at + 2] = 0;
  }
  recent[at + 1] = (recent[at + 1] ?? 0) + errors.stable.requests;
  recent[at + 2] = (recent[at + 2] ?? 0) + errors.stable.bad;
}

/** Stable's last two minutes, or this scrape alone, against what its last hour explains; the SLO where there is no hour. */
function isStableAnomalous(state: ShareState, { now, rules }: { now: Readonly<Tally>; rules: ShareRules }): boolean {
  const { tally, dispersion } = state.past;
  const usual = { rate: tally.requests > 0 ? upperRate(tally) : 1 - rules.slo, dispersion };
  const newest = Math.ceil(state.throughMs / slotMs);
  const window: Tally = { requests: 0, bad: 0 };
  for (let at = 0; at < state.recent.length; at += 3) {
    if ((state.recent[at] ?? 0) <= newest - slots) continue;
    window.requests += state.recent[at + 1] ?? 0;
    window.bad += state.recent[at + 2] ?? 0;
  }
  return isAnomalous(window, usual) || isAnomalous(now, usual);
}

function add(sum: Tally, { requests, bad }: Readonly<Tally>): void {
  sum.requests += requests;
  sum.bad += bad;
}

/** What a share of traffic may differ from its weight before it is said aloud. */
const splitTolerance: Tolerance = { ratio: 1.25, absolute: 0, dispersion: 1.25 };

// The same test with requests as the events and the weights as what they are shared out by.
function addSplit({ split }: ShareState, { canary, stable }: Comparison, weight: number): void {
  const mine = { requests: weight, bad: canary.requests };
  const others = { requests: 100 - weight, bad: stable.requests };
  addComparison(split.more, { canary: mine, stable: others }, splitTolerance);
  addComparison(split.less, { canary: others, stable: mine }, splitTolerance);
}

/** Starts one more copy of every stream; to be called when a step begins. */
export function restartShare({ errors, slow }: ShareState): void {
  restart(errors);
  for (const stream of slow) restart(stream);
}

/** Parts of E and what each of them weighs; without latency its quarter goes to the others. */
const weights = { withLatency: { errors: 0.5, guard: 0.25, slow: 0.25 }, without: { errors: 2 / 3, guard: 1 / 3, slow: 0 } } as const;

/** ln of each weighted part of E. Their exponentials sum to E. */
export interface Parts {
  readonly errors: number;
  readonly guard: number;
  /** −∞ where latency is not known. */
  readonly slow: number;
}

/** The weighted parts of E: whether errors, the SLO or latency speaks. Averages of e-values are e-values under any dependence. */
export function logParts(state: ShareState): Parts {
  const share = state.slow.length > 0 ? weights.withLatency : weights.without;
  return {
    errors: Math.log(share.errors) + logEvidenceOf(state.errors),
    guard: Math.log(share.guard) + logGuardOf(state.guard),
    slow: state.slow.reduce((sum, stream) => logAdd(sum, Math.log(share.slow / state.slow.length) + logEvidenceOf(stream)), -Infinity),
  };
}

/** ln E, E = .5 E_rel + .25 E_abs + .25 E_lat: roll back at {@link rollbackLevel}, do not advance at half of it. */
export function logEvidence(state: ShareState): number {
  const { errors, guard, slow } = logParts(state);
  return logAdd(logAdd(errors, guard), slow);
}

/** ln(1/α): by Ville's inequality a tolerable release passes it in at most α of all rollouts, at any time. */
export function rollbackLevel({ alpha }: Pick<ShareRules, "alpha">): number {
  return -Math.log(alpha);
}

/** ln √(1/α): reason to wait. */
export function holdLevel(rules: Pick<ShareRules, "alpha">): number {
  return rollbackLevel(rules) / 2;
}

/** α of the k-th try of the same content, α/2^k: all tries together spend at most 2α. */
export function alphaOfRetry(alpha: number, retries: number): number {
  return alpha / 2 ** retries;
}

/** A thousandth: how often the traffic is wrongly said to be split otherwise than it was set. */
const splitAlpha = 0.001;

/**
 * Whether the measured share of the canary differs from its weight: the metrics do not see all of its traffic, or the router
 * does not obey.
 */
export function splitMismatch({ split }: ShareState): "more" | "less" | undefined {
  const level = Math.log(2 / splitAlpha);
  if (logEvidenceOf(split.more) >= level) return "more";
  return logEvidenceOf(split.less) >= level ? "less" : undefined;
}
