import { observeScrape, startRun, takeStep } from "../../../src/analysis/run.ts";
import { defaultRules, type Scrape } from "../../../src/analysis/share.ts";
import { firstWeight } from "../../../src/analysis/steps.ts";
import type { Comparison } from "../../../src/analysis/stream.ts";
import { decideShare, defaultPolicy } from "../../../src/analysis/verdict.ts";
import { fixedSteps, type Move, type NewPlayer, scrapesPerMinute } from "./player.ts";
import { boundsMs, type Observed, scrapeSeconds, type Side } from "./traffic.ts";

const scrapeMs = scrapeSeconds * 1_000;
/** The buckets in which stable's 50th, 90th and 99th percentile are. */
const watchedMs: readonly number[] = [100, 250, 500];
const watched = watchedMs.map((bound) => boundsMs.indexOf(bound));

/** Ours: what `src/analysis` decides, with its defaults. */
export function serin(steps: "fixed" | "adaptive"): NewPlayer {
  const policy = { ...defaultPolicy, steps };
  return (traffic, rps) => {
    const first = steps === "fixed" ? (fixedSteps[0] ?? 0) : firstWeight(rps, scrapeMs);
    const run = startRun({ past: traffic.past(), boundsMs: watchedMs, weight: first, atMs: 0 });
    let [weight, step] = [first, 0];
    const shift = (to: number, atMs: number): Move => {
      weight = to;
      takeStep(run, { weight, atMs });
      return undefined;
    };
    return {
      weight: () => weight,
      see: (observed, index) => {
        const scrape = scrapeOf(observed, index, weight);
        observeScrape(run, scrape, defaultRules);
        const nowMs = scrape.atMs;
        const { rollBack, next } = decideShare(run, { rules: defaultRules, policy, moment: { nowMs, scrapeMs } });
        if (rollBack) return "rollBack";
        if (next.do === "promote") return "promote";
        if (next.do === "shift") return shift(next.weight, nowMs);
        if (next.do !== "advance" || (index + 1) % scrapesPerMinute !== 0) return undefined;
        step++;
        return step >= fixedSteps.length ? "promote" : shift(fixedSteps[step] ?? 0, nowMs);
      },
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
