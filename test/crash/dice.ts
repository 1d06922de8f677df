/** Chance that comes out the same for the same seed. */
export interface Dice {
  /** A number in [0, 1). */
  chance(): number;
  /** A whole number from 0 up to but without the limit. */
  below(limit: number): number;
  /** Whether something happens that does so in this share of cases. */
  happens(share: number): boolean;
  pick<T>(list: readonly T[]): T;
}

/** Dice for this seed (mulberry32). */
export function dice(seed: number): Dice {
  let state = (seed * 0x9e3779b1) | 0;
  const chance = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const below = (limit: number): number => Math.floor(chance() * limit);
  return {
    chance,
    below,
    happens: (share) => chance() < share,
    pick: <T>(list: readonly T[]) => {
      const found = list[below(list.length)];
      if (found === undefined) throw new Error("nothing to pick from");
      return found;
    },
  };
}
