import { setTimeout as delay } from "node:timers/promises";

/** Time as an argument, so that a test can own it. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  nowMs(): number;
  /** Milliseconds since some moment of this process. It goes on evenly when somebody sets the machine's clock. */
  elapsedMs(): number;
  /** Resolves after `durationMs`; rejects with the signal's reason when it aborts first. */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void>;
}

/** The machine's clock. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  elapsedMs: () => performance.now(),
  sleep: async (durationMs, signal) => {
    // What was due a moment ago is due now; Node warns of less than nothing.
    await delay(Math.max(0, durationMs), undefined, signal ? { signal } : {});
  },
};
