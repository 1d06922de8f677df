import { z } from "zod";
import { boundsFor } from "../../analysis/cumulative.ts";
import { readSamples, type ReadState, type Samples, scrapeSpacing, startReading } from "../../analysis/reading.ts";
import type { Scrape } from "../../analysis/share.ts";
import type { Subject } from "../../analysis/sources.ts";
import type { SeriesReader } from "../../lib/series.ts";
import { MisuseError } from "../misuse.ts";
import { type Replayed, sourceOf } from "./selector.ts";

const tally = z.object({ requests: z.number(), bad: z.number() });
const comparison = z.object({ canary: tally, stable: tally });
const stored = z.object({
  version: z.literal(1),
  scrapeMs: z.number(),
  boundsMs: z.array(z.number()).max(3),
  split: z.boolean(),
  scrapes: z.array(z.object({ fromMs: z.number(), atMs: z.number(), errors: comparison, slow: z.array(comparison).max(3) })),
});

/** Traffic of the past, scrape by scrape. */
export interface PastSamples {
  readonly scrapeMs: number;
  /** Bounds of latency in milliseconds; none where it is not known. */
  readonly boundsMs: readonly number[];
  /** Whether there were two versions; else all of it is stable's. */
  readonly split: boolean;
  readonly scrapes: readonly Scrape[];
}

/** As a file. */
export function samplesText(samples: PastSamples): string {
  return `${JSON.stringify({ version: 1, ...samples })}\n`;
}

/** What {@link samplesText} wrote. Throws {@link MisuseError}. */
export function parseSamples(text: string, file: string): PastSamples {
  const parsed = stored.safeParse(jsonIn(text));
  if (!parsed.success) throw new MisuseError(`${file} holds no samples that serin simulate --save wrote; name a file that it wrote`);
  return parsed.data;
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A range of time. */
export interface Span {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** No names of Kubernetes are needed: the selectors say all. */
const subject: Subject = { namespace: "", target: "", service: "", port: 0 };
const chunkMs = 30 * 60_000;
/** Samples before a chunk that its first ones are compared with. */
const overlapMs = 5 * 60_000;

/** How many series the server had; of a long time the most at once. */
export interface Found {
  readonly requests: number;
  /** Of these, with a label of the status code. */
  readonly withCode: number;
  readonly latency: number;
}

interface Reading {
  readonly replayed: Replayed;
  readonly span: Span;
  /** Hears the part that is done. */
  readonly progress: (done: number) => void;
}

/** Reads a range of the past, half an hour at a time. Throws MetricError. */
export async function readPastSamples(
  reader: SeriesReader,
  { replayed, span, progress }: Reading,
  signal: AbortSignal,
): Promise<{ readonly samples: PastSamples; readonly found: Found }> {
  const source = sourceOf(replayed);
  const scrapes: Scrape[] = [];
  let found: Found = { requests: 0, withCode: 0, latency: 0 };
  let boundsMs: readonly number[] = [];
  let state: ReadState = startReading(span.fromMs);
  for (let fromMs = span.fromMs; fromMs < span.untilMs; fromMs += chunkMs) {
    const untilMs = Math.min(fromMs + chunkMs, span.untilMs);
    const samples = await chunkOf(reader, replayed, { fromMs, untilMs }, signal);
    found = mostOf(found, samples, source);
    const spacing = scrapeSpacing(samples);
    if (spacing !== undefined) state = { ...state, scrapeMs: spacing };
    if (boundsMs.length === 0) boundsMs = boundsFor(samples.latency, source, subject);
    const read = readSamples(state, samples, { source, subject, boundsMs });
    ({ state } = read);
    scrapes.push(...read.scrapes);
    progress((untilMs - span.fromMs) / (span.untilMs - span.fromMs));
  }
  // Before the bounds were known nothing was counted against them.
  const complete = scrapes.filter(({ slow }) => slow.length === boundsMs.length);
  return { samples: { scrapeMs: state.scrapeMs, boundsMs, split: replayed.sides !== undefined, scrapes: complete }, found };
}

function mostOf(found: Found, { requests, latency }: Samples, source: ReturnType<typeof sourceOf>): Found {
  const withCode = requests.filter(({ labels }) => source.isBad(labels) !== undefined).length;
  return {
    requests: Math.max(found.requests, requests.length),
    withCode: Math.max(found.withCode, withCode),
    latency: Math.max(found.latency, latency.length),
  };
}

async function chunkOf(
  reader: SeriesReader,
  { requests, latency }: Replayed,
  { fromMs, untilMs }: Span,
  signal: AbortSignal,
): Promise<Samples> {
  const window = { atMs: untilMs, rangeMs: untilMs - fromMs + overlapMs };
  const [counted, timed] = await Promise.all([
    reader.samples(requests, window, signal),
    latency ? reader.samples(latency, window, signal) : [],
  ]);
  return { requests: counted, latency: timed, alive: [] };
}
