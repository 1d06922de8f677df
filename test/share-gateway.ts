import type { Point, RawSeries, Selector, SeriesReader } from "../src/lib/series.ts";
import { MetricError, type MetricProvider } from "../src/metrics/metric-provider.ts";
import { routers } from "../src/routing/routers.ts";
import type { ClusterModel } from "./crash/cluster.ts";
import type { MemoryKube } from "./fakes/memory-kube.ts";
import { atSteps, lookBackMs } from "./fakes/range-query.ts";

/** What users and the metric server do. */
export interface Conditions {
  /** Requests per second of both versions together. */
  rps: number;
  /** The metric server does not answer. */
  blind: boolean;
  /** Queries find nothing; raw samples are there all the same. */
  mute: boolean;
  /** The process is killed when it is about to write a route. */
  mortal: boolean;
  /** The metric server answers, but cannot scrape the gateway any more. */
  lost: boolean;
  /** Queries are answered, but raw samples are not given. */
  unread: boolean;
  /** The gateway is one whose metrics nobody knows: the programs count their own requests, each pod for itself. */
  readonly programs: boolean;
  /** The router sends the canary nothing, whatever its weight. */
  unvisited: boolean;
}

/** When the world begins. */
export const startMs = Date.parse("2026-01-02T03:00:00Z");
const scrapeMs = 15_000;
/** The route whose weights are obeyed. */
export const routeRef = { apiVersion: "gateway.networking.k8s.io/v1", kind: "HTTPRoute" };

/** What users meet, and the metrics of it. */
export interface Gateway {
  readonly metrics: MetricProvider;
  sentTo(image: string): number;
  /** Users send the requests of one second; every fifteenth is scraped. */
  second(): void;
}

interface Behind {
  readonly kube: MemoryKube;
  readonly cluster: ClusterModel;
  readonly time: { readonly nowMs: number };
  readonly conditions: Conditions;
}

const sides = ["primary", "canary"] as const;

/** A gateway that sends requests as the route says, and a Prometheus that scrapes it. */
export function gatewayOf({ kube, cluster, time, conditions }: Behind): Gateway {
  const counters = new Map<string, { sent: number; points: Point[] }>();
  const sent = new Map<string, number>();
  let seconds = 0;
  const count = (key: string, requests: number): void => {
    const counter = counters.get(key) ?? { sent: 0, points: [] };
    counter.sent += requests;
    counters.set(key, counter);
  };
  const serve = (side: (typeof sides)[number], requests: number): void => {
    const image = cluster.serving(side === "primary" ? "checkout-primary" : "checkout")?.image;
    if (image === undefined || requests === 0) return;
    sent.set(image, (sent.get(image) ?? 0) + requests);
    const failing = Number(/:b(\d+)/.exec(image)?.[1] ?? 0) / 100;
    if (failing > 0) count(`${side} 503`, requests * failing);
    count(`${side} 200`, requests * (1 - failing));
  };
  return {
    sentTo: (image) => sent.get(image) ?? 0,
    second: () => {
      const route = kube.objects(routeRef).find(({ metadata }) => metadata.name === "checkout");
      const canary = (route && routers["gatewayapi:v1"].split([route])?.canary) ?? 0;
      const toCanary = (conditions.rps * canary) / 100;
      serve("primary", conditions.rps - toCanary);
      serve("canary", conditions.unvisited ? 0 : toCanary);
      seconds += 1;
      if ((seconds * 1_000) % scrapeMs !== 0 || conditions.lost) return;
      for (const { sent: all, points } of counters.values()) points.push({ atMs: time.nowMs, value: Math.floor(all + 1e-6) });
    },
    metrics: metricsOf(counters, { time, conditions }),
  };
}

function metricsOf(
  counters: ReadonlyMap<string, { readonly points: readonly Point[] }>,
  { time, conditions }: Pick<Behind, "time" | "conditions">,
): MetricProvider {
  const target = { job: "envoy", instance: "10.0.0.9:8002" };
  const select = ({ metric }: Selector, fromMs: number, untilMs: number): RawSeries[] => {
    if (conditions.blind || conditions.unread) throw new MetricError("unavailable", "http://prometheus.example cannot be reached");
    const within = (points: readonly Point[]) => points.filter(({ atMs }) => atMs > fromMs && atMs <= untilMs);
    if (metric === "envoy_server_live") return [{ labels: target, points: conditions.lost ? [] : within(scrapesUntil(time.nowMs)) }];
    if (metric !== (conditions.programs ? "http_requests_total" : "envoy_cluster_upstream_rq")) return [];
    return [...counters].flatMap(([key, counter]) => {
      const points = within(counter.points);
      const labelled = conditions.programs ? podsOf(key) : [envoyOf(key)];
      return points.length === 0 ? [] : labelled.map(({ labels, part }) => ({ labels, points: partOf(points, part) }));
    });
  };
  const series: SeriesReader = {
    nowMs: async () => {
      if (conditions.blind || conditions.unread) throw new MetricError("unavailable", "http://prometheus.example cannot be reached");
      return time.nowMs;
    },
    samples: async (selector, { atMs, rangeMs }) => select(selector, atMs - rangeMs, atMs),
    steps: async (selector, { fromMs, untilMs, stepMs }) =>
      select(selector, fromMs - lookBackMs, untilMs).map(({ labels, points }) => ({
        labels,
        points: atSteps(points, { fromMs, untilMs, stepMs }),
      })),
  };
  return {
    query: async () => {
      if (conditions.blind) throw new MetricError("unavailable", "http://prometheus.example cannot be reached");
      return conditions.mute ? { kind: "noData", why: "empty" } : { kind: "number", value: 100 };
    },
    series,
  };
}

interface Labelled {
  readonly labels: Record<string, string>;
  /** Of the requests that a side has. */
  readonly part: number;
}

function envoyOf(key: string): Labelled {
  const [side = "", code = ""] = key.split(" ");
  const cluster = { envoy_cluster_name: `shop_checkout-${side}_80`, envoy_response_code: code };
  return { labels: { job: "envoy", instance: "10.0.0.9:8002", ...cluster }, part: 1 };
}

/** Two pods on each side, one of which gets a third of the requests. */
function podsOf(key: string): Labelled[] {
  const [side = "", code = ""] = key.split(" ");
  const prefix = side === "primary" ? "checkout-primary" : "checkout";
  return [1 / 3, 2 / 3].map((part, index) => {
    const pod = `${prefix}-5d8f7c9b6-abcd${index}`;
    return { labels: { job: "pods", instance: pod, namespace: "shop", pod, code }, part };
  });
}

function partOf(points: readonly Point[], part: number): Point[] {
  return points.map(({ atMs, value }) => ({ atMs, value: Math.floor(value * part + 1e-6) }));
}

function scrapesUntil(nowMs: number): Point[] {
  const newest = startMs + Math.floor((nowMs - startMs) / scrapeMs) * scrapeMs;
  return Array.from({ length: 40 }, (_, index) => ({ atMs: newest - (39 - index) * scrapeMs, value: 1 }));
}
