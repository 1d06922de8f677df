import type { CheckResult } from "../api/canary.ts";
import type { MetricSample, Verdict } from "./sample.ts";
import { checkOf } from "./threshold.ts";

/** What earlier checks of this run left behind. */
interface JudgeState {
  /** Failed checks of this run so far. A passed one never lowers it. */
  readonly failedChecks: number;
  /** Failed checks that trigger a rollback. */
  readonly threshold: number;
}

/** One check of a release: what each metric says, and what that means for the run. */
export interface Judgement {
  /** `fail` when any metric fails; else `inconclusive` when any is; else `pass`. */
  readonly verdict: Verdict;
  readonly checks: readonly CheckResult[];
  /** Failed checks of this run including this one: one more on `fail`, however many metrics failed. */
  readonly failedChecks: number;
  /** Whether this check decided it: the threshold is reached, and the traffic goes back now. */
  readonly rollBack: boolean;
  /** The verdict in one sentence. */
  readonly message: string;
}

/**
 * Judges one check of a release by fixed thresholds. Pure.
 * Counts as Flagger with two differences: a check without a number counts nothing, and the deciding check rolls back at
 * once instead of at the next one.
 */
export function judge(samples: readonly MetricSample[], state: JudgeState): Judgement {
  const checks = samples.map(checkOf);
  const verdict = overall(checks);
  const failedChecks = state.failedChecks + (verdict === "fail" ? 1 : 0);
  const rollBack = verdict === "fail" && failedChecks >= state.threshold;
  return { verdict, checks, failedChecks, rollBack, message: sentence(checks, verdict) };
}

function overall(checks: readonly CheckResult[]): Verdict {
  if (checks.some(({ verdict }) => verdict === "fail")) return "fail";
  // No check at all is no evidence that the release is good.
  return checks.length === 0 || checks.some(({ verdict }) => verdict === "inconclusive") ? "inconclusive" : "pass";
}

function sentence(checks: readonly CheckResult[], verdict: Verdict): string {
  if (checks.length === 0) return "no metric was measured";
  return checks
    .filter((check) => check.verdict === verdict)
    .map(({ message }) => message)
    .join("; ");
}
