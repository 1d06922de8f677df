import { bets } from "./stream.ts";

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
}

/** ln of what restarts, mixtures and the other parts of E cost in practice. Source: analysis §6. */
const mixtureCost = 2.8;

/**
 * Canary requests after which a canary with this rate is most likely found:
 *
 *   n ≈ φ̂ (ln(1/α) + 2.8) / g,   g = max_a { p_s [ R ln a + (R + (1−π)/π) ln b_a ] − δ (a·b_a − 1) },   R = p_c/p_s
 *
 * Divide by requests per second × weight for seconds. Infinity: never, because it is within what is tolerated.
 */
export function requestsToSee(rate: number, { baseline, share, alpha, ratio, absolute, dispersion }: Setting): number {
  const times = rate / baseline;
  let most = 0;
  for (const bet of bets) {
    const stake = (1 - share + share * ratio) / (1 - share + share * ratio * bet);
    const growth = baseline * (times * Math.log(bet) + (times + (1 - share) / share) * Math.log(stake));
    most = Math.max(most, growth - absolute * Math.max(bet * stake - 1, 0));
  }
  return most <= 0 ? Infinity : (dispersion * (mixtureCost - Math.log(alpha))) / most;
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
  /** Stable's rate, a fraction. */
  readonly baseline: number;
  /** The smallest rate it could have shown; missing when only near total failure would have been. */
  readonly visibleRate?: number | undefined;
  /** For a canary so many times as bad as stable: requests and seconds it takes at this traffic; missing when it never shows. */
  readonly needed: readonly { readonly times: number; readonly requests?: number | undefined; readonly seconds?: number | undefined }[];
}

/** Multiples of stable's rate that people ask about. */
const asked: readonly number[] = [2, 5, 10];

/** What this rollout could have detected. `canaryPerSecond`: requests per second that the canary gets now. */
export function powerOf(canaryRequests: number, setting: Setting, canaryPerSecond: number): Power {
  const needed = asked.map((times) => {
    const requests = requestsToSee(Math.min(times * setting.baseline, 1), setting);
    if (!Number.isFinite(requests)) return { times };
    return { times, requests: Math.ceil(requests), ...(canaryPerSecond > 0 ? { seconds: Math.ceil(requests / canaryPerSecond) } : {}) };
  });
  const visibleRate = smallestVisible(canaryRequests, setting);
  return { canaryRequests, baseline: setting.baseline, ...(visibleRate === undefined ? {} : { visibleRate }), needed };
}
