/** Bounds of an exponential backoff, in milliseconds. */
export interface BackoffLimits {
  readonly baseMs: number;
  readonly maxMs: number;
}

/**
 * Delay before the given attempt: `baseMs` doubled per failure, capped at `maxMs`, jittered to 75-100 %.
 * @param failures how often it failed in a row so far; 0 and below give no delay
 * @param random a number in [0, 1), so that a test can fix it
 */
export function backoffMs(failures: number, { baseMs, maxMs }: BackoffLimits, random: number = Math.random()): number {
  if (failures <= 0) return 0;
  const ceiling = Math.min(maxMs, baseMs * 2 ** Math.min(failures - 1, 30));
  return Math.round(ceiling * (0.75 + random * 0.25));
}
