import type { KubeObject } from "../api/object.ts";
import type { Clock } from "../lib/clock.ts";
import { messageOf } from "../lib/errors.ts";
import { isRecord, sameJson } from "../lib/json.ts";
import type { Logger } from "../lib/log.ts";
import { linkedAbort, orAborted } from "./abort.ts";
import { type Kube, KubeError } from "./kube.ts";

/** The times of an election. `renewDeadlineMs` must be well below `leaseMs`: between them nobody writes. */
export interface ElectionDurations {
  /** Others take the Lease when it was not renewed for this long. */
  readonly leaseMs: number;
  /** A leader that could not renew for this long stops writing. */
  readonly renewDeadlineMs: number;
  /** Pause between two attempts to get or renew it. */
  readonly retryMs: number;
}

/** 15 s, 10 s, 2 s: as Kubernetes' own controllers. */
const defaultDurations: ElectionDurations = { leaseMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000 };

/** Which Lease, who we are, and what the election needs. */
interface ElectorOptions {
  /** A client without the fence: renewing is what keeps the fence open. */
  readonly kube: Kube;
  readonly namespace: string;
  readonly name: string;
  /** Different for every process, also after a restart: the pod's name and a random part. */
  readonly identity: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly durations?: ElectionDurations;
}

/** Takes part in one election. */
export interface Elector {
  /**
   * Whether this process may write at this very moment: it leads, and its last renewal began less than the renew deadline
   * ago. Looks at the clock each time, so a process that was frozen gets `false` before any timer of it has run.
   */
  canWrite(): boolean;
  /** Whether the API server has ever told who holds the Lease. */
  hasReached(): boolean;
  /** Time since the election last did anything, in milliseconds: at most a minute or two, however dead the API server is. */
  msSinceStep(): number;
  /**
   * Waits for the Lease, then runs `onLeading`, whose signal aborts when the Lease can no longer be held; then waits again.
   * Releases the Lease and resolves when the signal has aborted. Rejects when `onLeading` does, or does not stop in time:
   * the process should then end.
   */
  run(onLeading: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void>;
}

/** One attempt to get the Lease, with all that is sent again in it. */
const attemptMs = 60_000;
/** How long `onLeading` gets to stop after its signal has aborted. */
const stopMs = 30_000;
const releaseMs = 5_000;
const leaseKind = { apiVersion: "coordination.k8s.io/v1", kind: "Lease" };
const fieldManager = "serin-election";

interface LeaseSpec {
  readonly holderIdentity?: string;
  readonly leaseDurationSeconds?: number;
  readonly acquireTime?: string;
  readonly renewTime?: string;
  readonly leaseTransitions?: number;
}

/** The Lease as last seen, and when it last changed by our own clock that nobody sets. */
interface Observed {
  readonly spec: LeaseSpec;
  readonly sinceMs: number;
}

interface Election extends ElectorOptions {
  readonly durations: ElectionDurations;
  observed: Observed | undefined;
  /** The version that a write may replace. */
  current: KubeObject | undefined;
  /** When the last renewal that succeeded was begun, on both clocks; missing when we do not lead. */
  renewed: { readonly wallMs: number; readonly elapsedMs: number } | undefined;
  /** When the election last did anything, on the clock that nobody sets. */
  steppedMs: number;
}

/** An elector for this Lease. Other machines' clocks are never compared with ours: only changes of the Lease count. */
export function createElector(options: ElectorOptions): Elector {
  const election: Election = {
    ...options,
    durations: options.durations ?? defaultDurations,
    observed: undefined,
    current: undefined,
    renewed: undefined,
    steppedMs: options.clock.elapsedMs(),
  };
  const { leaseMs, renewDeadlineMs, retryMs } = election.durations;
  if (retryMs >= renewDeadlineMs || renewDeadlineMs >= leaseMs) throw new Error("an election needs retryMs < renewDeadlineMs < leaseMs");
  return {
    canWrite: () => msSinceRenewal(election) < renewDeadlineMs,
    hasReached: () => election.observed !== undefined,
    msSinceStep: () => election.clock.elapsedMs() - election.steppedMs,
    run: async (onLeading, signal) => {
      while (!signal.aborted) {
        if ((await acquire(election, signal)) && (await lead(election, onLeading, signal))) return;
      }
    },
  };
}

/** The longer of what the two clocks say: one may be set back, the other stand still while the machine sleeps. */
function msSinceRenewal(election: Election): number {
  if (!election.renewed) return Number.POSITIVE_INFINITY;
  const wallMs = election.clock.nowMs() - election.renewed.wallMs;
  return Math.max(wallMs, election.clock.elapsedMs() - election.renewed.elapsedMs);
}

/** True when we lead; false when the signal aborted. */
async function acquire(election: Election, signal: AbortSignal): Promise<boolean> {
  const { clock, durations, log, identity } = election;
  for (let failures = 0; !signal.aborted; ) {
    election.steppedMs = clock.elapsedMs();
    try {
      if (await beforeDeadline(clock, attemptMs, (attempt) => tryOnce(election, attempt), signal)) {
        log.info({ identity }, "leading");
        return true;
      }
      failures = 0;
    } catch (error) {
      // Another candidate was faster: nothing is wrong.
      const race = error instanceof KubeError && error.code === 409;
      failures += race ? 0 : 1;
      if (!signal.aborted && !race && failures === 1) log.warn({ error: messageOf(error) }, "the lease could not be read or taken, trying again");
    }
    // Spread, so that two candidates do not collide for ever.
    await clock.sleep(durations.retryMs * (1 + Math.random() * 0.2), signal).catch(() => {});
  }
  return false;
}

/** Runs the leader's work until it ends or the Lease is lost. True when the work ended by itself. */
async function lead(election: Election, onLeading: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<boolean> {
  const { log, identity, clock } = election;
  const leading = linkedAbort(signal);
  // Renewed until the work has ended, also after the signal: its last writes still need the Lease.
  const renewal = new AbortController();
  const renewing = keepRenewing(election, renewal.signal).then(() => leading.abort(new Error("the lease could not be renewed")));
  const work = onLeading(leading.signal);
  try {
    await Promise.race([work.catch(() => {}), untilAborted(leading.signal)]);
    const byItself = !leading.signal.aborted;
    const end = await endOf(clock, work);
    renewal.abort();
    await renewing;
    // Its Lease is then left to expire: it may still be in the middle of a write.
    if (end === "late") throw new Error("the leader's work did not stop after it was told to");
    await release(election);
    if (end.status === "rejected") throw end.reason;
    return byItself;
  } finally {
    renewal.abort();
    leading.abort(new Error("no longer leading"));
    leading.release();
    election.renewed = undefined;
    log.info({ identity }, "no longer leading");
  }
}

/** How the work ended, or `late` when it did not in time. */
async function endOf(clock: Clock, work: Promise<void>): Promise<PromiseSettledResult<void> | "late"> {
  const done = new AbortController();
  const late = clock.sleep(stopMs, done.signal).then(() => "late" as const, () => "late" as const);
  const [settled] = await Promise.race([Promise.allSettled([work]), late.then((word) => [word] as const)]);
  done.abort();
  return settled;
}

async function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

/** Resolves when the Lease could not be renewed before the deadline, was taken by another, or the signal aborts. */
async function keepRenewing(election: Election, signal: AbortSignal): Promise<void> {
  const { clock, durations, log } = election;
  const leftMs = (): number => durations.renewDeadlineMs - msSinceRenewal(election);
  while (!signal.aborted && leftMs() > 0) {
    await clock.sleep(Math.max(0, Math.min(durations.retryMs, leftMs())), signal).catch(() => {});
    election.steppedMs = clock.elapsedMs();
    if (signal.aborted || leftMs() <= 0) return;
    try {
      if (!(await beforeDeadline(clock, leftMs(), (attempt) => tryOnce(election, attempt))))
        return log.warn({}, "another process took the lease");
    } catch (error) {
      if (!signal.aborted) log.warn({ error: messageOf(error), leftMs: Math.round(leftMs()) }, "the lease could not be renewed, trying again");
    }
  }
}

async function beforeDeadline<T>(
  clock: Clock,
  leftMs: number,
  work: (signal: AbortSignal) => Promise<T>,
  signal = new AbortController().signal,
): Promise<T> {
  const deadline = linkedAbort(signal);
  const done = new AbortController();
  clock.sleep(leftMs, done.signal).then(() => deadline.abort(new Error("the API server took too long")), () => {});
  try {
    return await orAborted(work(deadline.signal), deadline.signal);
  } finally {
    done.abort();
    deadline.release();
  }
}

/** Takes or renews the Lease. True when it is ours now. Throws when that could not be found out. */
async function tryOnce(election: Election, signal: AbortSignal): Promise<boolean> {
  // Before anything is sent: the others count from when they see the change, which is later.
  const { kube, clock, namespace, name } = election;
  const begun = { wallMs: clock.nowMs(), elapsedMs: clock.elapsedMs() };
  // A leader knows the version it wrote last; everybody else looks.
  const lease = (election.renewed && election.current) ?? (await kube.find({ ...leaseKind, namespace, name }, signal));
  if (!lease) {
    const fresh = { ...leaseKind, metadata: { namespace, name }, spec: nextSpec(election, undefined) };
    observe(election, await kube.create(fresh, { fieldManager }, signal));
    election.renewed = begun;
    return true;
  }
  const observed = observe(election, lease);
  if (!isOurs(election, observed.spec) && !isFree(election, observed, clock.elapsedMs())) return false;
  try {
    observe(election, await kube.replace({ ...lease, spec: nextSpec(election, observed.spec) }, { fieldManager }, signal));
  } catch (error) {
    // Perhaps it is another's by now; perhaps our own write arrived and its answer did not. Look next time.
    election.current = undefined;
    throw error;
  }
  election.renewed = begun;
  return true;
}

function observe(election: Election, lease: KubeObject): Observed {
  const spec = (isRecord(lease["spec"]) ? lease["spec"] : {}) as LeaseSpec;
  const before = election.observed;
  const sinceMs = before && sameJson(before.spec, spec) ? before.sinceMs : election.clock.elapsedMs();
  election.current = lease;
  election.observed = { spec, sinceMs };
  return election.observed;
}

function isOurs({ identity }: Election, { holderIdentity }: LeaseSpec): boolean {
  return holderIdentity === identity;
}

/** Nobody holds it, or its holder has not been heard of for as long as we have watched it and its duration. */
function isFree({ durations }: Election, { spec, sinceMs }: Observed, elapsedMs: number): boolean {
  if (!spec.holderIdentity) return true;
  return elapsedMs - sinceMs >= Math.max(durations.leaseMs, (spec.leaseDurationSeconds ?? 0) * 1_000);
}

function nextSpec(election: Election, before: LeaseSpec | undefined): LeaseSpec {
  const { identity, clock, durations } = election;
  const now = microTime(clock.nowMs());
  const same = before?.holderIdentity === identity;
  return {
    holderIdentity: identity,
    leaseDurationSeconds: Math.ceil(durations.leaseMs / 1_000),
    acquireTime: same && before.acquireTime !== undefined ? before.acquireTime : now,
    renewTime: now,
    leaseTransitions: same ? (before.leaseTransitions ?? 0) : before ? (before.leaseTransitions ?? 0) + 1 : 0,
  };
}

/** Lets the next candidate begin at once. */
async function release(election: Election): Promise<void> {
  const { kube, clock, log, observed, current } = election;
  if (!election.renewed || !observed || !current) return;
  const { holderIdentity: _, ...spec } = observed.spec;
  const free = { ...current, spec: { ...spec, leaseDurationSeconds: 1, renewTime: microTime(clock.nowMs()) } };
  election.renewed = undefined;
  try {
    observe(election, await beforeDeadline(clock, releaseMs, (signal) => kube.replace(free, { fieldManager }, signal)));
  } catch (error) {
    log.debug({ error: messageOf(error) }, "the lease could not be released and will expire");
  }
}

/** metav1.MicroTime: real API servers refuse anything but six digits. */
export function microTime(atMs: number): string {
  return new Date(atMs).toISOString().replace("Z", "000Z");
}
