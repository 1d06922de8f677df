import { backoffMs, type BackoffLimits } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import type { QueueState } from "./observer.ts";

/** `now`: a user's change or a rollback, served before everything else. */
export type Priority = "now" | "normal";

/** Keys that wait for work. A key is in it once, and is never handed out again before it is `done`. */
export interface WorkQueue {
  /** Hand the key out as soon as possible; if it is being worked on, once more after that. */
  add(key: string, priority?: Priority): void;
  /** Hand it out after this time. Of several times the earliest wins; work on the key done meanwhile does away with it. */
  addAfter(key: string, delayMs: number): void;
  /** `addAfter` with a backoff that grows with every call until `forget`. Returns the delay. */
  retry(key: string, limits: BackoffLimits): number;
  /** How often `retry` was called for the key since `forget`. */
  failures(key: string): number;
  forget(key: string): void;
  /** The next key, as soon as there is one. Rejects with the signal's reason. */
  take(signal: AbortSignal): Promise<string>;
  /** The work on a key that was taken has ended. */
  done(key: string): void;
  state(): QueueState;
}

/** What a queue may be given beside its clock. */
interface QueueOptions {
  /** A number in [0, 1), for jitter. */
  readonly random?: () => number;
  /** Told how long each key had been ready when it was taken. */
  readonly onTaken?: ((waitedMs: number) => void) | undefined;
}

/** An empty queue. */
export function createQueue(clock: Clock, { random = Math.random, onTaken }: QueueOptions = {}): WorkQueue {
  const ready = createReady();
  const due = new Map<string, number>();
  /** By key: since when it is worked on. */
  const working = new Map<string, number>();
  const again = new Map<string, Priority>();
  const failures = new Map<string, number>();
  let changed = new AbortController();

  const wake = (): void => {
    changed.abort();
    changed = new AbortController();
  };
  const add = (key: string, priority: Priority = "normal"): void => {
    if (working.has(key)) {
      if (again.get(key) !== "now") again.set(key, priority);
      return;
    }
    if (ready.add(key, priority, clock.nowMs())) wake();
  };
  const addAfter = (key: string, delayMs: number): void => {
    if (delayMs <= 0) return add(key);
    const atMs = clock.nowMs() + delayMs;
    due.set(key, Math.min(atMs, due.get(key) ?? atMs));
    wake();
  };
  return {
    add,
    addAfter,
    retry: (key, limits) => {
      const count = (failures.get(key) ?? 0) + 1;
      failures.set(key, count);
      const delayMs = backoffMs(count, limits, random());
      addAfter(key, delayMs);
      return delayMs;
    },
    failures: (key) => failures.get(key) ?? 0,
    forget: (key) => failures.delete(key),
    take: async (signal) => {
      for (;;) {
        signal.throwIfAborted();
        const nextMs = releaseDue(due, clock.nowMs(), add);
        const next = ready.take();
        if (next !== undefined) {
          working.set(next.key, clock.nowMs());
          due.delete(next.key);
          onTaken?.(Math.max(0, clock.nowMs() - next.sinceMs));
          return next.key;
        }
        await nextChange(clock, nextMs, AbortSignal.any([signal, changed.signal]));
      }
    },
    done: (key) => {
      working.delete(key);
      const priority = again.get(key);
      again.delete(key);
      if (priority) add(key, priority);
    },
    state: () => ({ ready: ready.size(), delayed: due.size, longestRunningMs: longestMs(working, clock.nowMs()) }),
  };
}

function longestMs(working: ReadonlyMap<string, number>, nowMs: number): number {
  return [...working.values()].reduce((longest, sinceMs) => Math.max(longest, nowMs - sinceMs), 0);
}

/** Moves what is due to the ready keys. Returns the time until the next is due. */
function releaseDue(due: Map<string, number>, nowMs: number, add: (key: string) => void): number | undefined {
  let nextMs: number | undefined;
  for (const [key, atMs] of due) {
    if (atMs <= nowMs) {
      due.delete(key);
      add(key);
    } else nextMs = Math.min(nextMs ?? atMs, atMs);
  }
  return nextMs === undefined ? undefined : nextMs - nowMs;
}

/** Keys that may be handed out, with the time since when. */
interface Ready {
  /** False: it was in already, no less urgent. */
  add(key: string, priority: Priority, nowMs: number): boolean;
  /** The next key, which is then no longer in it. */
  take(): { key: string; sinceMs: number } | undefined;
  size(): number;
}

function createReady(): Ready {
  const keys = { now: new Map<string, number>(), normal: new Map<string, number>() };
  return {
    add: (key, priority, nowMs) => {
      if (keys[priority].has(key) || keys.now.has(key)) return false;
      keys[priority].set(key, keys.normal.get(key) ?? nowMs);
      if (priority === "now") keys.normal.delete(key);
      return true;
    },
    take: () => first(keys.now) ?? first(keys.normal),
    size: () => keys.now.size + keys.normal.size,
  };
}

function first(keys: Map<string, number>): { key: string; sinceMs: number } | undefined {
  for (const [key, sinceMs] of keys) {
    keys.delete(key);
    return { key, sinceMs };
  }
  return undefined;
}

/** Until the time has passed or the signal aborts. */
async function nextChange(clock: Clock, delayMs: number | undefined, signal: AbortSignal): Promise<void> {
  if (delayMs !== undefined) return clock.sleep(delayMs, signal).catch(() => {});
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
