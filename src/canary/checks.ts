import type { CanaryMetric, CanarySpec, CanaryStatus } from "../api/canary.ts";
import { decide, type Decision, type Gates, type Input, type Phase } from "./decide.ts";
import { msUntilStep } from "./steps.ts";

/** Phases in which a new revision is judged. */
const judged: ReadonlySet<Phase | undefined> = new Set(["Progressing", "WaitingPromotion"]);

/**
 * The metrics to measure now; empty when no check is due. Checks cost queries, so they are made once per interval, only
 * while the canary runs ready, and not before it had traffic: blue/green runs are measured from their start.
 */
export function checksDue(
  spec: CanarySpec,
  { status, seen }: Pick<Input, "status"> & { seen: Pick<Input["seen"], "nowMs" | "revision" | "canary"> },
): readonly CanaryMetric[] {
  if (!judged.has(status.phase) || spec.skipAnalysis || seen.revision !== status.trackedRevision || seen.canary.state !== "ready")
    return [];
  const measurable = spec.analysis.iterations !== undefined || (status.canaryWeight ?? 0) > 0;
  return measurable && msUntilStep(spec, status, seen.nowMs) === 0 ? spec.analysis.metrics : [];
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
