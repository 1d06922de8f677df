import { beginFollowing, follow, type Start } from "../../analysis/follow.ts";
import { boundsFor } from "../../analysis/cumulative.ts";
import { blockMs, historyOf, pastMs } from "../../analysis/past.ts";
import { longerWindowMs, readSamples, type Samples, scrapeSpacing, startReading, windowMs } from "../../analysis/reading.ts";
import { policyOf, rulesOf } from "../../analysis/settings.ts";
import type { ShareRules } from "../../analysis/share.ts";
import { programSources, type Source, type SourceName, sources, type Subject } from "../../analysis/sources.ts";
import { firstWeight } from "../../analysis/steps.ts";
import { restore, type Stored } from "../../analysis/stored.ts";
import { judgeShare, type ShareVerdict } from "../../analysis/verdict.ts";
import type { Canary } from "../../api/canary.ts";
import { apexName } from "../../canary/services.ts";
import type { RawSeries, Selector, SeriesReader } from "../../lib/series.ts";
import { MetricError } from "../../metrics/metric-provider.ts";

/** Raw samples, and where they are looked for. */
export interface Reads {
  readonly reader: SeriesReader;
  /** Whose metrics count the requests; `undefined`: those of the programs themselves, whichever they have. */
  readonly source: SourceName | undefined;
  /** When a pod's process began, in milliseconds. */
  readonly startedMs: (pod: string) => number | undefined;
  /** The time of the server that holds the samples, in milliseconds, and how far it is ahead of ours. */
  readonly nowMs: number;
  readonly aheadMs: number;
  /** Whether the routes split the traffic otherwise than the status says. */
  readonly unrouted?: boolean;
}

/** A rollout that is followed, and what is to be said of it now. */
export interface Followed {
  readonly stored: Stored;
  readonly verdict: ShareVerdict;
}

/** The primary's past, before the canary gets its first traffic. */
export interface Past extends Omit<Start, "weight" | "atMs"> {
  /** Percent of traffic that adaptive steps begin with. */
  readonly firstWeight: number;
}

/** Namespace and names that metrics know a Canary by. */
export function subjectOf(canary: Canary): Subject {
  const { metadata, spec } = canary;
  return {
    namespace: metadata.namespace ?? "default",
    target: spec.targetRef.name,
    service: apexName(canary),
    port: spec.service.port,
    ingress: spec.ingressRef?.name,
  };
}

/** Until the scrapes' spacing is known this much is looked at: at least two of them. */
const firstWindowMs = 2 * 60_000;

/** Reads the primary's last hour and the bounds of its latency. Throws MetricError. */
export async function readPast(canary: Canary, reads: Reads, signal: AbortSignal): Promise<Past> {
  const { reader, nowMs, aheadMs } = reads;
  const subject = subjectOf(canary);
  const name = reads.source ?? (await programSource(reads, subject, signal));
  const source = sources[name];
  const window = { fromMs: nowMs - pastMs, untilMs: nowMs, stepMs: blockMs };
  const [samples, hour] = await Promise.all([
    readAll(reads, source, { subject, rangeMs: firstWindowMs, latency: true }, signal),
    firstOf(source.requests(subject), (selector) => reader.steps(selector, window, signal)),
  ]);
  const { past, requestsPerSecond } = historyOf(hour, { source, subject, nowMs });
  const scrapeMs = scrapeSpacing(samples);
  return {
    past,
    boundsMs: boundsFor(samples.latency, source, subject),
    source: name,
    scrapeMs,
    aheadMs,
    firstWeight: firstWeight(requestsPerSecond, scrapeMs ?? startReading(nowMs).scrapeMs),
  };
}

/** Reads what has come since the last reading. Throws MetricError. */
export async function readOn(canary: Canary, stored: Stored, reads: Reads, signal: AbortSignal): Promise<Stored> {
  const subject = subjectOf(canary);
  const { reading, source } = stored;
  const wanted = { subject, rangeMs: windowMs(reading, reads.nowMs), latency: stored.run.boundsMs.length > 0 };
  const found = await readAll(reads, sources[source], wanted, signal);
  const rangeMs = longerWindowMs(reading, found, { nowMs: reads.nowMs, rangeMs: wanted.rangeMs });
  const samples = rangeMs === undefined ? found : await readFurther(reads, sources[source], { ...wanted, rangeMs, found }, signal);
  const { baseline } = canary.spec.analysis;
  const unroutedMs = reads.unrouted ? reads.nowMs : undefined;
  const next = follow(stored, samples, { subject, rules: shareRules(canary), baseline, unroutedMs });
  return { ...next, aheadMs: reads.aheadMs };
}

/** Requests that the canary got since then, as far as they were scraped. Throws MetricError. */
export async function canaryRequestsSince(canary: Canary, reads: Reads, fromMs: number, signal: AbortSignal): Promise<number> {
  const subject = subjectOf(canary);
  const source = sources[reads.source ?? (await programSource(reads, subject, signal))];
  const rangeMs = reads.nowMs - fromMs + firstWindowMs;
  const samples = await readAll(reads, source, { subject, rangeMs, latency: false }, signal);
  const { scrapes } = readSamples(startReading(fromMs), samples, { source, subject, boundsMs: [] });
  return scrapes.reduce((sum, { errors }) => sum + errors.canary.requests, 0);
}

/** The same of a longer time. Where that is more than the server gives, what came in between is not known. */
async function readFurther(
  reads: Reads,
  source: Source,
  { found, ...wanted }: Wanted & { found: Samples },
  signal: AbortSignal,
): Promise<Samples> {
  try {
    return await readAll(reads, source, wanted, signal);
  } catch (error) {
    if (!(error instanceof MetricError)) throw error;
    return found;
  }
}

/** What is to be said of a rollout now. `nowMs`: by our clock. `unreadable`: why its metrics could not be read. */
export function verdictOn(canary: Canary, stored: Stored, { nowMs, unreadable }: { nowMs: number; unreadable?: string }): ShareVerdict {
  const moment = { nowMs: nowMs + (stored.aheadMs ?? 0), scrapeMs: stored.reading.scrapeMs, unreadable };
  return judgeShare(stored.run, { rules: shareRules(canary), policy: policyOf(canary.spec.analysis, canary.spec), moment });
}

/** The rules of a Canary's run: each further try of a revision that has failed spends half of what the one before did. */
function shareRules({ spec, status }: Canary): ShareRules {
  const before = (status.refused ?? []).filter(({ revision }) => revision !== undefined && revision === status.trackedRevision);
  return rulesOf(spec.analysis, before.reduce((sum, { tries = 1 }) => sum + tries, 0));
}

/** A rollout that begins now, by our clock, with what is to be said of it. */
export function beginAt(canary: Canary, past: Past, { weight, nowMs }: { weight: number; nowMs: number }): Followed {
  const stored = beginFollowing({ ...past, weight, atMs: nowMs + (past.aheadMs ?? 0) });
  return { stored, verdict: verdictOn(canary, stored, { nowMs }) };
}

/** What the status says of a rollout that is followed; `undefined`: nothing, or it is of another version of Serin. */
export function followedBefore({ status }: Canary): Stored | undefined {
  return status.evidence && restore(status.evidence.state);
}

/** The first program source that has counted requests; where none has, the first of all. */
async function programSource(reads: Reads, subject: Subject, signal: AbortSignal): Promise<SourceName> {
  const window = { atMs: reads.nowMs, rangeMs: firstWindowMs };
  for (const name of programSources) {
    const found = await firstOf(sources[name].requests(subject), (selector) => reads.reader.samples(selector, window, signal));
    if (found.length > 0) return name;
  }
  return "http_requests_total";
}

interface Wanted {
  readonly subject: Subject;
  readonly rangeMs: number;
  readonly latency: boolean;
}

async function readAll(
  { reader, startedMs, nowMs }: Reads,
  source: Source,
  { subject, rangeMs, latency }: Wanted,
  signal: AbortSignal,
): Promise<Samples> {
  const window = { atMs: nowMs, rangeMs };
  const read = (selectors: readonly Selector[]) => firstOf(selectors, (selector) => reader.samples(selector, window, signal));
  const [requests, times, alive] = await Promise.all([
    read(source.requests(subject)),
    latency ? read(source.latency(subject)) : [],
    read(source.alive(subject)),
  ]);
  const podStarted: Samples["startedMs"] = (labels) => {
    const pod = source.pod(labels);
    return pod === undefined ? undefined : startedMs(pod);
  };
  return { requests, latency: times, alive, startedMs: podStarted };
}

/** What the first selector gives that has any series. */
async function firstOf(
  selectors: readonly Selector[],
  read: (selector: Selector) => Promise<readonly RawSeries[]>,
): Promise<readonly RawSeries[]> {
  for (const selector of selectors) {
    const series = await read(selector);
    if (series.length > 0) return series;
  }
  return [];
}
