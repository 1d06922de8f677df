import { type Analysis, stepsOf } from "../api/analysis.ts";
import { parseDurationMs } from "../lib/duration.ts";
import { alphaOfRetry, defaultAbsolute, type ShareRules } from "./share.ts";
import { longestAdaptiveMs } from "./steps.ts";
import type { Policy } from "./verdict.ts";

/** Percent. */
const whole = 100;

/**
 * The rules of evidence as a Canary's spec sets them.
 * @param tries how often the same content was tried before: each spends half of what the one before did
 */
export function rulesOf({ alpha, slo, tolerance, warmup }: Analysis, tries = 0): ShareRules {
  const wanted = slo / whole;
  return {
    alpha: alphaOfRetry(alpha, tries),
    slo: wanted,
    ratio: tolerance.ratio,
    absolute: tolerance.absolute === undefined ? defaultAbsolute(wanted) : tolerance.absolute / whole,
    warmupMs: parseDurationMs(warmup),
  };
}

/** What follows from the evidence, as a Canary's spec says it. `steps`: played with these, whatever the Canary's own are. */
export function policyOf(
  analysis: Analysis,
  { progressDeadlineSeconds, steps = stepsOf(analysis) }: { progressDeadlineSeconds: number; steps?: Policy["steps"] },
): Policy {
  const minDurationMs = analysis.minDuration === undefined ? 0 : parseDurationMs(analysis.minDuration);
  return {
    steps,
    onNoData: analysis.onNoData,
    noDataTimeoutMs: parseDurationMs(analysis.noDataTimeout),
    onBlind: analysis.onBlind,
    blindTimeoutMs: progressDeadlineSeconds * 1_000,
    onInconclusive: analysis.onInconclusive,
    minDurationMs,
    maxDurationMs: analysis.maxDuration === undefined ? longest(steps, minDurationMs) : parseDurationMs(analysis.maxDuration),
  };
}

/** Fixed steps end by themselves. */
function longest(steps: Policy["steps"], minDurationMs: number): number | undefined {
  return steps === "fixed" ? undefined : Math.max(longestAdaptiveMs, minDurationMs);
}
