import type { CanaryStatus } from "../api/canary.ts";
import type { Phase } from "./decide.ts";
import { isNotable } from "./share-look.ts";

/** One thing that has changed, for `kubectl describe` and the log. */
export interface CanaryEvent {
  readonly type: "normal" | "warning";
  /** CamelCase. */
  readonly reason: string;
  readonly message: string;
}

/** What has changed between two statuses, one event for one moment; the same status twice gives nothing. */
export function eventsOf(before: CanaryStatus, after: CanaryStatus): CanaryEvent[] {
  const moved = [...runEvents(before, after), ...phaseEvents(before, after)];
  if (moved.length > 0) return moved.map((event) => ({ ...event, message: `${event.message}${weightChange(before, after)}` }));
  const shifted = weightEvents(before, after);
  const said = after.evidence?.acts ? [] : checkEvents(before, after);
  return [...(shifted.length > 0 ? shifted : said), ...evidenceEvents(before, after)];
}

/** What the shares of the bad requests say, when it is something else than before. */
function evidenceEvents({ evidence: before }: CanaryStatus, { evidence: after }: CanaryStatus): CanaryEvent[] {
  if (!after || after.reason === before?.reason) return [];
  if (after.acts) return isNotable(after.reason) ? warning(after.reason, after.message) : [];
  return after.verdict === "fail" ? normal("ShareWouldRollBack", `method share would roll back now: ${after.message}`) : [];
}

/** Why a step was taken or the run ended well, where the shares of the bad requests decide. */
function because({ evidence }: CanaryStatus): string {
  return evidence?.acts ? `: ${evidence.message}` : "";
}

function weightChange({ canaryWeight: was = 0 }: CanaryStatus, { canaryWeight: is = 0 }: CanaryStatus): string {
  return is === was ? "" : `; canary weight ${was} → ${is}`;
}

function normal(reason: string, message: string): CanaryEvent[] {
  return [{ type: "normal", reason, message }];
}

function warning(reason: string, message: string): CanaryEvent[] {
  return [{ type: "warning", reason, message }];
}

function runEvents(before: CanaryStatus, after: CanaryStatus): CanaryEvent[] {
  if (after.phase !== "Progressing" || after.startedAt === before.startedAt) return [];
  const commit = after.trackedCommit === undefined ? "" : ` of commit ${after.trackedCommit.slice(0, 7)}`;
  const restarted = before.phase === "Progressing" || before.phase === "WaitingPromotion";
  if (restarted) return normal("AnalysisRestarted", `a newer revision ${after.trackedRevision}${commit} takes the place of ${before.trackedRevision}`);
  return normal("CanaryStarted", `revision ${after.trackedRevision}${commit} is analysed`);
}

function phaseEvents(before: CanaryStatus, after: CanaryStatus): CanaryEvent[] {
  const { phase } = after;
  if (phase === undefined || phase === before.phase) return [];
  const say = onEnter[phase];
  return say ? say(before, after) : [];
}

const onEnter: Partial<Record<Phase, (before: CanaryStatus, after: CanaryStatus) => CanaryEvent[]>> = {
  Initialized: (before, { promotedRevision }) => {
    if (before.phase === "Initializing") return normal("CanaryInitialized", `the primary runs ${promotedRevision} and has all traffic`);
    if (before.phase === "Failed") return normal("CanarySettled", `the target is back at the promoted revision ${promotedRevision}`);
    return normal("CanaryCancelled", `the run of ${before.trackedRevision} ends without a verdict; the primary keeps ${promotedRevision}`);
  },
  Waiting: (_, { trackedRevision }) => normal("WaitingForRollout", `a confirm-rollout hook holds ${trackedRevision}`),
  WaitingPromotion: (_, { trackedRevision }) => normal("WaitingForPromotion", `a confirm-promotion hook holds ${trackedRevision}`),
  Promoting: (_, after) => normal("CanaryPromoting", `${after.trackedRevision} is copied to the primary${because(after)}`),
  Succeeded: (_, { trackedRevision }) => normal("CanaryPromoted", `${trackedRevision} is promoted`),
  Failed: (_, { failure, trackedRevision }) => warning("CanaryRolledBack", `${trackedRevision} failed (${failure?.reason ?? "Failed"}): ${failure?.message ?? "no reason is known"}`),
  Terminating: () => normal("CanaryTerminating", "the target gets its pods and traffic back"),
};

/** Each names the revision: those of two runs are not one and the same. */
function weightEvents(
  { canaryWeight: was = 0 }: CanaryStatus,
  after: CanaryStatus,
): CanaryEvent[] {
  const { canaryWeight: is = 0, phase, trackedRevision } = after;
  if (is === was) return [];
  const lost = is < was && phase === "Progressing";
  const change = `${trackedRevision}: canary weight ${was} → ${is}`;
  if (lost) return warning("TrafficReturned", `${change}: the canary does not serve`);
  return normal("WeightShifted", `${change}${was > 0 && is > was ? because(after) : ""}`);
}

function checkEvents(before: CanaryStatus, after: CanaryStatus): CanaryEvent[] {
  const { verdict, phase } = after;
  if (phase === "Failed" || verdict === undefined || verdict === "pass") return [];
  const message = saidOf(after, verdict);
  if (verdict === "fail") return (after.failedChecks ?? 0) > (before.failedChecks ?? 0) ? warning("CheckFailed", message) : [];
  // Most runs begin with too short a time to measure: what is said after that may be a server that is down.
  return before.verdict === "inconclusive" && saidOf(before, verdict) === message ? [] : warning("CheckInconclusive", message);
}

function saidOf({ checks = [] }: CanaryStatus, verdict: CanaryStatus["verdict"]): string {
  return checks.filter((check) => check.verdict === verdict).map((check) => check.message).join("; ");
}
