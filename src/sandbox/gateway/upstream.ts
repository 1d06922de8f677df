import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { buffer } from "node:stream/consumers";
import type { Dispatcher } from "undici";
import { Pool } from "undici";

/** A request on its way to a pod. */
interface Outgoing {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer | IncomingMessage | null;
  /** Limit until the answer has begun and ended; `undefined`: none. */
  readonly timeoutMs: number | undefined;
  /** Aborts when the client has gone. */
  readonly signal: AbortSignal;
}

/** What came of it. */
export type Outcome =
  | { readonly ok: true; readonly answer: Dispatcher.ResponseData; readonly origin: string }
  | { readonly ok: false; readonly why: "noEndpoint" | "connect" | "reset" | "timeout" | "gone" };

/** Connections to pods, kept alive between requests. */
export interface Upstreams {
  /** Tries the endpoints in the order given; goes on to the next only where the request cannot have been served yet. */
  send(origins: readonly string[], outgoing: Outgoing): Promise<Outcome>;
  /** Closes connections to all other origins once what is in flight has ended. */
  keep(origins: ReadonlySet<string>): void;
  close(): Promise<void>;
}

/** Bodies up to this size are held, so that they can be sent again. */
const heldBytes = 64 * 1_024;

/** No connections yet. */
export function createUpstreams(): Upstreams {
  const pools = new Map<string, Pool>();
  const poolOf = (origin: string): Pool => {
    // Pods keep idle connections for 65 s: this side always lets go first, so none is closed under a request.
    const pool =
      pools.get(origin) ??
      new Pool(origin, { connections: 256, keepAliveTimeout: 4_000, keepAliveMaxTimeout: 30_000, connectTimeout: 2_000 });
    pools.set(origin, pool);
    return pool;
  };
  const retire = (origin: string, pool: Pool): Promise<void> => {
    pools.delete(origin);
    return pool.close().catch(() => {});
  };
  return {
    send: async (origins, outgoing) => {
      let outcome: Outcome = { ok: false, why: "noEndpoint" };
      for (const origin of origins) {
        outcome = await tryOne(poolOf(origin), origin, outgoing);
        if (outcome.ok || !isRepeatable(outcome.why, outgoing)) return outcome;
      }
      return outcome;
    },
    keep: (origins) => {
      for (const [origin, pool] of pools) if (!origins.has(origin)) void retire(origin, pool);
    },
    close: async () => {
      await Promise.all([...pools].map(async ([origin, pool]) => await retire(origin, pool)));
    },
  };
}

async function tryOne(pool: Pool, origin: string, { method, path, headers, body, timeoutMs, signal }: Outgoing): Promise<Outcome> {
  const limit = timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs);
  try {
    const options = {
      method: method as Dispatcher.HttpMethod,
      path,
      headers,
      body,
      signal: limit ? AbortSignal.any([signal, limit]) : signal,
    };
    return { ok: true, answer: await pool.request(options), origin };
  } catch (error) {
    if (signal.aborted) return { ok: false, why: "gone" };
    if (limit?.aborted) return { ok: false, why: "timeout" };
    return { ok: false, why: isConnectError(error) ? "connect" : "reset" };
  }
}

function isConnectError(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return (
    code === "ECONNREFUSED" ||
    code === "UND_ERR_CONNECT_TIMEOUT" ||
    code === "EHOSTUNREACH" ||
    code === "UND_ERR_CLOSED" ||
    code === "UND_ERR_DESTROYED"
  );
}

/** A refused connection has served nothing; a connection that was cut may have, so only safe methods go again. */
function isRepeatable(why: "noEndpoint" | "connect" | "reset" | "timeout" | "gone", { method, body }: Outgoing): boolean {
  const held = body === null || Buffer.isBuffer(body);
  if (why === "connect") return held;
  return why === "reset" && held && (method === "GET" || method === "HEAD" || method === "OPTIONS");
}

/** The body to send on: small ones are read first. */
export async function bodyOf(request: IncomingMessage): Promise<Buffer | IncomingMessage | null> {
  const length = request.headers["content-length"];
  if (length === undefined && request.headers["transfer-encoding"] === undefined) return null;
  if (length !== undefined && Number(length) <= heldBytes) return await buffer(request);
  return request;
}
