/** A pseudo-random number in [0, 1) per call; the same seed gives the same series. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A seed from any text, so that each object has a series of its own. */
export function seedOf(text: string): number {
  let hash = 2_166_136_261;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 16_777_619);
  return hash >>> 0;
}

/**
 * Draws indexes in exact proportion to their weights without a pattern: as from a bag that holds each index as often as
 * its (reduced) weight says and is filled again when empty. So every bag is exact, and nothing periodic can fall in step with it.
 * @param weights whole numbers, not negative
 * @returns the next index, or -1 when all weights are zero
 */
export function weightedDraw(weights: readonly number[], seed: number): () => number {
  const divisor = weights.reduce(greatestCommonDivisor, 0);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  if (total === 0) return () => -1;
  const random = seededRandom(seed);
  const full = weights.map((weight) => weight / divisor);
  let left = [...full];
  return () => {
    if (left.every((count) => count === 0)) left = [...full];
    let at = random() * left.reduce((sum, count) => sum + count, 0);
    const index = left.findIndex((count) => (at -= count) < 0);
    left = left.map((count, other) => (other === index ? count - 1 : count));
    return index;
  };
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
