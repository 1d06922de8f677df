import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../lib/clock.ts";
import { silentLogger } from "../../lib/log.ts";
import { type ProxyName, proxyNames } from "../../api/proxies.ts";
import { builtinMetrics, type QueryInput, sources } from "../../metrics/queries.ts";
import { formatWindow, windowMs } from "../../metrics/window.ts";
import { queryApi } from "./api.ts";
import { parseExposition } from "./exposition.ts";
import { signatureOf } from "./labels.ts";
import { hasTool } from "../../../test/tools.ts";
import { startPrometheus } from "./prometheus-process.ts";
import type { RunningMetrics } from "./metrics.ts";
import { createTsdb } from "./tsdb.ts";

// Both get the same samples at the same times: Prometheus as a block that its own promtool writes, ours directly.
const start = Math.floor(Date.now() / 1_000) - 3_600;
/** Seconds after `start` of the last sample. */
const end = 600;
/** Off the samples' own times: at the very edge of a range, versions of Prometheus differ. */
const askedAt = start + end + 0.35;

interface Line {
  readonly name: string;
  readonly labels: Record<string, string>;
  /** Value at a second after the start; `undefined`: not exposed. */
  readonly at: (second: number) => number | undefined;
}

// A fixed generator, so that a failure can be looked at again.
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** A counter that begins, ends and resets where told, and grows unevenly. */
function counter(
  perSecond: number,
  options: { from?: number; until?: number; resetAt?: number; initial?: number; seed?: number } = {},
): Line["at"] {
  const { from = 0, until = Infinity, resetAt, initial = 100, seed = 1 } = options;
  const next = random(seed);
  const values: number[] = [];
  let value = initial;
  for (let second = 0; second <= end; second += 1) {
    if (second === resetAt) value = 0;
    if (second > from) value += Math.round(perSecond * 2 * next());
    values.push(value);
  }
  return (second) => (second >= from && second <= until ? values[second] : undefined);
}

const bounds = ["0.5", "1", "5", "10", "25", "50", "100", "250", "500", "1000", "+Inf"];
const shares = [0.01, 0.05, 0.2, 0.45, 0.7, 0.85, 0.93, 0.97, 0.99, 0.998, 1];

function histogram(name: string, labels: Record<string, string>, { perSecond, scale = 1 }: { perSecond: number; scale?: number }): Line[] {
  return bounds.map((le, index) => ({
    name,
    labels: { ...labels, le: le === "+Inf" ? le : String(Number(le) * scale) },
    at: (second) => Math.floor((1_000 + second * perSecond) * (shares[index] ?? 1)),
  }));
}

const envoy = (service: string, code: string, at: Line["at"]): Line => ({
  name: "envoy_cluster_upstream_rq",
  labels: { envoy_cluster_name: `shop_${service}_8080`, envoy_response_code: code },
  at,
});
const nginx = (service: string, canary: string, { status, at }: { status: string; at: Line["at"] }): Line => ({
  name: "nginx_ingress_controller_requests",
  labels: { namespace: "shop", ingress: "shop", service, canary, status, method: "GET", path: "/" },
  at,
});

const lines: Line[] = [
  envoy("web-primary", "200", counter(90, { seed: 2 })),
  envoy("web-primary", "404", counter(3, { seed: 3 })),
  envoy("web-primary", "503", counter(1, { seed: 4 })),
  envoy("web-canary", "200", counter(9, { seed: 5, from: 300 })),
  envoy("web-canary", "503", counter(4, { seed: 6, from: 560, initial: 2 })),
  // Only errors; only successes; idle; gone; restarted.
  envoy("onlyerrors-canary", "500", counter(5, { seed: 7 })),
  envoy("onlygood-canary", "200", counter(5, { seed: 8 })),
  envoy("idle-canary", "200", () => 42),
  envoy("idle-canary", "503", () => 7),
  envoy("gone-canary", "200", counter(5, { until: 200 })),
  envoy("reset-canary", "200", counter(20, { resetAt: 580, seed: 9 })),
  envoy("reset-canary", "500", counter(2, { resetAt: 580, seed: 10 })),
  // One sample only: no rate can be known.
  envoy("newborn-canary", "200", counter(5, { from: 600 })),
  // An earlier revision failed until 550 s; the one after it is well.
  envoy("fixed-canary", "500", (second) => Math.min(second, 550) * 9),
  envoy("fixed-canary", "200", (second) => Math.max(0, second - 550) * 20),
  // Another's canary must not count.
  envoy("web-canary-canary", "500", counter(50, { seed: 11 })),
  ...histogram("envoy_cluster_upstream_rq_time_bucket", { envoy_cluster_name: "shop_web-primary_8080" }, { perSecond: 94 }),
  ...histogram("envoy_cluster_upstream_rq_time_bucket", { envoy_cluster_name: "shop_web-canary_8080" }, { perSecond: 13 }),
  ...histogram("envoy_cluster_upstream_rq_time_bucket", { envoy_cluster_name: "shop_idle-canary_8080" }, { perSecond: 0 }),
  nginx("web", "", { status: "200", at: counter(80, { seed: 12 }) }),
  nginx("web", "", { status: "502", at: counter(1, { seed: 13 }) }),
  nginx("web", "shop-web-canary-8080", { status: "200", at: counter(15, { seed: 14 }) }),
  nginx("web", "shop-web-canary-8080", { status: "500", at: counter(5, { seed: 15 }) }),
  nginx("other", "shop-other-canary-8080", { status: "500", at: counter(50, { seed: 16 }) }),
  nginx("onlyerrors", "shop-onlyerrors-canary-http", { status: "500", at: counter(5, { seed: 17 }) }),
  nginx("onlygood", "shop-onlygood-canary-http", { status: "200", at: counter(5, { seed: 18 }) }),
  nginx("idle", "shop-idle-canary-8080", { status: "200", at: () => 42 }),
  ...["", "shop-web-canary-8080"].flatMap((canary) =>
    histogram(
      "nginx_ingress_controller_response_duration_seconds_bucket",
      { namespace: "shop", ingress: "shop", service: "web", canary, status: "200" },
      { perSecond: canary === "" ? 80 : 20, scale: 0.001 },
    ),
  ),
  { name: "queue_length", labels: { pod: "a", zone: "x" }, at: (second) => (second % 7) - 3 },
  { name: "queue_length", labels: { pod: "b", zone: "x" }, at: (second) => second / 3 },
  { name: "queue_length", labels: { pod: "c", zone: "y" }, at: () => Number.NaN },
  { name: "queue_limit", labels: { pod: "a", zone: "x" }, at: () => 4 },
  { name: "queue_limit", labels: { pod: "b", zone: "x" }, at: () => 0 },
  { name: "zone_limit", labels: { zone: "x" }, at: () => 100 },
  { name: "escaped", labels: { path: 'a\\b"c\nd', tiny: "1" }, at: () => 0.000_000_123 },
];

/** The lines as scraped every `step` seconds. */
const step = 5;

function openMetrics(): string {
  const families = Map.groupBy(lines, ({ name }) => name);
  const blocks = [...families].map(([name, members]) => {
    const samples = members.flatMap((line) => seconds().flatMap((second) => textOf(line, second)));
    return `# TYPE ${name} unknown\n${samples.join("")}`;
  });
  return `${blocks.join("")}# EOF\n`;
}

function seconds(): number[] {
  return Array.from({ length: end / step + 1 }, (_, index) => index * step);
}

function textOf({ name, labels, at }: Line, second: number): string[] {
  const value = at(second);
  if (value === undefined) return [];
  const pairs = Object.entries(labels).map(
    ([label, text]) => `${label}="${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`,
  );
  return [`${name}{${pairs.join(",")}} ${value} ${start + second}\n`];
}

const dir = mkdtempSync(join(tmpdir(), "serin-same-answers-"));
const db = createTsdb({ retentionMs: Infinity, maxSeries: 10_000 });
const ours = queryApi(db, () => askedAt * 1_000);
let real: RunningMetrics | undefined;
/** Nothing to compare with on a machine without Prometheus. */
const hasPrometheus = hasTool("prometheus");

beforeAll(async () => {
  const text = openMetrics();
  for (const { labels, value, timeMs = 0 } of parseExposition(text.replaceAll(/ (\d+)$/gm, " $1000"))) db.append(labels, { timeMs, value });
  ours.listen(0, "127.0.0.1");
  await once(ours, "listening");
  if (!hasPrometheus) return;
  writeFileSync(join(dir, "samples.txt"), text);
  execFileSync("promtool", ["tsdb", "create-blocks-from", "openmetrics", "-q", join(dir, "samples.txt"), join(dir, "data")]);
  const options = {
    targets: () => [],
    scrapeIntervalMs: 60_000,
    clock: systemClock,
    log: silentLogger,
    signal: new AbortController().signal,
  };
  real = await startPrometheus({ ...options, dataDir: join(dir, "data") });
});

afterAll(async () => {
  await real?.close();
  ours.close();
  ours.closeAllConnections();
  rmSync(dir, { recursive: true, force: true });
});

interface Answer {
  readonly status: string;
  readonly errorType?: string;
  readonly data?: { readonly resultType: string; readonly result: unknown };
}

async function ask(address: string, query: string, more: Record<string, string> = { time: String(askedAt) }): Promise<Answer> {
  const path = more["step"] === undefined ? "query" : "query_range";
  const response = await fetch(`${address}/api/v1/${path}`, { method: "POST", body: new URLSearchParams({ query, ...more }) });
  return (await response.json()) as Answer;
}

/** An answer with its series by their labels and its numbers as numbers, so that order and last digits do not matter. */
function comparable({ status, errorType, data }: Answer): unknown {
  if (!data) return { status, errorType };
  if (data.resultType === "scalar") return { type: "scalar", value: closeTo(data.result) };
  const series = data.result as { metric: Record<string, string>; value?: unknown; values?: unknown[] }[];
  const byLabels = series.map(
    ({ metric, value, values }) => [signatureOf(new Map(Object.entries(metric))), values?.map(closeTo) ?? closeTo(value)] as const,
  );
  return { type: data.resultType, series: Object.fromEntries(byLabels) };
}

function closeTo(point: unknown): unknown {
  const [time, text] = point as [number, string];
  return [time, text.includes("Inf") ? text : Number(Number(text).toPrecision(10))];
}

const oursAt = () => `http://127.0.0.1:${(ours.address() as AddressInfo).port}`;

async function bothAnswer(query: string, more?: Record<string, string>): Promise<Answer> {
  const [theirs, own] = await Promise.all([ask(real?.url ?? "", query, more), ask(oursAt(), query, more)]);
  expect(comparable(own)).toEqual(comparable(theirs));
  return own;
}

const services = ["web", "onlyerrors", "onlygood", "idle", "gone", "reset", "newborn", "absent"];
const shipped = proxyNames.flatMap((source) =>
  builtinMetrics.flatMap((metric) => services.map((service) => [source, metric, service] as const)),
);

describe.skipIf(!hasPrometheus)("every query that we ship", () => {
  test.each(shipped)("%s %s of %s", async (source, metric, service) => {
    const input = { namespace: "shop", target: service, service, ingress: "shop", port: 8080 };
    for (const side of ["canary", "primary"] as const) {
      for (const interval of ["1s", "7s", "31s", "60s", "1000s"]) {
        expect(await bothAnswer(sources[source][metric]({ ...input, side, interval }))).toMatchObject({ status: "success" });
      }
    }
  });

  const value = async (source: ProxyName, service: string, more: Partial<QueryInput> = {}): Promise<number | "nothing"> => {
    const input: QueryInput = {
      namespace: "shop",
      target: service,
      service,
      ingress: "shop",
      port: 8080,
      side: "canary",
      interval: "61s",
      ...more,
    };
    const result = (await bothAnswer(sources[source]["request-success-rate"](input))).data?.result as { value: [number, string] }[];
    return result[0] === undefined || result[0].value[1] === "NaN" ? "nothing" : Number(result[0].value[1]);
  };
  test.each<[string, string, number | "nothing"]>([
    ["is 0 with nothing but 5xx", "onlyerrors", 0],
    ["is 100 without any 5xx series", "onlygood", 100],
    ["is nothing without requests", "idle", "nothing"],
    ["is nothing without series", "absent", "nothing"],
    ["is nothing for a service that is gone", "gone", "nothing"],
    ["is nothing after one scrape", "newborn", "nothing"],
  ])("a success rate %s", async (_, service, want) => {
    for (const source of proxyNames) expect(await value(source, service)).toBe(want);
  });

  test.each<[string, number | undefined, number | "nothing"]>([
    ["a window of a minute still holds the errors of the revision before", undefined, expect.closeTo(95.349, 3) as number],
    ["a window that begins at the first traffic does not", 550, 100],
    ["two scrapes after the first traffic there is a number", 593, 100],
    ["one scrape after it there is none", 598, "nothing"],
  ])("%s", async (_, firstTraffic, want) => {
    const nowMs = askedAt * 1_000;
    const windowFrom = firstTraffic === undefined ? 0 : (start + firstTraffic) * 1_000;
    const interval = formatWindow(windowMs(60_000, windowFrom, nowMs) ?? 0);
    expect(await value("contour", "fixed", { interval })).toEqual(want);
  });

  test("a success rate tells primary and canary apart", async () => {
    for (const source of proxyNames) {
      const canary = await value(source, "web");
      const primary = await value(source, "web", { side: "primary" });
      expect(primary).toBeGreaterThan(97);
      expect(canary).toBeLessThan(90);
      expect(canary).toBeGreaterThan(50);
    }
  });
});

describe.skipIf(!hasPrometheus)("other queries", () => {
  test.each([
    "1",
    "-1",
    "-2 ^ 2",
    "2 ^ 3 ^ 2",
    "7 % -3",
    "-7 % 3",
    "1 / 0",
    "-1 / 0",
    "0 / 0",
    "1 > bool 2",
    "1 + 2 * 3 - 4 / 5",
    "(1 + 2) * 3",
    "NaN",
    "Inf",
    "-Inf",
    "1e3",
    "0x1F",
    "time()",
    "vector(1)",
    "vector(time()) - time()",
    "scalar(zone_limit)",
    "scalar(queue_length)",
    "vector(scalar(zone_limit))",
    "-vector(3)",
    "+queue_length",
    "-queue_length",
    "queue_length",
    'queue_length{pod="a"}',
    'queue_length{pod!="a"}',
    'queue_length{pod=~"a|b"}',
    'queue_length{pod=~".+",zone!~"x"}',
    'queue_length{nothing=""}',
    'queue_length{pod=~"(?i)A"}',
    '{__name__="queue_length"}',
    '{__name__=~"queue_.*",pod="a"}',
    "nothing_here",
    `escaped{path="a\\\\b\\"c\\nd"}`,
    "escaped{path='a\\\\b\"c\\nd'}",
    "escaped * 1e-9",
    "escaped * 1e30",
    "sum(queue_length)",
    "sum by (zone) (queue_length)",
    "sum without (pod) (queue_length)",
    "avg(queue_length) by (zone)",
    "min(queue_length)",
    "max(queue_length)",
    "max by (zone) (queue_length)",
    "count(queue_length)",
    "count by (nothing) (queue_length)",
    "sum by (zone, pod) (queue_length)",
    "SUM(queue_length)",
    "avg(queue_limit)",
    "queue_length / queue_limit",
    "queue_length - on(pod) queue_limit",
    "queue_length - ignoring(zone) queue_limit",
    "queue_length > queue_limit",
    "queue_length > bool queue_limit",
    "queue_length > 1",
    "1 < queue_length",
    "queue_length > bool 1",
    "queue_length == queue_length",
    "queue_length != 0",
    "queue_length * 2",
    "2 ^ queue_limit",
    "queue_limit % 3",
    "5 - queue_limit",
    "queue_length > on(pod) queue_limit",
    "sum by (zone) (queue_limit) / zone_limit",
    "queue_length and queue_limit",
    "queue_length unless queue_limit",
    "queue_length or zone_limit",
    "queue_length and on(zone) zone_limit",
    "queue_length unless on(zone) zone_limit",
    "queue_limit or on(pod) queue_length",
    "nothing_here or vector(0)",
    "sum(nothing_here) or vector(0)",
    "abs(queue_length)",
    "ceil(queue_length)",
    "floor(queue_length)",
    "clamp_min(queue_length, 0)",
    "clamp_max(queue_length, 2)",
    'clamp_min(queue_length{pod="a"}, scalar(zone_limit))',
    "rate(envoy_cluster_upstream_rq[1m])",
    "increase(envoy_cluster_upstream_rq[31s])",
    "increase(envoy_cluster_upstream_rq[10m])",
    "rate(envoy_cluster_upstream_rq[5s])",
    "rate(envoy_cluster_upstream_rq[11s])",
    "delta(queue_length[1m])",
    "sum_over_time(queue_length[1m])",
    "avg_over_time(queue_length[1m])",
    "min_over_time(queue_length[1m])",
    "max_over_time(queue_length[1m])",
    "count_over_time(queue_length[1m])",
    "last_over_time(queue_length[1m])",
    "count_over_time(envoy_cluster_upstream_rq[1h])",
    "increase(envoy_cluster_upstream_rq[1h])",
    "queue_limit[11s]",
    "sum(rate(envoy_cluster_upstream_rq[1m])) by (envoy_cluster_name) > 5",
    "histogram_quantile(0.5, rate(envoy_cluster_upstream_rq_time_bucket[1m]))",
    "histogram_quantile(0, envoy_cluster_upstream_rq_time_bucket)",
    "histogram_quantile(1, envoy_cluster_upstream_rq_time_bucket)",
    "histogram_quantile(2, envoy_cluster_upstream_rq_time_bucket)",
    "histogram_quantile(-1, envoy_cluster_upstream_rq_time_bucket)",
    "histogram_quantile(0.9999, envoy_cluster_upstream_rq_time_bucket)",
    "histogram_quantile(0.9, queue_length)",
    'histogram_quantile(0.9, envoy_cluster_upstream_rq_time_bucket{le!="+Inf"})',
    "histogram_quantile(0.9, sum(envoy_cluster_upstream_rq_time_bucket))",
    "sum(queue_length) # with a comment",
  ])("%s", async (query) => {
    expect(await bothAnswer(query)).toMatchObject({ status: "success" });
  });

  test.each([
    "sum(",
    "queue_length{",
    "rate(queue_length)",
    "rate(queue_length[1m]",
    "sum(queue_length[1m])",
    "1 > 2",
    "1 and 2",
    "vector(queue_length)",
    "vector()",
    "queue_length[",
    "{}",
    '{a=~".*"}',
    "queue_length +",
    "queue_length > bool",
    "queue_length + bool 1",
    "queue_length[1m] + 1",
    "-queue_length[1m]",
    "(1)[1m]",
    'queue_length{pod=~"("}',
    "",
    "nothing(1)",
  ])("refused by both: %s", async (query) => {
    expect(await bothAnswer(query)).toMatchObject({ status: "error", errorType: "bad_data" });
  });

  test.each([
    "queue_length + on(zone) queue_limit",
    "zone_limit + on(zone) queue_limit",
    'rate({__name__=~"queue_l.*",pod="a"}[1m])',
    '-{__name__=~"queue_l.*",pod="a"}',
  ])("impossible for both: %s", async (query) => {
    expect(await bothAnswer(query)).toMatchObject({ status: "error", errorType: "execution" });
  });

  test.each([
    "sum by (envoy_response_code) (rate(envoy_cluster_upstream_rq[30s]))",
    "vector(1)",
    "1 + 1",
    "queue_limit",
    "queue_length > 100",
    'envoy_cluster_upstream_rq{envoy_cluster_name="shop_gone-canary_8080"}',
  ])("over a range of time: %s", async (query) => {
    const answer = await bothAnswer(query, { start: String(start + 2.5), end: String(start + end + 2.5), step: "15" });
    expect(answer).toMatchObject({ status: "success", data: { resultType: "matrix" } });
  });

  test("at moments around the ends of series, windows and resets", async () => {
    const moments = [0.1, 4.9, 6.3, 9.7, 203.2, 230.1, 305.4, 499.9, 561.3, 571.7, 581.2, 585.6, 900.1, 2_000.5];
    const windows = ["3s", "8s", "22s", "61s", "299s"];
    for (const moment of moments) {
      for (const query of ["envoy_cluster_upstream_rq", ...windows.map((window) => `increase(envoy_cluster_upstream_rq[${window}])`)]) {
        expect(await bothAnswer(query, { time: String(start + moment) })).toMatchObject({ status: "success" });
      }
    }
  });
});

test.each([
  ["quantile(0.9, queue_length)", "aggregation quantile"],
  ["irate(queue_length[1m])", "function irate"],
  ["queue_length offset 5m", "offset"],
  ["max_over_time(queue_length[5m:1m])", "a subquery"],
  ["queue_length @ 100", "the @ modifier"],
  ["queue_length * on(zone) group_left zone_limit", "group_left"],
])("what only Prometheus can do is refused by name: %s", async (query, what) => {
  const error = `invalid parameter "query": ${what} is not supported by the sandbox; put prometheus on PATH`;
  expect(await ask(oursAt(), query)).toEqual({ status: "error", errorType: "bad_data", error });
});
