import { dispersionOf } from "../../../src/analysis/dispersion.ts";
import type { Past } from "../../../src/analysis/share.ts";
import { type Random, random } from "../../../src/lib/random.ts";

/** Seconds between two scrapes. */
export const scrapeSeconds = 15;
/** Upper bounds of the latency buckets in milliseconds: Prometheus' defaults. */
export const boundsMs: readonly number[] = [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, Infinity];

/** A service and what a release does to it. Rates are fractions. */
export interface Scenario {
  /** Requests per second of both versions together. */
  readonly rps: number;
  readonly stableErrors: number;
  readonly canaryErrors: number;
  /** The canary's latencies are this many times stable's. */
  readonly latency?: number;
  /** This part of its requests takes four times the median. */
  readonly tail?: number;
  /** The fault begins so many seconds after the first traffic. */
  readonly onsetSeconds?: number;
  readonly stress?: Stress;
}

/** What makes real errors unlike coin tosses. */
interface Stress {
  /** Errors come in batches of this mean size. */
  readonly batch?: number;
  /** Shape of the gamma distribution by which a pod's rate varies from scrape to scrape: small is wild. */
  readonly podShape?: number;
  /** Spread of lasting differences between pods (σ of their logarithms). */
  readonly podSpread?: number;
  /** Both versions have this many times the errors for two minutes, somewhere in the first six. */
  readonly incident?: number;
  /** A cold canary: slower by this factor and failing more by this rate at first, both fading with e^(−t/τ). */
  readonly cold?: { readonly latency: number; readonly errors: number; readonly tauSeconds: number };
}

/** The stress runs of analysis §4, by name. */
export const stresses = {
  clean: {},
  clustered: { batch: 3, podShape: 1, podSpread: 0.15 },
  heavy: { batch: 6, podShape: 0.5, podSpread: 0.3 },
  incident: { incident: 20 },
  cold: { cold: { latency: 1, errors: 0.02, tauSeconds: 30 } },
} satisfies Record<string, Stress>;

/** What one version did in one scrape. */
export interface Side {
  readonly requests: number;
  readonly errors: number;
  /** Requests in each bucket of {@link boundsMs}. */
  readonly buckets: readonly number[];
}

/** What both did. */
export interface Observed {
  readonly canary: Side;
  readonly stable: Side;
}

/** One rollout's traffic: the same seed gives the same pods, incident and luck. */
export interface Traffic {
  /** Stable's last hour, as a controller would have read it. */
  past(): Past;
  /** The `index`th scrape (from 0) with this weight, in percent. */
  scrape(index: number, weight: number): Observed;
}

const pods = { canary: 2, stable: 8 } as const;
const medianMs = 80;
/** σ of the latencies' logarithms: median 80 ms, 99th percentile 300 ms. */
const latencySpread = Math.log(300 / 80) / 2.3263;
const incidentSeconds = 120;

/** Traffic of one rollout of a scenario. */
export function traffic(scenario: Scenario, ...seeds: readonly number[]): Traffic {
  const chance = random(...seeds);
  const { stress = {}, latency = 1, tail = 0 } = scenario;
  const factors = { canary: podFactors(chance, stress, pods.canary), stable: podFactors(chance, stress, pods.stable) };
  const incidentFrom = chance.uniform() * 4 * 60;
  const cumulative = { canary: bucketShares(latency, tail), stable: bucketShares(1, 0) };

  return {
    past: () => pastOf(scenario, { chance, factors: factors.stable }),
    scrape: (index, weight) => {
      const seconds = (index + 0.5) * scrapeSeconds;
      const inIncident = stress.incident !== undefined && seconds >= incidentFrom && seconds < incidentFrom + incidentSeconds;
      const common = inIncident ? stress.incident : 1;
      const cold = stress.cold && { ...stress.cold, fade: Math.exp(-seconds / stress.cold.tauSeconds) };
      const fault = seconds >= (scenario.onsetSeconds ?? 0) ? scenario.canaryErrors : scenario.stableErrors;
      const rate = { canary: fault * common + (cold ? cold.errors * cold.fade : 0), stable: scenario.stableErrors * common };
      const shares = cold ? bucketShares(latency * (1 + cold.latency * cold.fade), tail) : cumulative.canary;
      const perScrape = scenario.rps * scrapeSeconds;
      const mean = { canary: (perScrape * weight) / 100, stable: perScrape * (1 - weight / 100) };
      return {
        canary: sideOf(chance, stress, { mean: mean.canary, rate: rate.canary, factors: factors.canary, shares }),
        stable: sideOf(chance, stress, { mean: mean.stable, rate: rate.stable, factors: factors.stable, shares: cumulative.stable }),
      };
    },
  };
}

function podFactors(chance: Random, { podSpread = 0 }: Stress, count: number): number[] {
  return Array.from({ length: count }, () => (podSpread === 0 ? 1 : Math.exp(podSpread * chance.normal() - (podSpread * podSpread) / 2)));
}

interface SideInput {
  readonly mean: number;
  readonly rate: number;
  readonly factors: readonly number[];
  readonly shares: readonly number[];
}

function sideOf(chance: Random, stress: Stress, { mean, rate, factors, shares }: SideInput): Side {
  const requests = chance.poisson(mean);
  const factor = factors.reduce((sum, each) => sum + each, 0) / factors.length;
  const errors = errorsOf(chance, stress, { requests, rate: rate * factor, wildness: factors.length });
  return { requests, errors, buckets: multinomial(chance, requests, shares) };
}

/** Errors among so many requests. `wildness`: gamma draws that are averaged, one for each pod and scrape. */
function errorsOf(
  chance: Random,
  { batch = 1, podShape }: Stress,
  { requests, rate, wildness }: { requests: number; rate: number; wildness: number },
): number {
  const shape = podShape === undefined ? undefined : podShape * wildness;
  const wild = Math.min(shape === undefined ? rate : rate * chance.gamma(shape, 1 / shape), 1);
  if (batch === 1 || rate >= 0.5) return chance.binomial(requests, wild);
  const batches = chance.poisson((requests * wild) / batch);
  // Each batch is one error and a geometric number of more: together a negative binomial, that is a Poisson of a gamma.
  const more = batches === 0 ? 0 : chance.poisson(chance.gamma(batches, batch - 1));
  return Math.min(batches + more, requests);
}

/** Share of the requests in each bucket: log-normal, a part of them with four times the median. */
function bucketShares(scale: number, tail: number): number[] {
  const below = boundsMs.map((bound) => (1 - tail) * belowBound(bound, medianMs * scale) + tail * belowBound(bound, medianMs * 4));
  return below.map((share, index) => share - (below[index - 1] ?? 0));
}

function belowBound(bound: number, median: number): number {
  return bound === Infinity ? 1 : (1 + erf((Math.log(bound) - Math.log(median)) / latencySpread / Math.SQRT2)) / 2;
}

/** Abramowitz and Stegun 7.1.26: wrong by at most 1.5e-7. */
function erf(x: number): number {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const tail = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t * Math.exp(-x * x);
  return x < 0 ? tail - 1 : 1 - tail;
}

function multinomial(chance: Random, count: number, shares: readonly number[]): number[] {
  let [left, rest] = [count, 1];
  return shares.map((share) => {
    const here = left === 0 ? 0 : chance.binomial(left, Math.min(1, share / Math.max(rest, 1e-12)));
    left -= here;
    rest -= share;
    return here;
  });
}

const blocks = 12;
const blockSeconds = 300;

function pastOf({ rps, stableErrors, stress = {} }: Scenario, { chance, factors }: { chance: Random; factors: readonly number[] }): Past {
  const mean = (rps * blockSeconds) / factors.length;
  const history = Array.from({ length: blocks }, () =>
    factors.map((factor) => {
      const requests = chance.poisson(mean);
      const bad = errorsOf(chance, stress, { requests, rate: stableErrors * factor, wildness: blockSeconds / scrapeSeconds });
      return { requests, bad };
    }),
  );
  const all = history.flat();
  const tally = { requests: all.reduce((sum, pod) => sum + pod.requests, 0), bad: all.reduce((sum, pod) => sum + pod.bad, 0) };
  return { tally, dispersion: dispersionOf(history), measured: true };
}
