import { setMaxListeners } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type Clock, systemClock } from "../../lib/clock.ts";
import { type Logger, silentLogger } from "../../lib/log.ts";
import { startCrds, type UnevaluatedCrdRule, unevaluatedRules } from "./crds.ts";
import { seedCluster } from "./seed.ts";
import type { PodLog } from "./handlers.ts";
import { builtinKinds } from "./kinds/builtin-kinds.ts";
import { startLifecycle } from "./lifecycle.ts";
import type { Cluster } from "./objects.ts";
import { startQuotaStatus } from "./quota.ts";
import { createRegistry } from "./resource-type.ts";
import { type Authorize, handleRequest, type RequestInfo } from "./serve.ts";
import { createStore } from "./store.ts";

/** How an API server is to run; everything has a default. */
export interface ApiServerOptions {
  /** 0, the default, lets the machine choose a free one. */
  readonly port?: number;
  readonly clock?: Clock;
  readonly log?: Logger;
  /** Refuses requests with 403 by answering `false`. Default: everybody may do everything. */
  readonly authorize?: Authorize;
  /** Called for every request about objects, before it is carried out: for tests that count. */
  readonly onRequest?: (request: RequestInfo) => void;
  /** Answers `kubectl logs`; without it, or when it knows none, the answer is 501. */
  readonly podLog?: PodLog;
  /** How many changes watches can resume from. Default 10000. */
  readonly historyLimit?: number;
}

/** A running API server. */
export interface ApiServer {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  readonly port: number;
  /** YAML that kubectl and client libraries read. */
  kubeconfig(): string;
  /** CEL rules of the CRDs served now that this server cannot evaluate: writes they would judge are refused. */
  unevaluatedRules(): UnevaluatedCrdRule[];
  /** Forgets the history of changes: watches from older revisions are answered 410. */
  compact(): void;
  /** Ends all watches and connections. */
  close(): Promise<void>;
}

/** Starts an API server in this process, listening on 127.0.0.1 over plain HTTP. Empty but for the namespaces every cluster has. */
export async function startApiServer(options: ApiServerOptions = {}): Promise<ApiServer> {
  const registry = createRegistry();
  for (const type of builtinKinds()) registry.add(type);
  const cluster: Cluster = { store: createStore(options.historyLimit ?? 10_000), registry, clock: options.clock ?? systemClock };
  const stops = [startCrds(cluster), startLifecycle(cluster), startQuotaStatus(cluster)];
  seedCluster(cluster);
  const closing = new AbortController();
  // Every open watch listens to it.
  setMaxListeners(0, closing.signal);
  const { authorize, onRequest, podLog, log = silentLogger } = options;
  const context = { cluster, closing: closing.signal, authorize, onRequest, podLog, log };
  const server = createServer((request, response) => void handleRequest(context, request, response));
  const port = await listen(server, options.port ?? 0);
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    port,
    kubeconfig: () => kubeconfig(url),
    unevaluatedRules: () => unevaluatedRules(registry),
    compact: () => cluster.store.compact(),
    close: async () => {
      closing.abort();
      for (const stop of stops) stop();
      await closeServer(server);
    },
  };
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

function kubeconfig(url: string): string {
  return `apiVersion: v1
kind: Config
clusters:
- name: sandbox
  cluster:
    server: ${url}
users:
- name: sandbox
  user: {}
contexts:
- name: sandbox
  context:
    cluster: sandbox
    user: sandbox
    namespace: default
current-context: sandbox
`;
}
