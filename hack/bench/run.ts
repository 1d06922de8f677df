import { messageOf } from "../../src/lib/errors.ts";
import type { Ground } from "./ground.ts";
import { describeFigure } from "./report.ts";
import type { Scenario } from "./row.ts";
import { type Measured, thisMachine } from "./store.ts";

const defaultLimitMs = 360_000;
/** To break off work that was told to end, and to clean up after it. */
const sweepLimitMs = 120_000;

/** Runs one scenario within its time and leaves even ground behind it. Never throws: what went wrong is in the answer. */
export async function runScenario(scenario: Scenario, ground: Ground): Promise<Measured> {
  const { name, summary, limitMs = defaultLimitMs } = scenario;
  const from = performance.now();
  ground.say(`# ${name}: ${summary}`);
  const life = new AbortController();
  const timer = setTimeout(() => life.abort(new Error(`broken off after ${limitMs / 1_000} s`)), limitMs);
  try {
    const result = await orAborted(scenario.run(ground, life.signal), life.signal);
    for (const figure of result.figures) ground.say(`  ${describeFigure(figure)}`);
    return { name, machine: thisMachine(), result: { ...result, figures: [...result.figures], curves: [...(result.curves ?? [])] } };
  } catch (error) {
    ground.say(`${name} failed: ${messageOf(error)}`);
    return { name, machine: thisMachine(), failed: messageOf(life.signal.aborted ? life.signal.reason : error) };
  } finally {
    clearTimeout(timer);
    life.abort(new Error("the scenario is over"));
    const measuredSeconds = (performance.now() - from) / 1_000;
    await ground.sweep(AbortSignal.timeout(sweepLimitMs)).catch((error: unknown) => ground.say(`cleaning up after ${name}: ${messageOf(error)}`));
    ground.say(`${name} took ${measuredSeconds.toFixed(0)} s, cleaning up ${((performance.now() - from) / 1_000 - measuredSeconds).toFixed(0)} s`);
  }
}

/** Work that does not listen to its signal is left alone when its time is over. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
