import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { shopDeployment, startTestCluster, type TestCluster } from "../../../test/sandbox-cluster.ts";
import { type CanaryInput, canaryInput } from "../../../test/builders.ts";
import { type CanaryStatus, canary as canaryKind } from "../../api/canary.ts";
import { crdOf } from "../../api/crd.ts";
import { kinds } from "../../api/kinds.ts";
import { apiVersion } from "../../api/meta.ts";
import { metricTemplate } from "../../api/metric-template.ts";
import type { KubeObject } from "../../api/object.ts";
import { runController } from "../../kube/controller.ts";
import { createEvents, type EventRecorder } from "../../kube/events.ts";
import { createInformers } from "../../kube/informers.ts";
import { systemClock } from "../../lib/clock.ts";
import { silentLogger } from "../../lib/log.ts";
import { metricProviders } from "../../metrics/providers.ts";
import { routers } from "../../routing/routers.ts";
import { startLoad } from "../../sandbox/load/load.ts";
import { type RunningMetrics, startMetrics } from "../../sandbox/metrics/start.ts";
import { shopImages } from "../../sandbox/node/programs.ts";
import type { Failure } from "../failure.ts";
import { resourcesOf } from "../resources.ts";
import { canaryReconciler } from "./reconcile.ts";
import { canaryWatches } from "./watches.ts";

const deployments = { apiVersion: "apps/v1", kind: "Deployment" };
const canaries = { apiVersion, kind: "Canary" };

let cluster: TestCluster;
let metrics: RunningMetrics;
let events: EventRecorder;
const failures: Failure[] = [];

beforeAll(async () => {
  cluster = await startTestCluster({ images: shopImages({ bad: { ERROR_PERCENT: "50" }, crash: { CRASH_AFTER_MS: "100" } }) });
  const { kube, signal, gateway } = cluster;
  await cluster.apply(...kinds.map((kind) => crdOf(kind)));
  await cluster.apply({ apiVersion: "networking.k8s.io/v1", kind: "IngressClass", metadata: { name: "nginx" }, spec: { controller: "k8s.io/ingress-nginx" } });
  metrics = await startMetrics({ targets: () => [gateway.metricsUrl], scrapeIntervalMs: 250, clock: systemClock, log: silentLogger, signal });
  events = createEvents({ kube, component: "serin", clock: systemClock, log: silentLogger, signal });
  startController();
});

function startController(): void {
  const { kube, signal } = cluster;
  const informers = createInformers({ watch: kube, log: silentLogger, signal });
  const world = { kube, informers, events, clock: systemClock, log: silentLogger };
  const reconcile = canaryReconciler({
    ...world,
    canaries: resourcesOf(canaryKind, world),
    templates: resourcesOf(metricTemplate, world),
    routers,
    metricProviders,
    ensureRevert: async (failure) => {
      failures.push(failure);
      return `${failure.canary.metadata.name}-revert`;
    },
    defaults: { metricsServer: metrics.url },
  });
  const kind = { apiVersion, kind: "Canary" };
  void runController({ ...world, name: "canaries", kind, informer: informers.of(kind), watches: canaryWatches(informers), reconcile, signal });
}

afterAll(async () => {
  await metrics.close();
  await cluster.close();
});

/** A Canary of namespace shop for a workload of this name, with steps of one second. */
function canary(name: string, { service, analysis, ...rest }: CanaryInput = {}): KubeObject {
  const spec = canaryInput({
    targetRef: { apiVersion: "apps/v1", kind: "Deployment", name },
    service: { targetPort: "http", hosts: [`${name}.example`], gatewayRefs: [{ name: "web", namespace: "public" }], ...service },
    analysis: { interval: "1s", stepWeight: 25, maxWeight: 50, metrics: [{ name: "request-success-rate", interval: "5s", thresholdRange: { min: 95 } }], ...analysis },
    ...rest,
  });
  return { ...canaries, metadata: { name, namespace: "shop" }, spec };
}

function statusOf(object: KubeObject): CanaryStatus {
  return canaryKind.status.parse(object["status"] ?? {});
}

async function phase(name: string, wanted: CanaryStatus["phase"], also: (status: CanaryStatus) => boolean = () => true): Promise<CanaryStatus> {
  const found = await cluster.until(canaries, name, (object) => statusOf(object).phase === wanted && also(statusOf(object)));
  return statusOf(found);
}

const specOf = (object: KubeObject | undefined) => object?.["spec"] as { replicas: number; selector: Record<string, unknown>; template: { spec: { containers: { image: string }[] } } };
const imageOf = (object: KubeObject | undefined): string | undefined => specOf(object).template.spec.containers[0]?.image;
const get = (kind: typeof deployments, name: string) => cluster.kube.find({ ...kind, namespace: "shop", name }, cluster.signal);
const replicas = (name: string, wanted: number) => cluster.until(deployments, name, (object) => specOf(object).replicas === wanted);

function ingress(name: string): KubeObject {
  const backend = { service: { name, port: { number: 80 } } };
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: { name, namespace: "shop", annotations: { "nginx.ingress.kubernetes.io/proxy-read-timeout": "5" } },
    spec: { ingressClassName: "nginx", rules: [{ host: `${name}.example`, http: { paths: [{ path: "/", pathType: "Prefix", backend }] } }] },
  };
}

const load = (name: string, signal: AbortSignal) => startLoad({ url: cluster.gateway.url, host: `${name}.example`, ratePerSecond: 60, signal });

describe.each([
  ["gatewayapi:v1", "gw", {}],
  ["nginx", "ng", { ingressRef: { name: "ng" } }],
])("%s", (provider, name, extra) => {
  test("promotes a good release and takes a bad one back, and users lose nothing but what the bad one broke", async () => {
    await cluster.apply(shopDeployment(name, { tag: "1" }));
    if (provider === "nginx") await cluster.apply(ingress(name));
    await cluster.apply(canary(name, { provider, ...extra }));
    const initialized = await phase(name, "Initialized");
    expect(initialized.promotedRevision).toMatch(/^v1-[0-9a-f]{10}$/);
    await replicas(name, 0);

    const users = new AbortController();
    const traffic = load(name, users.signal);
    await cluster.apply(shopDeployment(name, { tag: "2" }));
    const promoted = await phase(name, "Succeeded");
    expect(imageOf(await get(deployments, `${name}-primary`))).toBe("serin.dev/shop:2");
    expect(promoted.promotedRevision).not.toBe(initialized.promotedRevision);
    await replicas(name, 0);
    expect(traffic.snapshot()).toMatchObject({ failed: 0, lost: 0 });

    await cluster.apply(shopDeployment(name, { tag: "bad" }));
    const failed = await phase(name, "Failed", ({ revertRef }) => revertRef !== undefined);
    expect(failed).toMatchObject({ canaryWeight: 0, verdict: "fail", failure: { reason: "CheckFailed", propose: true }, promotedRevision: promoted.promotedRevision });
    expect(imageOf(await get(deployments, `${name}-primary`))).toBe("serin.dev/shop:2");
    await replicas(name, 0);
    const failure = failures.find((each) => each.canary.metadata.name === name);
    expect(failure).toMatchObject({ propose: true, evidence: { reason: "CheckFailed", checks: [{ name: "request-success-rate", passed: false, primaryPassed: true, min: 95 }] } });
    expect(JSON.stringify(failure?.promoted)).toContain("serin.dev/shop:2");
    expect(JSON.stringify(failure?.failed)).toContain("serin.dev/shop:bad");

    users.abort();
    const { lost, versions } = await traffic.ended;
    expect(lost).toBe(0);
    expect([versions.get("1")?.failed ?? 0, versions.get("2")?.failed ?? 0]).toEqual([0, 0]);
  });
});
