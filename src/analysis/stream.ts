/** Requests of one version, and those among them that are bad: failed, or slower than a bound. */
export interface Tally {
  requests: number;
  bad: number;
}

/** Both versions over the same time. */
export interface Comparison {
  readonly canary: Readonly<Tally>;
  readonly stable: Readonly<Tally>;
}

/** What is still tolerated, and how much a single bad event is worth. */
export interface Tolerance {
  /** ρ: the canary may be bad this many times as often as stable. */
  readonly ratio: number;
  /** δ: and this much on top, as a fraction of its requests. */
  readonly absolute: number;
  /** φ̂ ≥ 1: how many bad events come in one clump; evidence is divided by it. */
  readonly dispersion: number;
}

/** The bets `a`: the canary is this many times as bad as stable. Source: analysis §6, chosen by simulation over 1.2 to total failure. */
export const bets: readonly number[] = [1.2, 1.5, 2, 3, 6, 12, 50, 400];
/** How the capital is spread over the bets at the start; sums to 1. */
const prior: readonly number[] = [0.08, 0.14, 0.2, 0.22, 0.16, 0.08, 0.06, 0.06];
/** Share of the capital of the copy that bets from the first request on. */
const firstCopy = 0.6;
/** Share of each copy that starts with a later step, so that a fault which comes late does not have to win back what was lost before it. */
const laterCopy = 0.08;
/** 0.6 + 5 · 0.08 = 1: more copies would need capital that is not there. */
const maxCopies = 6;

/**
 * A relative e-process: the evidence that bad events fall on the canary more often than its share of the traffic allows.
 * The logarithm of each bet's capital, copy after copy, {@link bets} for each. Plain numbers: they can be stored and read back.
 */
export type Stream = number[];

/** A stream that has seen nothing, with one copy. E = 0.6: what later copies will bet is not counted before they start. */
export function newStream(): Stream {
  return prior.map((part) => Math.log(firstCopy * part));
}

/** The same with all the capital in one copy, for what is never restarted. E = 1. */
export function newSingleStream(): Stream {
  return prior.map((part) => Math.log(part));
}

/** Starts one more copy, up to six in all. To be called when a step begins, never because of what its requests were. */
export function restart(stream: Stream): void {
  if (stream.length >= maxCopies * bets.length) return;
  for (const part of prior) stream.push(Math.log(laterCopy * part));
}

/**
 * Adds one scrape. With π = N_c/(N_c+N_s), X the bad events, b_a = (1−π+πρ)/(1−π+πρa), each bet gains
 *
 *   ℓ_a += [ X_c ln a + (X_c+X_s) ln b_a − δ N_c (a·b_a−1) ] / φ̂
 *
 * Under p_c ≤ ρ·p_s + δ the factor has mean ≤ 1 whatever p_s is, so its product over scrapes exceeds 1/α with probability
 * ≤ α, ever (Ville). Nothing is learnt from a scrape in which one side had no request. Source: analysis §6; the family is
 * Lindon & Malek, "Anytime-Valid Inference for Multinomial Count Data" (NeurIPS 2022). Allocates nothing.
 */
export function addComparison(stream: Stream, { canary, stable }: Comparison, { ratio, absolute, dispersion }: Tolerance): void {
  if (canary.requests <= 0 || stable.requests <= 0) return;
  const share = canary.requests / (canary.requests + stable.requests);
  const allowed = 1 - share + share * ratio;
  const all = canary.bad + stable.bad;
  for (let index = 0; index < bets.length; index++) {
    const bet = bets[index] ?? 1;
    const stake = allowed / (1 - share + share * ratio * bet);
    const tolerated = absolute * canary.requests * Math.max(bet * stake - 1, 0);
    const gain = (canary.bad * Math.log(bet) + all * Math.log(stake) - tolerated) / dispersion;
    for (let at = index; at < stream.length; at += bets.length) stream[at] = (stream[at] ?? 0) + gain;
  }
}

/** ln E of a stream: the logarithm of the sum of all capitals. */
export function logEvidenceOf(stream: Stream): number {
  return logSumExp(stream);
}

/** Number of the copy that holds the most capital; 0 is the one that began with the first request. */
export function leadingCopy(stream: Stream): number {
  let [leader, most] = [0, -Infinity];
  for (let at = 0; at < stream.length; at++) {
    const capital = stream[at] ?? -Infinity;
    if (capital > most) [leader, most] = [Math.floor(at / bets.length), capital];
  }
  return leader;
}

/** ln Σ exp(v), without overflow; −∞ for none. */
export function logSumExp(values: readonly number[]): number {
  let most = -Infinity;
  for (const value of values) if (value > most) most = value;
  if (!Number.isFinite(most)) return most;
  let sum = 0;
  for (const value of values) sum += Math.exp(value - most);
  return most + Math.log(sum);
}

/** ln(exp(a) + exp(b)), without overflow. */
export function logAdd(a: number, b: number): number {
  const [more, less] = a > b ? [a, b] : [b, a];
  return less === -Infinity ? more : more + Math.log1p(Math.exp(less - more));
}
