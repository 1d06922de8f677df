import type { Point } from "../../src/lib/series.ts";

/** What a Prometheus looks back for the newest sample of a step. */
export const lookBackMs = 5 * 60_000;

interface Steps {
  readonly fromMs: number;
  readonly untilMs: number;
  readonly stepMs: number;
}

/** What a range query says of scraped samples: at each step the newest one that is not too old. */
export function atSteps(points: readonly Point[], { fromMs, untilMs, stepMs }: Steps): Point[] {
  const steps: Point[] = [];
  for (let atMs = fromMs; atMs <= untilMs; atMs += stepMs) {
    const newest = points.findLast((point) => point.atMs <= atMs && atMs - point.atMs < lookBackMs);
    if (newest) steps.push({ atMs, value: newest.value });
  }
  return steps;
}
