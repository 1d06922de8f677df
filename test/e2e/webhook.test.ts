import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { crdOf } from "../../src/api/crd.ts";
import { kinds } from "../../src/api/kinds.ts";
import { apiVersion } from "../../src/api/meta.ts";
import type { KubeObject } from "../../src/api/object.ts";
import { startController } from "../../src/cli/controller.ts";
import { startDeveloper } from "../../src/cli/demo/developer.ts";
import { parseConfig } from "../../src/config.ts";
import { createKube, type KubeClient } from "../../src/kube/client.ts";
import { serverAt } from "../../src/kube/kubeconfig.ts";
import { silentLogger } from "../../src/lib/log.ts";
import { type ApiServer, startApiServer } from "../../src/sandbox/api-server/api-server.ts";
import { type GitServer, startGitServer } from "../../src/sandbox/git-server/git-server.ts";

const dir = mkdtempSync(join(tmpdir(), "serin-webhook-"));
const life = new AbortController();
const { signal } = life;
const ada = { login: "ada", password: "ada", token: "token-of-ada" };
const fieldManager = "test";
let api: ApiServer;
let kube: KubeClient;
let git: GitServer;
let ended: Promise<void>;

beforeAll(async () => {
  api = await startApiServer();
  kube = createKube(serverAt(api.url));
  for (const kind of kinds) await kube.apply(crdOf(kind), { fieldManager }, signal);
  const config = { ...parseConfig({ PATH: process.env["PATH"] }), port: 0, gitDirectory: join(dir, "cache") };
  const controller = await startController({ config, connection: serverAt(api.url), log: silentLogger, signal });
  ended = controller.ended;
  const webhook = { url: `http://127.0.0.1:${controller.port}/hooks/shop/apps`, secret: "s3cret" };
  git = await startGitServer({ dir: join(dir, "git"), users: [ada], webhook });
});

afterAll(async () => {
  life.abort();
  await ended;
  await git.close();
  await kube.close();
  await api.close();
  rmSync(dir, { recursive: true, force: true });
});

async function until<T>(read: () => Promise<T | undefined>): Promise<T> {
  const deadline = AbortSignal.timeout(20_000);
  for (;;) {
    const value = await read();
    if (value !== undefined) return value;
    deadline.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

test("a push is applied at once by its webhook, long before the next poll", async () => {
  const { cloneUrl } = await git.createRepository("acme", "apps");
  const developer = await startDeveloper(
    { ...ada, cloneUrl, dir: join(dir, "ada"), name: "Ada", searchPath: process.env["PATH"] ?? "" },
    signal,
  );
  const manifest = (mode: string) => ({
    "apps/config.yaml": `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop, namespace: shop}\ndata: {mode: "${mode}"}\n`,
  });
  await developer.push("Start", manifest("one"), signal);
  const objects: KubeObject[] = [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } },
    {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "git", namespace: "shop" },
      stringData: { username: ada.login, password: ada.token },
    },
    { apiVersion: "v1", kind: "Secret", metadata: { name: "hook", namespace: "shop" }, stringData: { token: "s3cret" } },
    {
      apiVersion,
      kind: "GitRepository",
      metadata: { name: "apps", namespace: "shop" },
      spec: {
        url: cloneUrl,
        ref: { branch: "main" },
        interval: "10h",
        secretRef: { name: "git" },
        webhook: { secretRef: { name: "hook" } },
      },
    },
    {
      apiVersion,
      kind: "Sync",
      metadata: { name: "apps", namespace: "shop" },
      spec: { sourceRef: { name: "apps" }, path: "./apps", interval: "10h", prune: true },
    },
  ];
  for (const object of objects) await kube.apply(object, { fieldManager }, signal);
  const applied = (mode: string) =>
    until(async () => {
      const config = await kube.find({ apiVersion: "v1", kind: "ConfigMap", namespace: "shop", name: "shop" }, signal);
      return (config?.["data"] as { mode?: string } | undefined)?.mode === mode ? config : undefined;
    });
  await applied("one");
  const commit = await developer.push("Change", manifest("two"), signal);
  expect((await applied("two")).metadata.annotations).toMatchObject({ "serin.dev/commit": commit });
  const repository = await kube.find({ apiVersion, kind: "GitRepository", namespace: "shop", name: "apps" }, signal);
  expect(repository?.metadata.annotations).toHaveProperty(["serin.dev/requestedAt"]);
});
