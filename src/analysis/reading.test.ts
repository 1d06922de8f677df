import { describe, expect, test } from "vitest";
import type { HistogramPoint, Point, RawSeries } from "../lib/series.ts";
import { boundsFor, slowOf } from "./cumulative.ts";
import { longerWindowMs, nextReadMs, readSamples, type ReadState, type Samples, scrapeSpacing, startReading, windowMs } from "./reading.ts";
import { type Source, sources, type Subject } from "./sources.ts";

const subject: Subject = { namespace: "shop", target: "checkout", service: "checkout", port: 80, ingress: "shop" };
const clusters = { canary: "shop_checkout-canary_80", stable: "shop_checkout-primary_80" };

/** Samples every fifteen seconds from `fromSeconds` on; `undefined`: not in that scrape. */
function points(fromSeconds: number, ...values: readonly (number | undefined)[]): Point[] {
  return values.flatMap((value, index) => (value === undefined ? [] : [{ atMs: (fromSeconds + 15 * index) * 1_000, value }]));
}

function envoy(side: keyof typeof clusters, code: string, found: readonly Point[], instance = "envoy-1"): RawSeries {
  return { labels: { job: "envoy", instance, envoy_cluster_name: clusters[side], envoy_response_code: code }, points: found };
}

function alive(found: readonly Point[], instance = "envoy-1"): RawSeries {
  return { labels: { job: "envoy", instance, envoy_cluster_name: clusters.stable }, points: found };
}

interface Given {
  readonly state?: Partial<ReadState>;
  readonly source?: Source;
  readonly boundsMs?: readonly number[];
}

function read(samples: Partial<Samples>, { state, source = sources.contour, boundsMs = [] }: Given = {}) {
  const all = { requests: [], latency: [], alive: [], ...samples };
  return readSamples({ ...startReading(60_000), ...state }, all, { source, subject, boundsMs });
}

/** What one poll brought in all: canary's requests and errors, stable's. */
function totals(result: ReturnType<typeof read>): number[] {
  const sum = (pick: (scrape: (typeof result.scrapes)[number]) => number) => result.scrapes.reduce((all, scrape) => all + pick(scrape), 0);
  return [
    sum(({ errors }) => errors.canary.requests),
    sum(({ errors }) => errors.canary.bad),
    sum(({ errors }) => errors.stable.requests),
    sum(({ errors }) => errors.stable.bad),
  ];
}

describe("counters are differenced between their samples", () => {
  const stable = envoy("stable", "200", points(30, 1_000, 1_100, 1_200, 1_300));

  test.each<[string, readonly RawSeries[], readonly number[]]>([
    ["what was before the first traffic does not count", [stable], [0, 0, 100, 0]],
    ["a counter born by the first error counts from zero, its target was there", [stable, envoy("canary", "503", points(75, 7))], [7, 7, 100, 0]],
    ["one that appears together with its target may have counted for days", [envoy("canary", "503", points(75, 7_000))], [0, 0, 0, 0]],
    ["a reset counts from zero again", [stable, envoy("canary", "200", points(45, 900, 905, 4))], [4, 0, 100, 0]],
    ["codes are added up, of which only those of the server are bad", [envoy("canary", "200", points(60, 10, 60)), envoy("canary", "404", points(60, 0, 5)), envoy("canary", "500", points(60, 0, 3)), envoy("canary", "503", points(60, 1, 3))], [60, 5, 0, 0]],
    ["other clusters are others'", [{ labels: { envoy_cluster_name: "shop_cart-canary_80", envoy_response_code: "500" }, points: points(60, 0, 9) }], [0, 0, 0, 0]],
    ["a scrape that lacks the series is caught up with by the next", [envoy("canary", "200", points(45, 100, undefined, 160)), stable], [60, 0, 100, 0]],
    ["a vanished target counts up to its last sample", [envoy("canary", "200", points(45, 100, 120, 150), "envoy-2"), envoy("stable", "200", points(60, 0, 10, 20))], [30, 0, 20, 0]],
    ["a repeated timestamp is the same sample", [envoy("canary", "200", [...points(60, 10, 20), ...points(75, 3)])], [10, 0, 0, 0]],
    ["what is no number is no sample", [envoy("canary", "200", points(60, 10, Number.NaN, 25))], [15, 0, 0, 0]],
  ])("%s", (_, requests, want) => {
    expect(totals(read({ requests }))).toEqual(want);
  });

  test("a pod that started after the first traffic counts from zero, one of before does not", () => {
    const born = (pod: string) => ({ labels: { job: "shop", namespace: "shop", pod, code: "500" }, points: points(75, 6) });
    const requests = [born("checkout-abc12-xyz34")];
    const source = sources.http_requests_total;
    expect(totals(read({ requests, startedMs: () => 61_000 }, { source }))).toEqual([6, 6, 0, 0]);
    expect(totals(read({ requests, startedMs: () => 59_000 }, { source }))).toEqual([0, 0, 0, 0]);
    expect(totals(read({ requests }, { source }))).toEqual([0, 0, 0, 0]);
  });

  test("one poll is one scrape; one after an outage is cut into as many as there were", () => {
    const requests = [envoy("canary", "200", points(45, 0, 10, 20, 30, 40)), envoy("stable", "200", points(45, 0, 90, 180, 270, 360))];
    const { scrapes } = read({ requests });
    expect(scrapes.map(({ fromMs, atMs, errors }) => [fromMs, atMs, errors.canary.requests, errors.stable.requests])).toEqual([
      [60_000, 75_000, 10, 90],
      [75_000, 90_000, 10, 90],
      [90_000, 105_000, 10, 90],
    ]);
    const late = read({ requests }, { state: { newestMs: 90_000, through: { "envoy/envoy-1/": 90_000 } } });
    expect(late.scrapes.map(({ atMs }) => atMs)).toEqual([105_000]);
  });

  test("silence is told from blindness: a scrape without requests is one of zeros", () => {
    expect(read({ alive: [alive(points(60, 0, 0))] }).scrapes).toEqual([
      { fromMs: 60_000, atMs: 75_000, errors: { canary: { requests: 0, bad: 0 }, stable: { requests: 0, bad: 0 } }, slow: [] },
    ]);
    expect(read({}).scrapes).toEqual([]);
  });

  test("a series that is born later counts from zero because something else of its target was scraped before", () => {
    expect(totals(read({ requests: [envoy("canary", "503", points(75, 7))], alive: [alive(points(60, 0, 0))] }))).toEqual([7, 7, 0, 0]);
  });

  test("nothing is read twice, and what comes late waits for the next scrape", () => {
    const requests = [envoy("canary", "200", points(45, 0, 10, 20))];
    const first = read({ requests });
    expect(totals(first)).toEqual([10, 0, 0, 0]);
    const again = read({ requests }, { state: first.state });
    expect(again.scrapes).toEqual([]);
    const late = envoy("canary", "200", points(44, 0, 30, 60), "envoy-2");
    const held = read({ requests: [...requests, late] }, { state: first.state });
    expect(held.scrapes).toEqual([]);
    const next = [envoy("canary", "200", points(45, 0, 10, 20, 30)), late];
    const caught = read({ requests: next }, { state: held.state });
    expect(totals(caught)).toEqual([10 + 30, 0, 0, 0]);
    expect(caught.scrapes.map(({ atMs }) => atMs)).toEqual([90_000]);
  });
});

describe("who is looked at", () => {
  const serving = envoy("canary", "200", points(60, 0, 10));
  /** Runs, and counts nothing of this Canary: another gateway, or one that had no request yet. */
  const running = (instance: string, found: readonly Point[]): RawSeries => ({ labels: { job: "envoy", instance }, points: found });
  const known = read({ requests: [serving] }).state;

  test("whoever runs shows that the metrics can be read, while nobody has counted a request yet", () => {
    expect(read({ alive: [running("envoy-2", points(60, 1, 1))] }).scrapes).toMatchObject([{ atMs: 75_000 }]);
  });

  test.each<[string, Partial<Samples>, readonly number[]]>([
    ["another gateway that runs on does not stand for one that is lost", { requests: [serving], alive: [running("envoy-2", points(60, 1, 1, 1, 1))] }, []],
    ["nor when nothing is left of it", { alive: [running("envoy-2", points(75, 1, 1, 1))] }, []],
    ["one that was there and counts nothing any more is silent", { alive: [running("envoy-1", points(75, 1, 1, 1))] }, [90_000, 105_000]],
    ["one that began anew is silent from the scrape before the newest on", { requests: [serving], alive: [running("envoy-1", points(60, 1, 1, 1, 1))] }, [90_000]],
    ["the program of a pod is the Canary's before it has counted a request", { requests: [serving], alive: [alive(points(75, 0, 0), "envoy-3")] }, [90_000]],
  ])("%s", (_, samples, want) => {
    expect(read(samples, { state: known }).scrapes.map(({ atMs }) => atMs)).toEqual(want);
  });

  test("others neither fill the state nor bend the spacing", () => {
    const everySecond = [70, 71, 72, 73, 74].map((second) => ({ atMs: second * 1_000, value: 1 }));
    const others = Array.from({ length: 1_000 }, (_, at) => running(`envoy-${at + 2}`, everySecond));
    const { state } = read({ requests: [serving], alive: others });
    expect(state).toEqual({ ...known, through: { "envoy/envoy-1/": 75_000 }, scrapeMs: 15_000 });
    expect(scrapeSpacing({ requests: [serving], alive: others })).toBe(15_000);
  });

  test("of very many targets no more than two hundred are remembered, and still nothing counts twice", () => {
    const fleet = (...values: number[]) =>
      Array.from({ length: 300 }, (_, at) => envoy("canary", "200", points(60, ...values), `envoy-${at}`));
    const first = read({ requests: fleet(0, 10) });
    expect(Object.keys(first.state.through)).toHaveLength(200);
    expect([totals(first)[0], totals(read({ requests: fleet(0, 10, 20) }, { state: first.state }))[0]]).toEqual([3_000, 3_000]);
  });

  test("who was lost for long and is back is looked for where it was last seen", () => {
    const state = { ...startReading(0), newestMs: 600_000, through: { "envoy/envoy-1/": 100_000, "envoy/envoy-2/": 600_000 } };
    const now = { nowMs: 615_000, rangeMs: 120_000 };
    const back = envoy("canary", "200", points(600, 70));
    expect(longerWindowMs(state, { requests: [back] }, now)).toBe(515_000 + 15_000);
    expect(longerWindowMs(state, { requests: [{ ...back, labels: { ...back.labels, instance: "envoy-2" } }] }, now)).toBeUndefined();
    expect(longerWindowMs(state, { requests: [envoy("canary", "200", points(600, 70), "envoy-3")] }, now)).toBeUndefined();
  });
});

describe("a scrape that is stored between two queries of one poll", () => {
  const times = (...all: number[]) => classicLatency({ "100": all.map((count) => count / 2), "+Inf": all });

  test.each<[string, Partial<Samples>]>([
    ["was missed by that of the requests", { requests: [envoy("canary", "200", points(60, 0, 10))], alive: [alive(points(60, 0, 0, 0))], latency: times(0, 10) }],
    ["was missed by that of the latency", { requests: [envoy("canary", "200", points(60, 0, 10, 30))], latency: times(0, 10) }],
    ["was seen by that of the latency alone", { requests: [envoy("canary", "200", points(60, 0, 10))], latency: times(0, 10, 30) }],
  ])("%s, and counts with the next", (_, samples) => {
    const first = read(samples, { boundsMs: [100] });
    const requests = [envoy("canary", "200", points(60, 0, 10, 30, 60))];
    const latency = times(0, 10, 30, 60);
    const next = read({ requests, alive: [alive(points(60, 0, 0, 0, 0))], latency }, { state: first.state, boundsMs: [100] });
    expect(totals(first)[0]! + totals(next)[0]!).toBe(60);
    const slow = [...first.scrapes, ...next.scrapes].map((scrape) => scrape.slow[0]!.canary);
    expect(slow.reduce((sum, { requests, bad }) => [sum[0]! + requests, sum[1]! + bad], [0, 0])).toEqual([60, 30]);
  });
});

/** The canary's classic histogram. */
function classicLatency(counts: Readonly<Record<string, readonly number[]>>): RawSeries[] {
  return Object.entries(counts).map(([le, values]) => ({
    labels: { job: "envoy", instance: "envoy-1", envoy_cluster_name: clusters.canary, le },
    points: points(60, ...values),
  }));
}

describe("the spacing of scrapes", () => {
  test.each<[string, readonly Point[], number]>([
    ["is learnt from the samples", [0, 5, 10, 15].map((second) => ({ atMs: (60 + second) * 1_000, value: 1 })), 5_000],
    ["is the usual one, though one was missed", [0, 30, 60, 120, 150].map((second) => ({ atMs: (60 + second) * 1_000, value: 1 })), 30_000],
    ["is fifteen seconds until two have been seen", [{ atMs: 75_000, value: 1 }], 15_000],
    ["is a second at least", [0, 100, 200].map((ms) => ({ atMs: 75_000 + ms, value: 1 })), 1_000],
  ])("%s", (_, found, want) => {
    expect(read({ alive: [alive(found)] }).state.scrapeMs).toBe(want);
  });

  test("says when to read next, and how far back", () => {
    const state = { ...startReading(0), newestMs: 100_000, scrapeMs: 5_000, through: { a: 100_000, b: 97_000, gone: -1e6 } };
    expect(nextReadMs(state, 101_000)).toBe(106_000);
    expect(nextReadMs(state, 107_000)).toBe(112_000);
    expect(nextReadMs(state, 50_000)).toBe(56_000); // the server's clock was set back
    expect(windowMs(state, 106_000)).toBe(40_000);
    expect(windowMs(state, 1_000_000)).toBe(1_000_000 - 97_000 + 15_000);
    expect(windowMs(state, 1e9)).toBe(3_600_000);
    expect(windowMs({ ...state, scrapeMs: 60_000 }, 106_000)).toBe(480_000);
    // Eight scrapes behind the newest is still there; more is gone.
    expect(windowMs({ ...state, through: { a: 100_000, b: 60_000 } }, 106_000)).toBe(46_000 + 15_000);
    expect(windowMs({ ...state, through: { a: 100_000, b: 59_999 } }, 106_000)).toBe(40_000);
  });
});

describe("histograms", () => {
  const classic = (side: keyof typeof clusters, counts: Readonly<Record<string, readonly number[]>>) =>
    Object.entries(counts).map(([le, values]) => ({
      labels: { job: "envoy", instance: "envoy-1", envoy_cluster_name: clusters[side], le },
      points: points(60, ...values),
    }));
  const native = (side: keyof typeof clusters, ...histograms: readonly HistogramPoint[]) => ({
    labels: { job: "envoy", instance: "envoy-1", envoy_cluster_name: clusters[side] },
    points: [],
    histograms,
  });
  const requests = [envoy("stable", "200", points(60, 0, 100))];
  const slowIn = (latency: readonly RawSeries[]) =>
    read({ requests, latency }, { boundsMs: [100, 250] }).scrapes[0]!.slow.map(({ canary, stable }) =>
      [canary, stable].flatMap((side) => [side.requests, side.bad]),
    );

  test.each<[string, readonly RawSeries[], readonly (readonly number[])[]]>([
    ["slower than each bound", [...classic("canary", { "100": [0, 6], "250": [0, 9], "+Inf": [0, 10] }), ...classic("stable", { "100": [5, 85], "250": [5, 94], "+Inf": [5, 95] })], [[10, 4, 90, 10], [10, 1, 90, 1]]],
    ["a bound that one side lacks does not count for it", classic("canary", { "100": [0, 6], "500": [0, 9], "+Inf": [0, 10] }), [[10, 4, 0, 0], [0, 0, 0, 0]]],
    ["without +Inf nothing counts", classic("canary", { "100": [0, 6], "250": [0, 9] }), [[0, 0, 0, 0], [0, 0, 0, 0]]],
    ["a reset counts from zero", classic("canary", { "100": [50, 6], "250": [60, 9], "+Inf": [70, 10] }), [[10, 4, 0, 0], [10, 1, 0, 0]]],
    ["buckets that were read while they changed never count below zero", classic("canary", { "100": [0, 8], "250": [0, 7], "+Inf": [0, 8] }), [[8, 0, 0, 0], [8, 0, 0, 0]]],
    ["what is no bucket counts for nothing", [...classic("canary", { "100": [0, 6], "250": [0, 9], "+Inf": [0, 10] }), { labels: { job: "envoy", instance: "envoy-1", envoy_cluster_name: clusters.canary }, points: points(60, 0, 1_000) }], [[10, 4, 0, 0], [10, 1, 0, 0]]],
    ["native ones leave out what is empty", [native("canary", { atMs: 60_000, count: 0, buckets: [] }, { atMs: 75_000, count: 10, buckets: [{ lower: 50, upper: 100, count: 6 }, { lower: 500, upper: 1_000, count: 4 }] })], [[10, 4, 0, 0], [10, 4, 0, 0]]],
    ["a native bucket across a bound does not count for it", [native("canary", { atMs: 60_000, count: 0, buckets: [] }, { atMs: 75_000, count: 10, buckets: [{ lower: 64, upper: 128, count: 6 }, { lower: 128, upper: 256, count: 4 }] })], [[0, 0, 0, 0], [0, 0, 0, 0]]],
  ])("%s", (_, latency, want) => {
    expect(slowIn(latency)).toEqual(want);
  });

  test("seconds become milliseconds", () => {
    const labels = { pod: "checkout-abc12-xyz34", namespace: "shop" };
    const series = ["0.005", "0.1", "+Inf"].map((le, index) => ({ labels: { ...labels, le }, points: points(60, 0, index + 1) }));
    const [one] = slowOf(series, { source: sources.http_requests_total, subject, boundsMs: [5, 100] });
    expect(one?.readings.at(-1)).toEqual({ atMs: 75_000, requests: 3, bad: [2, 1] });
  });

  test.each<[string, readonly RawSeries[], readonly number[]]>([
    ["the upper ends of the buckets that hold stable's median, p90 and p99", classic("stable", { "50": [20], "100": [60], "250": [93], "500": [99], "1000": [100], "+Inf": [100] }), [100, 250, 500]],
    ["each another one: the next larger", classic("stable", { "50": [99], "100": [99], "250": [100], "500": [100], "+Inf": [100] }), [50, 100, 250]],
    ["or the next smaller where there is none", classic("stable", { "50": [0], "100": [0], "250": [100], "+Inf": [100] }), [50, 100, 250]],
    ["no more than there are", classic("stable", { "250": [100], "+Inf": [100] }), [250]],
    ["beyond the last bound: the last", classic("stable", { "50": [10], "100": [20], "+Inf": [100] }), [50, 100]],
    ["not the canary's", classic("canary", { "50": [99], "+Inf": [100] }), []],
    ["none without a request", classic("stable", { "50": [0], "+Inf": [0] }), []],
    ["native", [native("stable", { atMs: 60_000, count: 100, buckets: [{ lower: 32, upper: 64, count: 50 }, { lower: 64, upper: 128, count: 45 }, { lower: 512, upper: 1_024, count: 5 }] })], [64, 128, 1_024]],
  ])("bounds to watch: %s", (_, series, want) => {
    expect(boundsFor(series, sources.contour, subject)).toEqual(want);
  });
});
