import type { RawSeries } from "../lib/series.ts";
import { countersOf } from "./cumulative.ts";
import { assumedDispersion, dispersionOf } from "./dispersion.ts";
import { type Growth, growthOf, scrapesOf } from "./growth.ts";
import type { Past } from "./share.ts";
import type { Source, Subject } from "./sources.ts";
import type { Tally } from "./stream.ts";

/** How much of stable's past is looked at. */
export const pastMs = 60 * 60_000;
/** It is cut into blocks of this length; its counters are wanted once for each. */
export const blockMs = 5 * 60_000;

/** Stable's last hour. */
export interface History {
  readonly past: Past;
  /** Requests per second in the newest block; `undefined` when nothing is known. */
  readonly requestsPerSecond: number | undefined;
}

/**
 * Stable's last hour from its counters, sampled once a block ({@link blockMs}). φ̂ is measured where its pods can be told apart
 * and two of them served; else it is assumed.
 * @param nowMs end of the hour; a block that is not over by then is not counted
 */
export function historyOf(
  series: readonly RawSeries[],
  { source, subject, nowMs }: { source: Source; subject: Subject; nowMs: number },
): History {
  const stable = countersOf(series, source, subject).filter(({ side }) => side === "stable");
  const grown = growthOf(stable, { sinceMs: nowMs - pastMs, scrapes: scrapesOf(series) });
  const blocks = blocksOf(grown, source);
  const newest = grown.reduce((latest, { atMs }) => Math.max(latest, atMs), 0);
  const last = tallyOf(grown.filter(({ atMs }) => atMs === newest));
  const measured = blocks.some((pods) => pods.filter(({ requests }) => requests > 0).length > 1);
  return {
    past: { tally: tallyOf(grown), dispersion: measured ? dispersionOf(blocks) : assumedDispersion, measured },
    requestsPerSecond: grown.length === 0 ? undefined : last.requests / (blockMs / 1_000),
  };
}

/** For each block the tally of every pod; of all together where they cannot be told apart. */
function blocksOf(grown: readonly Growth[], source: Source): Tally[][] {
  const blocks = Map.groupBy(grown, ({ atMs }) => atMs);
  return [...blocks.values()].map((block) => [...Map.groupBy(block, ({ labels }) => source.pod(labels) ?? "").values()].map(tallyOf));
}

function tallyOf(grown: readonly Growth[]): Tally {
  const tally = { requests: 0, bad: 0 };
  for (const { requests, bad } of grown) {
    tally.requests += requests;
    tally.bad += bad[0] ?? 0;
  }
  return tally;
}
