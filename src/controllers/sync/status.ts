import { nextConditions, isoSeconds, type Outcome } from "../../api/conditions.ts";
import { names } from "../../api/meta.ts";
import type { InventoryEntry, Sync, SyncStatus } from "../../api/sync.ts";
import { isWrite } from "../../gitops/plan.ts";
import type { SyncDeps } from "./deps.ts";
import type { Observation } from "./observe.ts";

/** The status to record before anything is written: what is about to exist, so that a crash leaves no orphans. */
export function applying(
  sync: Sync,
  { seen, inventory, nowMs }: { seen: Observation; inventory: InventoryEntry[]; nowMs: number },
): SyncStatus {
  const { revision } = seen.source;
  const count = seen.planned?.plan.steps.filter(isWrite).length ?? 0;
  const message = `${revision}: applying ${count} object${count === 1 ? "" : "s"}`;
  return {
    ...withOutcome(sync, { ready: "Unknown", reason: "Progressing", message, state: "reconciling" }, nowMs),
    lastAttemptedRevision: revision,
    inventory: { entries: inventory },
    // Until this run has finished nothing counts as done.
    inputs: undefined,
  };
}

/** The status of a run that was not finished, with what it did. */
export function withInventory({ status }: Sync, { seen, inventory }: { seen: Observation; inventory: InventoryEntry[] }): SyncStatus {
  return { ...status, lastAttemptedRevision: seen.source.revision, inputs: undefined, inventory: { entries: inventory } };
}

/** The status with this outcome. Does not say that a request was handled. */
function withOutcome({ status, metadata: { generation = 0 } }: Sync, outcome: Outcome, nowMs: number): SyncStatus {
  return { ...status, observedGeneration: generation, conditions: nextConditions(status.conditions, outcome, { generation, nowMs }) };
}

/** The status after everything was applied: of this revision, which is that of the source unless it brought nothing new. */
export function applied(
  sync: Sync,
  done: { seen: Observation; revision: string; inventory: InventoryEntry[]; wrote: boolean; outcome: Outcome; nowMs: number },
): SyncStatus {
  const { seen, revision, inventory, wrote, outcome, nowMs } = done;
  const holding = seen.planned ? seen.planned.holding : (sync.status.holding ?? []);
  const requestedAt = sync.metadata.annotations?.[names.requestedAt];
  return {
    ...withOutcome(sync, outcome, nowMs),
    ...(requestedAt === undefined ? {} : { lastHandledReconcileAt: requestedAt }),
    lastAttemptedRevision: revision,
    lastAppliedRevision: revision,
    revision: heldRevision(revision, holding),
    inputs: seen.inputs,
    appliedAt: wrote || sync.status.appliedAt === undefined ? isoSeconds(nowMs) : sync.status.appliedAt,
    holding: holding.length > 0 ? [...holding] : undefined,
    inventory: { entries: inventory },
  };
}

/** `main@sha1:9f00… holding checkout`: the revision as it runs, with what is held back from it. */
export function heldRevision(revision: string, holding: readonly string[]): string {
  return holding.length > 0 ? `${revision} holding ${holding.join(", ")}` : revision;
}

/** The user as whom the Sync writes; `undefined`: as the controller itself. */
export function impersonated({ spec, metadata: { namespace = "" } }: Sync, defaults: SyncDeps["defaults"]): string | undefined {
  const name = spec.serviceAccountName ?? defaults?.serviceAccount;
  return name === undefined ? undefined : `system:serviceaccount:${namespace}:${name}`;
}
