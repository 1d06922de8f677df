import { backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import { messageOf } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";

/** Runs one function per key, one key after the other. */
export interface Loop {
  /** Asks for a run; asking twice before it starts is one run. */
  add(key: string): void;
  /** Resolves when the signal has aborted and the last run has ended. */
  readonly ended: Promise<void>;
}

/**
 * The work loop of the sandbox's own parts, in the manner of a controller: keyed, deduplicated, failures retried with backoff.
 * @param options.reconcile returns when to run again even if nothing changes, in ms; `undefined`: only when asked
 */
export function startLoop(options: {
  name: string;
  reconcile: (key: string, signal: AbortSignal) => Promise<number | undefined>;
  clock: Clock;
  log: Logger;
  signal: AbortSignal;
}): Loop {
  const { clock, signal } = options;
  const log = options.log.child({ loop: options.name });
  const queued = new Set<string>();
  const failures = new Map<string, number>();
  const timers = new Map<string, AbortController>();
  let wake: () => void = () => {};

  const add = (key: string): void => {
    queued.add(key);
    wake();
  };
  signal.addEventListener("abort", () => wake(), { once: true });

  /** A later call for the same key replaces an earlier one. */
  const addLater = (key: string, afterMs: number): void => {
    timers.get(key)?.abort();
    const timer = new AbortController();
    timers.set(key, timer);
    clock.sleep(afterMs, AbortSignal.any([signal, timer.signal])).then(
      () => add(key),
      () => {},
    );
  };

  const runOne = async (key: string): Promise<void> => {
    try {
      const afterMs = await options.reconcile(key, signal);
      failures.delete(key);
      if (afterMs !== undefined) addLater(key, afterMs);
    } catch (error) {
      if (signal.aborted) return;
      const failed = (failures.get(key) ?? 0) + 1;
      failures.set(key, failed);
      log.debug({ key, failed, error: messageOf(error) }, "sandbox reconcile failed");
      addLater(key, backoffMs(failed, { baseMs: 20, maxMs: 5_000 }));
    }
  };

  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      const [key] = queued;
      if (key === undefined) {
        await new Promise<void>((resolve) => (wake = resolve));
        continue;
      }
      queued.delete(key);
      await runOne(key);
    }
  };
  return { add, ended: run() };
}
