import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { aGitRemote } from "../../test/git-remote.ts";
import { silentLogger } from "../lib/log.ts";
import { createGit } from "./create-git.ts";
import type { GitObserver } from "./git.ts";

const signal = new AbortController().signal;
const main = "refs/heads/main";
const ada = { name: "Ada", email: "ada@example.test" };

async function setUp(options: Parameters<typeof aGitRemote>[0] & { memoryLimitBytes?: number } = {}) {
  const repo = await aGitRemote(options);
  const git = createGit({ dir: join(repo.dir, "cache"), log: silentLogger, memoryLimitBytes: options.memoryLimitBytes });
  onTestFinished(async () => {
    await git.close();
    await repo.close();
  });
  const fetch = async (depth = 50) => {
    const refs = await git.listRefs(repo.remote, [main], signal);
    await git.fetch(
      repo.remote,
      refs.filter(({ name }) => name === main),
      { depth },
      signal,
    );
    return refs[0]!.commit;
  };
  return { ...repo, git, fetch, source: repo.git };
}

test("a commit is listed, fetched and read", async () => {
  const { git, remote, commit, fetch } = await setUp();
  const first = commit({ "apps/shop/deploy.yaml": "a: 1\n", "apps/shop/run.sh": "#!/bin/sh\n", "README.md": "hi\n" }, "first\n\nbody");
  expect(await git.listRefs(remote, ["refs/heads/main", "refs/heads/serin/revert/"], signal)).toEqual([{ name: main, commit: first }]);
  expect(await fetch()).toBe(first);
  expect(await git.commit(remote, first, signal)).toMatchObject({ oid: first, parents: [], author: ada, message: "first\n\nbody\n" });
  const files = await git.files(remote, first, "apps/shop", signal);
  expect(files.map(({ path, content }) => [path, Buffer.from(content).toString()])).toEqual([
    ["apps/shop/deploy.yaml", "a: 1\n"],
    ["apps/shop/run.sh", "#!/bin/sh\n"],
  ]);
  expect(await git.files(remote, first, "nowhere", signal)).toEqual([]);
  const second = commit({ "apps/shop/deploy.yaml": "a: 2\n" });
  await fetch();
  expect((await git.history(remote, { from: first, to: second }, signal)).map(({ oid }) => oid)).toEqual([second]);
  expect(await git.changes(remote, second, signal)).toEqual([{ path: "apps/shop/deploy.yaml", kind: "modified", hunks: 1 }]);
});

test("a bad commit is reverted, committed, pushed to a branch and seen there by git", async () => {
  const { git, remote, commit, fetch, source } = await setUp();
  commit({ "deploy.yaml": "image: shop:1\n", "other.yaml": "x: 1\n" });
  const bad = commit({ "deploy.yaml": "image: shop:2\n" });
  const head = commit({ "other.yaml": "x: 2\n" });
  await fetch();
  const result = await git.revert(remote, { head, commits: [bad] }, signal);
  expect(result).toMatchObject({ outcome: "clean", changed: ["deploy.yaml"] });
  if (result.outcome !== "clean") return;
  const input = { tree: result.tree, parents: [head], message: "Revert it", author: ada, time: "2026-01-31T12:00:00Z" };
  const made = await git.createCommit(remote, input, signal);
  expect(await git.createCommit(remote, input, signal)).toBe(made);
  const ref = "refs/heads/serin/revert/a";
  await git.push(remote, { ref, expected: undefined, commit: made }, signal);
  expect(source("rev-parse", ref)).toBe(made);
  expect(source("show", `${ref}:deploy.yaml`)).toBe("image: shop:1");
  source("fsck", "--strict");
  await git.push(remote, { ref, expected: made, commit: undefined }, signal);
  expect(await git.listRefs(remote, ["refs/heads/serin/"], signal)).toEqual([]);
});

test("an observer hears of every call, and why it failed", async () => {
  const repo = await aGitRemote();
  const heard: string[] = [];
  const observer: GitObserver = ({ operation, reason }) => heard.push(`${operation} ${reason ?? "-"}`);
  const git = createGit({ dir: join(repo.dir, "cache"), log: silentLogger, observer });
  onTestFinished(async () => {
    await git.close();
    await repo.close();
  });
  repo.commit({ "a.yaml": "a: 1\n" });
  await git.listRefs(repo.remote, [main], signal);
  await expect(git.commit(repo.remote, "1".repeat(40), signal)).rejects.toThrow();
  expect(heard).toEqual(["listRefs -", "commit HistoryUnavailable"]);
});
