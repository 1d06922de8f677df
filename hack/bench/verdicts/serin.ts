import { sharePlayer } from "../../../src/analysis/player.ts";
import { policyOf, rulesOf } from "../../../src/analysis/settings.ts";
import type { Scrape } from "../../../src/analysis/share.ts";
import { firstWeight } from "../../../src/analysis/steps.ts";
import type { Comparison } from "../../../src/analysis/stream.ts";
import { canary } from "../../../src/api/canary.ts";
import { fixedSteps, type NewPlayer } from "./player.ts";
import { boundsMs, type Observed, scrapeSeconds, type Side } from "./traffic.ts";

const scrapeMs = scrapeSeconds * 1_000;
/** The buckets in which stable's 50th, 90th and 99th percentile are. */
const watchedMs: readonly number[] = [100, 250, 500];
const watched = watchedMs.map((bound) => boundsMs.indexOf(bound));

/** A Canary that sets nothing. */
const spec = canary.spec.parse({ targetRef: { kind: "Deployment", name: "shop" }, service: { port: 80 }, analysis: {} });

/** Ours: what `src/analysis` decides, with its defaults. */
export function serin(steps: "fixed" | "adaptive"): NewPlayer {
  // Fixed steps end after as long as adaptive ones, as in the reference.
  const policy = { ...policyOf(spec.analysis, spec), steps };
  return (traffic, rps) => {
    const player = sharePlayer({
      past: traffic.past(),
      boundsMs: watchedMs,
      rules: rulesOf(spec.analysis),
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
