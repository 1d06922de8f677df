import type { HttpClient } from "isomorphic-git";
import { Agent, type Dispatcher, errors, request } from "undici";
import { messageOf } from "../lib/errors.ts";
import { GitError, type Remote } from "./git.ts";
import { checkPack } from "./pack-check.ts";
import { parsePktLines, printable, splitSideBand } from "./pkt-line.ts";

/** One exchange with a remote, relative to its URL. */
interface HttpExchange {
  readonly method: "GET" | "POST";
  /** Below the repository's URL, e.g. `/git-upload-pack`. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: Uint8Array | undefined;
}

/** A reply with status 200, whole. */
export interface HttpReply {
  readonly contentType: string;
  readonly body: Buffer;
}

/** The remote answered with another status than 200, 401, 403 or 404. */
export class HttpStatusError extends GitError {
  readonly status: number;

  constructor(status: number, message: string) {
    super("GitOperationFailed", message);
    this.name = "HttpStatusError";
    this.status = status;
  }
}

/** Speaks HTTP with remotes; connections are kept and shared. */
export interface Http {
  /** Sends once, follows redirects only within the same origin. Throws GitError for every answer but 200. */
  exchange(remote: Remote, exchange: HttpExchange, signal: AbortSignal): Promise<HttpReply>;
  close(): Promise<void>;
}

const connectMs = 5_000;
const idleMs = 60_000;
const maxReplyBytes = 64 * 1024 * 1024;
const maxRedirects = 3;
const redirectStatus = new Set([301, 302, 303, 307, 308]);

/** Connections to remotes: 5 s to connect, 60 s of silence, `timeoutMs` in all, 64 MiB a reply. */
export function createHttp(): Http {
  const agents = new Map<string, Agent>();
  const agentFor = (ca: string | undefined) => {
    const known = agents.get(ca ?? "");
    if (known) return known;
    const agent = new Agent({ connect: { timeout: connectMs, ...(ca === undefined ? {} : { ca }) }, keepAliveTimeout: 60_000 });
    agents.set(ca ?? "", agent);
    return agent;
  };
  return {
    exchange: (remote, exchange, signal) =>
      guarded(remote, signal, (limit) => send(agentFor(remote.ca), { remote, exchange, signal: limit })),
    close: async () => {
      await Promise.all([...agents.values()].map((agent) => agent.destroy()));
    },
  };
}

/**
 * The transport of isomorphic-git. It believes that the remote has just advertised these commits, so that it asks for exactly
 * them and the advertisement of all refs, which protocol v1 begins with, is never downloaded.
 */
export function isomorphicTransport(
  http: Http,
  remote: Remote,
  { wants, signal }: { wants: readonly string[]; signal: AbortSignal },
): HttpClient {
  const origin = withoutSlash(remote.url);
  return {
    request: async ({ url, method = "GET", headers = {}, body }) => {
      const reply = (contentType: string, bytes: Uint8Array) => ({
        url,
        method,
        statusCode: 200,
        statusMessage: "OK",
        headers: { "content-type": contentType },
        body: once(bytes),
      });
      if (method === "GET") return reply("application/x-git-upload-pack-advertisement", advertisement(wants));
      const sent: Uint8Array[] = [];
      for await (const chunk of body ?? []) sent.push(chunk);
      const exchange: HttpExchange = { method: "POST", path: url.slice(origin.length), headers, body: Buffer.concat(sent) };
      const answer = await http.exchange(remote, exchange, signal);
      checkUploadPack(answer.body);
      return reply(answer.contentType, answer.body);
    },
  };
}

async function* once(bytes: Uint8Array): AsyncIterableIterator<Uint8Array> {
  yield await Promise.resolve(bytes);
}

/** What every upload-pack since 2011 can do; isomorphic-git asks for nothing else. */
const capabilities = "multi_ack_detailed side-band-64k ofs-delta shallow symref=HEAD:refs/heads/want-0";

function advertisement(wants: readonly string[]): Buffer {
  const frame = (text: string) => `${(Buffer.byteLength(text) + 4).toString(16).padStart(4, "0")}${text}`;
  const refs = wants.map((oid, index) => frame(`${oid} refs/heads/want-${index}\n`));
  return Buffer.from(`${frame("# service=git-upload-pack\n")}0000${frame(`${wants[0]} HEAD\0${capabilities}\n`)}${refs.join("")}0000`);
}

/** Nothing that is cut off, damaged or too large gets as far as isomorphic-git, which checks none of it. */
function checkUploadPack(body: Buffer): void {
  const lines = parsePktLines(body);
  const refused = lines.map((line) => line.toString("utf8", 0, 500)).find((line) => line.startsWith("ERR "));
  const { data, fatal } = splitSideBand(lines);
  const words = refused?.slice(4) ?? fatal;
  if (words !== undefined) throw new GitError("GitOperationFailed", `the remote refused: ${printable(words)}`);
  if (data.length > 0) checkPack(data);
}

interface Sending {
  readonly remote: Remote;
  readonly exchange: HttpExchange;
  readonly signal: AbortSignal;
}

async function guarded<T>(remote: Remote, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const total = AbortSignal.timeout(remote.timeoutMs);
  try {
    return await work(AbortSignal.any([signal, total]));
  } catch (error) {
    if (error instanceof GitError) throw error;
    signal.throwIfAborted();
    const where = remoteName(remote);
    if (total.aborted)
      throw new GitError("LimitExceeded", `${where} did not answer completely within ${remote.timeoutMs} ms (spec.timeout)`);
    const idle = error instanceof errors.HeadersTimeoutError || error instanceof errors.BodyTimeoutError;
    if (idle) throw new GitError("LimitExceeded", `${where} fell silent for ${idleMs / 1_000} s`);
    throw new GitError("GitOperationFailed", `cannot talk to ${where}: ${printable(messageOf(error))}`, { cause: error });
  }
}

async function send(agent: Agent, sending: Sending): Promise<HttpReply> {
  const { remote, exchange } = sending;
  let url = new URL(withoutSlash(remote.url) + exchange.path);
  for (let redirects = 0; redirects <= maxRedirects; redirects++) {
    const response = await sendOnce(agent, url, sending).catch((error: unknown) => {
      // A kept connection may be closed by the server just as we use it. Asking again is safe: a push compares before it swaps.
      if (error instanceof errors.SocketError) return sendOnce(agent, url, sending);
      throw error;
    });
    if (!redirectStatus.has(response.statusCode)) return received(remote, response);
    await response.body.dump();
    url = redirected(remote, url, response.headers["location"]);
  }
  throw new GitError("GitOperationFailed", `${remoteName(remote)} redirects in circles`);
}

function sendOnce(agent: Agent, url: URL, { remote, exchange, signal }: Sending): Promise<Dispatcher.ResponseData> {
  return request(url, {
    dispatcher: agent,
    method: exchange.method,
    headers: { "user-agent": "git/serin", ...exchange.headers, ...authorization(remote) },
    body: exchange.body ?? null,
    headersTimeout: idleMs,
    bodyTimeout: idleMs,
    signal,
  });
}

function authorization({ auth }: Remote): Record<string, string> {
  if (!auth) return {};
  if ("bearerToken" in auth) return { authorization: `Bearer ${auth.bearerToken}` };
  return { authorization: `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString("base64")}` };
}

/** Credentials go nowhere else than to the origin they are for. */
function redirected(remote: Remote, from: URL, location: string | string[] | undefined): URL {
  const to = new URL(String(location), from);
  if (to.origin === from.origin) return to;
  throw new GitError(
    "GitOperationFailed",
    `${remoteName(remote)} redirects to ${printable(to.origin)}; write that address in spec.url if it is meant`,
  );
}

async function received(remote: Remote, response: Dispatcher.ResponseData): Promise<HttpReply> {
  const contentType = String(response.headers["content-type"] ?? "");
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response.body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxReplyBytes)
      throw new GitError("LimitExceeded", `${remoteName(remote)} sends more than ${maxReplyBytes / 1024 / 1024} MiB at once`);
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks);
  if (response.statusCode !== 200) throw refusal(remote, response.statusCode, { contentType, body });
  if (isHtml(contentType)) {
    throw new GitError("GitOperationFailed", `${remoteName(remote)} answers with a web page${title(body)}, not with Git; check spec.url`);
  }
  return { contentType, body };
}

function refusal(remote: Remote, status: number, { contentType, body }: HttpReply): GitError {
  const where = remoteName(remote);
  const words = isHtml(contentType) ? title(body) : printable(body.toString("utf8", 0, 300));
  const said = words === "" ? "" : `: ${words.trim()}`;
  if (status === 401) {
    const why = remote.auth ? "refuses these credentials" : "wants credentials; give them in spec.secretRef";
    return new GitError("AuthenticationFailed", `${where} ${why} (401)${said}`);
  }
  if (status === 403) return new GitError("AuthenticationFailed", `${where} does not allow this with these credentials (403)${said}`);
  if (status === 404)
    return new GitError("RepositoryNotFound", `${where} does not exist, or these credentials may not see it (404)${said}`);
  return new HttpStatusError(status, `${where} answers with status ${status}${said}`);
}

function isHtml(contentType: string): boolean {
  return contentType.toLowerCase().includes("html");
}

function title(body: Buffer): string {
  const found = /<title[^>]*>([^<]*)</i.exec(body.toString("utf8", 0, 20_000));
  return found?.[1] ? ` "${printable(found[1])}"` : "";
}

/** The remote's address as it may appear in a message: without credentials and query. */
export function remoteName({ url }: Remote): string {
  const { origin, pathname } = new URL(url);
  return withoutSlash(`${origin}${pathname}`);
}

/** An address as others can be appended to it. */
export function withoutSlash(url: string): string {
  return url.replace(/\/+$/, "");
}
