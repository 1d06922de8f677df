import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock } from "../../src/lib/clock.ts";

/** A clock that stands still until a test moves it. */
export interface ManualClock extends Clock {
  /** Moves the time on, waking each sleeper at its own moment and letting what it started settle before the next. */
  advance(durationMs: number): Promise<void>;
  /** Lets time pass without waking anybody: a process that was frozen. */
  jump(durationMs: number): void;
  /** Sets what the clock shows, forward or back. No time passes by that. */
  set(durationMs: number): void;
  /** How long each sleeper still sleeps, shortest first. */
  sleeping(): number[];
}

/** A {@link ManualClock} that starts at this time, in a process that has just begun. */
export function manualClock(startMs = Date.parse("2026-01-02T03:04:05Z")): ManualClock {
  let shownMs = startMs;
  let elapsedMs = 0;
  const sleepers = new Set<{ atMs: number; wake: () => void }>();
  return {
    nowMs: () => shownMs + elapsedMs,
    elapsedMs: () => elapsedMs,
    sleep: (durationMs, signal) =>
      new Promise<void>((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        const onAbort = (): void => {
          sleepers.delete(sleeper);
          reject(signal?.reason);
        };
        const wake = (): void => {
          sleepers.delete(sleeper);
          signal?.removeEventListener("abort", onAbort);
          resolve();
        };
        const sleeper = { atMs: elapsedMs + durationMs, wake };
        sleepers.add(sleeper);
        signal?.addEventListener("abort", onAbort, { once: true });
      }),
    advance: async (durationMs) => {
      const untilMs = elapsedMs + durationMs;
      for (;;) {
        await settle();
        const next = [...sleepers].sort((a, b) => a.atMs - b.atMs)[0];
        if (!next || next.atMs > untilMs) break;
        elapsedMs = Math.max(elapsedMs, next.atMs);
        next.wake();
      }
      elapsedMs = untilMs;
      await settle();
    },
    jump: (durationMs) => {
      elapsedMs += durationMs;
    },
    set: (durationMs) => {
      shownMs += durationMs;
    },
    sleeping: () => [...sleepers].map(({ atMs }) => atMs - elapsedMs).sort((a, b) => a - b),
  };
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await nextTurn();
}
