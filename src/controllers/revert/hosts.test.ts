import { beforeEach, describe, expect, test } from "vitest";
import { memoryKube, resourceOf } from "../../../test/fakes/memory-kube.ts";
import { type GitRepository, gitRepository } from "../../api/git-repository.ts";
import { apiVersion } from "../../api/meta.ts";
import type { GitHost, GitHostOptions } from "../../githost/git-host.ts";
import { createHosts, signingKeys } from "./hosts.ts";

const never = new AbortController().signal;
const made: GitHostOptions[] = [];
const make = (options: GitHostOptions): GitHost => {
  made.push(options);
  return {} as GitHost;
};

async function kubeWith(secrets: Readonly<Record<string, Readonly<Record<string, string>>>>) {
  const kube = memoryKube([resourceOf("v1", "Secret")]);
  for (const [name, data] of Object.entries(secrets)) {
    const encoded = Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString("base64")]));
    await kube.create(
      { apiVersion: "v1", kind: "Secret", metadata: { namespace: "shop", name }, data: encoded },
      { fieldManager: "test" },
      never,
    );
  }
  return kube;
}

function repository(spec: object): GitRepository {
  const whole = { url: "https://git.example/acme/apps.git", interval: "1m", ...spec };
  return {
    apiVersion,
    kind: "GitRepository",
    metadata: { namespace: "shop", name: "apps" },
    spec: gitRepository.spec.parse(whole),
    status: {},
  };
}

const remoteOf = async () => ({
  url: "https://git.example/acme/apps.git",
  auth: { username: "serin", password: "of-git" },
  timeoutMs: 1_000,
});

beforeEach(() => {
  made.length = 0;
});

describe("rule 12: the way to the Git host", () => {
  test("none is named: no host", async () => {
    const hostOf = createHosts({ kube: await kubeWith({}), hosts: { github: make, gitea: make } }, remoteOf);
    expect(await hostOf(repository({}), never)).toBeUndefined();
  });

  test("one client while the credentials are the same, another when they rotate: an App keeps its token", async () => {
    const kube = await kubeWith({ host: { githubAppID: "1", githubAppInstallationID: "2", githubAppPrivateKey: "key" } });
    const hostOf = createHosts({ kube, hosts: { github: make, gitea: make } }, remoteOf);
    const spec = repository({ host: { kind: "github", apiURL: "https://git.example/api", secretRef: { name: "host" } } });
    const first = await hostOf(spec, never);
    expect([await hostOf(spec, never), made.length]).toEqual([first, 1]);
    expect(made[0]?.credentials).toEqual({ appId: "1", installationId: "2", privateKey: "key" });
    await kube.patch(
      { apiVersion: "v1", kind: "Secret", namespace: "shop", name: "host" },
      { data: { githubAppID: Buffer.from("9").toString("base64") } },
      { fieldManager: "test" },
      never,
    );
    await hostOf(spec, never);
    expect(made.length).toBe(2);
  });

  test("without a Secret of its own the password of Git is the token", async () => {
    const hostOf = createHosts({ kube: await kubeWith({}), hosts: { github: make, gitea: make } }, remoteOf);
    await hostOf(repository({ host: { kind: "gitea" } }), never);
    expect(made[0]?.credentials).toEqual({ token: "of-git" });
  });

  test.each<[string, Record<string, Record<string, string>>, string]>([
    ["a Secret that does not exist", {}, "SecretNotFound"],
    ["a Secret without token or App", { host: { password: "x" } }, "HostCredentialsInvalid"],
  ])("%s is named", async (_, secrets, reason) => {
    const hostOf = createHosts({ kube: await kubeWith(secrets), hosts: { github: make, gitea: make } }, remoteOf);
    await expect(hostOf(repository({ host: { kind: "gitea", secretRef: { name: "host" } } }), never)).rejects.toMatchObject({
      reason,
      message: expect.stringContaining("host"),
    });
  });

  test("a signing key that is missing in its Secret is named", async () => {
    const keyOf = signingKeys({ kube: await kubeWith({ signing: { other: "x" } }) });
    const spec = repository({ commit: { signingKey: { secretRef: { name: "signing" } } } });
    await expect(keyOf(spec, never)).rejects.toMatchObject({ reason: "SigningKeyMissing", message: expect.stringContaining('"identity"') });
    expect(await keyOf(repository({}), never)).toBeUndefined();
  });
});
