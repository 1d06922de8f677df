import { expect, test } from "vitest";
import { aCanary } from "../../../test/builders.ts";
import { beginFollowing } from "../../analysis/follow.ts";
import { noPast } from "../../analysis/share.ts";
import type { RawSeries } from "../../lib/series.ts";
import { MetricError } from "../../metrics/metric-provider.ts";
import { readOn, type Reads } from "./share-reads.ts";

const scrapeMs = 15_000;
const nowMs = 1_200_000;
const signal = new AbortController().signal;
const begun = beginFollowing({ past: noPast, boundsMs: [], source: "contour", scrapeMs, weight: 50, atMs: 0 });

/** A gateway that serves the canary ten requests a second; without what it had between `lostMs` and `backMs`. */
function gateway(instance: string, { lostMs = Infinity, backMs = Infinity } = {}): RawSeries {
  const times = Array.from({ length: nowMs / scrapeMs + 1 }, (_, at) => at * scrapeMs).filter((atMs) => atMs <= lostMs || atMs >= backMs);
  const labels = { job: "envoy", instance, envoy_cluster_name: "shop_checkout-canary_80", envoy_response_code: "200" };
  return { labels, points: times.map((atMs) => ({ atMs, value: atMs / 100 })) };
}

/** A Prometheus that holds these; `mostMs`: it gives no more than so long. */
function readsOf(series: readonly RawSeries[], { atMs, mostMs }: { atMs: number; mostMs: number }): Reads {
  return {
    source: "contour",
    startedMs: () => undefined,
    nowMs: atMs,
    aheadMs: 0,
    reader: {
      nowMs: async () => atMs,
      samples: async ({ metric }, { rangeMs }) => {
        if (rangeMs > mostMs) throw new MetricError("unavailable", "these are more series than one service has");
        if (metric !== "envoy_cluster_upstream_rq") return [];
        const isIn = (point: { atMs: number }): boolean => point.atMs > atMs - rangeMs && point.atMs <= atMs;
        return series.map(({ labels, points }) => ({ labels, points: points.filter(isIn) })).filter(({ points }) => points.length > 0);
      },
      steps: async () => [],
    },
  };
}

test.each<[string, number, number]>([
  ["counts with what it had meanwhile", Infinity, 24_000],
  ["counts from then on where the server does not give so much", 300_000, 12_000 + 3_000],
])("a gateway that was lost for a quarter of an hour and is back %s", async (_, mostMs, want) => {
  const series = [gateway("a"), gateway("b", { lostMs: 300_000, backMs: nowMs })];
  let stored = begun;
  for (let atMs = 60_000; atMs <= nowMs; atMs += 60_000)
    stored = await readOn(aCanary(), stored, readsOf(series, { atMs, mostMs }), signal);
  expect(stored.run.share.canary.requests).toBe(want);
});
