import { type Controller, controllersOf, runControllers, type World } from "../../src/controllers/wiring.ts";

/** An object whose turn has come in the work queue of its controller, and whose run has not begun. */
export interface Turn {
  readonly kind: string;
  readonly key: string;
  /** Lets the run begin; what it does goes on by itself. Once. */
  begin(): void;
}

/** The controllers of one process, at work. */
export interface Runner {
  /** Runs that may begin now, in the order in which their queues gave them. */
  turns(): readonly Turn[];
}

/** Who is told of each run that ended, with its error. */
type OnDone = (kind: string, key: string, error: unknown) => void;

/**
 * Runs the controllers as the program does, with its queues, retries, backoffs and workers: only when each run begins is up to
 * the driver.
 */
export function startRunner(world: World, signal: AbortSignal, onDone: OnDone): Runner {
  const turns: Turn[] = [];
  const gated = controllersOf(world).map((controller) => ({ ...controller, reconcile: reconcileOf(controller, turns, onDone) }));
  void runControllers(world, signal, gated);
  return { turns: () => turns };
}

function reconcileOf({ kind: { kind }, reconcile }: Controller, turns: Turn[], onDone: OnDone): Controller["reconcile"] {
  return async (key, signal) => {
    await new Promise<void>((resolve) => {
      const turn: Turn = {
        kind,
        key,
        begin: () => {
          turns.splice(turns.indexOf(turn), 1);
          resolve();
        },
      };
      turns.push(turn);
    });
    try {
      const result = await reconcile(key, signal);
      onDone(kind, key, undefined);
      return result;
    } catch (error) {
      onDone(kind, key, error);
      throw error;
    }
  };
}
