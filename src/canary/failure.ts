import { methodOf } from "../api/analysis.ts";
import type { Check, Input, NotReady, Seen } from "./decide.ts";
import { withoutTraffic } from "./step.ts";
import { isOverdue } from "./steps.ts";
import { undecided } from "./undecided.ts";

/** Why this revision has failed, the worst first. */
export function failureOf(input: Input): NotReady | undefined {
  const { canary, gates } = input.seen;
  if (canary.state === "stuck") return unlessShared(canary, input.seen);
  if (gates.rollback?.open) return { reason: "RollbackRequested", message: gates.rollback.message, commitsFault: false };
  const bad = methodOf(input.spec.analysis) === "share" ? badByShare(input.seen) : badByCheck(input);
  if (bad) return bad;
  return canary.state === "progressing" ? unreadyFor(input, canary) : undefined;
}

function badByCheck(input: Input): NotReady | undefined {
  const { check } = input.seen;
  if (check?.rollBack) return { reason: "CheckFailed", message: check.message, commitsFault: passesOnPrimary(check) };
  const end = undecided(input);
  return end.do === "fail" ? end.failure : undefined;
}

/** What the shares of the bad requests hold against the canary, in whatever phase they were counted. */
export function badByShare({ share }: Seen): NotReady | undefined {
  if (share?.kind !== "verdict" || !share.rollBack) return undefined;
  return { reason: share.reason, message: share.message, commitsFault: share.propose };
}

/** Why a canary that is not ready now has failed; `undefined`: it may become ready yet. */
function unreadyFor({ spec, status, seen }: Input, canary: NotReady): NotReady | undefined {
  if (flaps({ spec, status }, canary)) return unlessShared(canary, seen);
  if (!isOverdue(spec, status, seen)) return undefined;
  return unlessShared({ ...canary, reason: "ProgressDeadlineExceeded", message: `not ready within progressDeadlineSeconds: ${canary.message}` }, seen);
}

/** Pods that lose their readiness under traffic are a failed check; once alone may happen to anybody. */
function flaps({ spec, status }: Pick<Input, "spec" | "status">, { reason }: NotReady): boolean {
  const failedChecks = (status.failedChecks ?? 0) + 1;
  return reason === "ReadinessLost" && !withoutTraffic(status) && failedChecks >= Math.max(2, spec.analysis.threshold);
}

/** A primary that does not serve either speaks for the cluster being at fault, not the commit. */
function unlessShared({ reason, message, commitsFault }: NotReady, { primary }: Seen): NotReady {
  return { reason, message, commitsFault: commitsFault && primary.state === "ready" };
}

/** Whether the primary passes what the canary fails: without that it may be a shared outage. */
function passesOnPrimary({ checks }: Check): boolean {
  return checks.some(({ verdict, primaryPassed }) => verdict === "fail" && primaryPassed === true);
}
