import { managers, names } from "../../api/meta.ts";
import type { Sync } from "../../api/sync.ts";
import { afterApply, isNew, isWrite, mustRecord, type Step, writeAhead } from "../../gitops/plan.ts";
import type { Reconcile, ReconcileResult } from "../../kube/kube.ts";
import { GitError } from "../../git/git.ts";
import { parseDurationMs } from "../../lib/duration.ts";
import { StalledError, WaitingError } from "../../lib/errors.ts";
import { withOwnWrites } from "../own-writes.ts";
import { applyPlan, describeStep } from "./apply.ts";
import { conclude } from "./conclude.ts";
import type { SyncDeps } from "./deps.ts";
import { tellAdopted, tellApplied, tellDrift } from "./events.ts";
import { type Observation, observe, type Planned } from "./observe.ts";
import { refusalError } from "./refusal.ts";
import { removeSync } from "./remove.ts";
import { awaitDependencies, isUnseen, refuseCycle, sourceOf } from "./source.ts";
import { applying, heldRevision, impersonated, withInventory } from "./status.ts";

const unfetchedMs = 500;
/** In case that the source is not looked at. */
const unseenRetryMs = 2_000;

/**
 * Brings the cluster in line with one folder of a source: source, dependencies, rendering, plan, staged apply, health, prune.
 * Nothing is rendered while nothing that it depends on has changed, and only what differs is written.
 */
export function syncReconciler(given: SyncDeps): Reconcile {
  const deps = { ...given, syncs: withOwnWrites(given.syncs) };
  return async (key, signal) => {
    const sync = deps.syncs.find(key);
    if (!sync) return {};
    if (sync.metadata.deletionTimestamp !== undefined) return removeSync(deps, sync, signal);
    const pause = pauseOf(deps, sync);
    if (pause) return pause;
    if (!sync.metadata.finalizers?.includes(names.finalizer)) return addFinalizer(deps, sync, signal);
    const source = sourceOf(sync, deps.repositories);
    try {
      refuseCycle(sync, deps.syncs);
      if (sync.status.inventory === undefined) {
        await awaitDependencies(deps, sync, source, signal);
        await deps.beforeFirstApply(sync, source.repository, signal);
      }
      const seen = await observe(deps, sync, source, signal);
      return await carryOut(deps, sync, seen, signal);
    } catch (cause) {
      // After a restart the cache of objects is empty until the source was fetched again: nothing that anybody need know.
      if (cause instanceof GitError && cause.reason === "HistoryUnavailable") return { requeueAfterMs: unfetchedMs };
      // Every message says which commit it is about.
      throw new Error(source.revision, { cause: contentError(sync, cause) });
    }
  };
}

/** Nothing is done while it is suspended, or its source is about to be looked at. */
function pauseOf({ repositories, clock }: SyncDeps, sync: Sync): ReconcileResult | undefined {
  if (sync.spec.suspend) return {};
  return isUnseen(sync, repositories, clock.nowMs()) ? { requeueAfterMs: unseenRetryMs } : undefined;
}

async function carryOut(deps: SyncDeps, sync: Sync, seen: Observation, signal: AbortSignal): Promise<ReconcileResult> {
  const { planned, inventory } = seen;
  if (planned) refuseTaken(planned);
  if (!planned?.plan.steps.some(isWrite)) return conclude(deps, { sync, seen, wrote: false, inventory }, signal);

  const ahead = writeAhead(inventory, planned.plan);
  // What is in the inventory already is tracked: should this run end half-way, the next one finds out by comparing.
  const recorded = mustRecord(inventory, planned.plan)
    ? await deps.syncs.patchStatus(sync, applying(sync, { seen, inventory: ahead, nowMs: deps.clock.nowMs() }), signal)
    : sync;
  const startedMs = performance.now();
  const { done, refused, waitingFor } = await applyPlan(
    deps,
    planned.plan,
    { impersonate: impersonated(sync, deps.defaults), shared: planned.shared },
    signal,
  );
  const after = afterApply(ahead, done);
  tellObserver(deps, sync, { done, startedMs });
  const told = { done, revision: seen.source.revision };
  tellApplied(deps, sync, { done, revision: heldRevision(seen.source.revision, planned.holding) });
  tellDrift(deps, sync, told);
  tellAdopted(deps, sync, planned, told);
  if (refused.length === 0)
    return conclude(deps, { sync: recorded, seen, wrote: done.some(({ step }) => isNew(step)), inventory: after, waitingFor }, signal);
  await deps.syncs.patchStatus(recorded, withInventory(recorded, { seen, inventory: after }), signal);
  throw refusalError(sync, refused, planned.placeOf);
}

function tellObserver(
  { syncObserver }: SyncDeps,
  { metadata: { namespace = "", name } }: Sync,
  { done, startedMs }: { done: readonly { readonly step: Step }[]; startedMs: number },
): void {
  const corrected = done.filter(({ step }) => step.action === "correct" || step.action === "recreate").length;
  syncObserver?.wrote({ namespace, name }, { corrected, durationMs: performance.now() - startedMs });
}

/** Two Syncs that apply the same object would take it from each other for ever. */
function refuseTaken({ plan, placeOf }: Planned): void {
  const taken = plan.steps.find(({ action }) => action === "taken");
  if (!taken) return;
  const labels = taken.live?.metadata.labels ?? {};
  const other = `${labels[names.syncNamespace]}/${labels[names.syncName]}`;
  throw new StalledError("OwnedByAnother", `${describeStep(taken.ref, placeOf(taken.ref))} is also applied by Sync ${other}; remove it from one of them`);
}

async function addFinalizer({ kube }: SyncDeps, { apiVersion, kind, metadata }: Sync, signal: AbortSignal): Promise<ReconcileResult> {
  const { namespace, name, resourceVersion, finalizers = [] } = metadata;
  const patch = { metadata: { resourceVersion, finalizers: [...finalizers, names.finalizer] } };
  await kube.patch({ apiVersion, kind, namespace, name }, patch, { fieldManager: managers.status }, signal);
  // The change of the object brings it back here.
  return {};
}

/** What the commit itself holds and may not: asking again does not change it. */
function contentError({ spec }: Sync, error: unknown): unknown {
  if (!(error instanceof GitError)) return error;
  if (error.reason === "UnsafeContent") return new StalledError(error.reason, `${error.message}; remove that from the repository`);
  if (error.reason !== "LimitExceeded") return error;
  const retryMs = parseDurationMs(spec.retryInterval ?? spec.interval);
  return new WaitingError(error.reason, `${error.message}; make it smaller, or move it out of spec.path`, retryMs);
}
