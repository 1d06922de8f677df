import { type KindRef, type KubeObject, refOf } from "../../src/api/object.ts";
import type { Controller } from "../../src/controllers/wiring.ts";
import { urgencyOf } from "../../src/kube/controller.ts";
import type { Informer, Informers } from "../../src/kube/kube.ts";
import { type Failure, failureOf } from "../../src/kube/outcome.ts";
import { reportFailure, type ReportDeps } from "../../src/kube/report.ts";
import { backoffMs, type BackoffLimits } from "../../src/lib/backoff.ts";
import { apiVersion } from "../../src/api/meta.ts";
import type { Dice } from "./dice.ts";

/** One controller of a process, whose driver says which object is worked on next. */
export interface Runner {
  readonly kind: string;
  /** Objects that may be worked on now. */
  ready(): string[];
  /** When the next object becomes due; `undefined`: never by itself. */
  nextAtMs(): number | undefined;
  /** Begins to work on an object; what it does goes on by itself. */
  begin(key: string): void;
  /** Whether something is being worked on. */
  isBusy(): boolean;
}

interface Work extends ReportDeps {
  readonly controller: Controller;
  readonly informer: Informer;
  readonly signal: AbortSignal;
  readonly dice: Dice;
  readonly queue: Queue;
  /** Told of each run that ended. */
  readonly onDone: (key: string, error: unknown) => void;
}

interface Queue {
  readonly ready: Set<string>;
  readonly dueAtMs: Map<string, number>;
  readonly working: Set<string>;
  readonly again: Set<string>;
  readonly failures: Map<string, number>;
  /** Keys whose last run ended with an error. */
  readonly held: Set<string>;
}

const errorBackoff = { baseMs: 1_000, maxMs: 300_000 };
const conflictBackoff = { baseMs: 50, maxMs: 5_000 };

type RunnerOptions = Omit<Work, "informer" | "queue"> & { readonly informers: Informers };

/** Runs one controller as `runController` does, but only when told to, and without waiting for anything. */
export function createRunner(options: RunnerOptions): Runner {
  const { controller, informers, clock } = options;
  const kind: KindRef = { apiVersion, kind: controller.kind.kind };
  const informer = informers.of(kind);
  const queue: Queue = {
    ready: new Set(),
    dueAtMs: new Map(),
    working: new Set(),
    again: new Set(),
    failures: new Map(),
    held: new Set(),
  };
  const work: Work = { ...options, informer, queue };
  let subscribed = false;
  const start = (): boolean => {
    if (subscribed) return true;
    if (![informer, ...controller.watches.map((watched) => watched.informer)].every(({ synced }) => synced)) return false;
    subscribed = true;
    subscribe(work);
    return true;
  };
  return {
    kind: kind.kind,
    ready: () => {
      if (!start()) return [];
      for (const [key, atMs] of queue.dueAtMs) if (atMs <= clock.nowMs()) add(queue, key);
      return [...queue.ready];
    },
    nextAtMs: () => (queue.dueAtMs.size === 0 ? undefined : Math.min(...queue.dueAtMs.values())),
    begin: (key) => {
      queue.ready.delete(key);
      queue.dueAtMs.delete(key);
      queue.working.add(key);
      void run(work, key);
    },
    isBusy: () => queue.working.size > 0,
  };
}

function add(queue: Queue, key: string): void {
  queue.dueAtMs.delete(key);
  if (queue.working.has(key)) queue.again.add(key);
  else queue.ready.add(key);
}

function addAfter({ queue, clock }: Work, key: string, delayMs: number): void {
  if (delayMs <= 0) return add(queue, key);
  const atMs = clock.nowMs() + delayMs;
  queue.dueAtMs.set(key, Math.min(atMs, queue.dueAtMs.get(key) ?? atMs));
}

function retry(work: Work, key: string, limits: BackoffLimits): void {
  const { failures } = work.queue;
  const count = (failures.get(key) ?? 0) + 1;
  failures.set(key, count);
  addAfter(work, key, backoffMs(count, limits, work.dice.chance()));
}

function subscribe({ controller, informer, queue }: Work): void {
  informer.onChange((change) => {
    const urgency = urgencyOf(change);
    if (urgency === "status" && queue.held.has(change.key)) return;
    if (urgency === "now") queue.failures.delete(change.key);
    add(queue, change.key);
  });
  for (const { informer: watched, keysOf } of controller.watches) {
    watched.onChange((change) => {
      for (const key of keysOf(change)) add(queue, key);
    });
  }
}

async function run(work: Work, key: string): Promise<void> {
  const { queue, controller, signal, onDone } = work;
  try {
    const { requeueAfterMs } = await controller.reconcile(key, signal);
    queue.failures.delete(key);
    queue.held.delete(key);
    if (requeueAfterMs !== undefined) addAfter(work, key, requeueAfterMs);
    onDone(key, undefined);
  } catch (error) {
    onDone(key, error);
    await afterError(work, key, error);
  }
  queue.working.delete(key);
  if (queue.again.delete(key)) add(queue, key);
}

async function afterError(work: Work, key: string, error: unknown): Promise<void> {
  const { queue, informer } = work;
  const object = informer.find(key);
  if (!object) {
    queue.failures.delete(key);
    queue.held.delete(key);
    return;
  }
  const failure = failureOf(error);
  if (failure.retry === "conflict") return retry(work, key, conflictBackoff);
  queue.held.add(key);
  if (failure.retry === "after") addAfter(work, key, failure.afterMs);
  if (failure.retry === "backoff") retry(work, key, errorBackoff);
  else queue.failures.delete(key);
  await tell(work, key, { failure, object });
}

type Told = Exclude<Failure, { retry: "conflict" }>;

async function tell(work: Work, key: string, { failure, object }: { failure: Told; object: KubeObject }): Promise<void> {
  try {
    const live = failure.retry === "never" ? await work.kube.find(refOf(object), work.signal) : object;
    if (live) await reportFailure(work, live, failure, work.signal);
  } catch {
    if (failure.retry === "never") retry(work, key, errorBackoff);
  }
}
