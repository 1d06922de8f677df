import { methodOf } from "../../api/analysis.ts";
import type { Canary, CanaryPhase } from "../../api/canary.ts";
import { toTheSecond } from "../../api/share-table.ts";
import { within } from "./evidence-text.ts";

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
  const ready = status.conditions?.find(({ type }) => type === "Ready");
  // What is in the way has a reason of its own, else the phase is the reason; but hooks are named. A failure is said already.
  const isInTheWay = ready && ready.status !== "True" && phase !== "Failed" && (ready.reason !== phase || phase.startsWith("Waiting"));
  if (!isInTheWay) return onPhase[phase](canary);
  return `waits: ${ready.message === status.evidence?.message ? within(ready.message) : ready.message}`;
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
  Failed: ({ status: { revertRef } }) =>
    revertRef === undefined ? "the failed revision stays out until the target changes" : `Revert ${revertRef} holds it back until that is decided`,
  Terminating: () => "the target gets its pods and traffic back",
};

function underWay({ spec: { analysis }, status: { canaryWeight = 0, evidence } }: Canary): string {
  if (methodOf(analysis) !== "share") return `checked every ${analysis.interval}`;
  if (canaryWeight > 0 && evidence) return `the metrics are read again at ${toTheSecond(evidence.nextReadAt)}`;
  return "gets traffic when its pods are ready";
}
