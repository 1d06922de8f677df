import type { Tally } from "../../analysis/stream.ts";
import type { CanarySpec } from "../../api/canary.ts";
import { isoSeconds } from "../../api/conditions.ts";
import { evidenceText } from "../../api/share-table.ts";
import { inColumns } from "../../lib/text.ts";
import { groundLines } from "../explain/evidence-text.ts";
import type { PastSamples } from "./past-samples.ts";
import { horizonMs, type Method, methods, type Outcome, paceOf, type Replayed, successOf } from "./replay.ts";

/** Replays of one kind, by method. */
export type Results = Readonly<Record<Method, readonly Outcome[]>>;

/** What was read: how much, how busy, how bad; there is at least one scrape of it. */
export function headOf({ scrapes, scrapeMs, boundsMs, split }: PastSamples): string {
  const [first, last] = [scrapes[0], scrapes.at(-1)];
  const [fromMs, untilMs] = [first?.fromMs ?? 0, last?.atMs ?? 0];
  const [canary, stable] = (["canary", "stable"] as const).map((side) => sumOf(scrapes.map(({ errors }) => errors[side])));
  const all = sumOf([canary, stable].flatMap((side) => side ?? []));
  const scraped = scrapes.length === 1 ? "1 scrape" : `${scrapes.length} scrapes`;
  const latency = boundsMs.length === 0 ? "no latency" : `latency against ${boundsMs.join(", ")} ms`;
  const side = (tally: Tally): string => `${Math.round(tally.requests)} requests, ${Math.round(tally.bad)} failed (${rate(tally)})`;
  return [
    `${scraped}, one every ${Math.round(scrapeMs / 1_000)} s, from ${isoSeconds(fromMs)} to ${isoSeconds(untilMs)};`,
    `${rounded((all.requests * 1_000) / (untilMs - fromMs))} requests a second, ${rate(all)} failed; ${latency}.`,
    ...(split && canary && stable ? [`The canary had ${side(canary)}, what ran beside it ${side(stable)}.`] : []),
  ].join("\n");
}

function sumOf(tallies: readonly Tally[]): Tally {
  return tallies.reduce((sum, { requests, bad }) => ({ requests: sum.requests + requests, bad: sum.bad + bad }), { requests: 0, bad: 0 });
}

function rate({ requests, bad }: Tally): string {
  return `${rounded((100 * bad) / Math.max(requests, 1))} %`;
}

/** By which threshold and steps a Canary is replayed, without a full stop. */
export function rulesText(analysis: CanarySpec["analysis"]): string {
  const { min, max } = successOf(analysis);
  const most = max < 1 ? ` to ${rounded(100 * max)} %` : "";
  return `${Number((100 * min).toPrecision(6))} %${most} as the threshold and fixed steps of ${stepsText(analysis)}, one every ${analysis.interval}`;
}

function stepsText(analysis: CanarySpec["analysis"]): string {
  const { stepWeight, maxWeight } = analysis;
  if (stepWeight !== undefined) return `${stepWeight} % up to ${maxWeight} %`;
  return `${paceOf(analysis).weights.join(", ")} %`;
}

function rounded(value: number): string {
  return String(Number(value.toPrecision(3)));
}

/** What the tables leave open, because samples or replays end before a rollout does; `undefined`: nothing. */
export function openEndOf({ scrapes }: PastSamples, outcomes: readonly Outcome[]): string | undefined {
  const ms = (scrapes.at(-1)?.atMs ?? 0) - (scrapes[0]?.fromMs ?? 0);
  const minutes = `${horizonMs / 60_000} min`;
  const open = "what had not ended by then is neither rolled back nor promoted.";
  if (ms < horizonMs) return `The samples end after ${Math.round(ms / 1_000)} s: ${open} Read ${minutes} or more.`;
  return outcomes.some(({ end }) => end === "none") ? `A replay ends after ${minutes}: ${open}` : undefined;
}

/** Many replays on one service's traffic, with what each method made of them. */
export function tableOf(title: string, results: Results): string {
  const rows = methods.map((method) => [method, ...cellsOf(results[method])]);
  return [`${title}:`, ...inColumns([["", "rolled back", "after", "requests lost", "promoted", "after"], ...rows])].join("\n");
}

function cellsOf(outcomes: readonly Outcome[]): string[] {
  const [back, promoted] = [outcomes.filter(({ end }) => end === "rollBack"), outcomes.filter(({ end }) => end === "promote")];
  const lost = back.reduce((sum, outcome) => sum + outcome.lost, 0) / Math.max(back.length, 1);
  return [
    share(back, outcomes),
    median(back.map(({ seconds }) => seconds)),
    back.length === 0 ? "–" : String(Math.round(lost)),
    share(promoted, outcomes),
    median(promoted.map(({ seconds }) => seconds)),
  ];
}

function share(some: readonly Outcome[], all: readonly Outcome[]): string {
  return `${rounded((100 * some.length) / Math.max(all.length, 1))} %`;
}

function median(seconds: readonly number[]): string {
  const middle = seconds.toSorted((a, b) => a - b)[Math.floor(seconds.length / 2)];
  return middle === undefined ? "–" : `${Math.round(middle)} s`;
}

interface Judged {
  readonly spec: CanarySpec;
  /** The kind of steps that the Canary takes. */
  readonly own: Method;
  /** Where the requests were counted. */
  readonly source: string;
}

/** Two versions that ran beside each other: what each method would have said, on what ground, and what it could not have seen. */
export function pairOf(replayed: Readonly<Record<Method, Replayed>>, { spec, own, source }: Judged): string {
  const rows = methods.map((method) => {
    const { end, seconds, lost, evidence } = replayed[method];
    const isBack = end === "rollBack";
    return [
      method,
      isBack ? `rolled back after ${Math.round(seconds)} s` : "not rolled back",
      `${Math.max(0, Math.round(lost))} requests lost${isBack ? " until then" : ""}`,
      evidence ? `highest evidence ${evidenceText(evidence.peak)}` : "",
    ];
  });
  const { evidence } = replayed[own];
  const verdicts = [`The canary would have been, with ${rulesText(spec.analysis)}:`, ...inColumns(rows)].join("\n");
  if (!evidence) return verdicts;
  const limit = `At evidence ${evidence.limit} a release is rolled back.`;
  const ground = [`${evidence.message}.`, limit, ...groundLines({ ...evidence, source }, { isOver: true })];
  return `${verdicts}\n\nBy ${own}:\n${ground.join("\n")}`;
}
