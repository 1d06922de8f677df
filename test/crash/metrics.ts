import type { SeriesReader } from "../../src/lib/series.ts";
import { MetricError, type MetricProvider } from "../../src/metrics/metric-provider.ts";
import type { MemoryKube } from "../fakes/memory-kube.ts";
import type { ClusterModel } from "./cluster.ts";
import type { Meter } from "./meter.ts";
import { isBad, trafficOf } from "./traffic.ts";

/** An answer that a metric server gave. */
export interface Answer {
  readonly deployment: string;
  readonly atMs: number;
  /** `undefined`: no number. */
  readonly bad: boolean | undefined;
}

/** What is wrong with the world just now. */
export interface Trouble {
  metrics: "truth" | "nothing" | "error" | "allBad";
  git: boolean;
  host: boolean;
  /** Some of all writes to the API server go wrong. */
  kube: boolean;
}

/** What is measured, and what is in the way. */
interface Measured {
  readonly kube: MemoryKube;
  readonly cluster: ClusterModel;
  readonly meter: Meter | undefined;
  readonly trouble: Trouble;
  readonly answers: Answer[];
  readonly nowMs: () => number;
}

/** The metric server: it measures what runs and gets traffic. */
export function metricsOf(measured: Measured): MetricProvider {
  const { meter, trouble } = measured;
  const refuse = (): void => {
    if (trouble.metrics === "error") throw new MetricError("unavailable", "http://prometheus.example: 503");
  };
  return {
    query: async (query) => {
      const deployment = /deployment="([^"]+)"/.exec(query)?.[1] ?? "";
      refuse();
      const bad = answerOf(measured, deployment);
      return bad === undefined ? { kind: "noData", why: "empty" } : { kind: "number", value: bad ? 50 : 0 };
    },
    ...(meter ? { series: seriesOf(measured, meter, refuse) } : {}),
  };
}

/** Writes down what is answered of a Deployment, and returns it. */
function answerOf({ kube, cluster, trouble, answers, nowMs }: Measured, deployment: string): boolean | undefined {
  const release = cluster.serving(deployment);
  const isSilent = trouble.metrics === "nothing" || !release || trafficOf(kube, deployment) === 0;
  const bad = isSilent ? undefined : trouble.metrics === "allBad" || isBad(release);
  answers.push({ deployment, atMs: nowMs(), bad });
  return bad;
}

/** Raw samples. When all is bad they are held back: which of the two is worse could not be told. */
function seriesOf(measured: Measured, meter: Meter, refuse: () => void): SeriesReader {
  const { trouble } = measured;
  const isSilent = (): boolean => trouble.metrics === "nothing" || trouble.metrics === "allBad";
  return {
    nowMs: async () => {
      refuse();
      return measured.nowMs();
    },
    samples: async (selector, window, signal) => {
      refuse();
      const app = selector.metric === "envoy_cluster_upstream_rq" ? meter.appOf(selector) : undefined;
      if (app) for (const deployment of [app, `${app}-primary`]) answerOf(measured, deployment);
      return isSilent() ? [] : meter.reader.samples(selector, window, signal);
    },
    steps: async (selector, window, signal) => {
      refuse();
      return isSilent() ? [] : meter.reader.steps(selector, window, signal);
    },
  };
}
