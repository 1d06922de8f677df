import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { shopDeployment, startTestCluster, type TestCluster } from "../../../test/sandbox-cluster.ts";
import { type CanaryInput, canaryInput } from "../../../test/builders.ts";
import { type CanaryStatus, canary as canaryKind } from "../../api/canary.ts";
import { crdOf } from "../../api/crd.ts";
import { kinds } from "../../api/kinds.ts";
import { apiVersion, managers } from "../../api/meta.ts";
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
import type { RunningMetrics } from "../../sandbox/metrics/metrics.ts";
import { startMetrics } from "../../sandbox/metrics/start.ts";
import type { Images } from "../../sandbox/node/images.ts";
import { shopImages } from "../../sandbox/node/programs.ts";
import type { Failure } from "../failure.ts";
import { resourcesOf } from "../resources.ts";
import { canaryReconciler } from "./reconcile.ts";
import { canaryWatches } from "./watches.ts";

const deployments = { apiVersion: "apps/v1", kind: "Deployment" };
const canaries = { apiVersion, kind: "Canary" };
const services = { apiVersion: "v1", kind: "Service" };
const selectorOf = (object: KubeObject | undefined) => specOf(object).selector;

let cluster: TestCluster;
let metrics: RunningMetrics;
let events: EventRecorder;
const failures: Failure[] = [];

/** The shop; its tag `only-as-canary` never gets ready in pods that call themselves a primary. */
function brokenAsPrimary(faults: Parameters<typeof shopImages>[0]): Images {
  const usual = shopImages(faults);
  return {
    find: (image) => {
      const found = usual.find(image);
      if (!image.endsWith(":only-as-canary") || typeof found === "string") return found;
      return (context) =>
        found(context.env["APP"]?.endsWith("-primary") ? { ...context, env: { ...context.env, READINESS: "never" } } : context);
    },
  };
}

beforeAll(async () => {
  cluster = await startTestCluster({ images: brokenAsPrimary({ bad: { ERROR_PERCENT: "50" }, crash: { CRASH_AFTER_MS: "100" } }) });
  const { kube, signal, gateway } = cluster;
  await cluster.apply(...kinds.map((kind) => crdOf(kind)));
  await cluster.apply({
    apiVersion: "networking.k8s.io/v1",
    kind: "IngressClass",
    metadata: { name: "nginx" },
    spec: { controller: "k8s.io/ingress-nginx" },
  });
  metrics = await startMetrics({
    targets: () => [gateway.metricsUrl],
    scrapeIntervalMs: 250,
    clock: systemClock,
    log: silentLogger,
    signal,
  });
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
  void runController({
    ...world,
    name: "canaries",
    kind,
    informer: informers.of(kind),
    watches: canaryWatches(informers),
    reconcile,
    signal,
  });
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
    analysis: {
      interval: "1s",
      stepWeight: 25,
      maxWeight: 50,
      metrics: [{ name: "request-success-rate", interval: "5s", thresholdRange: { min: 95 } }],
      ...analysis,
    },
    ...rest,
  });
  return { ...canaries, metadata: { name, namespace: "shop" }, spec };
}

function statusOf(object: KubeObject): CanaryStatus {
  return canaryKind.status.parse(object["status"] ?? {});
}

async function phase(
  name: string,
  wanted: CanaryStatus["phase"],
  also: (status: CanaryStatus) => boolean = () => true,
): Promise<CanaryStatus> {
  const found = await cluster.until(canaries, name, (object) => statusOf(object).phase === wanted && also(statusOf(object)));
  return statusOf(found);
}

const specOf = (object: KubeObject | undefined) =>
  object?.["spec"] as { replicas: number; selector: Record<string, unknown>; template: { spec: { containers: { image: string }[] } } };
const imageOf = (object: KubeObject | undefined): string | undefined => specOf(object).template.spec.containers[0]?.image;
const get = (kind: typeof deployments, name: string) => cluster.kube.find({ ...kind, namespace: "shop", name }, cluster.signal);
const replicas = (name: string, wanted: number) => cluster.until(deployments, name, (object) => specOf(object).replicas === wanted);

function ingress(name: string): KubeObject {
  const backend = { service: { name, port: { number: 80 } } };
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: { name, namespace: "shop", annotations: { "nginx.ingress.kubernetes.io/proxy-read-timeout": "5" } },
    spec: {
      ingressClassName: "nginx",
      rules: [{ host: `${name}.example`, http: { paths: [{ path: "/", pathType: "Prefix", backend }] } }],
    },
  };
}

const load = (name: string, signal: AbortSignal) =>
  startLoad({ url: cluster.gateway.url, host: `${name}.example`, ratePerSecond: 60, signal });

describe.concurrent.each([
  ["gatewayapi:v1", "gw", {}],
  ["nginx", "ng", { ingressRef: { name: "ng" } }],
])("%s", (provider, name, extra) => {
  test("promotes a good release and takes a bad one back, and users lose nothing but what the bad one broke", async () => {
    // Pods that end the moment they are asked to lose what a gateway still sends them: docs/how-it-works.md says to let them sleep.
    const preStopSeconds = 1;
    await cluster.apply(shopDeployment(name, { tag: "1", preStopSeconds }));
    if (provider === "nginx") await cluster.apply(ingress(name));
    await cluster.apply(canary(name, { provider, ...extra }));
    const initialized = await phase(name, "Initialized");
    expect(initialized.promotedRevision).toMatch(/^v1-[0-9a-f]{10}$/);
    await replicas(name, 0);

    const users = new AbortController();
    const traffic = load(name, users.signal);
    await cluster.apply(shopDeployment(name, { tag: "2", preStopSeconds }));
    const promoted = await phase(name, "Succeeded");
    expect(imageOf(await get(deployments, `${name}-primary`))).toBe("serin.dev/shop:2");
    expect(promoted.promotedRevision).not.toBe(initialized.promotedRevision);
    await replicas(name, 0);
    expect(traffic.snapshot()).toMatchObject({ failed: 0, lost: 0 });

    await cluster.apply(shopDeployment(name, { tag: "bad", preStopSeconds }));
    const failed = await phase(name, "Failed", ({ revertRef }) => revertRef !== undefined);
    expect(failed).toMatchObject({
      canaryWeight: 0,
      verdict: "fail",
      failure: { reason: "CheckFailed", propose: true },
      promotedRevision: promoted.promotedRevision,
    });
    expect(imageOf(await get(deployments, `${name}-primary`))).toBe("serin.dev/shop:2");
    await replicas(name, 0);
    const failure = failures.find((each) => each.canary.metadata.name === name);
    expect(failure).toMatchObject({
      propose: true,
      evidence: { reason: "CheckFailed", checks: [{ name: "request-success-rate", passed: false, primaryPassed: true, min: 95 }] },
    });
    expect(JSON.stringify(failure?.promoted)).toContain("serin.dev/shop:2");
    expect(JSON.stringify(failure?.failed)).toContain("serin.dev/shop:bad");

    users.abort();
    const { lost, versions } = await traffic.ended;
    expect(lost).toBe(0);
    expect([versions.get("1")?.failed ?? 0, versions.get("2")?.failed ?? 0]).toEqual([0, 0]);
  });
});

describe.concurrent("a canary", () => {
  /** A workload under a Canary, at rest. */
  async function underCanary(name: string, input: CanaryInput = {}, tag = "1"): Promise<CanaryStatus> {
    await cluster.apply(shopDeployment(name, { tag }), canary(name, input));
    const status = await phase(name, "Initialized");
    await replicas(name, 0);
    return status;
  }

  const release = (name: string, tag: string, more: Parameters<typeof shopDeployment>[1] = {}) =>
    cluster.apply(withoutReplicas(shopDeployment(name, { tag, ...more })));

  test("takes over a running workload and its Service: replicas never fall and nobody loses a request", async () => {
    const name = "adopted";
    const service = {
      ...services,
      metadata: { name, namespace: "shop" },
      spec: { selector: { app: name }, ports: [{ name: "http", port: 80, targetPort: "http" }] },
    };
    const route = {
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "HTTPRoute",
      metadata: { name: "users-own", namespace: "shop" },
      spec: {
        parentRefs: [{ name: "web", namespace: "public" }],
        hostnames: ["own.example"],
        rules: [{ backendRefs: [{ name, port: 80 }] }],
      },
    };
    await cluster.apply(shopDeployment(name, { tag: "1" }), service, route);
    await cluster.until(
      deployments,
      name,
      (object) => (object["status"] as { availableReplicas?: number } | undefined)?.availableReplicas === 2,
    );
    const users = new AbortController();
    const traffic = startLoad({ url: cluster.gateway.url, host: "own.example", ratePerSecond: 60, signal: users.signal });
    await until(() => traffic.snapshot().answered > 0);
    await cluster.apply(canary(name));
    const taken = await cluster.until(deployments, name, (object) =>
      (object.metadata.managedFields ?? []).some(({ manager }) => manager === "serin-canary"),
    );
    expect(specOf(taken).replicas).toBe(2);
    const status = await phase(name, "Initialized");
    expect(status.conditions).toContainEqual(expect.objectContaining({ type: "ServiceAdopted", status: "True" }));
    await replicas(name, 0);
    const adopted = await get(services, name);
    expect(selectorOf(adopted)).toEqual({ app: `${name}-primary` });
    expect(adopted?.metadata.ownerReferences ?? []).toEqual([]);
    users.abort();
    expect(await traffic.ended).toMatchObject({ lost: 0, failed: 0 });
  });

  test.each([
    ["a crash loop", "crash", { reason: "CanaryCrashed", propose: true }],
    ["an image that does not exist", "missing-1", { reason: "ImageNotFound", propose: true }],
    ["a registry that does not answer, though not the commit's fault", "broken-registry", { reason: "ProgressDeadlineExceeded", propose: false }],
  ])("is rolled back by %s", async (_, tag, { reason, propose }) => {
    const name = `broken-${tag}`;
    await underCanary(name, tag === "broken-registry" ? { progressDeadlineSeconds: 2 } : {});
    await release(name, tag);
    const failed = await phase(name, "Failed");
    expect(failed).toMatchObject({ canaryWeight: 0, failure: { reason, propose } });
    await replicas(name, 0);
    expect(imageOf(await get(deployments, `${name}-primary`))).toBe("serin.dev/shop:1");
  });

  test("ends quietly when the promoted spec is back, and restarts from zero on a newer one", async () => {
    const name = "changing";
    const { promotedRevision } = await underCanary(name);
    await release(name, "2");
    const second = await phase(name, "Progressing", ({ canaryWeight = 0 }) => canaryWeight > 0);
    await release(name, "3");
    const third = await phase(name, "Progressing", ({ trackedRevision }) => trackedRevision !== second.trackedRevision);
    expect(third).toMatchObject({ canaryWeight: 0, failedChecks: 0 });
    expect(third.firstTrafficAt).toBeUndefined();
    await release(name, "1");
    const back = await phase(name, "Initialized");
    expect(back).toMatchObject({ canaryWeight: 0, trackedRevision: promotedRevision, promotedRevision });
    expect(back.failure).toBeUndefined();
    expect(imageOf(await get(deployments, `${name}-primary`))).toBe("serin.dev/shop:1");
    await replicas(name, 0);
  });

  test("holds without a verdict while its metric server is dead, and fails nobody", async () => {
    const name = "blind";
    await underCanary(name, { metricsServer: "http://127.0.0.1:1" });
    await release(name, "2");
    const held = await phase(name, "Progressing", ({ verdict }) => verdict === "inconclusive");
    expect(held).toMatchObject({ canaryWeight: 25, failedChecks: 0 });
    expect(held.conditions).toContainEqual(expect.objectContaining({ type: "Ready", status: "Unknown", reason: "CheckInconclusive" }));
  });

  test("takes the traffic back at once when its pods stop being ready", async () => {
    const name = "flapping";
    await underCanary(name, {
      // So many steps that a machine which is late does not promote it before it flaps.
      analysis: {
        metrics: [{ name: "up", interval: "1s", query: "vector(1)", thresholdRange: { min: 1 } }],
        interval: "2s",
        stepWeight: 5,
      },
    });
    await release(name, "2", { env: { READINESS: "flap", READINESS_FLAP_MS: "3000" } });
    await phase(name, "Progressing", ({ canaryWeight = 0 }) => canaryWeight > 0);
    const back = await phase(name, "Progressing", ({ canaryWeight }) => canaryWeight === 0);
    expect(back.failedChecks).toBe(1);
  });

  test("copies configs to the primary only when they were analysed, and rolls for a config alone", async () => {
    const name = "configured";
    const settings = (title: string) => ({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: `${name}-settings`, namespace: "shop" },
      data: { TITLE: title },
    });
    const pod = {
      containers: [
        {
          name: "app",
          image: "serin.dev/shop:1",
          ports: [{ name: "http", containerPort: 8080 }],
          envFrom: [{ configMapRef: { name: `${name}-settings` } }],
          readinessProbe: { httpGet: { path: "/readyz", port: "http" }, periodSeconds: 1 },
        },
      ],
    };
    await cluster.apply(settings("one"), shopDeployment(name, { pod }), canary(name, { skipAnalysis: true }));
    await phase(name, "Initialized");
    const copy = { apiVersion: "v1", kind: "ConfigMap" };
    expect((await get(copy, `${name}-settings-primary`))?.["data"]).toEqual({ TITLE: "one" });
    await cluster.apply(settings("two"));
    await phase(name, "Succeeded");
    expect((await get(copy, `${name}-settings-primary`))?.["data"]).toEqual({ TITLE: "two" });
  });

  test("never puts a newer spec on the primary before it was analysed, not even during a promotion", async () => {
    const name = "overtaken";
    await underCanary(name, { analysis: { metrics: [{ name: "up", interval: "1s", query: "vector(1)", thresholdRange: { min: 1 } }] } });
    await release(name, "2");
    const second = await phase(name, "Promoting");
    await release(name, "bad");
    const images = new Set<string | undefined>();
    await until(async () => {
      images.add(imageOf(await get(deployments, `${name}-primary`)));
      const now = statusOf((await get(canaries, name)) ?? canary(name));
      return now.phase === "Progressing" && now.trackedRevision !== second.trackedRevision;
    });
    expect(images).not.toContain("serin.dev/shop:bad");
    expect(imageOf(await get(deployments, `${name}-primary`))).toBe("serin.dev/shop:2");
  });

  test("goes back to the promoted revision when the primary never gets ready with the new one, and analyses the next one", async () => {
    const name = "unpromotable";
    // The primary's pods are told by their label: as primary, this release never gets ready.
    await underCanary(name, { skipAnalysis: true, progressDeadlineSeconds: 8 });
    const env = [{ name: "APP", valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } }];
    await release(name, "only-as-canary", {
      pod: {
        containers: [
          {
            name: "app",
            image: "serin.dev/shop:only-as-canary",
            ports: [{ name: "http", containerPort: 8080 }],
            env,
            readinessProbe: { httpGet: { path: "/readyz", port: "http" }, periodSeconds: 1, failureThreshold: 1, timeoutSeconds: 10 },
          },
        ],
      },
    });
    const failed = await phase(name, "Failed");
    expect(failed).toMatchObject({ canaryWeight: 0, failure: { reason: "PromotionFailed" } });
    await cluster.until(deployments, `${name}-primary`, (object) => imageOf(object) === "serin.dev/shop:1");
    await release(name, "2");
    await phase(name, "Succeeded");
    expect(imageOf(await get(deployments, `${name}-primary`))).toBe("serin.dev/shop:2");
  });

  test("asks its gates, and is rolled back by a person without blaming a commit", async () => {
    const name = "gated";
    const open = new Set<string>();
    const server = createServer((request, response) => response.writeHead(open.has(request.url ?? "") ? 204 : 403).end());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const webhooks = (["confirm-rollout", "confirm-promotion", "rollback"] as const).map((type) => ({
      name: type,
      type,
      url: `${url}/${type}`,
    }));
    await underCanary(name, {
      analysis: { webhooks, metrics: [{ name: "up", interval: "1s", query: "vector(1)", thresholdRange: { min: 1 } }] },
    });
    await release(name, "2");
    await phase(name, "Waiting");
    expect(specOf(await get(deployments, name)).replicas).toBe(0);
    open.add("/confirm-rollout");
    const held = await phase(name, "WaitingPromotion");
    expect(held.canaryWeight).toBe(50);
    open.add("/rollback");
    expect(await phase(name, "Failed")).toMatchObject({ canaryWeight: 0, failure: { reason: "RollbackRequested", propose: false } });
    server.close();
  });

  test("changes nothing that is right already, and puts back what somebody changed", async () => {
    const name = "idle";
    await underCanary(name);
    const route = { apiVersion: "gateway.networking.k8s.io/v1", kind: "HTTPRoute" };
    const made: [typeof deployments, string][] = [
      [deployments, name],
      [deployments, `${name}-primary`],
      [services, name],
      [services, `${name}-primary`],
      [services, `${name}-canary`],
      [route, name],
    ];
    const writes = async () =>
      Promise.all(
        made.map(async ([kind, each]) =>
          (await get(kind, each))?.metadata.managedFields?.filter(({ manager }) => manager === managers.canary),
        ),
      );
    const asked = async (at: string) => {
      await cluster.kube.patch(
        { ...canaries, namespace: "shop", name },
        { metadata: { annotations: { "serin.dev/requestedAt": at } } },
        { fieldManager: "test" },
        cluster.signal,
      );
      await phase(name, "Initialized", ({ lastHandledReconcileAt }) => lastHandledReconcileAt === at);
    };
    await asked("1");
    const before = await writes();
    await asked("2");
    await asked("3");
    expect(await writes()).toEqual(before);
    await cluster.kube.patch(
      { ...deployments, namespace: "shop", name },
      { spec: { replicas: 1 } },
      { fieldManager: "test" },
      cluster.signal,
    );
    await replicas(name, 0);
    await cluster.kube.delete({ ...route, namespace: "shop", name }, {}, cluster.signal);
    await until(async () => (await get(route, name)) !== undefined);
  });

  test("leaves everything as it is while suspended, and says so", async () => {
    const name = "suspended";
    await underCanary(name);
    await cluster.apply(canary(name, { suspend: true }));
    await release(name, "2");
    const found = await cluster.until(
      canaries,
      name,
      (object) => statusOf(object).conditions?.some(({ reason }) => reason === "Suspended") ?? false,
    );
    expect(statusOf(found)).toMatchObject({ phase: "Initialized", observedGeneration: found.metadata.generation });
    await cluster.apply(canary(name, { suspend: false }));
    await phase(name, "Progressing");
  });

  test("says what is wrong with a name that is taken, naming both", async () => {
    const name = "taken";
    await cluster.apply(
      { ...services, metadata: { name: `${name}-canary`, namespace: "shop" }, spec: { ports: [{ port: 80 }] } },
      shopDeployment(name),
      canary(name),
    );
    const stalled = await cluster.until(
      canaries,
      name,
      (object) => statusOf(object).conditions?.some(({ type }) => type === "Stalled") ?? false,
    );
    expect(statusOf(stalled).conditions).toContainEqual(
      expect.objectContaining({
        type: "Stalled",
        reason: "NameTaken",
        message: expect.stringMatching(/Service shop\/taken-canary.*Canary shop\/taken/) as string,
      }),
    );
    expect(await get(deployments, `${name}-primary`)).toBeUndefined();
  });

  test("gives everything back before it goes, in the middle of a run", async () => {
    const name = "leaving";
    await underCanary(name, { revertOnDeletion: true });
    const users = new AbortController();
    const traffic = load(name, users.signal);
    await release(name, "2");
    await phase(name, "Progressing", ({ canaryWeight = 0 }) => canaryWeight > 0);
    await cluster.kube.delete({ ...canaries, namespace: "shop", name }, {}, cluster.signal);
    await until(async () => (await get(canaries, name)) === undefined);
    expect(specOf(await get(deployments, name)).replicas).toBe(2);
    expect(selectorOf(await get(services, name))).toEqual({ app: name });
    await until(async () => (await get(deployments, `${name}-primary`)) === undefined);
    const answered = traffic.snapshot().answered;
    await until(() => traffic.snapshot().answered > answered + 60);
    users.abort();
    expect(await traffic.ended).toMatchObject({ lost: 0, failed: 0 });
  });

  test("ends quietly when its Deployment is deleted in the middle of a run", async () => {
    const name = "deleted";
    await underCanary(name);
    await release(name, "2");
    await phase(name, "Progressing", ({ canaryWeight = 0 }) => canaryWeight > 0);
    await cluster.kube.delete({ ...deployments, namespace: "shop", name }, {}, cluster.signal);
    const left = await phase(
      name,
      "Initialized",
      ({ conditions }) => conditions?.some(({ reason }) => reason === "TargetMissing") ?? false,
    );
    expect(left.canaryWeight).toBe(0);
    expect(imageOf(await get(deployments, `${name}-primary`))).toBe("serin.dev/shop:1");
  });
});

function withoutReplicas(object: KubeObject): KubeObject {
  const { replicas: _, ...spec } = specOf(object);
  return { ...object, spec };
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 20_000; !(await isSo()); await systemClock.sleep(20))
    if (Date.now() > deadline) throw new Error("it never came to be so");
}
