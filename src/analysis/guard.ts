import { logSumExp, type Tally } from "./stream.ts";

/** The rates that the guard bets on, as fractions. Source: analysis §6. */
const rates: readonly number[] = [0.015, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 0.99];
/** And at least this many times the limit. */
const leastRatio = 1.5;
/** No rate is taken for higher than this, so that a success always tells something. */
const highestRate = 0.995;
/** No limit may be higher than this: there would be no rate above it to bet on. */
export const highestLimit = 0.99;

/**
 * The absolute guard: the evidence that the canary fails more often than a limit allows, whatever stable does. Needs two or
 * three failed requests where the relative streams need many. Logarithms of capitals, one for each rate.
 */
export type Guard = number[];

/** A guard that has seen nothing: E = 1. */
export function newGuard(): Guard {
  return rates.map(() => -Math.log(rates.length));
}

/**
 * Adds one scrape of the canary against H0: p_c ≤ `limit`. For each rate q
 *
 *   ℓ_q += [ X ln(q/p0) + (N−X) ln((1−q)/(1−p0)) ] / φ̂      E = ⅛ Σ_q exp ℓ_q
 *
 * `limit`, at most {@link highestLimit}, may change from scrape to scrape as long as it rests on the past alone. Allocates nothing.
 */
export function addToGuard(
  guard: Guard,
  seen: Readonly<Tally>,
  { limit, dispersion }: { limit: number; dispersion: number },
): void {
  if (seen.requests <= 0) return;
  for (let index = 0; index < rates.length; index++)
    guard[index] = (guard[index] ?? 0) + guardGain(seen, rates[index] ?? 1, limit) / dispersion;
}

/** What the bet on a rate, or on the lowest that may be bet on, gains of these requests where they come one by one; a logarithm. */
export function guardGain({ requests, bad }: Readonly<Tally>, rate: number, limit: number): number {
  const bet = Math.min(Math.max(limit * leastRatio, rate), highestRate);
  return bad * Math.log(bet / limit) + (requests - bad) * Math.log((1 - bet) / (1 - limit));
}

/** ln E of a guard. */
export function logGuardOf(guard: Guard): number {
  return logSumExp(guard);
}

/** An upper bound of a rate that was seen as `bad` of `requests`: (X + 2√(X+1) + 1) / N, about 97.5 %; 1 for no requests. */
export function upperRate({ requests, bad }: Readonly<Tally>): number {
  return requests <= 0 ? 1 : (bad + 2 * Math.sqrt(bad + 1) + 1) / requests;
}

/** Whether `seen` holds more bad events than a rate explains: X > μ + 2√(φ̂μ) + 1 with μ = rate·N. */
export function isAnomalous({ requests, bad }: Readonly<Tally>, { rate, dispersion }: { rate: number; dispersion: number }): boolean {
  const expected = rate * requests;
  return bad > expected + 2 * Math.sqrt(dispersion * expected) + 1;
}
