import { names } from "../api/meta.ts";
import { type KindRef, type KubeObject, refOf } from "../api/object.ts";
import { messageOf } from "../lib/errors.ts";
import { sameJson } from "../lib/json.ts";
import type { Change, Informer, Reconcile } from "./kube.ts";
import type { ReconcileObserver } from "./observer.ts";
import { type Failure, failureOf } from "./outcome.ts";
import { createQueue, type Priority, type WorkQueue } from "./queue.ts";
import { reportFailure, type ReportDeps, type Told } from "./report.ts";

/** Something else that a reconciler depends on. */
export interface Watched {
  readonly informer: Informer;
  /** Keys of the objects to reconcile because of the change. A resync is one with only `after`. */
  readonly keysOf: (change: Change) => string[];
  /** `now` when a rollback may depend on it. Default `normal`. */
  readonly priority?: Priority;
}

/** A controller: which objects, how, and what it needs. */
export interface ControllerOptions extends ReportDeps {
  /** For logs. */
  readonly name: string;
  readonly kind: KindRef;
  readonly informer: Informer;
  readonly watches?: readonly Watched[];
  readonly reconcile: Reconcile;
  /** How many objects are worked on at once. Default 4. */
  readonly concurrency?: number | undefined;
  /** Ends the controller: nothing new is started, and what runs is told to stop and waited for. */
  readonly signal: AbortSignal;
  /** False: this process may not write now (its lease may have passed on), so nothing is started. */
  readonly canWrite?: (() => boolean) | undefined;
  /** How long running reconciles are waited for at the end. Default 20 s. */
  readonly graceMs?: number;
  readonly observer?: ReconcileObserver | undefined;
}

/** From an error to the next try. A message that stays wrong is repeated every five minutes at most. */
const errorBackoff = { baseMs: 1_000, maxMs: 300_000 };
const conflictBackoff = { baseMs: 50, maxMs: 5_000 };
const notLeadingMs = 1_000;

interface Runner extends ControllerOptions {
  readonly queue: WorkQueue;
  /** Keys whose last run ended with an error. */
  readonly held: Set<string>;
}

/**
 * Runs the reconciler whenever its object or something watched changes, and turns its errors into conditions, events, log
 * lines and retries; nothing else does. Starts when all informers are synced. Resolves when the signal has aborted and
 * running reconciles have ended (or `graceMs` have passed).
 */
export async function runController(options: ControllerOptions): Promise<void> {
  const { informer, watches = [], signal, clock, concurrency = 4, observer, kind } = options;
  const queue = createQueue(clock, { onTaken: observer && ((waitedMs) => observer.taken(kind.kind, waitedMs)) });
  const runner: Runner = { ...options, log: options.log.child({ controller: options.name }), queue, held: new Set() };
  try {
    await Promise.all([informer, ...watches.map((watched) => watched.informer)].map((each) => each.whenSynced(signal)));
  } catch (error) {
    if (signal.aborted) return;
    throw error;
  }
  const stops = subscribe(runner);
  const stopped = observer?.started(kind.kind, () => queue.state());
  const workers = Array.from({ length: concurrency }, () => work(runner));
  await aborted(signal);
  for (const stop of stops) stop();
  await ended(Promise.all(workers), runner);
  stopped?.();
}

/** One object after another, until the signal aborts. */
async function work(runner: Runner): Promise<void> {
  const { queue, signal } = runner;
  while (!signal.aborted) {
    const key = await queue.take(signal).catch(() => undefined);
    if (key === undefined) return;
    await runOnce(runner, key);
    queue.done(key);
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

async function ended(workers: Promise<unknown>, { clock, graceMs = 20_000, log }: Runner): Promise<void> {
  const done = new AbortController();
  const all = workers.finally(() => done.abort());
  const late = clock.sleep(graceMs, done.signal).then(() => log.error({ graceMs }, "reconciles did not stop in time"), () => {});
  await Promise.race([all, late]);
}

function subscribe(runner: Runner): (() => void)[] {
  const { queue, held, informer, watches = [] } = runner;
  const own = informer.onChange((change) => {
    const priority = urgencyOf(change);
    // A write of the status, most often our own, is no reason to try what just failed.
    if (priority === "status" && held.has(change.key)) return;
    if (priority === "now") queue.forget(change.key);
    queue.add(change.key, priority === "now" ? "now" : "normal");
  });
  const others = watches.map(({ informer: watched, keysOf, priority }) => watched.onChange((change) => {
    for (const key of keysOf(change)) queue.add(key, priority);
  }));
  return [own, ...others];
}

/** What about the object changed: what a user asked for, something else worth a look, or only its status. */
function urgencyOf({ before, after }: Change): "now" | "normal" | "status" {
  if (!before) return "normal";
  if (!after || before.metadata.uid !== after.metadata.uid) return "now";
  const [a, b] = [before.metadata, after.metadata];
  if (b.generation === undefined) return "normal";
  const asked = a.generation !== b.generation || a.deletionTimestamp !== b.deletionTimestamp || requestOf(before) !== requestOf(after);
  if (asked) return "now";
  const same = sameJson(
    [a.annotations, a.labels, a.finalizers, a.ownerReferences],
    [b.annotations, b.labels, b.finalizers, b.ownerReferences],
  );
  return same ? "status" : "normal";
}

function requestOf({ metadata }: KubeObject): string | undefined {
  return metadata.annotations?.[names.requestedAt];
}

async function runOnce(runner: Runner, key: string): Promise<void> {
  const { queue, held, reconcile, signal, canWrite, informer } = runner;
  if (canWrite && !canWrite()) return queue.addAfter(key, notLeadingMs);
  const startedMs = performance.now();
  try {
    const { requeueAfterMs } = await reconcile(key, signal);
    tellObserver(runner, startedMs);
    queue.forget(key);
    held.delete(key);
    if (requeueAfterMs !== undefined) queue.addAfter(key, requeueAfterMs);
  } catch (error) {
    if (signal.aborted) return;
    tellObserver(runner, startedMs, failureOf(error));
    const object = informer.find(key);
    if (object) await afterError(runner, key, { error, object });
    else afterDeletedError(runner, key, error);
  }
}

const results = {
  conflict: "conflict",
  after: "waiting",
  backoff: "error",
  never: "stalled",
} as const satisfies Record<Failure["retry"], string>;

function tellObserver({ observer, kind }: Runner, startedMs: number, failure?: Failure): void {
  const durationMs = performance.now() - startedMs;
  if (!failure) return observer?.reconciled(kind.kind, { result: "success", durationMs });
  const reason = failure.retry === "conflict" ? undefined : failure.outcome.reason;
  observer?.reconciled(kind.kind, { result: results[failure.retry], reason, durationMs });
}

function afterDeletedError({ queue, held, log, kind }: Runner, key: string, error: unknown): void {
  queue.forget(key);
  held.delete(key);
  log.error({ object: key, kind: kind.kind, error: messageOf(error) }, "cleaning up after a deleted object failed");
}

async function afterError(runner: Runner, key: string, { error, object }: { error: unknown; object: KubeObject }): Promise<void> {
  const { queue, held, canWrite } = runner;
  if (canWrite && !canWrite()) return queue.addAfter(key, notLeadingMs);
  const failure = failureOf(error);
  if (failure.retry === "conflict") {
    // Soon and silent; but a conflict that never ends is worth a look.
    const delayMs = queue.retry(key, conflictBackoff);
    if (delayMs > conflictBackoff.maxMs / 2) runner.log.warn({ object: key, error: messageOf(error) }, "the object keeps changing under our writes");
    return;
  }
  held.add(key);
  if (failure.retry === "after") queue.addAfter(key, failure.afterMs);
  if (failure.retry === "backoff") queue.retry(key, errorBackoff);
  else queue.forget(key);
  await tell(runner, key, { failure, object });
}

async function tell(runner: Runner, key: string, { failure, object }: { failure: Told; object: KubeObject }): Promise<void> {
  const { kube, signal, queue, log } = runner;
  try {
    // Nothing will correct a Stalled that was compared with a status which this very run replaced: look at the live one.
    const live = failure.retry === "never" ? await kube.find(refOf(object), signal) : object;
    if (live) await reportFailure(runner, live, failure, signal);
  } catch (error) {
    if (signal.aborted) return;
    log.warn({ object: key, reason: failure.outcome.reason, error: messageOf(error) }, "the outcome could not be written to the status");
    if (failure.retry === "never") queue.retry(key, errorBackoff);
  }
}
