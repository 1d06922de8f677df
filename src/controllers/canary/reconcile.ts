import type { Canary, CanaryStatus } from "../../api/canary.ts";
import { findCondition, nextConditions, setCondition } from "../../api/conditions.ts";
import { names } from "../../api/meta.ts";
import { keyOf, type KubeObject } from "../../api/object.ts";
import { isUrgent } from "../../canary/checks.ts";
import { type Decision, decide } from "../../canary/decide.ts";
import { eventsOf } from "../../canary/events.ts";
import { nextStatus } from "../../canary/status.ts";
import { msUntilNext, notLater } from "../../canary/steps.ts";
import { apexName } from "../../canary/services.ts";
import type { Reconcile } from "../../kube/kube.ts";
import { createDigests } from "../digests.ts";
import { withOwnWrites } from "../own-writes.ts";
import { createObserver, type Observer } from "./ask.ts";
import { requestsOfCheck } from "./check-requests.ts";
import { type Cluster, clusterOf } from "./cluster.ts";
import type { CanaryDeps } from "./deps.ts";
import { handOver } from "./failed.ts";
import { addFinalizer, dropFinalizer, hasFinalizer, release } from "./finalizer.ts";
import { runCheck } from "./metrics.ts";
import type { Observation } from "./observe.ts";
import { lookAtShares, withEvidence } from "./share.ts";
import { startChecks } from "./start-checks.ts";
import { writeRoutes, writeWorkloads } from "./write.ts";

/** Takes one decision for one Canary and makes the cluster follow it. */
export function canaryReconciler(given: CanaryDeps): Reconcile {
  // A copy that is older than our last step would give the traffic back that was just taken away.
  const deps: CanaryDeps = { ...given, canaries: withOwnWrites(given.canaries) };
  const cluster = clusterOf(deps.informers);
  const digests = createDigests(deps);
  const observer = createObserver({ ...deps, digests }, cluster, {
    check: (canary, due, signal) =>
      runCheck(deps, canary, { due, requests: requestsOfCheck({ ...deps, cluster }, canary, due, signal) }, signal),
    shares: (canary, signal) => lookAtShares({ ...deps, cluster }, canary, signal),
  });
  return async (key, signal) => {
    await cluster.whenSynced(signal);
    const found = deps.canaries.find(key);
    if (!found) {
      observer.forget(key);
      return {};
    }
    const deleting = found.metadata.deletionTimestamp !== undefined;
    if (deleting && !hasFinalizer(found)) return {};
    if (found.spec.suspend && !deleting) return suspend(deps, found, signal);
    const canary = await addFinalizer(deps, found, signal);
    return take({ ...deps, cluster, observer }, canary, signal);
  };
}

type Parts = CanaryDeps & { readonly cluster: Cluster; readonly observer: Observer };

async function take(parts: Parts, canary: Canary, signal: AbortSignal): Promise<{ requeueAfterMs?: number | undefined }> {
  const { observer, canaries, clock } = parts;
  const { spec } = canary;
  const before = notLater(canary.status, clock.nowMs());
  const seen = await observer.look({ ...canary, status: before }, signal); // read
  const decision = decide({ spec, status: before, seen: seen.seen }); // think
  if (decision.do === "release") return release(parts, canary, signal);
  if (beginsSomething.has(decision.do) && !isUrgent(decision, before)) await validateStart(parts, canary, seen, signal);
  const moment = { canary: { ...canary, status: before }, answer: seen.shares, nowMs: seen.seen.nowMs };
  const next = withEvidence(nextStatus(before, decision, seen.facts), moment);
  const after = withAdoption(next, canary, seen);
  const stored = await canaries.patchStatus(canary, after, signal); // record; a conflict throws before anything is touched
  tell(parts, canary, { before, after, decision });
  const written = await writeAll(parts, stored, seen, signal); // write
  await dropFinalizer(parts, written, signal);
  return { requeueAfterMs: msUntilNext(spec, written.status, seen.seen) };
}

/** Decisions that begin something: what can be known to be wrong is said before them, and never in the way of an end. */
const beginsSomething = new Set<Decision["do"]>(["initialise", "start", "await"]);

async function validateStart(parts: Parts, canary: Canary, { router, ...seen }: Observation, signal: AbortSignal): Promise<void> {
  const start = { ...parts, all: parts.canaries.list(), router, inputs: () => seen.inputs, target: () => seen.target };
  for (const check of startChecks(start, canary)) await check.run(signal);
}

/**
 * Routes first. A failure of one part does not keep the next from being tried, but pods are only stopped once the routes
 * that point at them are written.
 */
async function writeAll(parts: Parts, canary: Canary, seen: Observation, signal: AbortSignal): Promise<Canary> {
  const routed = await settled(writeRoutes(parts, canary, seen, signal));
  const handedOver = await settled(handOver(parts, canary, seen, signal));
  if (!routed.ok) throw routed.error;
  await writeWorkloads(parts, canary, seen, signal);
  if (!handedOver.ok) throw handedOver.error;
  return handedOver.value;
}

async function settled<T>(work: Promise<T>): Promise<{ ok: true; value: T } | { ok: false; error: unknown }> {
  try {
    return { ok: true, value: await work };
  } catch (error) {
    return { ok: false, error };
  }
}

function tell(
  { events, log }: CanaryDeps,
  canary: Canary,
  { before, after, decision }: { before: CanaryStatus; after: CanaryStatus; decision: Decision },
): void {
  const fields = { canary: keyOf(canary.metadata), phase: after.phase, weight: after.canaryWeight, revision: after.trackedRevision };
  for (const { type, reason, message } of eventsOf(before, after)) {
    events[type](objectOf(canary), reason, message);
    log.info({ ...fields, reason }, "canary changed");
  }
  log.debug({ ...fields, decision: decision.do }, "canary reconciled");
}

function objectOf({ apiVersion, kind, metadata }: Canary): KubeObject {
  return { apiVersion, kind, metadata };
}

function withAdoption(status: CanaryStatus, canary: Canary, { apexAdopted, seen }: Observation): CanaryStatus {
  if (!apexAdopted) return status;
  const message = `Service ${apexName(canary)} was there before; its selector and ports are the Canary's`;
  const at = { generation: canary.metadata.generation ?? 0, nowMs: seen.nowMs };
  return {
    ...status,
    conditions: setCondition(status.conditions, { type: "ServiceAdopted", status: "True", reason: "ServiceAdopted", message }, at),
  };
}

async function suspend({ canaries, clock }: CanaryDeps, canary: Canary, signal: AbortSignal): Promise<{ requeueAfterMs?: number }> {
  const generation = canary.metadata.generation ?? 0;
  const ready = findCondition(canary.status.conditions, "Ready")?.status ?? "Unknown";
  const outcome = { ready, state: "done", reason: "Suspended", message: "spec.suspend is set; weights and workloads stay as they are" } as const;
  const conditions = nextConditions(canary.status.conditions, outcome, { generation, nowMs: clock.nowMs() });
  const requestedAt = canary.metadata.annotations?.[names.requestedAt];
  await canaries.patchStatus(
    canary,
    {
      ...canary.status,
      observedGeneration: generation,
      ...(requestedAt === undefined ? {} : { lastHandledReconcileAt: requestedAt }),
      conditions,
    },
    signal,
  );
  return {};
}
