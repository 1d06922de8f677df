import { fetch, type RequestInit, Response } from "undici";
import { GitHostError } from "./git-host.ts";

/** A list of a hundred pull requests with the longest bodies stays below this. */
const maxReplyBytes = 16 * 1024 * 1024;

/** One exchange with a host. */
export type HostFetch = (url: string, init?: RequestInit) => Promise<Response>;

/**
 * A fetch for a Git host's API: bounded in time and size, follows no redirect, retries nothing.
 * Replies are read to their end and are JSON or empty; anything else (a proxy's HTML page, a dead host) throws
 * {@link GitHostError} `Unknown`, whatever its status. Rejects with the caller's reason when the caller's signal aborts.
 */
export function hostFetch(timeoutMs: number): HostFetch {
  return async (url, init = {}) => {
    const deadline = AbortSignal.timeout(timeoutMs);
    const call = callName(url, init.method);
    try {
      const signal = init.signal ? AbortSignal.any([init.signal, deadline]) : deadline;
      const response = await fetch(url, { ...init, redirect: "manual", signal });
      return await wholeReply(response, call);
    } catch (error) {
      if (error instanceof GitHostError) throw error;
      init.signal?.throwIfAborted();
      if (deadline.aborted) throw new GitHostError("Unknown", `${call}: no answer within ${timeoutMs} ms`);
      throw new GitHostError("Unknown", `${call} failed`, { cause: networkCause(error) });
    }
  };
}

/** Method and address for messages: no query, no credentials. */
export function callName(url: string, method: string | undefined): string {
  const { origin, pathname } = new URL(url);
  return `${method ?? "GET"} ${origin}${pathname}`;
}

async function wholeReply(response: Response, call: string): Promise<Response> {
  if (response.status >= 300 && response.status < 400) {
    await response.body?.cancel();
    const place = (response.headers.get("location") ?? "nowhere").slice(0, 300);
    const wayOut = "write the new address into spec.url or spec.host.apiURL";
    throw new GitHostError("Unknown", `${call}: ${response.status}, moved to ${place}; ${wayOut}`);
  }
  const bytes = await readAll(response, call);
  const type = response.headers.get("content-type") ?? "no content type";
  if (bytes.length > 0 && !/\bjson\b/i.test(type)) {
    const answer = `${response.status} with ${type.slice(0, 100)} instead of JSON`;
    throw new GitHostError("Unknown", `${call}: ${answer}; is spec.host.apiURL the address of the API?`);
  }
  return new Response(bytes.length > 0 ? bytes : null, { status: response.status, headers: response.headers });
}

async function readAll(response: Response, call: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > maxReplyBytes) throw new GitHostError("Unknown", `${call}: ${response.status} with more than ${maxReplyBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** `fetch failed` says nothing; its cause says what did. */
function networkCause(error: unknown): unknown {
  return error instanceof TypeError && error.cause !== undefined ? error.cause : error;
}
