import { z } from "zod";
import { GitHostError, type GitHostOptions } from "./git-host.ts";
import { callName, type HostFetch } from "./host-fetch.ts";
import { replyError } from "./reply-error.ts";

/** What to ask Gitea: a path below the repository's own address, e.g. `/pulls/7`. */
interface GiteaRequest {
  readonly method: "GET" | "POST" | "PATCH";
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: object;
}

/** Sends one request and gives the reply as its schema reads it. Throws {@link GitHostError}. */
export type GiteaClient = <T>(request: GiteaRequest, schema: z.ZodType<T>, signal: AbortSignal) => Promise<T>;

/** A client for one repository. @param token fit for a header */
export function giteaClient({ apiURL, owner, repository }: GitHostOptions, token: string, fetch: HostFetch): GiteaClient {
  const base = `${apiURL}/repos/${encodeURIComponent(owner)}/${encodeURIComponent(repository)}`;
  return async ({ method, path, query, body }, schema, signal) => {
    const url = `${base}${path}${query ? `?${new URLSearchParams(query).toString()}` : ""}`;
    const reply = await fetch(url, {
      method,
      signal,
      headers: { authorization: `token ${token}`, accept: "application/json", ...(body ? { "content-type": "application/json" } : {}) },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    const call = callName(url, method);
    const json = parseJson(await reply.text(), call);
    if (!reply.ok) throw replyError({ status: reply.status, words: words.parse(json), call, throttled: reply.headers.has("retry-after") });
    const parsed = schema.safeParse(json);
    if (!parsed.success) throw new GitHostError("Unknown", `${call}: not what Gitea answers: ${z.prettifyError(parsed.error)}`);
    return parsed.data;
  };
}

const words = z.object({ message: z.string() }).transform(({ message }) => message).catch("");

function parseJson(text: string, call: string): unknown {
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw new GitHostError("Unknown", `${call}: the reply is broken JSON`);
  }
}
