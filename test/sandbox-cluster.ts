import type { KubeObject } from "../src/api/object.ts";
import { createKube } from "../src/kube/client.ts";
import type { KubeClient } from "../src/kube/client.ts";
import { createInformers } from "../src/kube/informers.ts";
import type { Informers } from "../src/kube/kube.ts";
import { serverAt } from "../src/kube/kubeconfig.ts";
import { systemClock } from "../src/lib/clock.ts";
import { isRecord } from "../src/lib/json.ts";
import { createLogger } from "../src/lib/log.ts";
import { startApiServer } from "../src/sandbox/api-server/api-server.ts";
import type { RequestInfo } from "../src/sandbox/api-server/serve.ts";
import { gatewayCrds } from "../src/sandbox/gateway/crds.ts";
import { gatewayObjects } from "../src/sandbox/gateway/platform.ts";
import type { SandboxGateway } from "../src/sandbox/gateway/start.ts";
import { startGateway } from "../src/sandbox/gateway/start.ts";
import type { NodeTimings } from "../src/sandbox/node/container.ts";
import type { Images } from "../src/sandbox/node/images.ts";
import { shopImages } from "../src/sandbox/node/programs.ts";
import { startNode } from "../src/sandbox/node/start.ts";
import { startWorkloads } from "../src/sandbox/workloads/start.ts";

/** A cluster whose pods run: API server, workload controllers, node and gateway, without Git and metrics. */
export interface TestCluster {
  readonly kube: KubeClient;
  readonly informers: Informers;
  readonly gateway: SandboxGateway;
  readonly signal: AbortSignal;
  /** A client whose requests are told apart by this user. */
  as(user: string): KubeClient;
  apply(...objects: KubeObject[]): Promise<void>;
  /** Waits until the object is as wanted, and returns it. Fails saying how it was last. */
  until(kind: { apiVersion: string; kind: string }, name: string, wanted: (object: KubeObject) => boolean): Promise<KubeObject>;
  close(): Promise<void>;
}

/** Starts one, with a Gateway `public/web` for all namespaces and the namespace `shop`. */
export async function startTestCluster(
  options: { images?: Images; timings?: Partial<NodeTimings>; onRequest?: (request: RequestInfo) => void } = {},
): Promise<TestCluster> {
  const life = new AbortController();
  const { signal } = life;
  const log = createLogger("error");
  const clock = systemClock;
  const api = await startApiServer({ log, ...(options.onRequest ? { onRequest: options.onRequest } : {}) });
  const kube = createKube(serverAt(api.url));
  const apply = async (...objects: KubeObject[]): Promise<void> => {
    for (const object of objects) await kube.apply(object, { fieldManager: "test" }, signal);
  };
  await apply(...gatewayCrds());
  const informers = createInformers({ watch: kube, log, signal });
  const workloads = await startWorkloads({ kube, informers, clock, log, signal });
  const timings = {
    crashBackoff: { baseMs: 100, maxMs: 400 },
    pullBackoff: { baseMs: 50, maxMs: 100 },
    configRetryMs: 50,
    drainMs: 200,
    ...options.timings,
  };
  const node = await startNode({ kube, informers, images: options.images ?? shopImages(), name: "one", timings, clock, log, signal });
  await apply(
    { apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } },
    ...gatewayObjects({ namespace: "public", name: "web" }),
  );
  const gateway = await startGateway({ kube, informers, clock, log, signal });
  const until: TestCluster["until"] = async (kind, name, wanted) => {
    const ref = {
      ...kind,
      ...(["Node", "GatewayClass"].includes(kind.kind) ? {} : { namespace: kind.kind === "Gateway" ? "public" : "shop" }),
      name,
    };
    let last: KubeObject | undefined;
    for (const deadline = Date.now() + 20_000; Date.now() < deadline; ) {
      last = await kube.find(ref, signal);
      if (last && wanted(last)) return last;
      await clock.sleep(20);
    }
    throw new Error(`${kind.kind} ${name} is not as wanted: ${JSON.stringify(last?.["status"] ?? last ?? "missing")}`);
  };
  const close = async (): Promise<void> => {
    await gateway.close();
    life.abort(new Error("the test is over"));
    await Promise.all([workloads.ended, node.ended]);
    await Promise.all([kube, ...clients].map((client) => client.close()));
    await api.close();
  };
  const clients: KubeClient[] = [];
  const as = (user: string): KubeClient => {
    const client = createKube({ ...serverAt(api.url), credentials: async () => ({ headers: { "impersonate-user": user }, tls: {} }) });
    clients.push(client);
    return client;
  };
  return { kube, informers, gateway, signal, as, apply, until, close };
}

/** A Deployment of the shop in namespace `shop`. */
export function shopDeployment(
  name: string,
  options: { tag?: string; replicas?: number; env?: Record<string, string>; preStopSeconds?: number; spec?: object; pod?: object } = {},
): KubeObject {
  const { tag = "1", replicas = 2, env = {}, preStopSeconds, spec = {}, pod = {} } = options;
  const container = {
    name: "app",
    image: `serin.dev/shop:${tag}`,
    ports: [{ name: "http", containerPort: 8080 }],
    env: Object.entries(env).map(([variable, value]) => ({ name: variable, value })),
    // Unready at the first 503; a busy machine that answers late is none.
    readinessProbe: { httpGet: { path: "/readyz", port: "http" }, periodSeconds: 1, failureThreshold: 1, timeoutSeconds: 10 },
    ...(preStopSeconds === undefined ? {} : { lifecycle: { preStop: { sleep: { seconds: preStopSeconds } } } }),
  };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace: "shop" },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: { containers: [container], ...pod } },
      ...spec,
    },
  };
}

/** A Service for it, port 80. */
export function shopService(name: string): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: "shop" },
    spec: { selector: { app: name }, ports: [{ name: "http", port: 80, targetPort: "http" }] },
  };
}

/** A condition's `status/reason`; empty when there is none. */
export function conditionOf(object: KubeObject, type: string): string {
  const status = isRecord(object["status"]) ? object["status"] : {};
  const list = Array.isArray(status["conditions"]) ? status["conditions"] : [];
  const found: unknown = list.find((condition) => isRecord(condition) && condition["type"] === type);
  return isRecord(found) ? [found["status"], found["reason"]].filter((part) => typeof part === "string").join("/") : "";
}

/** A field of the status. */
export function statusField(object: KubeObject, field: string): unknown {
  return isRecord(object["status"]) ? object["status"][field] : undefined;
}
