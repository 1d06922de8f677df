import { backoffMs, type BackoffLimits } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import { createDue } from "./due.ts";
import type { QueueState } from "./observer.ts";

/** `now`: a user's change or a rollback, served before everything else. */
export type Priority = "now" | "normal";

/** Keys that wait for work. A key is in it once, and is never handed out again before it is `done`. */
export interface WorkQueue {
  /** Hand the key out as soon as possible; if it is being worked on, once more after that. */
  add(key: string, priority?: Priority): void;
  /**
   * Hand it out after this time, or up to a hundredth of it later. Of several times the earliest wins; work on the key done meanwhile
   * does away with it.
   */
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

/** Part of its delay by which a key may come late, so that those that wait equally long come together: most cost less than waking up. */
const slack = 0.01;
/** A machine that slept meanwhile delays nothing for longer than this. */
const maxSleepMs = 300_000;

/** An empty queue. */
export function createQueue(clock: Clock, { random = Math.random, onTaken }: QueueOptions = {}): WorkQueue {
  const ready = createReady();
  const due = createDue();
  /** By key: since when it is worked on. */
  const working = new Map<string, number>();
  const again = new Map<string, Priority>();
  const failures = new Map<string, number>();
  const takers = createTakers(clock, () => due.nextMs());

  const add = (key: string, priority: Priority = "normal"): void => {
    if (working.has(key)) {
      if (again.get(key) !== "now") again.set(key, priority);
      return;
    }
    if (ready.add(key, priority, clock.elapsedMs())) takers.wake();
  };
  const addAfter = (key: string, delayMs: number): void => {
    if (delayMs <= 0) return add(key);
    const grainMs = delayMs * slack;
    due.set(key, Math.ceil((clock.elapsedMs() + delayMs) / grainMs) * grainMs);
    takers.sleep();
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
        if (signal.aborted) takers.left();
        signal.throwIfAborted();
        for (const key of due.release(clock.elapsedMs())) add(key);
        const next = ready.take();
        if (next !== undefined) {
          working.set(next.key, clock.elapsedMs());
          due.delete(next.key);
          takers.sleep();
          onTaken?.(Math.max(0, clock.elapsedMs() - next.sinceMs));
          return next.key;
        }
        await takers.woken(signal);
      }
    },
    done: (key) => {
      working.delete(key);
      const priority = again.get(key);
      again.delete(key);
      if (priority) add(key, priority);
    },
    state: () => ({ ready: ready.size(), delayed: due.size(), longestRunningMs: longestMs(working, clock.elapsedMs()) }),
  };
}

function longestMs(working: ReadonlyMap<string, number>, nowMs: number): number {
  return [...working.values()].reduce((longest, sinceMs) => Math.max(longest, nowMs - sinceMs), 0);
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

/** Those who wait for a key. */
interface Takers {
  /** Resolves when there may be a key, or the signal aborts. */
  woken(signal: AbortSignal): Promise<void>;
  /** There may be a key for one of them. */
  wake(): void;
  /** Sees to it that one of them is woken at the next time, which may have changed. */
  sleep(): void;
  /** One of them has gone, maybe just as it was woken: another one looks. With nobody left there is no sleep to keep the process alive. */
  left(): void;
}

/** One sleep for all of them, which is seldom begun anew: most new times are later than the next one. */
function createTakers(clock: Clock, nextMs: () => number | undefined): Takers {
  const waiting = new Set<() => void>();
  let asleep: { readonly untilMs: number; readonly end: AbortController } | undefined;
  const awake = new Error("not needed any more");
  const wake = (): void => {
    const [first] = waiting;
    if (!first) return;
    waiting.delete(first);
    first();
  };
  const stop = (): void => {
    asleep?.end.abort(awake);
    asleep = undefined;
  };
  const left = (): void => {
    if (waiting.size === 0) stop();
    else wake();
  };
  const sleep = (): void => {
    const [next, nowMs] = [nextMs(), clock.elapsedMs()];
    if (next === undefined || waiting.size === 0) return;
    const untilMs = Math.min(next, nowMs + maxSleepMs);
    if (asleep && asleep.untilMs <= untilMs && asleep.untilMs > nowMs) return;
    stop();
    const mine = { untilMs, end: new AbortController() };
    asleep = mine;
    const over = (): void => {
      if (asleep !== mine) return;
      asleep = undefined;
      wake();
    };
    clock.sleep(untilMs - nowMs, mine.end.signal).then(over, () => {});
  };
  return {
    wake,
    sleep,
    left,
    woken: async (signal) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      const onAbort = (): void => {
        waiting.delete(resolve);
        left();
        resolve();
      };
      waiting.add(resolve);
      signal.addEventListener("abort", onAbort, { once: true });
      sleep();
      await promise;
      signal.removeEventListener("abort", onAbort);
    },
  };
}
