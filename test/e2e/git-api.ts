import { request } from "undici";
import type { Account } from "./place.ts";

/** A pull request as Gitea shows it. */
export interface Pull {
  readonly number: number;
  readonly title: string;
  readonly body: string;
  readonly state: "open" | "closed";
  readonly merged: boolean;
  readonly head: { readonly ref: string; readonly sha: string };
}

/** An answer of the Git host's API. */
export interface ApiAnswer {
  readonly status: number;
  /** `undefined` when the body is empty or no JSON. */
  readonly json: unknown;
}

/** How the host's API is asked. */
export type ApiMethod = "GET" | "POST" | "PATCH" | "DELETE";

/** Asks Gitea's API, e.g. for `/repos/acme/apps/pulls`. */
export async function gitApi(url: string, { token }: Account, ...[method, path, body]: [ApiMethod, string, object?]): Promise<ApiAnswer> {
  const headers = { authorization: `token ${token}`, "content-type": "application/json" };
  const signal = AbortSignal.timeout(20_000);
  const reply = await request(`${url}/api/v1${path}`, { method, headers, signal, ...(body ? { body: JSON.stringify(body) } : {}) });
  const text = await reply.body.text();
  return { status: reply.statusCode, json: parsed(text) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
