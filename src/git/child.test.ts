import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { once } from "node:events";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { aGitRemote } from "../../test/git-remote.ts";
import { silentLogger } from "../lib/log.ts";
import { createGit } from "./create-git.ts";

const signal = new AbortController().signal;
const main = "refs/heads/main";

async function setUp(options: { memoryLimitBytes?: number; silent?: () => boolean } = {}) {
  let asked = 0;
  const repo = await aGitRemote({
    beforeRequest: () => {
      asked++;
      return options.silent?.() ?? false;
    },
  });
  const git = createGit({ dir: join(repo.dir, "cache"), log: silentLogger, memoryLimitBytes: options.memoryLimitBytes });
  onTestFinished(async () => {
    await git.close();
    await repo.close();
  });
  return { ...repo, core: git, asked: () => asked };
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error("the condition did not become true");
    await delay(10);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test("a child that is killed fails its calls by name, and the next call has a new one", async () => {
  let silent = true;
  const { core, remote, commit, asked } = await setUp({ silent: () => silent });
  const oid = commit({ "a.yaml": "a: 1\n" });
  const fetching = core.fetch(remote, [{ name: main, commit: oid }], { depth: 50 }, signal);
  const failure = fetching.catch((error: unknown) => error);
  await until(() => asked() > 0);
  const pid = core.workerPid()!;
  process.kill(pid, "SIGKILL");
  expect(await failure).toMatchObject({ reason: "GitOperationFailed", message: expect.stringContaining("SIGKILL") });
  silent = false;
  await core.fetch(remote, [{ name: main, commit: oid }], { depth: 50 }, signal);
  expect(await core.files(remote, oid, "", signal)).toHaveLength(1);
  expect(core.workerPid()).not.toBe(pid);
});

test("a child that needs too much memory is killed, its call says so, and other repositories go on", async () => {
  const { core, remote, commit, git } = await setUp({ memoryLimitBytes: 190 * 1024 * 1024 });
  const good = commit({ "a.yaml": "a: 1\n" });
  git("branch", "good");
  const large = commit({ "large.bin": Buffer.alloc(63 * 1024 * 1024) });
  await expect(core.fetch(remote, [{ name: main, commit: large }], { depth: 50 }, signal)).rejects.toMatchObject({
    reason: "LimitExceeded",
    message: expect.stringContaining("190 MiB of memory"),
  });
  await core.fetch(remote, [{ name: "refs/heads/good", commit: good }], { depth: 50 }, signal);
  expect(await core.files(remote, good, "", signal)).toHaveLength(1);
});

test("an aborted call is given up at once, with the signal's reason", async () => {
  const { core, remote, asked } = await setUp({ silent: () => true });
  const aborter = new AbortController();
  const listing = core.listRefs(remote, [main], aborter.signal);
  const failure = listing.catch((error: unknown) => error);
  await until(() => asked() > 0);
  aborter.abort(new Error("not needed"));
  expect(await failure).toMatchObject({ message: "not needed" });
});

test("a key that cannot be used is Stalled, also across processes", async () => {
  const { core, remote, commit } = await setUp();
  const oid = commit({ "a.yaml": "a: 1\n" });
  await core.fetch(remote, [{ name: main, commit: oid }], { depth: 50 }, signal);
  const { tree } = await core.commit(remote, oid, signal);
  const input = {
    tree,
    parents: [oid],
    message: "m",
    author: { name: "a", email: "a@x" },
    time: "2026-01-31T12:00:00Z",
    signingKey: "nonsense",
  };
  await expect(core.createCommit(remote, input, signal)).rejects.toMatchObject({ name: "StalledError", reason: "InvalidSigningKey" });
});

test("the child ends when its parent is killed", async () => {
  const repo = await aGitRemote();
  onTestFinished(() => repo.close());
  repo.commit({ "a.yaml": "a: 1\n" });
  const script = join(repo.dir, "parent.ts");
  const from = (path: string) => JSON.stringify(resolve(import.meta.dirname, path));
  writeFileSync(
    script,
    `import { createGit } from ${from("create-git.ts")};
import { silentLogger } from ${from("../lib/log.ts")};
const git = createGit({ dir: ${JSON.stringify(join(repo.dir, "cache"))}, log: silentLogger });
await git.listRefs(${JSON.stringify(repo.remote)}, ["refs/"], new AbortController().signal);
process.stdout.write(String(git.workerPid()) + "\\n");`,
  );
  const parent = spawn(process.execPath, [script], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(parent.stdout, "data")) as [Buffer];
  const pid = Number(line.toString());
  expect(isAlive(pid)).toBe(true);
  parent.kill("SIGKILL");
  await until(() => !isAlive(pid));
});
