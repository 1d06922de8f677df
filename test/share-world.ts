import { canary as canaryKind, type CanaryStatus } from "../src/api/canary.ts";
import { apiVersion } from "../src/api/meta.ts";
import { metricTemplate } from "../src/api/metric-template.ts";
import type { KubeObject } from "../src/api/object.ts";
import { canaryReconciler } from "../src/controllers/canary/reconcile.ts";
import { canaryWatches } from "../src/controllers/canary/watches.ts";
import { resourcesOf } from "../src/controllers/resources.ts";
import type { Failure } from "../src/controllers/failure.ts";
import type { Reconcile } from "../src/kube/kube.ts";
import { silentLogger } from "../src/lib/log.ts";
import type { Point, RawSeries, Selector, SeriesReader } from "../src/lib/series.ts";
import { MetricError, type MetricProvider } from "../src/metrics/metric-provider.ts";
import { routers } from "../src/routing/routers.ts";
import { canaryInput, type CanaryInput, aDeployment } from "./builders.ts";
import { clusterModel, type ClusterModel } from "./crash/cluster.ts";
import { dice } from "./crash/dice.ts";
import { type MemoryInformers, memoryInformers } from "./fakes/memory-informers.ts";
import { type MemoryKube, memoryKube } from "./fakes/memory-kube.ts";
import { atSteps, lookBackMs } from "./fakes/range-query.ts";
import { servedKinds } from "./fakes/served-kinds.ts";

/** What users and the metric server do. */
interface Conditions {
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

/** One Canary `shop/checkout` with its real controller, on a cluster, a gateway and a Prometheus in memory; time is told. */
export interface ShareWorld {
  readonly now: Conditions;
  readonly events: { reason: string; message: string }[];
  readonly failures: Failure[];
  /** Requests that the gateway sent to the canary of this image. */
  sentTo(image: string): number;
  status(): CanaryStatus;
  /** Lets so many seconds pass. */
  pass(seconds: number): Promise<void>;
  /** Lets time pass until it is so; fails after so many seconds. */
  until(isSo: (status: CanaryStatus) => boolean, seconds?: number): Promise<{ status: CanaryStatus; seconds: number }>;
  /** Another image; `shop:b50` fails half of its requests. */
  release(image: string): Promise<void>;
  /** Another process takes over, which knows what the API server knows. */
  restart(): void;
  /** Lets the pods of a Deployment lose or regain their readiness. */
  setReady(deployment: "checkout" | "checkout-primary", ready: boolean): void;
  /** Sets the clock of the controller's machine; everybody else's stays right. */
  setClock(seconds: number): void;
}

const signal = new AbortController().signal;
const startMs = Date.parse("2026-01-02T03:00:00Z");
const scrapeMs = 15_000;
const canaryRef = { apiVersion, kind: "Canary" };
const routeRef = { apiVersion: "gateway.networking.k8s.io/v1", kind: "HTTPRoute" };

/** Starts one at rest with image `shop:1`, and an hour of traffic behind it. */
export async function startShareWorld(input: CanaryInput = {}, now: Partial<Conditions> = {}): Promise<ShareWorld> {
  const time = { nowMs: startMs, wrongMs: 0 };
  const kube = memoryKube(servedKinds, () => time.nowMs);
  const cluster = clusterModel(kube, () => time.nowMs, dice(1));
  const usual = { rps: 10, blind: false, mute: false, lost: false, mortal: false, unread: false, programs: false, unvisited: false };
  const conditions: Conditions = { ...usual, ...now };
  const gateway = gatewayOf({ kube, cluster, time, conditions });
  const events: ShareWorld["events"] = [];
  const failures: Failure[] = [];
  let process = startProcess({ kube, time, conditions, metrics: gateway.metrics, events, failures });
  for (const object of objects(input, conditions)) await kube.create(object, { fieldManager: "kubectl-create" }, signal);
  const status = (): CanaryStatus => canaryKind.status.parse(stored(kube)["status"] ?? {});

  const pass = async (seconds: number): Promise<void> => {
    for (let second = 0; second < seconds; second += 1) {
      time.nowMs += 1_000;
      gateway.second();
      await process.work(cluster);
    }
  };
  const until: ShareWorld["until"] = async (isSo, seconds = 1_800) => {
    for (let second = 0; second <= seconds; second += 1) {
      if (isSo(status())) return { status: status(), seconds: second };
      await pass(1);
    }
    throw new Error(`it never came to be so: ${JSON.stringify({ ...status(), evidence: { ...status().evidence, state: "" } })}`);
  };
  const world: ShareWorld = {
    now: conditions,
    events,
    failures,
    sentTo: (image) => gateway.sentTo(image),
    status,
    pass,
    until,
    release: async (image) => {
      const { spec } = aDeployment(image) as unknown as { spec: { template: object } };
      const ref = { apiVersion: "apps/v1", kind: "Deployment", namespace: "shop", name: "checkout" };
      await kube.patch(ref, { spec: { template: spec.template } }, { fieldManager: "kubectl-edit" }, signal);
    },
    restart: () => void (process = startProcess({ kube, time, conditions, metrics: gateway.metrics, events, failures })),
    setReady: (deployment, ready) => cluster.setReady(deployment, ready),
    setClock: (seconds) => void (time.wrongMs += seconds * 1_000),
  };
  await until(({ phase }) => phase === "Initialized");
  await pass(3_600);
  return world;
}

function stored(kube: MemoryKube): KubeObject {
  const [found] = kube.objects(canaryRef);
  if (!found) throw new Error("there is no Canary");
  return found;
}

function objects(input: CanaryInput, { programs }: Conditions): KubeObject[] {
  const gatewayClass = { ...routeRef, kind: "GatewayClass", metadata: { name: "contour" } };
  const gateway = { ...routeRef, kind: "Gateway", metadata: { name: "public", namespace: "shop" } };
  return [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } },
    { ...gatewayClass, spec: { controllerName: programs ? "example.com/gateway" : "projectcontour.io/gateway-controller" } },
    { ...gateway, spec: { gatewayClassName: "contour" } },
    { ...aDeployment("shop:1"), metadata: { name: "checkout", namespace: "shop" } },
    { ...canaryRef, metadata: { name: "checkout", namespace: "shop" }, spec: JSON.parse(JSON.stringify(canaryInput(input))) as object },
  ];
}

interface Parts {
  readonly kube: MemoryKube;
  readonly time: { readonly nowMs: number; readonly wrongMs: number };
  readonly conditions: Conditions;
  readonly metrics: MetricProvider;
  readonly events: ShareWorld["events"];
  readonly failures: Failure[];
}

/** A client through which nothing is written from the first route on, while its process is to be killed. */
function mortal(kube: MemoryKube, conditions: Conditions, life: { over: boolean }): MemoryKube {
  const unlessKilled = ({ kind }: { readonly kind: string }): void => {
    life.over ||= conditions.mortal && kind === "HTTPRoute";
    if (life.over) throw new Error("killed");
  };
  return {
    ...kube,
    apply: async (...args) => {
      unlessKilled(args[0]);
      return kube.apply(...args);
    },
    patch: async (...args) => {
      unlessKilled(args[0]);
      return kube.patch(...args);
    },
    create: async (...args) => {
      unlessKilled(args[0]);
      return kube.create(...args);
    },
  };
}

function startProcess(parts: Parts): { work(cluster: ClusterModel): Promise<void> } {
  const { time, metrics, events, failures } = parts;
  const life = { over: false };
  const kube = mortal(parts.kube, parts.conditions, life);
  const informers = memoryInformers(kube);
  const say = (_: KubeObject, reason: string, message: string): void => void events.push({ reason, message });
  // Answers come at once here: whoever only waits for something more pressing meanwhile waits for ever.
  const begunMs = time.nowMs;
  const clock = { nowMs: () => time.nowMs + time.wrongMs, elapsedMs: () => time.nowMs - begunMs, sleep: () => new Promise<void>(() => {}) };
  const world = { kube, informers, events: { normal: say, warning: say }, clock, log: silentLogger };
  const reconcile = canaryReconciler({
    ...world,
    canaries: resourcesOf(canaryKind, world),
    templates: resourcesOf(metricTemplate, world),
    routers,
    metricProviders: { prometheus: () => metrics },
    ensureRevert: async (failure) => {
      failures.push(failure);
      return "checkout-revert";
    },
    defaults: { metricsServer: "http://prometheus.example" },
  });
  canaryWatches(informers);
  let dueMs = 0;
  const whenKilled = (error: unknown): number => {
    if (!life.over) throw error;
    return Infinity;
  };
  return {
    work: async (cluster) => {
      for (let round = 0; round < 20; round += 1) {
        const arrived = deliver(informers);
        while (cluster.isBehind()) await cluster.step();
        if (life.over || (!arrived && time.nowMs < dueMs)) return;
        dueMs = await oneRun(reconcile, time.nowMs).catch(whenKilled);
      }
    },
  };
}

async function oneRun(reconcile: Reconcile, nowMs: number): Promise<number> {
  const { requeueAfterMs = 3_600_000 } = await reconcile("shop/checkout", signal);
  return nowMs + requeueAfterMs;
}

/** Whether something has arrived that a controller hears of: its own status is not. */
function deliver(informers: MemoryInformers): boolean {
  let arrived = false;
  for (const informer of informers.late()) {
    if (informer.synced) informer.deliver(informer.behind());
    else informer.relist();
    arrived ||= informer.kind.kind !== "Canary" || !informer.synced;
  }
  return arrived;
}

interface Gateway {
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

function gatewayOf({ kube, cluster, time, conditions }: Behind): Gateway {
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
