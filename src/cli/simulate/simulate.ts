import { readFile, writeFile } from "node:fs/promises";
import { canary as canaryKind } from "../../api/canary.ts";
import { parseObject } from "../../api/meta.ts";
import type { KubeObject } from "../../api/object.ts";
import { parseDurationMs } from "../../lib/duration.ts";
import { isRecord } from "../../lib/json.ts";
import { parseYaml } from "../../lib/yaml.ts";
import { prometheusSeries } from "../../metrics/prometheus-series.ts";
import { MisuseError } from "../misuse.ts";
import { parseSamples, type PastSamples, readPastSamples, samplesText, type Span } from "./past-samples.ts";
import { type Fault, type Method, methods, minSuccessOf, type Outcome, replayPair, replaySplit, type Rules } from "./replay.ts";
import { headOf, type Results, tableOf, verdictsOf } from "./report.ts";
import { parseLabels, parseSelector, type Replayed } from "./selector.ts";

/** What `serin simulate` is called with, as on the command line. */
export interface SimulateCommand {
  /** A manifest that holds a Canary, whose rules are replayed; missing: the defaults. */
  readonly manifest?: string | undefined;
  /** Address of a Prometheus. */
  readonly metricsServer?: string | undefined;
  readonly requests?: string | undefined;
  readonly latency?: string | undefined;
  readonly latencyUnit?: string | undefined;
  readonly canary?: string | undefined;
  readonly stable?: string | undefined;
  readonly last?: string | undefined;
  readonly from?: string | undefined;
  readonly until?: string | undefined;
  /** File of samples to read instead. */
  readonly samples?: string | undefined;
  /** File to write the samples to. */
  readonly save?: string | undefined;
  readonly replays?: string | undefined;
  readonly seed?: string | undefined;
  readonly nowMs: number;
  readonly output: { write(text: string): unknown };
  /** For progress and what is no result; `isTTY`: somebody is looking. */
  readonly notes: { write(text: string): unknown; readonly isTTY?: boolean | undefined };
}

/** Runs `serin simulate`. Returns what the process exits with: 0, 1 there are no samples, 2 it was called wrongly. */
export async function simulateCommand(command: SimulateCommand, signal: AbortSignal): Promise<number> {
  const { output, notes } = command;
  try {
    const count = wholeNumber("replays", command.replays ?? "100", 100_000);
    const seed = wholeNumber("seed", command.seed ?? "1", 1e9);
    const rules = await rulesIn(command.manifest);
    const samples = await samplesOf(command, signal);
    if (command.save !== undefined) await writeFile(command.save, samplesText(samples));
    output.write(`${headOf(samples)}\n\n`);
    if (samples.scrapes.length === 0) return 1;
    const empty = emptySide(samples);
    if (empty !== undefined) {
      output.write(`Nothing can be said: --${empty} selects no requests of this time. Its labels are those of the counters.\n`);
      return 1;
    }
    output.write(samples.split ? pairText(samples, rules) : await splitText(samples, { rules, count, seed, signal, notes }));
    return 0;
  } catch (error) {
    if (!(error instanceof MisuseError)) throw error;
    notes.write(`serin: ${error.message}\nserin simulate --help says what there is.\n`);
    return 2;
  }
}

function wholeNumber(name: string, text: string, most: number): number {
  const value = Number(text);
  const isFine = Number.isInteger(value) && value >= 1 && value <= most;
  if (!isFine) throw new MisuseError(`--${name} is ${text}, not a whole number from 1 to ${most}`);
  return value;
}

/** The version that nobody asked for anything: its labels are wrong rather than its releases good. */
function emptySide({ split, scrapes }: PastSamples): "canary" | "stable" | undefined {
  const isEmpty = (side: "canary" | "stable"): boolean => scrapes.every(({ errors }) => errors[side].requests === 0);
  return split ? (["canary", "stable"] as const).find(isEmpty) : undefined;
}

/** The rules of a Canary that sets none. */
const plainSpec = { targetRef: { kind: "Deployment", name: "any" }, service: { port: 80 }, analysis: {} };

async function rulesIn(manifest: string | undefined): Promise<Rules> {
  if (manifest === undefined) return rulesOf({ spec: plainSpec }, "");
  const documents = await understood(async () => parseYaml(await readFile(manifest), manifest));
  const canary = documents.map(({ value }) => value).find((object) => isRecord(object) && object["kind"] === canaryKind.kind);
  if (!isRecord(canary)) throw new MisuseError(`${manifest} holds no Canary`);
  return rulesOf(canary, manifest);
}

function rulesOf(object: Record<string, unknown>, file: string): Rules {
  const parsed = parseObject(canaryKind, { apiVersion: "", kind: canaryKind.kind, metadata: { name: "any" }, ...object } as KubeObject);
  if (parsed.ok) return parsed.value.spec;
  throw new MisuseError(`${file}: ${parsed.problems.map(({ path, message }) => `${path}: ${message}`).join("; ")}`);
}

async function samplesOf(command: SimulateCommand, signal: AbortSignal): Promise<PastSamples> {
  const { samples, metricsServer, notes } = command;
  if (samples !== undefined) return understood(async () => parseSamples(await readFile(samples, "utf8"), samples));
  if (metricsServer === undefined) throw new MisuseError("there is nothing to read: write --metrics-server URL, or --samples FILE");
  const wanted = await understood(async () => replayedBy(command));
  const span = spanOf(command);
  const reader = prometheusSeries({ address: metricsServer, timeoutMs: readTimeoutMs });
  return readPastSamples(reader, { replayed: wanted, span, progress: (done) => tell(notes, "reading", done) }, signal);
}

/** Half an hour of raw samples. */
const readTimeoutMs = 60_000;

async function understood<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw error instanceof Error ? new MisuseError(error.message) : error;
  }
}

function replayedBy({ requests, latency, latencyUnit = "s", canary, stable }: SimulateCommand): Replayed {
  if (requests === undefined) throw new MisuseError('--requests is missing: the counters, like http_requests_total{service="shop"}');
  if (latencyUnit !== "s" && latencyUnit !== "ms") throw new MisuseError(`--latency-unit is ${latencyUnit}, not s or ms`);
  if ((canary === undefined) !== (stable === undefined)) throw new MisuseError("--canary and --stable belong together: write both, or none");
  return {
    requests: parseSelector(requests),
    latency: latency === undefined ? undefined : parseSelector(latency),
    unitMs: latencyUnit === "s" ? 1_000 : 1,
    sides: canary === undefined || stable === undefined ? undefined : { canary: parseLabels(canary), stable: parseLabels(stable) },
  };
}

function spanOf({ last = "6h", from, until, nowMs }: SimulateCommand): Span {
  const untilMs = until === undefined ? nowMs : timeIn("until", until);
  const fromMs = from === undefined ? untilMs - durationIn(last) : timeIn("from", from);
  if (fromMs >= untilMs) throw new MisuseError("--from is not before --until");
  return { fromMs, untilMs };
}

function timeIn(name: string, text: string): number {
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw new MisuseError(`--${name} is ${text}, not a time; write it like 2026-11-21T12:00:00Z`);
  return ms;
}

function durationIn(text: string): number {
  try {
    return parseDurationMs(text);
  } catch (error) {
    throw new MisuseError(`--last: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function pairText(samples: PastSamples, rules: Rules): string {
  const replayed = methods.map((method) => [method, replayPair(samples, method, rules)]);
  const outcomes = Object.fromEntries(replayed) as Record<Method, Outcome>;
  return `${verdictsOf(outcomes, wordsOf(rules))}\n`;
}

function wordsOf({ analysis }: Rules): string {
  return `with ${Number((minSuccessOf(analysis) * 100).toPrecision(6))} % as the threshold`;
}

interface Split {
  readonly rules: Rules;
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

async function splitText(samples: PastSamples, { rules, count, seed, signal, notes }: Split): Promise<string> {
  const all = kinds.length * methods.length * count;
  let done = 0;
  const progress = (): void => tell(notes, "replaying", ++done / all);
  const tables: string[] = [];
  for (const [title, fault] of kinds) {
    const results: Partial<Record<Method, Results[Method]>> = {};
    for (const method of methods) {
      // Lets a Ctrl-C through.
      await new Promise<void>((resolve) => setImmediate(resolve));
      results[method] = replaySplit(samples, method, { rules, count, seed, fault, signal, progress });
    }
    tables.push(tableOf(title(count), results as Results));
  }
  return `This traffic split at random, ${wordsOf(rules)}.\n\n${tables.join("\n\n")}\n`;
}

/** A line that is written over and over; nobody needs it in a file. */
function tell(notes: SimulateCommand["notes"], what: string, done: number): void {
  if (notes.isTTY) notes.write(`\r${what} ${Math.round(100 * done)} %${done >= 1 ? "\n" : ""}`);
}
