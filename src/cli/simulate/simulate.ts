import { writeFile } from "node:fs/promises";
import { stepsOf } from "../../api/analysis.ts";
import type { CanarySpec } from "../../api/canary.ts";
import { prometheusSeries } from "../../metrics/prometheus-series.ts";
import { MisuseError } from "../misuse.ts";
import { problemOf, readText } from "../read-text.ts";
import { type Arguments, refuseChance, refuseIdle, replayedBy, spanOf, wholeNumber } from "./arguments.ts";
import { notReplayed } from "./not-replayed.ts";
import { parseSamples, type PastSamples, readPastSamples, samplesText } from "./past-samples.ts";
import { type Fault, type Method, methods, type Outcome, replayPair, replaySplit, type Replayed } from "./replay.ts";
import { headOf, openEndOf, pairOf, type Results, rulesText, tableOf } from "./report.ts";
import { canaryIn } from "./rules.ts";
import { type Origin, silenceOf } from "./silence.ts";

/** What `serin simulate` is called with. */
export interface SimulateCommand extends Arguments {
  /** A manifest that holds a Canary, whose rules are replayed; missing: the defaults. */
  readonly manifest?: string | undefined;
  /** Address of the Prometheus to read where none is written. */
  readonly defaultServer?: string | undefined;
  readonly nowMs: number;
  readonly output: { write(text: string): unknown };
  /** For progress and what is no result; `isTTY`: somebody is looking. */
  readonly notes: { write(text: string): unknown; readonly isTTY?: boolean | undefined };
}

/** Runs `serin simulate`. Returns what the process exits with: 0, 1 there are no samples, 2 it was called wrongly. */
export async function simulateCommand(command: SimulateCommand, signal: AbortSignal): Promise<number> {
  const { notes, save } = command;
  try {
    refuseIdle(command);
    const count = wholeNumber("replays", command.replays ?? "100", 100_000);
    const seed = wholeNumber("seed", command.seed ?? "1", 1e9);
    const { spec } = await canaryIn(command.manifest);
    const { samples, origin } = await samplesOf(command, signal);
    const silence = silenceOf(samples, origin);
    if (silence !== undefined) {
      notes.write(`serin: ${silence}\n`);
      return 1;
    }
    if (samples.split) refuseChance(command);
    if (save !== undefined) await saveTo(save, samples);
    const replay = samples.split
      ? pairText(samples, { spec, source: sourceIn(origin) })
      : await splitText(samples, { spec, count, seed, signal, notes });
    command.output.write(`${[headOf(samples), ...leftOut(spec), replay].join("\n\n")}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof MisuseError)) throw error;
    notes.write(`serin: ${error.message}\nserin simulate --help says what there is.\n`);
    return 2;
  }
}

function leftOut(spec: CanarySpec): string[] {
  const lines = notReplayed(spec);
  return lines.length === 0 ? [] : [lines.join("\n")];
}

/** Of weeks, scraped every few seconds. */
const maxSampleBytes = 256 * 1024 * 1024;
/** Half an hour of raw samples. */
const readTimeoutMs = 60_000;

async function samplesOf(command: SimulateCommand, signal: AbortSignal): Promise<{ samples: PastSamples; origin: Origin }> {
  const { samples: file, metricsServer: server = command.defaultServer, notes } = command;
  if (file !== undefined) {
    const text = await readText(file, { what: "a file that serin simulate --save wrote", maxBytes: maxSampleBytes });
    return { samples: parseSamples(text, file), origin: { file } };
  }
  if (server === undefined) throw new MisuseError("there is nothing to read: write --metrics-server URL, or --samples FILE");
  const replayed = replayedBy(command);
  if (replayed.sides) refuseChance(command);
  const span = spanOf(command, command.nowMs);
  const reader = prometheusSeries({ address: server, timeoutMs: readTimeoutMs });
  const progress = (done: number): void => tell(notes, "reading", done);
  const { samples, found } = await readPastSamples(reader, { replayed, span, progress }, signal);
  return { samples, origin: { server, span, found, given: command } };
}

async function saveTo(file: string, samples: PastSamples): Promise<void> {
  try {
    await writeFile(file, samplesText(samples));
  } catch (error) {
    throw new MisuseError(`--save: ${problemOf(file, error)}; name a file in a folder that there is`);
  }
}

function pairText(samples: PastSamples, { spec, source }: { spec: CanarySpec; source: string }): string {
  const replayed = methods.map((method) => [method, replayPair(samples, method, spec)]);
  return pairOf(Object.fromEntries(replayed) as Record<Method, Replayed>, { spec, source, own: `share, ${stepsOf(spec.analysis)}` });
}

function sourceIn(origin: Origin): string {
  return "file" in origin ? `the samples in ${origin.file}` : (origin.given.requests ?? "");
}

interface Split {
  readonly spec: CanarySpec;
  readonly count: number;
  readonly seed: number;
  readonly signal: AbortSignal;
  readonly notes: SimulateCommand["notes"];
}

const kinds: readonly (readonly [title: (count: number) => string, fault: Fault])[] = [
  [(count) => `${count} releases that change nothing`, undefined],
  [(count) => `${count} releases that fail five times as often`, { times: 5 }],
  [(count) => `${count} releases that fail always`, "total"],
];

async function splitText(samples: PastSamples, { spec, count, seed, signal, notes }: Split): Promise<string> {
  const all = kinds.length * methods.length * count;
  let done = 0;
  const progress = (): void => tell(notes, "replaying", ++done / all);
  const tables: string[] = [];
  let outcomes: readonly Outcome[] = [];
  for (const [title, fault] of kinds) {
    const results: Partial<Record<Method, Results[Method]>> = {};
    for (const method of methods) {
      // Lets a Ctrl-C through.
      await new Promise<void>((resolve) => setImmediate(resolve));
      results[method] = replaySplit(samples, method, { rules: spec, count, seed, fault, signal, progress });
    }
    tables.push(tableOf(title(count), results as Results));
    outcomes = [outcomes, ...Object.values(results)].flat();
  }
  const openEnd = openEndOf(samples, outcomes);
  const head = `This traffic split at random, with ${rulesText(spec.analysis)}.${openEnd === undefined ? "" : `\n${openEnd}`}`;
  return [head, ...tables].join("\n\n");
}

/** A line that is written over and over; nobody needs it in a file. */
function tell(notes: SimulateCommand["notes"], what: string, done: number): void {
  if (notes.isTTY) notes.write(`\r${what} ${Math.round(100 * done)} %${done >= 1 ? "\n" : ""}`);
}
