import { createHash } from "node:crypto";
import { type Dispatcher, Pool, ProxyAgent } from "undici";
import { backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import { orAborted, withTimeout } from "./abort.ts";
import { KubeError } from "./kube.ts";
import type { Credentials, KubeConnection, TlsOptions } from "./kubeconfig.ts";
import type { RequestObserver, SentRequest } from "./observer.ts";
import { type Answer, decodeAnswer, errorOf, retryAfterOf, unreachable } from "./status.ts";

/** One request to the API server. */
export interface HttpRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** With the query. */
  readonly path: string;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly accept?: string;
  readonly impersonate?: string | undefined;
}

/** Sends requests, again where that is safe, and reads the answers within limits. */
export interface Transport {
  /** The answer's JSON. Throws KubeError for a refusal, or when there was no answer. */
  json(request: HttpRequest, signal: AbortSignal): Promise<unknown>;
  /** The answer's body as it comes, without end. Read it or leave the loop: both free the connection. */
  stream(request: HttpRequest, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
  /** Ends all connections. */
  close(): Promise<void>;
}

/** Limits of the transport; the defaults suit a controller. */
export interface TransportLimits {
  /** For one attempt, from sending to the last byte of the answer (of a stream: to its first). */
  readonly timeoutMs: number;
  /** Bytes of one answer. */
  readonly maxAnswerBytes: number;
  /** How often one request is sent at most. */
  readonly attempts: number;
}

/** 30 s, 64 MiB, 5 attempts. */
export const defaultLimits: TransportLimits = { timeoutMs: 30_000, maxAnswerBytes: 64 * 1024 * 1024, attempts: 5 };

const retryBackoff = { baseMs: 250, maxMs: 8_000 };
/** A server that asks for a longer pause than this is given up on: the caller's own backoff is wiser. */
const maxRetryAfterMs = 60_000;

interface Wire {
  readonly connection: KubeConnection;
  readonly clock: Clock;
  readonly limits: TransportLimits;
  readonly pools: Pools;
  /** Called before every attempt; throws to keep it from being sent. */
  guard(request: HttpRequest): void;
  readonly observer?: RequestObserver | undefined;
}

/** A transport to this API server. `guard` is called before every attempt and may throw to keep it from being sent. */
export function createTransport(connection: KubeConnection, options: Pick<Wire, "clock" | "limits" | "guard" | "observer">): Transport {
  const wire: Wire = { connection, pools: createPools(connection), ...options };
  const { limits } = options;
  return {
    json: (request, signal) =>
      retried(wire, request, signal, async () => withTimeout(limits.timeoutMs, signal, async (attemptSignal) => {
        const answer = await readAnswer(request, await send(wire, request, attemptSignal), limits.maxAnswerBytes);
        return refusalOf(answer, wire) ?? { value: decodeAnswer(answer) };
      })),
    stream: (request, signal) =>
      retried<AsyncIterable<Uint8Array>>(wire, request, signal, async () => openStream(wire, request, signal)),
    close: () => wire.pools.close(),
  };
}

/** What one attempt gave: the value, or an error that may go away. */
type Attempt<T> = { value: T } | { refused: KubeError; retryAfterMs: number | undefined };

async function retried<T>(wire: Wire, request: HttpRequest, signal: AbortSignal, once: () => Promise<Attempt<T>>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted();
    const outcome = await once().catch((error: unknown) => lost(request, error, signal));
    if ("value" in outcome) return outcome.value;
    const { refused, retryAfterMs } = outcome;
    if (refused.code === 401) wire.connection.refresh();
    const pauseMs = retryAfterMs ?? backoffMs(attempt, retryBackoff);
    if (attempt >= attemptsFor(refused, wire.limits) || pauseMs > maxRetryAfterMs || !mayResend(request, refused)) throw refused;
    await wire.clock.sleep(pauseMs, signal);
  }
}

function attemptsFor(refused: KubeError, limits: TransportLimits): number {
  return refused.code === 401 ? Math.min(2, limits.attempts) : limits.attempts;
}

/** Refusals that may go away; `undefined` for an answer that is final. */
function refusalOf(
  answer: Answer & { retryAfter?: string | undefined },
  { clock }: Wire,
): { refused: KubeError; retryAfterMs: number | undefined } | undefined {
  const passing = answer.code === 429 || answer.code === 401 || (answer.code >= 500 && answer.code !== 501);
  const refused = passing ? errorOf(answer) : undefined;
  if (!refused || refused.reason === "Invalid") return undefined;
  return { refused, retryAfterMs: parseRetryAfter(answer.retryAfter, clock.nowMs()) ?? retryAfterOf(answer.text) };
}

/** A request that broke on the way. Aborts and our own errors are thrown on. */
function lost(request: HttpRequest, error: unknown, signal: AbortSignal): { refused: KubeError; retryAfterMs: undefined } {
  if (signal.aborted) throw signal.reason;
  if (error instanceof KubeError || error instanceof CredentialsError) throw error;
  return { refused: unreachable(askedBy(request), error), retryAfterMs: undefined };
}

/** A POST that may have arrived is never sent again: it would create a second object, or report our own as a conflict. */
function mayResend(request: HttpRequest, refused: KubeError): boolean {
  if (request.method !== "POST" || refused.code === 429 || refused.code === 401) return true;
  return refused.code === 0 && neverSent.has(codeOf(refused.cause));
}

const neverSent = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH", "UND_ERR_CONNECT_TIMEOUT"]);

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

function parseRetryAfter(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined || header === "") return undefined;
  const seconds = Number(header);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1_000);
  const atMs = Date.parse(header);
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs);
}

/** The credentials could not be read, so nothing was sent. */
class CredentialsError extends Error {}

async function send(wire: Wire, request: HttpRequest, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
  const credentials = await orAborted(wire.connection.credentials(), signal).catch((error: unknown) => {
    throw signal.aborted ? signal.reason : new CredentialsError(askedBy(request), { cause: error });
  });
  // Last, as waiting for credentials can take long.
  wire.guard(request);
  const { method, path, body, contentType = "application/json", accept = "application/json", impersonate } = request;
  return observed(wire.observer, request, () => wire.pools.current(credentials.tls).request({
    origin: new URL(wire.connection.server).origin,
    method,
    path: pathUnder(wire.connection.server, path),
    signal,
    headers: headersOf(credentials, { accept, impersonate, contentType: body === undefined ? undefined : contentType }),
    body: body === undefined ? null : JSON.stringify(body),
    reset: false, // or a connection is closed after every DELETE, because that has a body
    headersTimeout: 0, // the attempt's own timeout rules
    bodyTimeout: 0,
  }));
}

async function observed(
  observer: RequestObserver | undefined,
  request: HttpRequest,
  send: () => Promise<Dispatcher.ResponseData>,
): Promise<Dispatcher.ResponseData> {
  const startedMs = performance.now();
  const tell = (code: number): void => observer?.({ verb: verbOf(request), code, durationMs: performance.now() - startedMs });
  try {
    const response = await send();
    tell(response.statusCode);
    return response;
  } catch (error) {
    tell(0);
    throw error;
  }
}

const writeVerbs = { POST: "create", PUT: "update", PATCH: "patch", DELETE: "delete" } as const;

function verbOf({ method, path, contentType }: HttpRequest): SentRequest["verb"] {
  if (method !== "GET") return contentType === "application/apply-patch+yaml" ? "apply" : writeVerbs[method];
  if (/[?&]watch=true/.test(path)) return "watch";
  return /[?&]limit=/.test(path) ? "list" : "get";
}

function headersOf(
  { headers }: Credentials,
  { accept, impersonate, contentType }: { accept: string; impersonate: string | undefined; contentType: string | undefined },
): Record<string, string> {
  return {
    "user-agent": "serin",
    ...headers,
    accept,
    ...(contentType === undefined ? {} : { "content-type": contentType }),
    ...(impersonate === undefined ? {} : { "impersonate-user": impersonate }),
  };
}

/** Servers behind a path, as some managed clusters are: `https://host/k8s/clusters/c-1`. */
function pathUnder(server: string, path: string): string {
  const prefix = new URL(server).pathname;
  return prefix === "/" ? path : `${prefix}${path}`;
}

async function readAnswer(
  request: HttpRequest,
  response: Dispatcher.ResponseData,
  maxBytes: number,
): Promise<Answer & { retryAfter?: string | undefined }> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response.body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    // Leaving the loop destroys the body.
    if (bytes > maxBytes) throw new KubeError(0, "ResponseTooLarge", `${askedBy(request)}: the answer is larger than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  const retryAfter = response.headers["retry-after"];
  const text = Buffer.concat(chunks).toString("utf8");
  return { code: response.statusCode, text, asked: askedBy(request), retryAfter: Array.isArray(retryAfter) ? retryAfter[0] : retryAfter };
}

async function openStream(wire: Wire, request: HttpRequest, signal: AbortSignal): Promise<Attempt<AsyncIterable<Uint8Array>>> {
  const headers = Promise.withResolvers<void>();
  // The stream lives as long as the caller's signal, so only the wait for its beginning is timed.
  const opening = send(wire, request, signal);
  const timed = withTimeout(wire.limits.timeoutMs, signal, async (timeout) => orAborted(headers.promise, timeout));
  opening.then(() => headers.resolve(), headers.reject);
  try {
    await timed;
  } catch (error) {
    opening.then((late) => late.body.destroy(), () => {});
    throw error;
  }
  const response = await opening;
  if (response.statusCode === 200) return { value: response.body as AsyncIterable<Uint8Array> };
  const answer = await withTimeout(wire.limits.timeoutMs, signal, async (timeout) =>
    orAborted(readAnswer(request, response, 1024 * 1024), timeout),
  );
  const refusal = refusalOf(answer, wire);
  if (refusal) return refusal;
  throw errorOf(answer);
}

function askedBy({ method, path }: HttpRequest): string {
  return `${method} ${path}`;
}

interface Pools {
  current(tls: TlsOptions): Dispatcher;
  close(): Promise<void>;
}

/** One pool of connections for as long as the certificates stay the same. */
function createPools({ server, proxyUrl }: KubeConnection): Pools {
  let pool: Dispatcher | undefined;
  let fingerprint = "";
  return {
    current: (tls) => {
      const next = fingerprintOf(tls);
      if (pool && next === fingerprint) return pool;
      // Requests that are under way, watches too, end in their own time on the old certificates.
      void pool?.close();
      fingerprint = next;
      pool = proxyUrl === undefined ? poolTo(server, tls) : new ProxyAgent({ uri: proxyUrl, requestTls: tls, allowH2: false });
      return pool;
    },
    close: async () => pool?.destroy(),
  };
}

function poolTo(server: string, tls: TlsOptions): Pool {
  // A connection per watch and per running request: a stuck one holds up no other, as it would with HTTP/2.
  return new Pool(new URL(server).origin, { allowH2: false, keepAliveTimeout: 20_000, connect: { ...tls, keepAliveInitialDelay: 30_000 } });
}

function fingerprintOf({ ca = "", cert = "", key = "", servername = "", rejectUnauthorized = true }: TlsOptions): string {
  const hash = createHash("sha256");
  for (const part of [ca, cert, key, servername, String(rejectUnauthorized)]) hash.update(part).update("\0");
  return hash.digest("hex");
}
