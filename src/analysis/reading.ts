import type { RawSeries } from "../lib/series.ts";
import { countersOf, slowOf } from "./cumulative.ts";
import { type Births, type Growth, growthOf, type Scrapes, scrapesOf, targetOf } from "./growth.ts";
import type { Scrape } from "./share.ts";
import type { Source, Subject } from "./sources.ts";
import type { Comparison, Tally } from "./stream.ts";

/**
 * How far a rollout's samples have been read. Nothing but times: the counters themselves stay with the metric server, so that
 * whoever stores this together with the evidence neither loses nor counts twice, however long it was away. JSON.
 */
export interface ReadState {
  /** Since when requests count: the canary's first traffic. */
  readonly sinceMs: number;
  /** Newest sample of all that were read. */
  readonly newestMs: number;
  /** Newest sample of requests of each target that counts them, as targets are scraped one after another. */
  readonly through: Readonly<Record<string, number>>;
  /** The same of latency: another query, and a scrape may be stored between the two. Missing: an earlier version read them as one. */
  readonly slowThrough?: Readonly<Record<string, number>> | undefined;
  /** Time between two scrapes of a target, learnt from its samples. */
  readonly scrapeMs: number;
}

/** Until two samples have been seen: Prometheus deployments scrape every 15 or 30 s, and a shorter wait costs only a query. */
const assumedScrapeMs = 15_000;
const shortestScrapeMs = 1_000;
const longestScrapeMs = 5 * 60_000;

/** Nothing read yet. `sinceMs`: when the canary was first given traffic. `scrapeMs`: what is known of the scrapes' spacing. */
export function startReading(sinceMs: number, scrapeMs = assumedScrapeMs): ReadState {
  return { sinceMs, newestMs: sinceMs, through: {}, slowThrough: {}, scrapeMs };
}

/** A target that has not been seen for as long is gone. */
const forgottenMs = 60 * 60_000;
/** Of more targets not each is remembered: what of the others is stored late is then lost, but nothing counts twice. */
const maxTargets = 200;
/** Two minutes of scrapes every 15 s: a target that misses some is still known to have been there before. */
const shortestWindow = 8;

/** How far back the samples have to be asked for, so that each new one has one before it to be compared with. */
export function windowMs({ newestMs, through, scrapeMs }: ReadState, nowMs: number): number {
  const shortest = shortestWindow * scrapeMs;
  const alive = Object.values(through).filter((atMs) => newestMs - atMs <= shortest);
  const oldest = Math.min(...alive, newestMs, nowMs);
  return Math.min(Math.max(nowMs - oldest + 3 * scrapeMs, shortest), forgottenMs);
}

/** Prometheus stores a scrape when it is over. */
const settleMs = 1_000;

/** While nothing has been read the scrapes' spacing is a guess, and the first failure shall not wait for it. */
const firstReadMs = 5_000;

/** When the next scrape can be read. */
export function nextReadMs({ newestMs, sinceMs, scrapeMs }: ReadState, nowMs: number): number {
  if (newestMs === sinceMs) return nowMs + Math.min(scrapeMs, firstReadMs);
  const next = newestMs + scrapeMs + settleMs;
  // A server's clock that was set back makes nobody wait for its time to come again.
  return next > nowMs ? Math.min(next, nowMs + scrapeMs + settleMs) : nowMs + Math.min(scrapeMs, assumedScrapeMs);
}

/** What one poll has brought. */
export interface Samples {
  /** Series of {@link Source.requests}. */
  readonly requests: readonly RawSeries[];
  /** Series of {@link Source.latency}; none where latency is not known. */
  readonly latency: readonly RawSeries[];
  /** Series of {@link Source.alive}. */
  readonly alive: readonly RawSeries[];
  readonly startedMs?: Births["startedMs"];
}

/** Where they are from, and what is wanted of them. */
export interface ReadInput {
  readonly source: Source;
  readonly subject: Subject;
  readonly boundsMs: readonly number[];
}

/** Scrapes that are new since the last reading, oldest first, and how far has been read now. Pure. */
export function readSamples(
  state: ReadState,
  samples: Samples,
  { source, subject, boundsMs }: ReadInput,
): { readonly scrapes: readonly Scrape[]; readonly state: ReadState } {
  const { requests, latency, alive, startedMs } = samples;
  const isOurs = ({ labels }: RawSeries): boolean => source.side(labels, subject) !== undefined;
  const times = timesOf(state, samples, isOurs);
  const births = { sinceMs: state.sinceMs, scrapes: scrapesOf([...requests, ...alive]), startedMs };
  const { through, slowThrough = through } = state;
  const errors = growthOf(countersOf(requests, source, subject), births).filter(isAfter(through, state));
  const slow = growthOf(slowOf(latency, { source, subject, boundsMs }), births).filter(isAfter(slowThrough, state));
  const newest = Math.max(state.newestMs, ...[...times.values()].map((scrapes) => scrapes.at(-1) ?? 0));
  const scrapeMs = spacingOf([...times.values()]) ?? state.scrapeMs;
  // What comes late waits for the next scrape, so that time never goes back.
  if (newest <= state.newestMs) return { scrapes: [], state: { ...state, scrapeMs } };
  const rounds = roundsBetween(state.newestMs, { newest, scrapeMs }).filter((round) => isScraped(round, times));
  const scrapes = rounds.map((round, index) => {
    // What came later than its time belongs to the first.
    const within = ({ atMs }: Growth) => (index === 0 || atMs > round.fromMs) && atMs <= round.throughMs;
    return scrapeOf(round, { errors: errors.filter(within), slow: slow.filter(within), bounds: boundsMs.length });
  });
  const read = {
    through: readThrough(through, scrapesOf(requests.filter(isOurs)), newest),
    slowThrough: readThrough(slowThrough, scrapesOf(latency.filter(isOurs)), newest),
  };
  return { scrapes, state: { ...state, ...read, newestMs: newest, scrapeMs } };
}

/** What has come since a reading. */
function isAfter(through: ReadState["through"], { sinceMs, newestMs }: ReadState): (growth: Growth) => boolean {
  const otherwise = Object.keys(through).length < maxTargets ? sinceMs : newestMs;
  return ({ target, atMs }) => atMs > (through[target] ?? otherwise);
}

function readThrough(through: ReadState["through"], times: Scrapes, newest: number): Record<string, number> {
  const read = new Map(Object.entries(through));
  for (const [target, scrapes] of times) read.set(target, Math.max(read.get(target) ?? 0, scrapes.findLast((atMs) => atMs <= newest) ?? 0));
  return Object.fromEntries([...read].filter(([, atMs]) => newest - atMs <= forgottenMs).slice(0, maxTargets));
}

/**
 * When those were scraped who count the requests of this Canary. Others that are alive say nothing of it, such as a second gateway:
 * only while nobody is known to count them yet, whoever is alive shows that the metrics can be read.
 */
function timesOf({ through }: ReadState, { requests, alive }: Samples, isOurs: (series: RawSeries) => boolean): Scrapes {
  const counted = scrapesOf(requests.filter(isOurs));
  const counts = (target: string): boolean => counted.has(target) || through[target] !== undefined;
  const own = alive.filter((series) => isOurs(series) || counts(targetOf(series.labels)));
  const isKnown = own.length + counted.size + Object.keys(through).length > 0;
  const living = scrapesOf(isKnown ? own : alive);
  return new Map([...counted, ...[...living].map(([target, times]) => [target, together(counted.get(target), times)] as const)]);
}

/** A scrape that was stored between the two queries is seen as alive alone: it waits for the one after it. */
function together(counted: readonly number[] | undefined, alive: readonly number[]): readonly number[] {
  if (!counted) return alive;
  return [...new Set([...counted, ...alive.slice(0, -1)])].toSorted((a, b) => a - b);
}

/**
 * How far back the samples have to be asked for once more; `undefined`: these reach far enough. Who was lost for a while and is back
 * is compared with what it had before.
 */
export function longerWindowMs(
  { through, scrapeMs }: ReadState,
  { requests }: Pick<Samples, "requests">,
  { nowMs, rangeMs }: { nowMs: number; rangeMs: number },
): number | undefined {
  const lost = [...scrapesOf(requests).keys()].map((target) => through[target] ?? nowMs).filter((atMs) => atMs <= nowMs - rangeMs);
  return lost.length === 0 ? undefined : Math.min(nowMs - Math.min(...lost) + scrapeMs, forgottenMs);
}

/** Time between two scrapes of a target, learnt from its samples; `undefined`: there are not two. */
export function scrapeSpacing({ requests, alive }: Pick<Samples, "requests" | "alive">): number | undefined {
  return spacingOf([...scrapesOf(requests).values()]) ?? spacingOf([...scrapesOf(alive).values()]);
}

/** The median gap between two samples of a target. */
function spacingOf(times: readonly (readonly number[])[]): number | undefined {
  const gaps = times.flatMap((scrapes) => scrapes.slice(1).map((atMs, index) => atMs - (scrapes[index] ?? 0))).toSorted((a, b) => a - b);
  const median = gaps[Math.floor(gaps.length / 2)];
  return median === undefined ? undefined : Math.min(Math.max(median, shortestScrapeMs), longestScrapeMs);
}

interface Round {
  readonly fromMs: number;
  readonly throughMs: number;
}

/** Cuts the time since the last reading into rounds of about one scrape. */
function roundsBetween(before: number, { newest, scrapeMs }: { newest: number; scrapeMs: number }): Round[] {
  const count = Math.max(1, Math.round((newest - before) / scrapeMs));
  const width = (newest - before) / count;
  return Array.from({ length: count }, (_, index) => ({
    fromMs: before + index * width,
    throughMs: index === count - 1 ? newest : before + (index + 1) * width,
  }));
}

/** A round in which nobody was scraped says nothing; one without requests says that there were none. */
function isScraped({ fromMs, throughMs }: Round, times: Scrapes): boolean {
  return [...times.values()].some((scrapes) => scrapes.some((atMs) => atMs > fromMs && atMs <= throughMs));
}

/** The round's growth as one scrape. */
function scrapeOf(
  { fromMs, throughMs }: Round,
  { errors, slow, bounds }: { errors: readonly Growth[]; slow: readonly Growth[]; bounds: number },
): Scrape {
  return {
    fromMs: Math.min(fromMs, ...errors.map((growth) => growth.fromMs)),
    atMs: throughMs,
    errors: comparisonOf(errors, 0),
    slow: Array.from({ length: bounds }, (_, bound) => comparisonOf(slow, bound)),
  };
}

function comparisonOf(grown: readonly Growth[], kind: number): Comparison {
  return { canary: tallyOf(grown, "canary", kind), stable: tallyOf(grown, "stable", kind) };
}

/** Requests and bad ones come from the same samples: what does not say one does not count for the other. */
function tallyOf(grown: readonly Growth[], side: Growth["side"], kind: number): Tally {
  const tally = { requests: 0, bad: 0 };
  for (const { side: own, requests, bad } of grown) {
    const some = bad[kind] ?? Number.NaN;
    if (own !== side || Number.isNaN(some)) continue;
    tally.requests += requests;
    tally.bad += Math.min(some, requests);
  }
  return tally;
}
