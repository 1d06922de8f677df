import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Registry } from "prom-client";
import { messageOf } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { Answer } from "./answer.ts";
import { type Health, healthAnswer } from "./health.ts";
import type { HookReceiver } from "./hooks.ts";

/** What the server serves. */
interface ServerOptions {
  /** 0 takes any free port. */
  readonly port: number;
  /** Address to listen on; all of the machine's when left out, as a pod needs it. */
  readonly host?: string;
  readonly hooks: HookReceiver;
  readonly health: Health;
  /** Served at /metrics. */
  readonly registry: Registry;
  readonly log: Logger;
}

/** A server that listens. */
export interface RunningServer {
  readonly port: number;
  /** Takes no new requests and waits for those under way, at most the time one request may take. Idempotent. */
  close(): Promise<void>;
}

const headersTimeoutMs = 5_000;
const requestTimeoutMs = 15_000;

/** Serves /healthz, /readyz, /metrics and /hooks/…. Rejects when the port is taken. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const limits = { headersTimeout: headersTimeoutMs, requestTimeout: requestTimeoutMs, maxHeaderSize: 16 * 1024 };
  const server = createServer(limits, (request, response) => void serve(options, request, response));
  const listening = Promise.withResolvers<void>();
  server.once("error", listening.reject);
  server.listen({ port: options.port, ...(options.host === undefined ? {} : { host: options.host }) }, listening.resolve);
  await listening.promise;
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return { port: address.port, close: () => close(server) };
}

async function serve(options: ServerOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const { status, text, headers } = await answer(options, request);
    response.writeHead(status, { "content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff", ...headers });
    response.end(request.method === "HEAD" ? undefined : `${text}\n`);
  } catch (error) {
    options.log.error({ method: request.method, error: messageOf(error) }, "request could not be answered");
    response.destroy();
  }
}

async function answer({ hooks, health, registry }: ServerOptions, request: IncomingMessage): Promise<Answer> {
  const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
  if (path.startsWith("/hooks/")) return hooks(request, path);
  if (request.method !== "GET" && request.method !== "HEAD") return { status: 405, text: "only GET", headers: { allow: "GET, HEAD" } };
  if (path === "/metrics") return { status: 200, text: await registry.metrics(), headers: { "content-type": registry.contentType } };
  return healthAnswer(health, path) ?? { status: 404, text: "not found" };
}

async function close(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = Promise.withResolvers<void>();
  server.close(() => closed.resolve());
  server.closeIdleConnections();
  const impatient = setTimeout(() => server.closeAllConnections(), requestTimeoutMs);
  await closed.promise;
  clearTimeout(impatient);
}
