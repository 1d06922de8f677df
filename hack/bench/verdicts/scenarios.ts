import { argo, flagger, kayenta } from "./peers.ts";
import type { NewPlayer } from "./player.ts";
import { serin } from "./serin.ts";
import { type Scenario, stresses } from "./traffic.ts";

/** Everybody who plays, with their usual settings. */
export const players = {
  Flagger: flagger(5),
  Argo: argo(3),
  Kayenta: kayenta,
  "Serin, fixed": serin("fixed"),
  "Serin, adaptive": serin("adaptive"),
} satisfies Record<string, NewPlayer>;
export type PlayerName = keyof typeof players;
/** In the order of the tables. */
export const playerNames = Object.keys(players) as PlayerName[];

/** A scenario with the words that a table gives it. */
export interface Cell {
  readonly name: string;
  readonly scenario: Scenario;
}

const rates: readonly number[] = [0.1, 1, 10, 100, 1_000];
const baselines: readonly number[] = [0.0001, 0.001, 0.01, 0.05];

/** `0.1 %`, `100 %`. */
export function percent(fraction: number): string {
  return `${Number((fraction * 100).toPrecision(3))} %`;
}

function healthyAt(rps: number, errors: number, stress: keyof typeof stresses = "clean"): Scenario {
  return { rps, stableErrors: errors, canaryErrors: errors, stress: stresses[stress] };
}

/** For each rate of requests a release that changes nothing, at each baseline of errors. */
export const healthy: readonly { readonly name: string; readonly cells: readonly Cell[] }[] = rates.map((rps) => ({
  name: `${rps} rps`,
  cells: baselines.map((errors) => ({ name: `healthy, ${rps} rps, ${percent(errors)}`, scenario: healthyAt(rps, errors) })),
}));

/** A release that changes nothing, on days that are not ordinary. */
export const stressed: readonly { readonly name: string; readonly cells: readonly Cell[] }[] = (
  ["clustered", "heavy", "incident", "cold"] as const
).map((stress) => ({
  name: stress,
  cells: (
    [
      [10, 0.001],
      [100, 0.001],
      [1_000, 0.001],
      [100, 0.01],
    ] as const
  ).map(([rps, errors]) => ({ name: `${stress}, ${rps} rps, ${percent(errors)}`, scenario: healthyAt(rps, errors, stress) })),
}));

const degradations: readonly (readonly [rps: number, from: number, to: number])[] = [
  [0.1, 0.001, 1],
  [1, 0.001, 1],
  [10, 0.001, 1],
  [100, 0.001, 1],
  [1_000, 0.001, 1],
  [1, 0.001, 0.01],
  [1, 0.01, 0.05],
  [10, 0.0001, 0.0051],
  [10, 0.001, 0.006],
  [10, 0.001, 0.01],
  [10, 0.01, 0.02],
  [10, 0.01, 0.05],
  [100, 0.0001, 0.001],
  [100, 0.001, 0.006],
  [100, 0.001, 0.01],
  [100, 0.01, 0.02],
  [100, 0.01, 0.015],
  [100, 0.05, 0.1],
  [1_000, 0.0001, 0.001],
  [1_000, 0.001, 0.002],
  [1_000, 0.01, 0.015],
  [1_000, 0.01, 0.05],
];

/** Releases that fail more. */
export const degraded: readonly Cell[] = degradations.map(([rps, stableErrors, canaryErrors]) => ({
  name: `${rps} rps, ${percent(stableErrors)} → ${percent(canaryErrors)}`,
  scenario: { rps, stableErrors, canaryErrors },
}));

/** Releases that are slower, by 0.1 % errors. */
export const slower: readonly Cell[] = (
  [
    [1, "twice as slow", { latency: 2 }],
    [10, "a fifth slower", { latency: 1.2 }],
    [10, "twice as slow", { latency: 2 }],
    [10, "3 % of requests slow", { tail: 0.03 }],
    [100, "a fifth slower", { latency: 1.2 }],
    [100, "3 % of requests slow", { tail: 0.03 }],
    [1_000, "a fifth slower", { latency: 1.2 }],
  ] as const
).map(([rps, name, change]) => ({ name: `${rps} rps, ${name}`, scenario: { rps, stableErrors: 0.001, canaryErrors: 0.001, ...change } }));

/** Releases that break 150 s after their first traffic. */
export const late: readonly Cell[] = (
  [
    [10, 1],
    [100, 0.005],
  ] as const
).map(([rps, canaryErrors]) => ({
  name: `${rps} rps, 0.1 % → ${percent(canaryErrors)} after 150 s`,
  scenario: { rps, stableErrors: 0.001, canaryErrors, onsetSeconds: 150 },
}));

/** The points of the plot: how often a release of each rate of errors is rolled back. */
export const curves: readonly { readonly baseline: number; readonly cells: readonly Cell[] }[] = [0.001, 0.01].map((baseline) => ({
  baseline,
  cells: [1, 1.25, 1.5, 2, 3, 5, 10, 30].map((times) => ({
    name: `curve, ${percent(baseline)} × ${times}`,
    scenario: { rps: 100, stableErrors: baseline, canaryErrors: baseline * times },
  })),
}));
