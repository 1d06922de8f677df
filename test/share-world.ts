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
import type { MetricProvider } from "../src/metrics/metric-provider.ts";
import { routers } from "../src/routing/routers.ts";
import { canaryInput, type CanaryInput, aDeployment } from "./builders.ts";
import { clusterModel, type ClusterModel } from "./crash/cluster.ts";
import { dice } from "./crash/dice.ts";
import { type MemoryInformers, memoryInformers } from "./fakes/memory-informers.ts";
import { type MemoryKube, memoryKube } from "./fakes/memory-kube.ts";
import { servedKinds } from "./fakes/served-kinds.ts";
import { type Conditions, gatewayOf, routeRef, startMs } from "./share-gateway.ts";

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
const canaryRef = { apiVersion, kind: "Canary" };

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
