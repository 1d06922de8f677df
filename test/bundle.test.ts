import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { crdOf } from "../src/api/crd.ts";
import { kinds } from "../src/api/kinds.ts";
import { apiVersion } from "../src/api/meta.ts";
import { createKube } from "../src/kube/client.ts";
import { serverAt } from "../src/kube/kubeconfig.ts";
import { startApiServer } from "../src/sandbox/api-server/api-server.ts";
import { aGitRemote } from "./git-remote.ts";

const run = promisify(execFile);
const root = resolve(import.meta.dirname, "..");

// Outside of the repository: nothing of node_modules is found from here.
const dir = mkdtempSync(join(tmpdir(), "serin-test-bundle-"));
const program = join(dir, "serin.mjs");

// Made of nothing but what the Dockerfile copies.
beforeAll(async () => {
  const context = join(dir, "context");
  for (const path of ["package.json", "src", "hack/bundle.ts", "hack/licenses.ts"])
    cpSync(join(root, path), join(context, path), { recursive: true, filter: (source) => !source.endsWith(".test.ts") });
  symlinkSync(join(root, "node_modules"), join(context, "node_modules"));
  await run(process.execPath, [join(context, "hack/bundle.ts"), "--version-string", "9.8.7-test.1", "--out", dir]);
  rmSync(context, { recursive: true });
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function serin(...args: string[]): Promise<{ stdout: string }> {
  return run(process.execPath, [program, ...args], { cwd: dir });
}

test("says the version that it was made with, and from sources that of package.json", async () => {
  expect((await serin("--version")).stdout).toBe("9.8.7-test.1\n");
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
  expect((await run(process.execPath, [join(root, "src/main.ts"), "--version"])).stdout).toBe(`${version}\n`);
});

test("is text that the engine keeps in a byte for each letter, and says all others all the same", async () => {
  expect(/[\u0080-\uffff]/.exec(readFileSync(program, "utf8"))).toBeNull();
  expect((await serin("lint", "--help")).stdout).toContain("FILE…");
});

test("refuses a version that is none, and writes nothing then", async () => {
  const bundling = run(process.execPath, [join(root, "hack/bundle.ts"), "--version-string", "latest", "--out", join(dir, "none")]);
  await expect(bundling).rejects.toThrow(/--version-string latest: a version looks like 1\.2\.3/);
  expect(() => readFileSync(join(dir, "none/serin.mjs"))).toThrow(/ENOENT/);
});

test("lists all commands, and does not take the one that only it starts itself", async () => {
  expect((await serin("--help")).stdout).toContain("controller   Run the controller.");
  await expect(serin("git-worker")).rejects.toThrow(/there is no command git-worker/);
});

test("passes on the licence of every package that it holds code of", () => {
  const notices = readFileSync(join(dir, "LICENSES.txt"), "utf8");
  const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { dependencies: Record<string, string> };
  const unnamed = Object.entries(dependencies).filter(([name, version]) => !notices.includes(`## ${name} ${version} (`));
  expect(unnamed).toEqual([]);
  // Our own code is not there by somebody else's leave.
  expect(notices).not.toContain("## serin");
});

test("runs as the controller: leads, fetches with Git as a process of its own, and applies what is in Git", async () => {
  const [api, repository] = await Promise.all([startApiServer(), aGitRemote()]);
  const kube = createKube(serverAt(api.url));
  const signal = AbortSignal.timeout(25_000);
  writeFileSync(join(dir, "kubeconfig"), api.kubeconfig());
  repository.commit({ "config.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: from-git }\ndata: { answer: '42' }\n" });
  for (const kind of kinds) await kube.apply(crdOf(kind), { fieldManager: "test" }, signal);
  const settings = ["--kubeconfig", join(dir, "kubeconfig"), "--port", "0", "--git-directory", join(dir, "git")];
  const controller = spawn(process.execPath, [program, "controller", ...settings], { cwd: dir, stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  controller.stderr.on("data", (chunk: Buffer) => (log += chunk.toString()));
  const ended = once(controller, "exit");
  onTestFinished(async () => {
    controller.kill("SIGKILL");
    await ended;
    await kube.close();
    await Promise.all([api.close(), repository.close()]);
  });

  const metadata = { namespace: "default", name: "apps" };
  const source = { url: repository.remote.url, ref: { branch: "main" }, interval: "1m" };
  const sync = { sourceRef: { name: "apps" }, targetNamespace: "default", path: "./", interval: "1m", prune: true };
  await kube.apply({ apiVersion, kind: "GitRepository", metadata, spec: source }, { fieldManager: "test" }, signal);
  await kube.apply({ apiVersion, kind: "Sync", metadata, spec: sync }, { fieldManager: "test" }, signal);
  await vi.waitFor(
    async () => {
      const applied = await kube.find({ apiVersion: "v1", kind: "ConfigMap", namespace: "default", name: "from-git" }, signal);
      if (applied === undefined) throw new Error(`nothing was applied yet; the controller's log:\n${log}`);
      expect(applied["data"]).toEqual({ answer: "42" });
    },
    { timeout: 20_000, interval: 100 },
  );
  expect(log).toContain('"version":"9.8.7-test.1"');
  controller.kill("SIGTERM");
  expect(await ended).toEqual([0, null]);
});
