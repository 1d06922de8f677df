import { guardGain } from "./guard.ts";
import { bets, type Tally } from "./stream.ts";

/** What a test rests on. */
export interface Setting {
  /** Stable's rate of bad events, a fraction above 0. */
  readonly baseline: number;
  /** π: the canary's share of the requests, between 0 and 1. */
  readonly share: number;
  readonly alpha: number;
  readonly ratio: number;
  readonly absolute: number;
  /** φ̂ */
  readonly dispersion: number;
  /** Stable has no requests at the same time: only the guard bets, against this rate. */
  readonly guardLimit?: number | undefined;
}

/** ln of what restarts, mixtures and the other parts of E cost in practice. Source: analysis §6. */
const mixtureCost = 2.8;
/** The same for the guard, which is a quarter of E and spreads its capital over eight bets. */
const guardCost = Math.log(4 * 8);

/**
 * Canary requests after which a canary with this rate is most likely found:
 *
 *   n ≈ φ̂ (ln(1/α) + 2.8) / g,   g = max_a { p_s [ R ln a + (R + (1−π)/π) ln b_a ] − δ (a·b_a − 1) },   R = p_c/p_s
 *
 * Divide by requests per second × weight for seconds. Infinity: never, because it is within what is tolerated. Of the guard alone
 * g = R' ln(q/p0) + (1−R') ln((1−q)/(1−p0)) at the rate R' itself, q being no less than 1.5 times its limit p0.
 */
export function requestsToSee(rate: number, setting: Setting): number {
  const { baseline, share, alpha, ratio, absolute, dispersion, guardLimit } = setting;
  if (guardLimit !== undefined) return requestsForGuard(rate, { alpha, dispersion, limit: guardLimit });
  const times = rate / baseline;
  let most = 0;
  for (const bet of bets) {
    const stake = (1 - share + share * ratio) / (1 - share + share * ratio * bet);
    const growth = baseline * (times * Math.log(bet) + (times + (1 - share) / share) * Math.log(stake));
    most = Math.max(most, growth - absolute * Math.max(bet * stake - 1, 0));
  }
  return most <= 0 ? Infinity : (dispersion * (mixtureCost - Math.log(alpha))) / most;
}

function requestsForGuard(rate: number, { alpha, dispersion, limit }: { alpha: number; dispersion: number; limit: number }): number {
  const growth = guardGain({ requests: 1, bad: rate }, rate, limit);
  return growth <= 0 ? Infinity : (dispersion * (guardCost - Math.log(alpha))) / growth;
}

/** Halvings of the range; far below what is printed. */
const halvings = 40;

/**
 * The smallest rate of bad events, a fraction, that so many canary requests could have shown; `undefined` when not even
 * total failure. (Failure of most requests is found sooner by the guard, after two or three.)
 */
export function smallestVisible(canaryRequests: number, setting: Setting): number | undefined {
  if (requestsToSee(1, setting) > canaryRequests) return undefined;
  let [hidden, visible] = [Math.log(setting.baseline), 0];
  for (let step = 0; step < halvings; step++) {
    const middle = (hidden + visible) / 2;
    if (requestsToSee(Math.exp(middle), setting) > canaryRequests) hidden = middle;
    else visible = middle;
  }
  return Math.exp(visible);
}

/** What a rollout could have seen, for people and programs. */
export interface Power {
  /** Requests that the canary got. */
  readonly canaryRequests: number;
  /** Stable's rate as it is estimated, a fraction. */
  readonly baseline: number;
  /** What it is estimated from; without a request it is only taken to be what the SLO allows. */
  readonly baselineOf: Readonly<Tally>;
  /** The smallest rate it could have shown; missing when only near total failure would have been. */
  readonly visibleRate?: number | undefined;
  /** For a canary so many times as bad as stable: requests and seconds it takes at this traffic; missing when it never shows. */
  readonly needed: readonly { readonly times: number; readonly requests?: number | undefined; readonly seconds?: number | undefined }[];
}

/** Multiples of stable's rate that people ask about. */
const asked: readonly number[] = [2, 5, 10];

/** What a rollout has had so far. */
export interface Had extends Pick<Power, "canaryRequests" | "baselineOf"> {
  /** Requests per second that the canary gets now. */
  readonly canaryPerSecond: number;
}

/** What this rollout could have detected. */
export function powerOf(setting: Setting, { canaryRequests, baselineOf, canaryPerSecond }: Had): Power {
  const needed = asked.map((times) => {
    const requests = requestsToSee(Math.min(times * setting.baseline, 1), setting);
    if (!Number.isFinite(requests)) return { times };
    return { times, requests: Math.ceil(requests), ...(canaryPerSecond > 0 ? { seconds: Math.ceil(requests / canaryPerSecond) } : {}) };
  });
  const visibleRate = smallestVisible(canaryRequests, setting);
  return { canaryRequests, baseline: setting.baseline, baselineOf, ...(visibleRate === undefined ? {} : { visibleRate }), needed };
}
