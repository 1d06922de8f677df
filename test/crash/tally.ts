/** How often something happened. */
export type Tally = Record<Happened, number>;

/** What has to happen for the promises to mean something, with how often at least in 500 schedules. */
const floors = {
  promotions: 150,
  /** Of an app whose failed release has left Git. */
  laterPromotions: 65,
  rollbacks: 600,
  proposals: 330,
  pushes: 140,
  merged: 165,
  declined: 50,
  superseded: 150,
  killsBefore: 160,
  killsAfter: 150,
  faults: 400,
} as const;

type Happened = keyof typeof floors;
const happened = Object.keys(floors) as Happened[];

/** Nothing has happened. */
export function emptyTally(): Tally {
  return Object.fromEntries(happened.map((what) => [what, 0])) as Tally;
}

/** All of it together. */
export function sumOf(tallies: readonly Tally[]): Tally {
  const sum = emptyTally();
  for (const tally of tallies) for (const what of happened) sum[what] += tally[what];
  return sum;
}

/** What happened less often in so many schedules than it should, in words. */
export function shortIn(tally: Tally, schedules: number): string[] {
  return happened.flatMap((what) => {
    const floor = (floors[what] * schedules) / 500;
    return tally[what] < floor ? [`${what}: ${tally[what]}, expected ${floor} at least`] : [];
  });
}
