import { methodOf } from "../../api/analysis.ts";
import type { Canary, CanaryPhase } from "../../api/canary.ts";
import { toTheSecond } from "../../api/share-table.ts";
import { uncapitalised } from "../../lib/text.ts";

/** How a Canary is and what comes next, in one line without a full stop. Pure. */
export function standingOf(canary: Canary): string {
  return `${stateOf(canary)}; ${nextOf(canary)}`;
}

function stateOf({ status: { phase = "Initializing", canaryWeight = 0, failure } }: Canary): string {
  if (phase !== "Failed" || !failure) return canaryWeight > 0 ? `${phase}, ${canaryWeight} % of the traffic` : phase;
  const failed = `Failed (${failure.reason})`;
  const still = `with ${canaryWeight} % of the traffic still: no pod of the primary serves`;
  if (canaryWeight > 0) return `${failed} at ${failure.failedAt}, ${still}`;
  return `${failed}, rolled back from ${failure.weight} % at ${failure.failedAt}`;
}

function nextOf(canary: Canary): string {
  const { spec, status } = canary;
  const { phase = "Initializing" } = status;
  if (spec.suspend) return "suspended: nothing moves until spec.suspend is false";
  const wait = waitOf(status, phase);
  return wait === undefined ? onPhase[phase](canary) : `waits: ${wait === status.evidence?.message ? uncapitalised(wait) : wait}`;
}

/** What is in the way has a reason of its own, else the phase is the reason; but hooks are named. A failure is said already. */
function waitOf({ conditions }: Canary["status"], phase: CanaryPhase): string | undefined {
  const ready = conditions?.find(({ type }) => type === "Ready");
  if (!ready || ready.status === "True" || phase === "Failed") return undefined;
  return ready.reason !== phase || phase.startsWith("Waiting") ? ready.message : undefined;
}

const atRest = () => "at rest until the target changes";

const onPhase: Record<CanaryPhase, (canary: Canary) => string> = {
  Initializing: () => "the primary is made from the target",
  Initialized: atRest,
  Waiting: () => "a confirm-rollout hook has to agree",
  Progressing: underWay,
  WaitingPromotion: () => "a confirm-promotion hook has to agree",
  Promoting: () => "the primary gets what was analysed",
  Finalising: () => "the primary has all traffic, the canary's pods go",
  Succeeded: atRest,
  Failed: kept,
  Terminating: () => "the target gets its pods and traffic back",
};

function kept({ status: { revertRef, failure } }: Canary): string {
  if (revertRef === undefined) return "the failed revision stays out until the target changes";
  return `Revert ${revertRef} holds it back${failure?.propose === false ? ", nothing is proposed" : " until that is decided"}`;
}

function underWay({ spec: { analysis }, status: { canaryWeight = 0, evidence } }: Canary): string {
  if (methodOf(analysis) !== "share") return `checked every ${analysis.interval}`;
  if (canaryWeight > 0 && evidence) return `the metrics are read again at ${toTheSecond(evidence.nextReadAt)}`;
  return "gets traffic when its pods are ready";
}
