/** Memory of the controller at one moment. */
export interface Sample {
  /** Minutes since the first. */
  readonly minute: number;
  /** Controller and its Git process together, resident. */
  readonly residentMiB: number;
  /** How many commits had been pushed by then. */
  readonly commits: number;
}

/** What the samples say. */
export interface Trend {
  /** Median of the second quarter of the run: the first fills caches. */
  readonly earlyMiB: number;
  /** Median of its last quarter. */
  readonly lateMiB: number;
  readonly mostMiB: number;
  /** How much later is more than early, in percent. */
  readonly growthPercent: number;
  readonly isFlat: boolean;
}

/** So much may the late median be above the early one: what garbage collection leaves lying about differs from minute to minute. */
const allowedPercent = 10;

/** Tells whether memory stays flat over the run. Throws when there is less than a sample for each quarter. */
export function trendOf(samples: readonly Sample[]): Trend {
  const end = samples.at(-1)?.minute ?? 0;
  const within = (from: number, to: number): number[] =>
    samples.filter(({ minute }) => minute >= end * from && minute <= end * to).map(({ residentMiB }) => residentMiB);
  const [early, late] = [within(0.25, 0.5), within(0.75, 1)];
  if (early.length === 0 || late.length === 0) throw new Error(`${samples.length} samples are too few to see a trend`);
  const [earlyMiB, lateMiB] = [median(early), median(late)];
  const growthPercent = (lateMiB / earlyMiB - 1) * 100;
  const mostMiB = Math.max(...samples.map(({ residentMiB }) => residentMiB));
  return { earlyMiB, lateMiB, mostMiB, growthPercent, isFlat: growthPercent <= allowedPercent };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const [low = 0, high = 0] = [sorted[Math.floor((sorted.length - 1) / 2)], sorted[Math.floor(sorted.length / 2)]];
  return (low + high) / 2;
}
