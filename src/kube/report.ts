import { findCondition, nextConditions, type Outcome } from "../api/conditions.ts";
import { type CommonStatus, managers, names } from "../api/meta.ts";
import { keyOf, type KubeObject, refOf } from "../api/object.ts";
import type { Clock } from "../lib/clock.ts";
import { mergePatch, sameJson } from "../lib/json.ts";
import type { Logger } from "../lib/log.ts";
import { type Events, type Kube, KubeError } from "./kube.ts";
import type { Failure } from "./outcome.ts";

/** What telling of a failure needs. */
export interface ReportDeps {
  readonly kube: Kube;
  readonly events: Events;
  readonly log: Logger;
  readonly clock: Clock;
}

/** A failure that people are told of. */
export type Told = Exclude<Failure, { retry: "conflict" }>;

/** How often a status write is tried again on a newer version of the object. */
const maxConflicts = 3;

/**
 * Writes the outcome of a failed reconcile into the object's conditions; an event and a log line only when Ready's reason
 * or message changed, and nothing at all when nothing did. Works on any object, also one whose spec cannot be read.
 * Throws when the status could not be written.
 */
export async function reportFailure(deps: ReportDeps, object: KubeObject, failure: Told, signal: AbortSignal): Promise<void> {
  const { outcome } = failure;
  const before = await writeOutcome(deps, object, outcome, signal);
  if (!before) return;
  const ready = findCondition(before.conditions, "Ready");
  if (ready?.reason === outcome.reason && ready.message === outcome.message) return;
  const fields = { object: keyOf(object.metadata), reason: outcome.reason, error: outcome.message };
  if (failure.retry === "after" && !failure.alarming) {
    deps.events.normal(object, outcome.reason, outcome.message);
    return deps.log.info(fields, "waiting");
  }
  deps.events.warning(object, outcome.reason, outcome.message);
  if (outcome.state === "stalled") deps.log.error(fields, "stalled until it is changed");
  else deps.log.warn(fields, "reconcile failed, trying again");
}

/** Returns the status that was replaced; `undefined` when it said the same already or the object is gone. */
async function writeOutcome(
  deps: ReportDeps,
  object: KubeObject,
  outcome: Outcome,
  signal: AbortSignal,
): Promise<CommonStatus | undefined> {
  let current: KubeObject | undefined = object;
  for (let conflicts = 0; ; conflicts++) {
    const before = statusOf(current);
    const after = statusAfter(current, outcome, deps.clock.nowMs());
    if (sameJson(before, after)) return undefined;
    const patch = { metadata: { resourceVersion: current.metadata.resourceVersion }, status: mergePatch(before, after) };
    try {
      await deps.kube.patch(refOf(current), patch, { fieldManager: managers.status, subresource: "status" }, signal);
      return before;
    } catch (error) {
      if (!(error instanceof KubeError) || (error.code !== 409 && error.code !== 404)) throw new Error("write status", { cause: error });
      if (error.code === 404) return undefined;
      if (conflicts >= maxConflicts) throw error;
    }
    current = await deps.kube.find(refOf(object), signal);
    if (!current) return undefined;
  }
}

function statusOf(object: KubeObject): CommonStatus {
  return (object["status"] ?? {}) as CommonStatus;
}

function statusAfter(object: KubeObject, outcome: Outcome, nowMs: number): CommonStatus {
  const before = statusOf(object);
  const { generation = 0, annotations } = object.metadata;
  const requestedAt = annotations?.[names.requestedAt];
  const after = {
    ...before,
    observedGeneration: generation,
    conditions: nextConditions(before.conditions, outcome, { generation, nowMs }),
  };
  // Stalled is an answer to the request; what will be tried again has not been acted upon yet.
  return outcome.state === "stalled" && requestedAt !== undefined ? { ...after, lastHandledReconcileAt: requestedAt } : after;
}
