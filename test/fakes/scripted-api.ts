import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

/** A request as the script sees it. */
export interface ScriptedRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
  readonly body: unknown;
}

/** Answers one request, rightly or wrongly. */
export type Script = (request: ScriptedRequest, response: ServerResponse) => void;

/** A server on loopback that does what a test says. */
export interface ScriptedApi {
  readonly url: string;
  /** All requests, oldest first. */
  readonly requests: ScriptedRequest[];
  close(): Promise<void>;
}

/** Starts a server that gives every request to the script. */
export async function startScriptedApi(script: Script): Promise<ScriptedApi> {
  const requests: ScriptedRequest[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((incoming, response) => {
    void readBody(incoming).then((text) => {
      const url = new URL(incoming.url ?? "/", "http://server");
      const request = {
        method: incoming.method ?? "",
        path: url.pathname,
        query: url.searchParams,
        headers: incoming.headers,
        body: text === "" ? undefined : (JSON.parse(text) as unknown),
      };
      requests.push(request);
      script(request, response);
    }, () => {});
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

async function readBody(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

/** Sends JSON. */
export function sendJson(response: ServerResponse, value: unknown, code = 200, headers: Record<string, string> = {}): void {
  response.writeHead(code, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(value));
}

/** Sends a Status object that refuses. */
export function sendStatus(
  response: ServerResponse,
  code: number,
  reason: string,
  more: { message?: string; details?: object; headers?: Record<string, string> } = {},
): void {
  const { message = `${reason} it is`, details, headers } = more;
  sendJson(response, { kind: "Status", apiVersion: "v1", status: "Failure", code, reason, message, details }, code, headers);
}

const configMaps = { name: "configmaps", kind: "ConfigMap", namespaced: true, verbs: ["get", "list", "watch"] };
const namespaces = { name: "namespaces", kind: "Namespace", namespaced: false, verbs: ["get", "list", "watch"] };
const leases = { name: "leases", kind: "Lease", namespaced: true, verbs: ["get", "list", "watch"] };

/** Answers discovery (not aggregated) with a few kinds, and gives the rest to the script. */
export function withDiscovery(script: Script): Script {
  return (request, response) => {
    if (request.path === "/api" || request.path === "/apis") return sendJson(response, { kind: "APIVersions", versions: ["v1"] });
    if (request.path === "/api/v1")
      return sendJson(response, {
        kind: "APIResourceList",
        resources: [configMaps, namespaces, { ...configMaps, name: "configmaps/status" }],
      });
    if (request.path === "/apis/coordination.k8s.io/v1") return sendJson(response, { kind: "APIResourceList", resources: [leases] });
    if (/^\/apis\/[^/]+\/[^/]+$/.test(request.path)) return sendStatus(response, 404, "NotFound");
    script(request, response);
  };
}
