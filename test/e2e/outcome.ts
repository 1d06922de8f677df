import { appendFileSync } from "node:fs";
import { systemClock } from "../../src/lib/clock.ts";

/** What a scenario has shown: one line of the table in docs/reliability.md. */
export interface Outcome {
  readonly fault: string;
  /** What happens meanwhile. */
  readonly meanwhile: string;
  /** How it ends. */
  readonly after: string;
  /** From the end of the fault until all is as it should be. */
  readonly rightAgainMs: number;
}

/** Where the lines go; without it the suite only tests. */
const resultsVariable = "SERIN_FAULTS_RESULTS";

/** Keeps a line for docs/reliability.md. Called after the last expectation: a scenario that fails leaves none. */
export function proved(outcome: Outcome): void {
  const file = process.env[resultsVariable];
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(outcome)}\n`);
}

/** Milliseconds that the work took. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = systemClock.elapsedMs();
  await work();
  return systemClock.elapsedMs() - start;
}
