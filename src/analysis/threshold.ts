import type { CheckResult } from "../api/canary.ts";
import { checkOf } from "./check.ts";
import type { MetricSample, Verdict } from "./sample.ts";

/** What earlier checks of this run left behind. */
interface JudgeState {
  /** Failed checks of this run so far. A passed one never lowers it. */
  readonly failedChecks: number;
  /** Failed checks that trigger a rollback. */
  readonly threshold: number;
}

interface CheckState extends JudgeState {
  /** Requests that the canary had in the window of this check; missing when nobody counted. */
  readonly requests?: number | undefined;
  /** With fewer a check is not scored; 0: every check is. */
  readonly minRequests?: number | undefined;
}

/** One check of a release: what each metric says, and what that means for the run. */
export interface Judgement {
  /** `fail` when any metric fails; else `inconclusive` when any is; else `pass`. */
  readonly verdict: Verdict;
  readonly checks: readonly CheckResult[];
  /** Failed checks of this run including this one: one more on `fail`, however many metrics failed. */
  readonly failedChecks: number;
  /** Whether the traffic goes back now. */
  readonly rollBack: boolean;
  /** The verdict in one sentence. */
  readonly message: string;
  /** Why nothing is known: the metrics have no data, or a server does not answer; missing for any other reason. */
  readonly silence?: "noData" | "blind" | undefined;
}

/** Judges one check of a release by fixed thresholds. Pure. A verdict of `inconclusive` never moves traffic either way. */
export function judge(samples: readonly MetricSample[], state: CheckState): Judgement {
  const checks = samples.map(checkOf);
  const measured = overall(checks);
  const silence = measured === "inconclusive" ? silenceOf(samples) : undefined;
  const { requests, minRequests = 0 } = state;
  if (requests !== undefined && requests < minRequests) {
    const message = `not scored: the canary had ${requests} requests, fewer than the ${minRequests} a check needs`;
    return { verdict: "inconclusive", checks, ...count("inconclusive", state), message, silence };
  }
  return { verdict: measured, checks, ...count(measured, state), message: sentence(checks, measured), silence };
}

function silenceOf(samples: readonly MetricSample[]): Judgement["silence"] {
  const mute = samples.map(({ canary }) => canary).filter(({ kind }) => kind !== "number");
  const blind = mute.filter((sample) => sample.kind === "error" && sample.error === "unavailable");
  const empty = mute.filter(({ kind }) => kind === "noData");
  if (mute.length === 0 || blind.length + empty.length < mute.length) return undefined;
  return blind.length > 0 ? "blind" : "noData";
}

/**
 * Counts one check: failed checks of the run from now on, and whether they decide against the release now. As Flagger does, with
 * two differences: a check without a number counts nothing, and the check that reaches the threshold decides at once.
 */
export function count(verdict: Verdict, { failedChecks, threshold }: JudgeState): Pick<Judgement, "failedChecks" | "rollBack"> {
  if (verdict !== "fail") return { failedChecks, rollBack: false };
  return { failedChecks: failedChecks + 1, rollBack: failedChecks + 1 >= threshold };
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
