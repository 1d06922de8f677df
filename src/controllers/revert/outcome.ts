import { nextConditions, type Outcome } from "../../api/conditions.ts";
import type { Revert, RevertStatus } from "../../api/revert.ts";
import type { RevertDeps } from "./deps.ts";

/** The status with these fields changed and the conditions of this outcome. */
export function statusWith(
  deps: Pick<RevertDeps, "clock">,
  { metadata, status }: Revert,
  change: Partial<RevertStatus>,
  outcome: Outcome,
): RevertStatus {
  const generation = metadata.generation ?? 0;
  const requestedAt = metadata.annotations?.["serin.dev/requestedAt"];
  return {
    ...status,
    ...change,
    observedGeneration: generation,
    ...(requestedAt === undefined ? {} : { lastHandledReconcileAt: requestedAt }),
    conditions: nextConditions(status.conditions, outcome, { generation, nowMs: deps.clock.nowMs() }),
  };
}

/** Held, and by itself nothing more happens: a person or Git must say. */
export function held(reason: string, message: string): Outcome {
  return { ready: "False", reason, message: `${message}. The change is held back meanwhile`, state: "done" };
}
