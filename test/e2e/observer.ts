import { writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, request as plainRequest, type ServerResponse } from "node:http";
import { request as tlsRequest } from "node:https";
import type { AddressInfo } from "node:net";
import type { KubeConnection } from "../../src/kube/kubeconfig.ts";

/** Stands between one client and the API server and writes down what it asks for. */
export interface Observer {
  /** For the client that is observed. */
  readonly kubeconfig: string;
  /** Every request that changes something, as `PATCH /api/…`, when it arrived. */
  readonly writes: readonly string[];
  close(): Promise<void>;
}

/** Starts one on loopback. It gives each request the credentials of the connection. */
export async function startObserver(connection: KubeConnection, kubeconfig: string): Promise<Observer> {
  const writes: string[] = [];
  const server = createServer((request, response) => {
    if (!["GET", "HEAD"].includes(request.method ?? "")) writes.push(`${request.method ?? ""} ${request.url ?? ""}`);
    forward(connection, request, response).catch(() => response.destroy());
  });
  server.requestTimeout = 0;
  const listening = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", listening.resolve);
  await listening.promise;
  const { port } = server.address() as AddressInfo;
  writeFileSync(kubeconfig, kubeconfigFor(`http://127.0.0.1:${port}`));
  return {
    kubeconfig,
    writes,
    close: async () => {
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      server.closeAllConnections();
      await closed.promise;
    },
  };
}

async function forward(connection: KubeConnection, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { headers, tls } = await connection.credentials();
  const target = new URL(request.url ?? "/", connection.server);
  const send = target.protocol === "https:" ? tlsRequest : plainRequest;
  const { host: _, ...given } = request.headers;
  const upstream = send(target, { method: request.method, headers: { ...given, ...headers }, ...tls }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    response.flushHeaders();
    answer.pipe(response);
    answer.once("error", () => response.destroy());
  });
  upstream.once("error", () => response.destroy());
  response.once("close", () => upstream.destroy());
  request.pipe(upstream);
}

function kubeconfigFor(server: string): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "observed",
    clusters: [{ name: "observed", cluster: { server } }],
    users: [{ name: "observed", user: {} }],
    contexts: [{ name: "observed", context: { cluster: "observed", user: "observed", namespace: "default" } }],
  });
}
