import type { GitRepository } from "../../api/git-repository.ts";
import { keyOf } from "../../api/object.ts";
import type { Remote } from "../../git/git.ts";
import type { Kube } from "../../kube/kube.ts";
import { parseDurationMs } from "../../lib/duration.ts";
import { WaitingError } from "../../lib/errors.ts";
import { isRecord } from "../../lib/json.ts";

/** A Secret that is not there yet is looked for again after this time. */
const retryMs = 15_000;

/**
 * Where a GitRepository is and who we are there. Its Secret is read each time and never kept. Throws WaitingError naming the
 * Secret when it does not exist or lacks a key.
 */
export async function remoteOf(kube: Kube, repository: GitRepository, signal: AbortSignal): Promise<Remote> {
  const { url, timeout, secretRef } = repository.spec;
  const timeoutMs = parseDurationMs(timeout);
  if (!secretRef) return { url, timeoutMs };
  const name = keyOf({ namespace: repository.metadata.namespace, name: secretRef.name });
  const secret = await kube.find({ apiVersion: "v1", kind: "Secret", namespace: repository.metadata.namespace, name: secretRef.name }, signal);
  if (!secret) throw new WaitingError("SecretNotFound", `Secret ${name} of spec.secretRef does not exist`, retryMs);
  const read = (key: string): string | undefined => decode(secret["data"], key);
  const ca = read("ca.crt");
  return { url, timeoutMs, auth: authOf(read, name), ...(ca === undefined ? {} : { ca }) };
}

function authOf(read: (key: string) => string | undefined, name: string): Remote["auth"] {
  const [username, password, bearerToken] = [read("username"), read("password"), read("bearerToken")];
  const hasBasic = username !== undefined || password !== undefined;
  if (bearerToken !== undefined) {
    if (hasBasic) throw invalid(name, "has bearerToken beside username or password; keep one way of authentication");
    return { bearerToken };
  }
  if (username !== undefined && password !== undefined) return { username, password };
  if (hasBasic) throw invalid(name, `has no ${username === undefined ? "username" : "password"}`);
  if (read("ca.crt") === undefined) throw invalid(name, "needs username and password, or bearerToken");
  return undefined;
}

/** Not Stalled: the Secret is not watched, so only another look can see that it was mended. */
function invalid(name: string, problem: string): WaitingError {
  return new WaitingError("InvalidSecret", `Secret ${name} of spec.secretRef ${problem}`, retryMs);
}

/** The value of a Secret's key; an empty one counts as missing. A line end at the end is most often an accident of the editor. */
function decode(data: unknown, key: string): string | undefined {
  const value = isRecord(data) ? data[key] : undefined;
  if (typeof value !== "string") return undefined;
  const text = Buffer.from(value, "base64").toString("utf8").replace(/\r?\n$/, "");
  return text === "" ? undefined : text;
}
