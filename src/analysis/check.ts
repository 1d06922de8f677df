import type { CanaryMetric } from "../api/analysis.ts";
import type { CheckResult } from "../api/canary.ts";
import type { MetricSample, Sample, Verdict } from "./sample.ts";

/** Inclusive bounds of a good value; a missing bound is unlimited. */
interface Range {
  readonly min?: number | undefined;
  readonly max?: number | undefined;
}

/**
 * Bounds of the ready-made metrics when the user names none: those of Flagger's own examples. Flagger itself would then
 * pass any success rate and fail any duration above 0, which checks nothing.
 */
const defaultRanges: Readonly<Record<string, Range>> = { "request-success-rate": { min: 99 }, "request-duration": { max: 500 } };

const units: Readonly<Record<string, string>> = { "request-success-rate": " %", "request-duration": " ms" };

/** Unit of a ready-made metric's values; `undefined` for a query of the user's own. */
export function unitOf({ name, query, templateRef }: CanaryMetric): string | undefined {
  return query !== undefined || templateRef !== undefined || !Object.hasOwn(units, name) ? undefined : units[name]?.trim();
}

/** The bounds this metric is held to; `undefined` for a metric of the user's own without `thresholdRange`: nothing can be said of it. */
export function rangeOf({ name, thresholdRange, query, templateRef }: CanaryMetric): Range | undefined {
  if (thresholdRange) return thresholdRange;
  // A query of the user's own under a ready-made name may measure anything.
  const own = query !== undefined || templateRef !== undefined;
  return own || !Object.hasOwn(defaultRanges, name) ? undefined : defaultRanges[name];
}

/**
 * Whether a measured value is acceptable.
 * @param value in the metric's own unit
 * @param range inclusive; a missing bound is unlimited
 * @returns `false` for NaN: silence is not health
 */
function inRange(value: number, { min = -Infinity, max = Infinity }: Range): boolean {
  return value >= min && value <= max;
}

/** One metric's verdict in one sentence, with the primary's beside it where that was measured. Pure, never throws. */
export function checkOf({ metric, ...samples }: MetricSample): CheckResult {
  const canary = withoutDust(samples.canary);
  const primary = samples.primary && withoutDust(samples.primary);
  const range = rangeOf(metric);
  const verdict = verdictOf(canary, range);
  return {
    name: metric.name,
    verdict,
    ...(canary.kind === "number" && Number.isFinite(canary.value) ? { value: canary.value } : {}),
    ...comparison(primary, range),
    message: messageOf(metric.name, { canary, primary, range, own: metric.query !== undefined || metric.templateRef !== undefined }),
  };
}

// A share of sums of rates may be 99.99999999999999 % where no request failed, which a minimum of 100 shall not refuse.
function withoutDust(sample: Sample): Sample {
  return sample.kind === "number" ? { ...sample, value: Number(sample.value.toPrecision(12)) } : sample;
}

function verdictOf(sample: Sample, range: Range | undefined): Verdict {
  if (sample.kind !== "number" || Number.isNaN(sample.value) || !range) return "inconclusive";
  return inRange(sample.value, range) ? "pass" : "fail";
}

// What the primary did is left open, not guessed, where it has no number.
function comparison(primary: Sample | undefined, range: Range | undefined): Pick<CheckResult, "primary" | "primaryPassed"> {
  const verdict = primary ? verdictOf(primary, range) : "inconclusive";
  if (primary?.kind !== "number" || verdict === "inconclusive") return {};
  return { ...(Number.isFinite(primary.value) ? { primary: primary.value } : {}), primaryPassed: verdict === "pass" };
}

interface Measured {
  readonly canary: Sample;
  readonly primary: Sample | undefined;
  readonly range: Range | undefined;
  /** The query is the user's; those of Serin can always be asked of the primary. */
  readonly own: boolean;
}

function messageOf(name: string, { canary, primary, range, own }: Measured): string {
  if (canary.kind !== "number") return `${name} ${silence(canary)}`;
  const value = formatValue(name, canary.value);
  if (Number.isNaN(canary.value)) return `${name} is ${value}, which is no number`;
  if (!range) return `${name} is ${value}, which says nothing without a thresholdRange`;
  const beside = primary?.kind === "number" ? `; the primary's is ${formatValue(name, primary.value)}` : alone(canary.value, { primary, range, own });
  return `${name} is ${value}, ${position(name, canary.value, range)}${beside}`;
}

/** Why nothing will be proposed in Git: a query that asks the same of both sides proves nothing against a commit. */
function alone(value: number, { primary, range, own }: Omit<Measured, "canary" | "range"> & { range: Range }): string {
  if (!own || primary !== undefined || inRange(value, range)) return "";
  return "; its query cannot be asked of the primary, so by itself it only holds the change back and proposes no revert: write {{ target }} or {{ service }}-canary in it";
}

function position(name: string, value: number, { min, max }: Range): string {
  if (min !== undefined && !(value >= min)) return `below the minimum ${formatValue(name, min)}`;
  if (max !== undefined && !(value <= max)) return `above the maximum ${formatValue(name, max)}`;
  if (min === undefined) return `within the maximum ${formatValue(name, max ?? Infinity)}`;
  return max === undefined
    ? `within the minimum ${formatValue(name, min)}`
    : `within ${formatValue(name, min)} to ${formatValue(name, max)}`;
}

function silence(sample: Exclude<Sample, { kind: "number" }>): string {
  switch (sample.kind) {
    case "noData":
      return sample.why === "empty"
        ? "has no data: no series matches, or there was no traffic yet"
        : "has no data: no traffic in the window (NaN)";
    case "ambiguous":
      return `is ambiguous: the query gives ${sample.series} series; aggregate them to one`;
    case "tooEarly":
      return "is not known yet: this revision has had traffic for too short a time";
    case "error":
      return sample.error === "query" ? `cannot be measured: ${sample.message}` : `is not known: ${sample.message}`;
    default:
      return sample satisfies never;
  }
}

// Four digits say enough, but never round a value onto the bound it missed: 98.9999 % is not "99 %".
function formatValue(name: string, value: number): string {
  const text = Number.isInteger(value) || !Number.isFinite(value) ? String(value) : shortened(value);
  return `${text}${units[name] ?? ""}`;
}

function shortened(value: number): string {
  for (const digits of [4, 7, 12]) {
    const short = Number(value.toPrecision(digits));
    if (!Number.isInteger(short)) return String(short);
  }
  return String(value);
}
