import type { Selector } from "../../lib/series.ts";
import { parseDurationMs } from "../../lib/duration.ts";
import { messageOf } from "../../lib/errors.ts";
import { MisuseError } from "../misuse.ts";
import type { Span } from "./past-samples.ts";
import { parseLabels, parseSelector, type Replayed } from "./selector.ts";

/** What was written behind `serin simulate`, as texts; missing: it was not written. */
export interface Arguments {
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
}

/** Flags that say what is read of a Prometheus. */
const ofServer = {
  metricsServer: "--metrics-server",
  requests: "--requests",
  latency: "--latency",
  latencyUnit: "--latency-unit",
  canary: "--canary",
  stable: "--stable",
  last: "--last",
  from: "--from",
  until: "--until",
  save: "--save",
} as const;

/** Throws {@link MisuseError} where one flag would be passed over because of another: nothing that was written is dropped in silence. */
export function refuseIdle(given: Arguments): void {
  const idle = Object.entries(ofServer).filter(([name]) => given[name as keyof typeof ofServer] !== undefined);
  if (given.samples !== undefined && idle.length > 0) {
    const flags = idle.map(([, flag]) => flag).join(", ");
    throw new MisuseError(`--samples reads what was saved, all of it: remove --samples, or ${flags}`);
  }
  if (given.from !== undefined && given.last !== undefined)
    throw new MisuseError("--from and --last both say where the time begins: remove one of them");
  if (given.latencyUnit !== undefined && given.latency === undefined)
    throw new MisuseError("--latency-unit needs --latency: without it no time of a request is looked at");
}

/** The same for samples of two versions, which are judged once and as they were. */
export function refuseChance({ replays, seed }: Arguments): void {
  const idle = [...(replays === undefined ? [] : ["--replays"]), ...(seed === undefined ? [] : ["--seed"])];
  if (idle.length === 0) return;
  const flags = idle.join(" and ");
  throw new MisuseError(`without traffic that is split at random there is no chance: a canary that ran is judged once, as it was; remove ${flags}`);
}

/** A whole number from 1 on. Throws {@link MisuseError}. */
export function wholeNumber(name: string, text: string, most: number): number {
  const value = Number(text);
  const isFine = Number.isInteger(value) && value >= 1 && value <= most;
  if (!isFine) throw new MisuseError(`--${name} is ${text}, not a whole number from 1 to ${most}`);
  return value;
}

/** What is replayed. Throws {@link MisuseError}. */
export function replayedBy({ requests, latency, latencyUnit = "s", canary, stable }: Arguments): Replayed {
  if (requests === undefined) throw new MisuseError('--requests is missing: the counters, like http_requests_total{service="shop"}');
  if (latencyUnit !== "s" && latencyUnit !== "ms") throw new MisuseError(`--latency-unit is ${latencyUnit}, not s or ms`);
  if ((canary === undefined) !== (stable === undefined)) throw new MisuseError("--canary and --stable belong together: write both, or none");
  const selectorIn = (name: string, text: string): Selector => understood(name, () => parseSelector(text));
  const labelsIn = (name: string, text: string): ReturnType<typeof parseLabels> => understood(name, () => parseLabels(text));
  return {
    requests: selectorIn("requests", requests),
    latency: latency === undefined ? undefined : selectorIn("latency", latency),
    unitMs: latencyUnit === "s" ? 1_000 : 1,
    sides:
      canary === undefined || stable === undefined
        ? undefined
        : { canary: labelsIn("canary", canary), stable: labelsIn("stable", stable) },
  };
}

function understood<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new MisuseError(`--${name}: ${messageOf(error)}`);
  }
}

/** The range of time. Throws {@link MisuseError}. */
export function spanOf({ last = "6h", from, until }: Arguments, nowMs: number): Span {
  const untilMs = until === undefined ? nowMs : timeIn("until", until);
  const fromMs = from === undefined ? untilMs - understood("last", () => parseDurationMs(last)) : timeIn("from", from);
  if (fromMs < untilMs) return { fromMs, untilMs };
  const begin = from === undefined ? `--last is ${last}, which is no time at all` : "--from is not before --until";
  throw new MisuseError(until === undefined && from !== undefined ? `--from is ${from}, which is still to come` : begin);
}

function timeIn(name: string, text: string): number {
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw new MisuseError(`--${name} is ${text}, not a time; write it like 2026-11-21T12:00:00Z`);
  return ms;
}
