import type { Outcome } from "../../api/conditions.ts";
import { findCondition } from "../../api/conditions.ts";
import { describeRef, type ObjectRef } from "../../api/object.ts";
import type { InventoryEntry, Sync, SyncStatus } from "../../api/sync.ts";
import { describeHealth, type Health, healthOf } from "../../gitops/health.ts";
import { refOfEntry } from "../../gitops/inventory.ts";
import type { ReconcileResult } from "../../kube/kube.ts";
import { parseDurationMs } from "../../lib/duration.ts";
import { sameJson } from "../../lib/json.ts";
import type { SyncDeps } from "./deps.ts";
import { nameSome, resourceOf } from "./events.ts";
import type { Observation } from "./observe.ts";
import { podCause } from "./pods.ts";
import { prune } from "./prune.ts";
import { applied } from "./status.ts";

/** What a run has done so far. */
interface Done {
  readonly sync: Sync;
  readonly seen: Observation;
  readonly wrote: boolean;
  /** After the apply, stale entries included. */
  readonly inventory: readonly InventoryEntry[];
  /** An earlier stage is not ready, so that a later one was not applied yet. */
  readonly waitingFor?: string | undefined;
}

/** How many unhealthy workloads are explained by their pods, each for one request. */
const maxExplained = 3;
/** A stage that waits for another is looked at again by watch, and after this time. */
const stageRetryMs = 2_000;

/** After the apply: health, then prune, then the status that says how it all is. */
export async function conclude(deps: SyncDeps, done: Done, signal: AbortSignal): Promise<ReconcileResult> {
  if (done.waitingFor !== undefined) return waitForStage(deps, done, signal);
  const { sync, seen, wrote } = done;
  const { kept, stale } = partition(done);
  const verdict =
    sync.spec.wait || (sync.spec.prune && stale.length > 0) ? await judge(deps, done, kept, signal) : ({ state: "healthy" } as const);
  const pruned = await pruneWhenHealthy(deps, { done, verdict, kept, stale }, signal);
  const inventory = [...kept, ...stale.filter(({ id }) => !pruned.gone.has(id))];
  if (seen.planned) inventory.sort((a, b) => (a.id < b.id ? -1 : 1));
  const nowMs = deps.clock.nowMs();
  const next = (revision: string): Said => {
    const outcome = pruned.outcome ?? outcomeOf(verdict, revision, stale);
    return { outcome, status: applied(sync, { seen, revision, inventory, wrote, outcome, nowMs }) };
  };
  const { outcome, status } = newsOf(done, next);
  await deps.syncs.patchStatus(sync, status, signal);
  tellHealth(deps, sync, outcome);
  const { namespace = "", name } = sync.metadata;
  deps.syncObserver?.isAt({ namespace, name }, seen.source.revision);
  return { requeueAfterMs: nextMs(sync, verdict, outcome) };
}

interface Said {
  readonly outcome: Outcome;
  readonly status: SyncStatus;
}

/**
 * A commit that holds nothing new for this Sync is no news: its status goes on naming the last one that did, so that one
 * commit does not write to every Sync of its repository.
 */
function newsOf({ sync, seen: { planned, source } }: Done, next: (revision: string) => Said): Said {
  const last = sync.status.lastAppliedRevision;
  const asBefore = planned || last === undefined ? undefined : next(last);
  return asBefore && sameJson(asBefore.status, sync.status) ? { ...asBefore, status: sync.status } : next(source.revision);
}

/** Entries of what Git has, and of what it no longer has; the latter without digests, so that they are looked at every time. */
function partition({ seen, inventory }: Done): { kept: InventoryEntry[]; stale: StaleEntry[] } {
  const stale = (seen.planned?.plan.stale ?? []).map(({ id, v }) => ({ id, v }));
  const going = new Set(stale.map(({ id }) => id));
  return { kept: inventory.filter(({ id }) => !going.has(id)), stale };
}

type StaleEntry = Pick<InventoryEntry, "id" | "v">;

interface Ripe {
  readonly done: Done;
  readonly verdict: Verdict;
  readonly kept: readonly InventoryEntry[];
  readonly stale: readonly StaleEntry[];
}

async function pruneWhenHealthy(deps: SyncDeps, { done, verdict, kept, stale }: Ripe, signal: AbortSignal): ReturnType<typeof prune> {
  const { sync, seen } = done;
  if (verdict.state !== "healthy" || !sync.spec.prune || stale.length === 0) return { gone: new Set(), outcome: undefined };
  return prune(deps, { sync, desired: kept.map((entry) => refOfEntry(entry)), stale, source: seen.source }, signal);
}

function nextMs({ spec: { interval, retryInterval } }: Sync, verdict: Verdict, outcome: Outcome): number {
  if (verdict.state === "progressing") return verdict.retryMs;
  return parseDurationMs(outcome.ready === "True" ? interval : (retryInterval ?? interval));
}

type Verdict =
  | { readonly state: "healthy" }
  | { readonly state: "progressing"; readonly message: string; readonly retryMs: number }
  | { readonly state: "failed"; readonly message: string };

/** How what was applied is doing, and how long it may still take. */
async function judge(
  { kube, live, clock }: SyncDeps,
  { sync, wrote }: Done,
  kept: readonly InventoryEntry[],
  signal: AbortSignal,
): Promise<Verdict> {
  const ill = kept.flatMap((entry): { ref: ObjectRef; health: Exclude<Health, { state: "healthy" }> }[] => {
    const ref = refOfEntry(entry);
    const health = healthOf(live.find(ref));
    return health.state === "healthy" ? [] : [{ ref, health }];
  });
  if (ill.length === 0) return { state: "healthy" };
  const causes = await Promise.all(ill.slice(0, maxExplained).map(({ ref }) => podCause(kube, live.find(ref), signal)));
  const told = ill.map(({ ref, health }, index) =>
    [describeHealth(ref, health), causes[index]].filter((part) => part !== undefined).join(" — "),
  );
  const message = nameSome(told);
  const leftMs = (wrote ? clock.nowMs() : illSinceMs(sync, clock.nowMs())) + timeoutMs(sync) - clock.nowMs();
  if (leftMs <= 0 || ill.some(({ health }) => health.state === "failed")) return { state: "failed", message };
  return { state: "progressing", message, retryMs: Math.max(leftMs, 1_000) };
}

/**
 * Since when something is not healthy: the last apply, or when what had been healthy ceased to be. Failed stays failed until
 * it is healthy.
 */
function illSinceMs({ status: { appliedAt, conditions } }: Sync, nowMs: number): number {
  const ready = findCondition(conditions, "Ready");
  if (ready?.status === "True" || appliedAt === undefined) return nowMs;
  if (ready?.reason === "HealthCheckFailed") return 0;
  return Math.max(Date.parse(appliedAt), ready?.status === "Unknown" ? Date.parse(ready.lastTransitionTime) : 0);
}

function timeoutMs({ spec: { timeout, interval } }: Sync): number {
  return timeout === undefined ? Math.max(parseDurationMs(interval) - 30_000, 30_000) : parseDurationMs(timeout);
}

function outcomeOf(verdict: Verdict, revision: string, stale: readonly StaleEntry[]): Outcome {
  const pruning = stale.length > 0 ? `; not pruned before that: ${nameSome(stale.map((entry) => describeRef(refOfEntry(entry))))}` : "";
  switch (verdict.state) {
    case "healthy":
      return { ready: "True", reason: "ReconciliationSucceeded", message: `Applied revision: ${revision}`, state: "done" };
    case "progressing":
      return { ready: "Unknown", reason: "Progressing", message: `${revision}: ${verdict.message}${pruning}`, state: "reconciling" };
    case "failed":
      return { ready: "False", reason: "HealthCheckFailed", message: `${revision}: ${verdict.message}${pruning}`, state: "reconciling" };
    default:
      return verdict satisfies never;
  }
}

async function waitForStage(
  deps: SyncDeps,
  { sync, seen, inventory, waitingFor = "" }: Done,
  signal: AbortSignal,
): Promise<ReconcileResult> {
  const outcome: Outcome = {
    ready: "Unknown",
    reason: "Progressing",
    message: `${seen.source.revision}: ${waitingFor}`,
    state: "reconciling",
  };
  const { revision } = seen.source;
  const status = applied(sync, { seen, revision, inventory: [...inventory], wrote: true, outcome, nowMs: deps.clock.nowMs() });
  const { lastAppliedRevision: _, inputs: __, ...rest } = status;
  const before = sync.status.lastAppliedRevision;
  await deps.syncs.patchStatus(sync, { ...rest, ...(before === undefined ? {} : { lastAppliedRevision: before }) }, signal);
  return { requeueAfterMs: stageRetryMs };
}

function tellHealth({ events }: SyncDeps, sync: Sync, outcome: Outcome): void {
  const before = findCondition(sync.status.conditions, "Ready");
  if (before?.reason === outcome.reason && before.message === outcome.message) return;
  if (outcome.ready === "False") events.warning(resourceOf(sync), outcome.reason, outcome.message);
}
