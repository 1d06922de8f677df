import { z } from "zod";
import type { ReadState } from "./reading.ts";
import type { RunState } from "./run.ts";
import { type SourceName, sourceNames } from "./sources.ts";

const tally = z.object({ requests: z.number(), bad: z.number() });
const stream = z.array(z.number()).min(8).max(48);

const share = z.object({
  past: z.object({ tally, dispersion: z.number(), measured: z.boolean() }),
  throughMs: z.number(),
  firstRequestMs: z.number().optional(),
  errors: stream,
  slow: z.array(stream).max(3),
  guard: z.array(z.number()).length(8),
  // Runs that an earlier version began do not have it: of them nothing is known.
  besideGuard: tally.default({ requests: 0, bad: 0 }),
  split: z.object({ more: stream, less: stream }),
  canary: tally,
  stable: tally,
  slowCanary: z.array(tally).max(3),
  slowStable: z.array(tally).max(3),
  slowExpected: z.array(z.number()).max(3).default([]),
  recent: z.array(z.number()).length(24),
  stableAnomalous: z.boolean(),
});

const step = z.object({
  number: z.int(),
  weight: z.number(),
  fromMs: z.number(),
  canary: tally,
  stable: tally,
  // Steps that an earlier version began do not have it.
  slow: z.array(z.object({ canary: tally, stable: tally })).max(3).default([]),
  logEvidence: z.number(),
  peak: z.number(),
});

const run = z.object({
  share,
  boundsMs: z.array(z.number()).max(3),
  startedMs: z.number(),
  steps: z.array(step).min(1).max(40),
  scrapesInStep: z.int(),
  silentScrapes: z.int(),
  missedRequests: z.number(),
  lastRequestMs: z.number(),
  routedMs: z.number().optional(),
  heldMs: z.number(),
  peak: z.number(),
});

const through = z.record(z.string(), z.number());
const reading = z.object({ sinceMs: z.number(), newestMs: z.number(), through, slowThrough: through.optional(), scrapeMs: z.number() });

/** Changed with every change of what the numbers mean. */
const version = 1;
const stored = z.object({ version: z.literal(version), run, reading, source: z.enum(sourceNames), aheadMs: z.number().optional() });

/** A rollout's evidence and how far its samples have been read: only together they lose nothing and count nothing twice. */
export interface Stored {
  readonly run: RunState;
  readonly reading: ReadState;
  /** Where the samples are from. */
  readonly source: SourceName;
  /** How far the clock of their server, by which everything here goes, was ahead of ours when it was last read. Missing: not at all. */
  readonly aheadMs?: number | undefined;
}

/** As text for the status of a Canary: some kilobytes. Written in the same patch as the decision that rests on it. */
export function store({ run, reading, source, aheadMs }: Stored): string {
  return JSON.stringify({ version, run, reading, source, aheadMs });
}

/** What {@link store} wrote; `undefined` for the text of another version or of somebody else: the rollout then starts anew. */
export function restore(text: string): Stored | undefined {
  try {
    const found = stored.safeParse(JSON.parse(text)).data;
    if (!found) return undefined;
    const { run: learnt, reading: read, source, aheadMs } = found;
    return { run: learnt, reading: read, source, ...(aheadMs === undefined ? {} : { aheadMs }) };
  } catch {
    return undefined;
  }
}
