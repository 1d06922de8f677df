import { createPrivateKey } from "node:crypto";
import { createAppAuth } from "@octokit/auth-app";
import { z } from "zod";
import { StalledError } from "../lib/errors.ts";
import { GitHostError, type GitHostOptions } from "./git-host.ts";
import { callName, hostFetch } from "./host-fetch.ts";
import { replyError } from "./reply-error.ts";
import { headerToken } from "./token.ts";

/** Runs one Octokit method and gives its reply as the schema reads it. Throws {@link GitHostError}. */
export type GitHubCall = <T>(
  method: (request: { signal: AbortSignal }) => Promise<{ data: unknown }>,
  schema: z.ZodType<T>,
  signal: AbortSignal,
) => Promise<T>;

/** What Octokit is made with: our fetch (limits of time and size, no redirect, no retry), our credentials, and silence. */
export function githubSettings({ apiURL, credentials, timeoutMs }: GitHostOptions) {
  const quiet = () => undefined;
  const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };
  const common = { baseUrl: apiURL, userAgent: "serin", log, request: { fetch: hostFetch(timeoutMs), log } };
  if ("token" in credentials) return { ...common, auth: headerToken(credentials.token) };
  const { appId, installationId, privateKey } = credentials;
  return { ...common, authStrategy: createAppAuth, auth: { appId, installationId, privateKey: readableKey(privateKey), log } };
}

/** How Octokit's methods are called. @param apiURL for messages */
export function githubCall(apiURL: string): GitHubCall {
  return async (method, schema, signal) => {
    signal.throwIfAborted();
    const data = await unlessAborted(method({ signal }), signal).catch((error: unknown) => {
      signal.throwIfAborted();
      throw toHostError(error, apiURL);
    });
    const parsed = schema.safeParse(data.data);
    if (!parsed.success) throw new GitHostError("Unknown", `${apiURL}: not what GitHub answers: ${z.prettifyError(parsed.error)}`);
    return parsed.data;
  };
}

/** Octokit's App authentication waits between its tries without listening to a signal. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

const refusal = z.object({
  status: z.int(),
  request: z.object({ method: z.string(), url: z.string() }),
  response: z.object({ headers: z.record(z.string(), z.unknown()), data: z.unknown() }),
});

function toHostError(error: unknown, apiURL: string): GitHostError {
  if (error instanceof GitHostError) return error;
  if (error instanceof Error && error.cause instanceof GitHostError) return error.cause;
  const parsed = refusal.safeParse(error);
  if (!parsed.success) return new GitHostError("Unknown", `${apiURL} could not be asked`, { cause: error });
  const { status, request, response } = parsed.data;
  const call = callName(request.url, request.method);
  const signingIn = /\/app\/installations\/[^/]+\/access_tokens$/.test(call);
  return replyError({ status, words: wordsOf(response.data), call, throttled: isThrottled(response.headers), signingIn });
}

function isThrottled(headers: Readonly<Record<string, unknown>>): boolean {
  return headers["x-ratelimit-remaining"] === "0" || headers["retry-after"] !== undefined;
}

const detail = z.union([z.string(), z.object({ message: z.string() }).transform(({ message }) => message)]);
const words = z.object({ message: z.string().catch(""), errors: z.array(detail.catch("")).catch([]) });

/** GitHub's own words: what exactly is wrong stands in a list beside the message. */
function wordsOf(data: unknown): string {
  const parsed = words.safeParse(data);
  return parsed.success ? [parsed.data.message, ...parsed.data.errors].filter((text) => text !== "").join(": ") : "";
}

function readableKey(privateKey: string): string {
  try {
    createPrivateKey(privateKey);
    return privateKey;
  } catch {
    const message = "spec.host.secretRef: githubAppPrivateKey is not an unencrypted private key in PEM form";
    throw new StalledError("HostCredentialsInvalid", message);
  }
}
