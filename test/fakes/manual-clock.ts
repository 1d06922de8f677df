import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock } from "../../src/lib/clock.ts";

/** A clock that stands still until a test moves it. */
export interface ManualClock extends Clock {
  /** Moves the time on, waking each sleeper at its own moment and letting what it started settle before the next. */
  advance(durationMs: number): Promise<void>;
  /** Sets the time without waking anybody: a process that was frozen, or a clock that was set. */
  jump(durationMs: number): void;
  /** How long each sleeper still sleeps, shortest first. */
  sleeping(): number[];
}

/** A {@link ManualClock} that starts at this time. */
export function manualClock(startMs = Date.parse("2026-01-02T03:04:05Z")): ManualClock {
  let nowMs = startMs;
  const sleepers = new Set<{ atMs: number; wake: () => void }>();
  return {
    nowMs: () => nowMs,
    elapsedMs: () => nowMs,
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
        const sleeper = { atMs: nowMs + durationMs, wake };
        sleepers.add(sleeper);
        signal?.addEventListener("abort", onAbort, { once: true });
      }),
    advance: async (durationMs) => {
      const untilMs = nowMs + durationMs;
      for (;;) {
        await settle();
        const next = [...sleepers].sort((a, b) => a.atMs - b.atMs)[0];
        if (!next || next.atMs > untilMs) break;
        nowMs = Math.max(nowMs, next.atMs);
        next.wake();
      }
      nowMs = untilMs;
      await settle();
    },
    jump: (durationMs) => {
      nowMs += durationMs;
    },
    sleeping: () => [...sleepers].map(({ atMs }) => atMs - nowMs).sort((a, b) => a - b),
  };
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await nextTurn();
}
