import { type CanaryMetric, methodOf } from "../api/analysis.ts";
import type { CanarySpec, CanaryStatus } from "../api/canary.ts";
import { decide, type Decision, type Gates, type Input } from "./decide.ts";
import { counted, judged, msUntilRead, msUntilStep } from "./steps.ts";

/**
 * The metrics to measure now; empty when no check is due. Checks cost queries, so they are made once per interval, only
 * while the canary runs ready, and not before it had traffic: blue/green runs are measured from their start.
 */
export function checksDue(
  spec: CanarySpec,
  { status, seen }: Pick<Input, "status"> & { seen: Pick<Input["seen"], "nowMs" | "revision" | "canary"> },
): readonly CanaryMetric[] {
  const { analysis } = spec;
  if (!judged.has(status.phase) || isUnmeasured(spec, { status, seen }) || seen.canary.state !== "ready") return [];
  const measurable = analysis.iterations !== undefined || (status.canaryWeight ?? 0) > 0;
  // Beside the shares they are only shown, and need no more than a look at each of those.
  const due = methodOf(analysis) === "share" ? msUntilRead(status, seen.nowMs) === 0 : msUntilStep(spec, status, seen.nowMs) === 0;
  return measurable && due ? (analysis.metrics ?? []) : [];
}

type Measured = Pick<Input, "status"> & { seen: Pick<Input["seen"], "nowMs" | "revision"> };

function isUnmeasured(spec: CanarySpec, { status, seen }: Measured): boolean {
  return spec.skipAnalysis || seen.revision !== status.trackedRevision;
}

/**
 * Whether requests are to be counted now, so that their shares can be compared. `begin`: the canary gets its first traffic
 * next, and the primary's past is wanted; `follow`: a scrape has come since the last reading. Blue/green runs split no traffic.
 */
export function shareDue(
  spec: CanarySpec,
  { status, seen }: Pick<Input, "status"> & { seen: Pick<Input["seen"], "nowMs" | "revision" | "canary"> },
): "begin" | "follow" | undefined {
  if (!counted.has(status.phase) || isUnmeasured(spec, { status, seen }) || spec.analysis.iterations !== undefined) return undefined;
  const untilRead = msUntilRead(status, seen.nowMs);
  if (untilRead !== undefined) return untilRead === 0 ? "follow" : undefined;
  return seen.canary.state === "ready" && mayBegin(spec, status, seen.nowMs) ? "begin" : undefined;
}

function mayBegin(spec: CanarySpec, status: CanaryStatus, nowMs: number): boolean {
  // Where thresholds decide, evidence that has not begun with the traffic would only be half of it.
  const missed = (status.canaryWeight ?? 0) > 0 && methodOf(spec.analysis) === "threshold";
  return judged.has(status.phase) && !missed && msUntilStep(spec, status, nowMs) === 0;
}

/** Whether the rollback hooks are to be asked: once per interval of a run. */
export function rollbackGateDue(spec: CanarySpec, status: CanaryStatus, nowMs: number): boolean {
  return judged.has(status.phase) && msUntilStep(spec, status, nowMs) === 0;
}

/** The gate that alone is in the way of the next step, so that people are asked only when all else says go. */
export function gateDue(input: Input): keyof Gates | undefined {
  const wish = decide(input).do;
  if (wish === "start") return input.status.phase === "Progressing" || input.status.phase === "WaitingPromotion" ? undefined : "rollout";
  return wish === "promote" && !input.spec.skipAnalysis ? "promotion" : undefined;
}

/** Whether a decision must not wait for queries and hooks: less traffic for the canary, or its end. */
export function isUrgent(decision: Decision, { canaryWeight = 0, phase }: CanaryStatus): boolean {
  if (decision.do === "shift") return decision.weight < canaryWeight;
  if (decision.do === "start") return judged.has(phase);
  return decision.do === "rollBack" || decision.do === "cancel" || decision.do === "terminate" || decision.do === "release";
}
