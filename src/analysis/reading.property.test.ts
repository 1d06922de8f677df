import { expect, test } from "vitest";
import type { Point, RawSeries } from "../lib/series.ts";
import { readSamples, type ReadState, startReading, windowMs } from "./reading.ts";
import { sources } from "./sources.ts";

const input = { source: sources.contour, subject: { namespace: "shop", target: "checkout", service: "checkout", port: 80 }, boundsMs: [] };
const sinceMs = 60_000;

/** Uniform numbers below 1, the same for the same seed. */
function chanceOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** A counter of one process, what was stored of it, and what it gained in scrapes after the first traffic. */
class Counter {
  readonly points: Point[] = [];
  truth = 0;
  #total = 0;
  #unseen = 0;

  count(by: number): void {
    this.#total += by;
    this.#unseen += by;
  }

  /** What was never counted has no series yet. */
  scrape(atMs: number): void {
    if (this.#total > 0) this.points.push({ atMs, value: this.#total });
    if (atMs > sinceMs) this.truth += this.#unseen;
    this.#unseen = 0;
  }

  restart(): void {
    this.#total = 0;
  }
}

/** All that a Prometheus stored of one proxy, and when each scrape could first be read. */
interface Target {
  readonly instance: string;
  readonly counters: { readonly side: "canary" | "primary"; readonly code: string; readonly counter: Counter }[];
  readonly scrapes: { readonly atMs: number; readonly readableMs: number }[];
}

const rounds = 60;

function gained(code: string, chance: () => number): number {
  if (code === "200") return Math.floor(chance() * 50);
  return chance() < 0.2 ? 3 : 0;
}

/** Scraped every fifteen seconds or so; now and then in vain; restarted once, right after a scrape, so that nothing is unknown. */
function aTarget(instance: string, chance: () => number): Target {
  const sides = ["canary", "primary"] as const;
  const counters = sides.flatMap((side) => ["200", "503"].map((code) => ({ side, code, counter: new Counter() })));
  const scrapes: { atMs: number; readableMs: number }[] = [];
  const offset = Math.floor(chance() * 15_000);
  const restart = 30 + Math.floor(chance() * 20);
  for (let round = 0; round < rounds; round++) {
    for (const { code, counter } of counters) counter.count(gained(code, chance));
    if (round > 0 && round < rounds - 1 && round !== restart && chance() < 0.1) continue;
    const atMs = offset + round * 15_000 + Math.floor(chance() * 40);
    scrapes.push({ atMs, readableMs: atMs + Math.floor(chance() * 8_000) });
    for (const { counter } of counters) {
      counter.scrape(atMs);
      if (round === restart) counter.restart();
    }
  }
  return { instance, counters, scrapes };
}

/** What two queries at these moments give. */
function samplesAt(
  targets: readonly Target[],
  { requestsMs, aliveMs, rangeMs }: { requestsMs: number; aliveMs: number; rangeMs: number },
): { requests: RawSeries[]; alive: RawSeries[]; latency: [] } {
  const seen = targets.map(({ instance, counters, scrapes }) => {
    const timesAt = (nowMs: number): number[] =>
      scrapes.filter(({ readableMs, atMs }) => readableMs <= nowMs && atMs > nowMs - rangeMs).map(({ atMs }) => atMs);
    const readable = new Set(timesAt(requestsMs));
    const labels = { job: "envoy", instance };
    const requests = counters.map(({ side, code, counter }) => ({
      labels: { ...labels, envoy_cluster_name: `shop_checkout-${side}_80`, envoy_response_code: code },
      points: counter.points.filter(({ atMs }) => readable.has(atMs)),
    }));
    return { requests, alive: { labels, points: timesAt(aliveMs).map((atMs) => ({ atMs, value: 0 })) } };
  });
  return { requests: seen.flatMap(({ requests }) => requests), alive: seen.map(({ alive }) => alive), latency: [] };
}

function truthOf(targets: readonly Target[]): Record<string, number> {
  const sums: Record<string, number> = { canary: 0, canaryBad: 0, primary: 0, primaryBad: 0 };
  for (const { side, code, counter } of targets.flatMap(({ counters }) => counters)) {
    sums[side]! += counter.truth;
    if (code === "503") sums[`${side}Bad`]! += counter.truth;
  }
  return sums;
}

test.each(Array.from({ length: 20 }, (_, seed) => seed + 1))(
  "whenever it is read, and however often it is read again, everything counts once and in order (seed %i)",
  (seed) => {
    const chance = chanceOf(seed);
    const targets = ["a", "b", "c"].map((instance) => aTarget(instance, chance));
    const sums: Record<string, number> = { canary: 0, canaryBad: 0, primary: 0, primaryBad: 0 };
    let state = startReading(sinceMs);
    let nowMs = sinceMs;
    for (let last = false; !last; ) {
      nowMs += 1_000 + Math.floor(chance() * (chance() < 0.05 ? 240_000 : 20_000));
      last = nowMs > (rounds + 2) * 15_000;
      // The answers of one poll are of different moments.
      const [requestsMs, aliveMs] = [nowMs - Math.floor(chance() * 3_000), nowMs - Math.floor(chance() * 3_000)];
      const samples = samplesAt(targets, { requestsMs, aliveMs, rangeMs: windowMs(state, nowMs) });
      // What came late waits for a newer sample: two more scrapes of somebody end it, the last of which may be between two queries.
      const points = [nowMs - 1_000, nowMs].map((atMs) => ({ atMs, value: 0 }));
      if (last) samples.alive.push({ labels: { job: "envoy", instance: "a" }, points });
      const read = readSamples(state, samples, input);
      // A crash before anything was stored: the same is read again.
      if (!last && chance() < 0.2) continue;
      const times = [state.newestMs, ...read.scrapes.map(({ atMs }) => atMs)];
      expect(times).toEqual([...new Set(times)].toSorted((a, b) => a - b));
      state = JSON.parse(JSON.stringify(read.state)) as ReadState;
      for (const { errors } of read.scrapes) {
        sums["canary"]! += errors.canary.requests;
        sums["canaryBad"]! += errors.canary.bad;
        sums["primary"]! += errors.stable.requests;
        sums["primaryBad"]! += errors.stable.bad;
      }
    }
    expect(sums).toEqual(truthOf(targets));
    expect(sums["canary"]).toBeGreaterThan(1_000);
  },
);
