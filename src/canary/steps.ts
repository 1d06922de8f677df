import type { CanaryPhase, CanarySpec, CanaryStatus } from "../api/canary.ts";
import { parseDurationMs } from "../lib/duration.ts";
import type { Seen } from "./decide.ts";

type Analysis = CanarySpec["analysis"];

/** How long pods stay after their last traffic, so that the data plane has heard of it and requests under way end. */
export const drainMs = 3_000;

const times = ["startedAt", "steppedAt", "firstTrafficAt", "lastTransitionTime"] as const;

/**
 * The same status with no time later than now by which a run goes. A clock that was set back, or another replica's that went ahead,
 * must not make a run wait for the time to come again.
 */
export function notLater<Status extends Pick<CanaryStatus, (typeof times)[number] | "silence" | "evidence">>(
  status: Status,
  nowMs: number,
): Status {
  const isLater = (time: string | undefined): boolean => time !== undefined && Date.parse(time) > nowMs;
  const now = new Date(nowMs).toISOString();
  return {
    ...status,
    ...Object.fromEntries(times.filter((time) => isLater(status[time])).map((time) => [time, now])),
    ...(status.silence && isLater(status.silence.since) ? { silence: { ...status.silence, since: now } } : {}),
    ...(status.evidence && isLater(status.evidence.readAt) ? { evidence: { ...status.evidence, readAt: now, nextReadAt: now } } : {}),
  };
}

/** Time until the next step or check may be taken; 0: now. The first step of a run is due at once. */
export function msUntilStep(spec: CanarySpec, { steppedAt }: CanaryStatus, nowMs: number): number {
  return steppedAt === undefined ? 0 : Math.max(0, Date.parse(steppedAt) + parseDurationMs(spec.analysis.interval) - nowMs);
}

/** Time until a promotion is not too early; 0: it is not. */
export function msUntilMinDuration({ analysis }: CanarySpec, { firstTrafficAt, startedAt }: CanaryStatus, nowMs: number): number {
  const since = firstTrafficAt ?? startedAt;
  if (analysis.minDuration === undefined || since === undefined) return 0;
  return Math.max(0, Date.parse(since) + parseDurationMs(analysis.minDuration) - nowMs);
}

/** Time until the metrics can be read again; 0: now. `undefined`: there is nothing to go on with. */
export function msUntilRead({ evidence }: CanaryStatus, nowMs: number): number | undefined {
  return evidence && Math.max(0, Date.parse(evidence.nextReadAt) - nowMs);
}

/** Time until what is at rest may lose its pods; 0: now. */
export function msUntilDrained({ steppedAt }: CanaryStatus, nowMs: number): number {
  return steppedAt === undefined ? 0 : Math.max(0, Date.parse(steppedAt) + drainMs - nowMs);
}

/** Whether the last change of traffic is long enough ago for the pods behind it to stop. */
export function drained(status: CanaryStatus, nowMs: number): boolean {
  return msUntilDrained(status, nowMs) === 0;
}

/** When a run last got on: the latest of its start, its last step and the last phase. That metrics were read is no progress. */
export function progressedMs({ startedAt, steppedAt, lastTransitionTime }: CanaryStatus): number {
  return Math.max(...[startedAt, steppedAt, lastTransitionTime].map((time) => (time === undefined ? 0 : Date.parse(time))));
}

/** The moment of a decision on both clocks: as it is shown, and how long what is waited for was seen not to be ready. */
type Moment = Pick<Seen, "nowMs" | "unreadyMs">;

/**
 * Time until the progress deadline of what the phase waits for, the canary or the primary. It has to pass on both clocks: one that
 * is set ahead makes no pod late that was unready for a moment, and blames no commit.
 */
export function msUntilDeadline(spec: CanarySpec, status: CanaryStatus, { nowMs, unreadyMs }: Moment): number {
  const deadlineMs = spec.progressDeadlineSeconds * 1_000;
  const unready = judged.has(status.phase) ? unreadyMs.canary : unreadyMs.primary;
  return Math.max(0, progressedMs(status) + deadlineMs - nowMs, deadlineMs - unready);
}

/** Whether the progress deadline has passed. */
export function isOverdue(spec: CanarySpec, status: CanaryStatus, moment: Moment): boolean {
  return msUntilDeadline(spec, status, moment) === 0;
}

/** What a passed check earns. Never overshoots the last step; a weight that no step names goes on to the next larger one. */
export function nextStep(
  analysis: Analysis,
  { canaryWeight = 0, iterations = 0 }: CanaryStatus,
): { do: "shift"; weight: number } | { do: "count" } | { do: "promote" } {
  if (analysis.iterations !== undefined) return nextIteration(analysis.iterations, iterations, canaryWeight);
  const next = analysis.stepWeights ? analysis.stepWeights.find((weight) => weight > canaryWeight) : nextWeight(analysis, canaryWeight);
  return next === undefined ? { do: "promote" } : { do: "shift", weight: next };
}

function nextWeight({ stepWeight = 100, maxWeight }: Analysis, weight: number): number | undefined {
  return weight >= maxWeight ? undefined : Math.min(weight + stepWeight, maxWeight);
}

/** Blue/green: all checks first, then all traffic, which must pass a check as well. */
function nextIteration(wanted: number, passed: number, weight: number): ReturnType<typeof nextStep> {
  if (weight === 100) return { do: "promote" };
  return passed + 1 < wanted ? { do: "count" } : { do: "shift", weight: 100 };
}

/** Phases in which a new revision is judged. */
export const judged: ReadonlySet<CanaryPhase | undefined> = new Set(["Progressing", "WaitingPromotion"]);

/** Phases in which the canary's requests are counted: also while the primary gets what was analysed, the canary may turn bad. */
export const counted: ReadonlySet<CanaryPhase | undefined> = new Set([...judged, "Promoting" as const]);

/** Phases in which time alone may change what is to be done. */
const running: ReadonlySet<CanaryPhase | undefined> = new Set([
  "Waiting",
  "Progressing",
  "WaitingPromotion",
  "Promoting",
  "Finalising",
  "Terminating",
]);

/** When to look again even if nothing changes; `undefined`: only when something does. */
export function msUntilNext(spec: CanarySpec, status: CanaryStatus, moment: Moment): number | undefined {
  const { nowMs } = moment;
  const untilDeadline = msUntilDeadline(spec, status, moment);
  const draining = msUntilDrained(status, nowMs);
  if (status.phase === "Initializing") return untilDeadline || undefined;
  if (!running.has(status.phase)) return draining > 0 ? draining : undefined;
  const reading = counted.has(status.phase) ? (msUntilRead(status, nowMs) ?? 0) : 0;
  const waits = [msUntilStep(spec, status, nowMs), draining, reading, untilDeadline].filter((wait) => wait > 0);
  return Math.min(...waits, parseDurationMs(spec.analysis.interval));
}
