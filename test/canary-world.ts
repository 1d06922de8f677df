import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { canary as canaryKind, type CanaryStatus } from "../src/api/canary.ts";
import { crdOf } from "../src/api/crd.ts";
import { kinds } from "../src/api/kinds.ts";
import { apiVersion } from "../src/api/meta.ts";
import { metricTemplate } from "../src/api/metric-template.ts";
import type { KubeObject } from "../src/api/object.ts";
import type { CanaryDeps } from "../src/controllers/canary/deps.ts";
import { canaryReconciler } from "../src/controllers/canary/reconcile.ts";
import { canaryWatches } from "../src/controllers/canary/watches.ts";
import { ensureRevert } from "../src/controllers/revert/ensure.ts";
import { resourcesOf } from "../src/controllers/resources.ts";
import { runController } from "../src/kube/controller.ts";
import { createEvents } from "../src/kube/events.ts";
import { createInformers } from "../src/kube/informers.ts";
import type { Kube } from "../src/kube/kube.ts";
import { systemClock } from "../src/lib/clock.ts";
import { silentLogger } from "../src/lib/log.ts";
import { metricProviders } from "../src/metrics/providers.ts";
import { routers } from "../src/routing/routers.ts";
import type { RequestInfo } from "../src/sandbox/api-server/serve.ts";
import { type Load, startLoad } from "../src/sandbox/load/load.ts";
import type { RunningMetrics } from "../src/sandbox/metrics/metrics.ts";
import { startMetrics } from "../src/sandbox/metrics/start.ts";
import { shopImages } from "../src/sandbox/node/programs.ts";
import { type CanaryInput, canaryInput } from "./builders.ts";
import { shopDeployment, startTestCluster, type TestCluster } from "./sandbox-cluster.ts";

/** Kinds that tests of a Canary look at. */
export const kindsSeen = {
  canary: { apiVersion, kind: "Canary" },
  revert: { apiVersion, kind: "Revert" },
  deployment: { apiVersion: "apps/v1", kind: "Deployment" },
  service: { apiVersion: "v1", kind: "Service" },
  pod: { apiVersion: "v1", kind: "Pod" },
  route: { apiVersion: "gateway.networking.k8s.io/v1", kind: "HTTPRoute" },
  autoscaler: { apiVersion: "autoscaling/v2", kind: "HorizontalPodAutoscaler" },
  configMap: { apiVersion: "v1", kind: "ConfigMap" },
  secret: { apiVersion: "v1", kind: "Secret" },
} as const;
type Seen = (typeof kindsSeen)[keyof typeof kindsSeen];

/** A Deployment's spec, as far as tests read it. */
export interface DeploymentSpec {
  readonly replicas: number;
  readonly selector: Record<string, unknown>;
  readonly template: { readonly spec: { readonly containers: { readonly image: string }[] } };
}

/** A sandbox with the real Canary controller; everything in namespace `shop`. */
export interface CanaryWorld extends TestCluster {
  readonly metrics: RunningMetrics;
  /** All requests about objects, as they came. */
  readonly requests: RequestInfo[];
  /** Starts the Canary controller as a process of its own would be, with its own caches. Aborting the signal ends it. */
  startController(options?: { kube?: Kube; deps?: Partial<CanaryDeps>; signal?: AbortSignal }): Promise<void>;
  get(kind: Seen, name: string): Promise<KubeObject | undefined>;
  patch(kind: Seen, name: string, patch: object): Promise<unknown>;
  status(name: string): Promise<CanaryStatus>;
  /** Waits for a phase. */
  phase(name: string, wanted: CanaryStatus["phase"], also?: (status: CanaryStatus) => boolean): Promise<CanaryStatus>;
  /** Waits until the Deployment's spec says so. */
  replicas(name: string, wanted: number): Promise<KubeObject>;
  /** A workload under a Canary, at rest. */
  underCanary(name: string, input?: CanaryInput, deployment?: Parameters<typeof shopDeployment>[1]): Promise<CanaryStatus>;
  /** Another revision, without touching the replicas. */
  release(name: string, tag: string, more?: Parameters<typeof shopDeployment>[1]): Promise<void>;
  load(name: string, signal: AbortSignal): Load;
}

/** Starts one; its controller is not running yet. Tag `bad` fails half of its requests, `crash` ends at once. */
export async function startCanaryWorld(): Promise<CanaryWorld> {
  const requests: RequestInfo[] = [];
  const images = shopImages({ bad: { ERROR_PERCENT: "50" }, crash: { CRASH_AFTER_MS: "100" } });
  const cluster = await startTestCluster({ images, onRequest: (request) => requests.push(request) });
  const { kube, signal, gateway } = cluster;
  await cluster.apply(...kinds.map((kind) => crdOf(kind)));
  const metrics = await startMetrics({
    targets: () => [gateway.metricsUrl],
    scrapeIntervalMs: 250,
    clock: systemClock,
    log: silentLogger,
    signal,
  });
  const world: CanaryWorld = {
    ...cluster,
    metrics,
    requests,
    startController: (options = {}) => runCanaries(cluster, metrics.url, options),
    get: (kind, name) => kube.find({ ...kind, namespace: "shop", name }, signal),
    patch: (kind, name, patch) => kube.patch({ ...kind, namespace: "shop", name }, patch, { fieldManager: "test" }, signal),
    status: async (name) => canaryStatus(await kube.get({ ...kindsSeen.canary, namespace: "shop", name }, signal)),
    phase: async (name, wanted, also = () => true) =>
      canaryStatus(
        await cluster.until(kindsSeen.canary, name, (object) => canaryStatus(object).phase === wanted && also(canaryStatus(object))),
      ),
    replicas: (name, wanted) => cluster.until(kindsSeen.deployment, name, (object) => deploymentSpec(object).replicas === wanted),
    underCanary: async (name, input = {}, deployment = {}) => {
      await cluster.apply(shopDeployment(name, { tag: "1", ...deployment }), shopCanary(name, input));
      const status = await world.phase(name, "Initialized");
      await world.replicas(name, 0);
      return status;
    },
    release: (name, tag, more = {}) => cluster.apply(withoutReplicas(shopDeployment(name, { tag, ...more }))),
    load: (name, until) => startLoad({ url: gateway.url, host: `${name}.example`, ratePerSecond: 60, signal: until }),
    close: async () => {
      await metrics.close();
      await cluster.close();
    },
  };
  return world;
}

async function runCanaries(
  cluster: TestCluster,
  metricsServer: string,
  { kube = cluster.as("serin"), deps = {}, signal = cluster.signal }: Parameters<CanaryWorld["startController"]>[0] & object,
): Promise<void> {
  const informers = createInformers({ watch: cluster.kube, log: silentLogger, signal });
  const events = createEvents({ kube, component: "serin", clock: systemClock, log: silentLogger, signal });
  const base = { kube, informers, events, clock: systemClock, log: silentLogger };
  const canaries = resourcesOf(canaryKind, base);
  const reconcile = canaryReconciler({
    ...base,
    canaries,
    templates: resourcesOf(metricTemplate, base),
    routers,
    metricProviders,
    ensureRevert: ensureRevert({ ...base, canaries }),
    defaults: { metricsServer },
    ...deps,
  });
  const watches = canaryWatches(informers);
  await runController({
    ...base,
    name: "canaries",
    kind: kindsSeen.canary,
    informer: canaries.informer,
    watches,
    reconcile,
    signal,
    graceMs: 500,
  });
}

/** A Canary of namespace shop for a workload of this name, with steps of one second. */
export function shopCanary(name: string, { service, analysis, ...rest }: CanaryInput = {}): KubeObject {
  const steps = analysis?.["iterations"] === undefined ? { stepWeight: 25, maxWeight: 50 } : {};
  const spec = canaryInput({
    targetRef: { apiVersion: "apps/v1", kind: "Deployment", name },
    service: { targetPort: "http", hosts: [`${name}.example`], gatewayRefs: [{ name: "web", namespace: "public" }], ...service },
    analysis: {
      interval: "1s",
      ...steps,
      metrics: [{ name: "request-success-rate", interval: "5s", thresholdRange: { min: 95 } }],
      ...analysis,
    },
    ...rest,
  });
  return { ...kindsSeen.canary, metadata: { name, namespace: "shop" }, spec };
}

/** A metric that every release passes, and one that none does. */
export const always = { name: "up", interval: "1s", query: "vector(1)", thresholdRange: { min: 1 } };
export const never = { name: "down", interval: "1s", query: "vector(0)", thresholdRange: { min: 1 } };

/** The status of a stored Canary. */
export function canaryStatus(object: KubeObject): CanaryStatus {
  return canaryKind.status.parse(object["status"] ?? {});
}

/** The spec of a stored Deployment. */
export function deploymentSpec(object: KubeObject | undefined): DeploymentSpec {
  return object?.["spec"] as DeploymentSpec;
}

/** Image of its first container. */
export function imageOf(object: KubeObject | undefined): string | undefined {
  return deploymentSpec(object).template.spec.containers[0]?.image;
}

/** The object as Sync applies it once a Canary has taken its replicas over. */
export function withoutReplicas(object: KubeObject): KubeObject {
  const { replicas: _, ...spec } = deploymentSpec(object);
  return { ...object, spec };
}

/** Waits, at most 20 seconds. */
export async function eventually(isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 20_000; !(await isSo()); await systemClock.sleep(20))
    if (Date.now() > deadline) throw new Error("it never came to be so");
}

/** A server whose paths in `open` answer 204, all others 403. */
export async function startGates(): Promise<{ url: string; open: Set<string>; close: () => void }> {
  const open = new Set<string>();
  const server = createServer((request, response) => response.writeHead(open.has(request.url ?? "") ? 204 : 403).end());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, open, close: () => server.close() };
}
