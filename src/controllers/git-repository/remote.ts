import type { GitRepository } from "../../api/git-repository.ts";
import { keyOf } from "../../api/object.ts";
import type { Remote } from "../../git/git.ts";
import type { Kube } from "../../kube/kube.ts";
import { parseDurationMs } from "../../lib/duration.ts";
import { WaitingError } from "../../lib/errors.ts";
import { findSecret, type SecretText } from "../secrets.ts";

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
  const ref = { namespace: repository.metadata.namespace, name: secretRef.name };
  const name = keyOf(ref);
  const read = await findSecret(kube, ref, signal);
  if (!read) throw new WaitingError("SecretNotFound", `Secret ${name} of spec.secretRef does not exist`, retryMs);
  const ca = read("ca.crt");
  return { url, timeoutMs, auth: authOf(read, name), ...(ca === undefined ? {} : { ca }) };
}

function authOf(read: SecretText, name: string): Remote["auth"] {
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
