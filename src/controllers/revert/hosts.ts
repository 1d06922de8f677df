import type { GitRepository } from "../../api/git-repository.ts";
import { keyOf } from "../../api/object.ts";
import type { Remote } from "../../git/git.ts";
import { hostAddress } from "../../githost/address.ts";
import type { GitHost, GitHostOptions } from "../../githost/git-host.ts";
import type { Kube } from "../../kube/kube.ts";
import { parseDurationMs } from "../../lib/duration.ts";
import { StalledError, WaitingError } from "../../lib/errors.ts";
import { hashJson } from "../../lib/json.ts";
import { createLru } from "../../lib/lru.ts";
import { findSecret, type SecretText } from "../secrets.ts";

interface HostWorld {
  readonly kube: Kube;
  readonly hosts: Readonly<Record<"github" | "gitea", (options: GitHostOptions) => GitHost>>;
}

type RemoteOf = (repository: GitRepository, signal: AbortSignal) => Promise<Remote>;

/** How many clients are kept. */
const maxClients = 1_000;

/**
 * Gives the client of a repository's Git host; `undefined` when the GitRepository names none. Credentials are read each time,
 * because they rotate; while they are the same so is the client, which keeps a GitHub App's token.
 */
export function createHosts(
  { kube, hosts }: HostWorld,
  remoteOf: RemoteOf,
): (repository: GitRepository, signal: AbortSignal) => Promise<GitHost | undefined> {
  const clients = createLru<GitHost>(maxClients);
  return async (repository, signal) => {
    const { host, url, timeout } = repository.spec;
    if (!host) return undefined;
    const address = hostAddress(host.kind, url, host.apiURL);
    const credentials = host.secretRef
      ? hostCredentials(host.secretRef.name, await secretText(kube, repository, host.secretRef.name, signal))
      : credentialsOfRemote(repository, await remoteOf(repository, signal));
    const options = { ...address, credentials, timeoutMs: Math.min(parseDurationMs(timeout), 60_000) };
    const key = hashJson([host.kind, options]);
    const client = clients.get(key) ?? hosts[host.kind](options);
    clients.set(key, client);
    return client;
  };
}

/** Reads the key that signs our commits; `undefined`: unsigned. */
export function signingKeys({
  kube,
}: Pick<HostWorld, "kube">): (repository: GitRepository, signal: AbortSignal) => Promise<string | undefined> {
  return async (repository, signal) => {
    const name = repository.spec.commit.signingKey?.secretRef.name;
    if (name === undefined) return undefined;
    const identity = (await secretText(kube, repository, name, signal))("identity");
    if (!identity) throw new StalledError("SigningKeyMissing", `Secret ${name} of spec.commit.signingKey has no key "identity" with an OpenSSH private key`);
    // Its reader wants the line end that was taken off.
    return `${identity}\n`;
  };
}

async function secretText(kube: Kube, { metadata: { namespace } }: GitRepository, name: string, signal: AbortSignal): Promise<SecretText> {
  const text = await findSecret(kube, { namespace, name }, signal);
  if (!text) throw new WaitingError("SecretNotFound", `Secret ${keyOf({ namespace, name })} does not exist`, 30_000);
  return text;
}

function hostCredentials(name: string, text: SecretText): GitHostOptions["credentials"] {
  const [appId, installationId, privateKey, token] = [
    text("githubAppID"),
    text("githubAppInstallationID"),
    text("githubAppPrivateKey"),
    text("token"),
  ];
  if (appId && installationId && privateKey) return { appId, installationId, privateKey };
  if (token) return { token };
  throw new StalledError("HostCredentialsInvalid", `Secret ${name} of spec.host.secretRef has neither "token" nor githubAppID, githubAppInstallationID and githubAppPrivateKey`);
}

/** A password for Git over HTTP is most often an access token that the API takes as well. Throws StalledError when there is none. */
export function credentialsOfRemote(
  { metadata }: Pick<GitRepository, "metadata">,
  { auth }: Pick<Remote, "auth">,
): GitHostOptions["credentials"] {
  if (!auth) throw new StalledError("HostCredentialsMissing", `GitRepository ${keyOf(metadata)} has no credentials for its host: set spec.host.secretRef`);
  return { token: "bearerToken" in auth ? auth.bearerToken : auth.password };
}
