import { sharePlayer } from "../../../src/analysis/player.ts";
import { defaultRules, type Scrape } from "../../../src/analysis/share.ts";
import { firstWeight } from "../../../src/analysis/steps.ts";
import type { Comparison } from "../../../src/analysis/stream.ts";
import { defaultPolicy } from "../../../src/analysis/verdict.ts";
import { fixedSteps, type NewPlayer } from "./player.ts";
import { boundsMs, type Observed, scrapeSeconds, type Side } from "./traffic.ts";

const scrapeMs = scrapeSeconds * 1_000;
/** The buckets in which stable's 50th, 90th and 99th percentile are. */
const watchedMs: readonly number[] = [100, 250, 500];
const watched = watchedMs.map((bound) => boundsMs.indexOf(bound));

/** Ours: what `src/analysis` decides, with its defaults. */
export function serin(steps: "fixed" | "adaptive"): NewPlayer {
  const policy = { ...defaultPolicy, steps };
  return (traffic, rps) => {
    const player = sharePlayer({
      past: traffic.past(),
      boundsMs: watchedMs,
      rules: defaultRules,
      policy,
      pace: { weights: fixedSteps, intervalMs: 60_000 },
      firstWeight: firstWeight(rps, scrapeMs),
      scrapeMs,
      atMs: 0,
    });
    return {
      weight: () => player.weight(),
      see: (observed, index) => player.see(scrapeOf(observed, index, player.weight())),
    };
  };
}

function scrapeOf({ canary, stable }: Observed, index: number, weight: number): Scrape {
  return {
    fromMs: index * scrapeMs,
    atMs: (index + 1) * scrapeMs,
    errors: { canary: { requests: canary.requests, bad: canary.errors }, stable: { requests: stable.requests, bad: stable.errors } },
    slow: watched.map((bucket): Comparison => ({ canary: slower(canary, bucket), stable: slower(stable, bucket) })),
    weight,
  };
}

function slower({ requests, buckets }: Side, bucket: number): Comparison["canary"] {
  let bad = 0;
  for (let above = bucket + 1; above < buckets.length; above++) bad += buckets[above] ?? 0;
  return { requests, bad };
}
