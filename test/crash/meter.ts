import type { Point, RawSeries, Selector, SeriesReader } from "../../src/lib/series.ts";
import type { MemoryKube } from "../fakes/memory-kube.ts";
import { atSteps, lookBackMs } from "../fakes/range-query.ts";
import type { ClusterModel } from "./cluster.ts";
import { namespace } from "./manifests.ts";
import { type App, apps } from "./moves.ts";
import { isBad, trafficOf } from "./traffic.ts";

/** A gateway that counts its requests, and a Prometheus that scrapes it. */
export interface Meter {
  readonly reader: Pick<SeriesReader, "samples" | "steps">;
  /** Requests come until then, under the weights of now. */
  pass(untilMs: number): void;
  /** The app that a reader asks about. */
  appOf(selector: Selector): App | undefined;
  /** Another one that begins as this one is now. */
  fork(kube: MemoryKube, cluster: ClusterModel): Meter;
}

interface State {
  atMs: number;
  readonly counters: Map<string, { total: number; readonly labels: RawSeries["labels"]; readonly points: Point[] }>;
  readonly scrapes: Point[];
}

const scrapeMs = 5_000;
const requestsPerSecond = 60;
/** Of requests to a bad release. */
const failing = 0.5;

/** Nothing counted yet. */
export function meterFrom(atMs: number, kube: MemoryKube, cluster: ClusterModel): Meter {
  return meterOn({ atMs, counters: new Map(), scrapes: [] }, kube, cluster);
}

function meterOn(state: State, kube: MemoryKube, cluster: ClusterModel): Meter {
  const select = ({ metric, matchers }: Selector, fromMs: number, untilMs: number): RawSeries[] => {
    const within = (points: readonly Point[]): Point[] => points.filter(({ atMs }) => atMs > fromMs && atMs <= untilMs);
    if (metric === "envoy_server_live") return [{ labels: {}, points: within(state.scrapes) }];
    if (metric !== "envoy_cluster_upstream_rq") return [];
    const wanted = matchers.flatMap((matcher) => ("oneOf" in matcher ? matcher.oneOf : []));
    const series = [...state.counters.values()].filter(({ labels }) => wanted.includes(labels["envoy_cluster_name"] ?? ""));
    return series.map(({ labels, points }) => ({ labels, points: within(points) })).filter(({ points }) => points.length > 0);
  };
  return {
    reader: {
      samples: async (selector, { atMs, rangeMs }) => select(selector, atMs - rangeMs, atMs),
      steps: async (selector, { fromMs, untilMs, stepMs }) =>
        select(selector, fromMs - lookBackMs, untilMs).map(({ labels, points }) => ({
          labels,
          points: atSteps(points, { fromMs, untilMs, stepMs }),
        })),
    },
    pass: (untilMs) => {
      while (nextScrapeMs(state) <= untilMs) {
        count(state, nextScrapeMs(state), { kube, cluster });
        scrape(state);
      }
      count(state, untilMs, { kube, cluster });
    },
    appOf: ({ matchers }) =>
      apps.find((app) => matchers.some((matcher) => "oneOf" in matcher && matcher.oneOf.includes(clusterName(app, "primary")))),
    fork: (otherKube, otherCluster) => {
      const counters: State["counters"] = new Map();
      for (const [key, counter] of state.counters) counters.set(key, { ...counter, points: [...counter.points] });
      return meterOn({ atMs: state.atMs, counters, scrapes: [...state.scrapes] }, otherKube, otherCluster);
    },
  };
}

function nextScrapeMs({ atMs }: State): number {
  return (Math.floor(atMs / scrapeMs) + 1) * scrapeMs;
}

function clusterName(app: App, side: "primary" | "canary"): string {
  return `${namespace}_${app}-${side}_80`;
}

function count(state: State, untilMs: number, { kube, cluster }: { kube: MemoryKube; cluster: ClusterModel }): void {
  const seconds = (untilMs - state.atMs) / 1_000;
  state.atMs = Math.max(state.atMs, untilMs);
  if (seconds <= 0) return;
  for (const app of apps) {
    for (const side of ["primary", "canary"] as const) {
      const deployment = side === "primary" ? `${app}-primary` : app;
      const release = cluster.serving(deployment);
      const requests = (seconds * requestsPerSecond * (trafficOf(kube, deployment) ?? 0)) / 100;
      if (!release || requests === 0) continue;
      const bad = isBad(release) ? failing : 0;
      add(state, clusterName(app, side), "200", requests * (1 - bad));
      if (bad > 0) add(state, clusterName(app, side), "503", requests * bad);
    }
  }
}

function add({ counters }: State, cluster: string, code: string, requests: number): void {
  const key = `${cluster} ${code}`;
  const labels = { envoy_cluster_name: cluster, envoy_response_code: code };
  const counter = counters.get(key) ?? { total: 0, labels, points: [] };
  counter.total += requests;
  counters.set(key, counter);
}

function scrape({ atMs, counters, scrapes }: State): void {
  scrapes.push({ atMs, value: 1 });
  for (const { total, points } of counters.values()) points.push({ atMs, value: Math.floor(total + 1e-6) });
}
