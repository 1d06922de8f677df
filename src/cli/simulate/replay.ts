import { rangeOf } from "../../analysis/check.ts";
import { assumedDispersion } from "../../analysis/dispersion.ts";
import type { RunEvidence } from "../../analysis/follow.ts";
import { pastMs } from "../../analysis/past.ts";
import {
  type Move,
  type Pace,
  type Player,
  type SharePlayer,
  sharePlayer,
  type ThresholdGame,
  thresholdPlayer,
} from "../../analysis/player.ts";
import { policyOf, rulesOf } from "../../analysis/settings.ts";
import { type Past, type Scrape, withoutStable } from "../../analysis/share.ts";
import { firstWeight } from "../../analysis/steps.ts";
import type { Comparison, Tally } from "../../analysis/stream.ts";
import type { Policy } from "../../analysis/verdict.ts";
import type { CanaryMetric } from "../../api/analysis.ts";
import type { CanarySpec } from "../../api/canary.ts";
import { parseDurationMs } from "../../lib/duration.ts";
import { type Random, random } from "../../lib/random.ts";
import type { PastSamples } from "./past-samples.ts";

/** Ways to judge that are replayed side by side. */
export const methods = ["threshold", "share, fixed", "share, adaptive"] as const;
export type Method = (typeof methods)[number];

/** What of a Canary's spec decides. */
export type Rules = Pick<CanarySpec, "analysis" | "progressDeadlineSeconds">;

/** One rollout on traffic of the past. */
export interface Outcome {
  readonly end: "rollBack" | "promote" | "none";
  /** Since the canary's first traffic. */
  readonly seconds: number;
  /** Requests that failed because of the release until then. */
  readonly lost: number;
}

/** A fault that is put into the canary: so many times the failures of its share of the traffic, or all of its requests. */
export type Fault = { readonly times: number } | "total" | undefined;

/** Percent; what people who write no steps most often write. */
const usualWeights: readonly number[] = [10, 20, 30, 40, 50];

/** Fixed steps as the Canary writes them, else those that most people write. */
export function paceOf({ stepWeight, stepWeights, maxWeight, interval }: Rules["analysis"]): Pace {
  const intervalMs = parseDurationMs(interval);
  if (stepWeights) return { weights: stepWeights, intervalMs };
  if (stepWeight === undefined) return { weights: usualWeights, intervalMs };
  const count = Math.ceil(maxWeight / stepWeight);
  return { weights: Array.from({ length: count }, (_, index) => Math.min((index + 1) * stepWeight, maxWeight)), intervalMs };
}

/** The Canary's own bounds of the success rate; `undefined`: it has none. */
export function successMetricOf({ metrics = [] }: Rules["analysis"]): CanaryMetric | undefined {
  return metrics.find(({ name, query, templateRef }) => name === "request-success-rate" && !query && !templateRef);
}

/** Success rates that pass, fractions: the Canary's own bounds, else its SLO. */
export function successOf(analysis: Rules["analysis"]): ThresholdGame["success"] {
  const own = successMetricOf(analysis);
  const { min = 0, max = 100 } = (own && rangeOf(own)) ?? { min: analysis.slo };
  return { min: min / 100, max: max / 100 };
}

interface Start {
  readonly samples: PastSamples;
  readonly rules: Rules;
  /** Index of the scrape that the rollout begins with. */
  readonly from: number;
}

type Play = Player & Partial<SharePlayer>;

function playerOf(method: Method, { samples, rules, from }: Start): Play {
  const atMs = samples.scrapes[from]?.fromMs ?? 0;
  const pace = paceOf(rules.analysis);
  if (method === "threshold") return thresholdsOf(rules.analysis, { pace, atMs });
  return sharesOf(method === "share, fixed" ? "fixed" : "adaptive", { samples, rules, from, pace, atMs });
}

function sharesOf(steps: Policy["steps"], { samples, rules, from, pace, atMs }: Start & Pick<ThresholdGame, "pace" | "atMs">): Play {
  const { progressDeadlineSeconds } = rules;
  const past = pastBefore(samples, from);
  const seconds = Math.min(pastMs, atMs - (samples.scrapes[0]?.fromMs ?? atMs)) / 1_000;
  const rps = seconds > 0 ? past.tally.requests / seconds : undefined;
  const player = sharePlayer({
    past,
    boundsMs: samples.boundsMs,
    rules: rulesOf(rules.analysis),
    policy: policyOf(rules.analysis, { progressDeadlineSeconds, steps }),
    pace,
    firstWeight: firstWeight(rps, samples.scrapeMs),
    scrapeMs: samples.scrapeMs,
    atMs,
  });
  if (rules.analysis.baseline === "primary") return player;
  return { ...player, see: (scrape) => player.see(withoutStable(scrape)) };
}

function thresholdsOf(analysis: Rules["analysis"], when: Pick<ThresholdGame, "pace" | "atMs">): Player {
  const { threshold, minRequests = 0, minDuration } = analysis;
  const windowMs = parseDurationMs(successMetricOf(analysis)?.interval ?? analysis.interval);
  const minDurationMs = minDuration === undefined ? 0 : parseDurationMs(minDuration);
  return thresholdPlayer({ ...when, success: successOf(analysis), windowMs, threshold, minRequests, minDurationMs });
}

/** Stable's hour before; pods are not told apart here. */
function pastBefore({ scrapes }: PastSamples, from: number): Past {
  const startMs = scrapes[from]?.fromMs ?? 0;
  const tally: Tally = { requests: 0, bad: 0 };
  for (let index = from - 1; index >= 0; index--) {
    const scrape = scrapes[index];
    if (!scrape || scrape.fromMs < startMs - pastMs) break;
    tally.requests += scrape.errors.stable.requests;
    tally.bad += scrape.errors.stable.bad;
  }
  return { tally, dispersion: assumedDispersion, measured: false };
}

/** How many rollouts are replayed, and with which fault. */
interface Replays {
  readonly rules: Rules;
  readonly count: number;
  readonly seed: number;
  readonly fault: Fault;
  readonly signal: AbortSignal;
  /** Hears of each replay. */
  readonly progress: () => void;
}

/** Longest that a replay goes on; what has not ended by then has not ended. */
export const horizonMs = 30 * 60_000;

/**
 * One service's traffic split at random, again and again from moments spread over the past: what each method would have done with
 * a release that changes nothing, or with a fault. The same seed gives the same replays.
 */
export function replaySplit(samples: PastSamples, method: Method, { rules, count, seed, fault, signal, progress }: Replays): Outcome[] {
  const last = lastStart(samples);
  const extra = extraRate(samples, fault);
  return Array.from({ length: count }, (_, replay) => {
    signal.throwIfAborted();
    const chance = random(seed, replay);
    const from = Math.floor(chance.uniform() * (last + 1));
    const outcome = play(samples, playerOf(method, { samples, rules, from }), { from, splitOf: splitter(chance, extra) });
    progress();
    return outcome;
  });
}

/** Index of the last scrape after which a whole replay fits. */
function lastStart({ scrapes }: PastSamples): number {
  const endMs = scrapes.at(-1)?.atMs ?? 0;
  return Math.max(0, scrapes.findLastIndex(({ fromMs }) => endMs - fromMs >= horizonMs));
}

/** What a method would have said of a canary that ran. */
export interface Replayed extends Outcome {
  /** By shares: what was known in the end. */
  readonly evidence?: RunEvidence | undefined;
}

/** Two versions that ran beside each other: what each method would have said of them. Their weights were what they were. */
export function replayPair(samples: PastSamples, method: Method, rules: Rules): Replayed {
  const from = Math.max(0, samples.scrapes.findIndex(({ errors }) => errors.canary.requests > 0));
  const player = playerOf(method, { samples, rules, from });
  const outcome = play(samples, player, { from, splitOf: (scrape) => ({ scrape, lost: lostIn(scrape) }), goesOn: true });
  return { ...outcome, evidence: player.evidence?.() };
}

/** What the canary failed more than it would have at stable's rate of the same moment. */
function lostIn({ errors: { canary, stable } }: Scrape): number {
  return stable.requests === 0 ? canary.bad : canary.bad - (canary.requests * stable.bad) / stable.requests;
}

interface Split {
  readonly scrape: Scrape;
  readonly lost: number;
}

interface Playing {
  readonly from: number;
  readonly splitOf: (scrape: Scrape, weight: number) => Split;
  /** Where both ran anyway a promotion ends nothing: a later fault would still have been seen. */
  readonly goesOn?: boolean;
}

function play({ scrapes }: PastSamples, player: Player, { from, splitOf, goesOn = false }: Playing): Outcome {
  const startMs = scrapes[from]?.fromMs ?? 0;
  let [seconds, lost] = [0, 0];
  for (const whole of scrapes.slice(from)) {
    if (!goesOn && whole.atMs - startMs > horizonMs) break;
    const split = splitOf(whole, player.weight());
    seconds = (whole.atMs - startMs) / 1_000;
    lost += split.lost;
    const move: Move = player.see(split.scrape);
    if (move === "rollBack" || (move === "promote" && !goesOn)) return { end: move, seconds, lost };
  }
  return { end: "none", seconds, lost };
}

/** Sends each request to the canary with the probability of its weight, and lets it fail there as the fault says. */
function splitter(chance: Random, extra: number): (scrape: Scrape, weight: number) => Split {
  return (whole, weight) => {
    const part = weight / 100;
    const { split, lost } = splitErrors(chance, whole.errors.stable, { part, extra });
    const slow = splitSlow(chance, whole.slow.map(({ stable }) => stable), part);
    return { scrape: { ...whole, errors: split, slow, weight }, lost };
  };
}

function splitErrors(chance: Random, all: Tally, { part, extra }: { part: number; extra: number }): { split: Comparison; lost: number } {
  const [bad, good] = [Math.round(all.bad), Math.round(Math.max(all.requests - all.bad, 0))];
  const [canaryBad, canaryGood] = [chance.binomial(bad, part), chance.binomial(good, part)];
  const lost = chance.binomial(canaryGood, extra);
  return {
    lost,
    split: {
      canary: { requests: canaryBad + canaryGood, bad: canaryBad + lost },
      stable: { requests: bad + good - canaryBad - canaryGood, bad: bad - canaryBad },
    },
  };
}

/** Errors of a service that hardly has any are taken for one in a thousand, so that "ten times as many" says something. */
const leastRate = 0.001;

/** Part of the canary's good requests that the fault breaks. */
function extraRate({ scrapes }: PastSamples, fault: Fault): number {
  if (fault === undefined || fault === "total") return fault === undefined ? 0 : 1;
  const requests = scrapes.reduce((sum, { errors }) => sum + errors.stable.requests, 0);
  const bad = scrapes.reduce((sum, { errors }) => sum + errors.stable.bad, 0);
  return Math.min((fault.times - 1) * Math.max(requests > 0 ? bad / requests : 0, leastRate), 1);
}

/** A request slower than a bound is slower than every lower one too: the bands between them are split. */
function splitSlow(chance: Random, all: readonly Tally[], part: number): Comparison[] {
  const requests = Math.round(all[0]?.requests ?? 0);
  const above = all.map(({ bad }) => Math.round(bad));
  const bands = [requests, ...above].map((count, index) => Math.max(count - (above[index] ?? 0), 0));
  const canary = bands.map((count) => chance.binomial(count, part));
  const from = (counts: readonly number[], index: number) => counts.slice(index).reduce((sum, count) => sum + count, 0);
  return all.map((_, index) => {
    const mine = { requests: from(canary, 0), bad: from(canary, index + 1) };
    return { canary: mine, stable: { requests: from(bands, 0) - mine.requests, bad: from(bands, index + 1) - mine.bad } };
  });
}
