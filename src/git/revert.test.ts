import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { aGitRemote, runGit } from "../../test/git-remote.ts";
import { createGitCore } from "./core.ts";

const signal = new AbortController().signal;
const main = "refs/heads/main";

async function setUp() {
  const repo = await aGitRemote();
  const core = createGitCore(join(repo.dir, "cache"));
  onTestFinished(async () => {
    await core.close();
    await repo.close();
  });
  const fetch = async (depth = 50) => {
    const commit = repo.git("rev-parse", main);
    await core.fetch(repo.remote, [{ name: main, commit }], { depth }, signal);
    return commit;
  };
  const contentOf = async (tree: string, path: string) => {
    const [file] = await core.files(repo.remote, tree, path, signal);
    return file && Buffer.from(file.content).toString();
  };
  return { ...repo, core, fetch, contentOf, source: repo.git };
}

const lines = (changes: Record<number, string> = {}) =>
  Array.from({ length: 30 }, (_, index) => `${changes[index] ?? `line ${index}`}\n`).join("");

test("single hunks and single files of a commit are undone, and the rest stays", async () => {
  const { core, remote, commit, fetch, contentOf } = await setUp();
  commit({ "app/deploy.yaml": lines(), "app/other.yaml": "a: 1\n", "gone.yaml": "g: 1\n", bin: Buffer.from([0, 1]) });
  const bad = commit({
    "app/deploy.yaml": lines({ 3: "image: bad", 20: "replicas: 3" }),
    "app/other.yaml": "a: 2\n",
    "new.yaml": "n: 1\n",
    "gone.yaml": null,
    bin: Buffer.from([0, 2]),
  });
  const head = await fetch();
  expect(await core.changes(remote, bad, signal)).toEqual([
    { path: "app/deploy.yaml", kind: "modified", hunks: 2 },
    { path: "app/other.yaml", kind: "modified", hunks: 1 },
    { path: "bin", kind: "modified", hunks: 0 },
    { path: "gone.yaml", kind: "deleted", hunks: 0 },
    { path: "new.yaml", kind: "added", hunks: 0 },
  ]);
  const undo = async (only: { path: string; hunks?: number[] }[]) => {
    const result = await core.revert(remote, { head, commits: [bad], only }, signal);
    if (result.outcome !== "clean") throw new Error(JSON.stringify(result));
    return result;
  };
  const first = await undo([{ path: "app/deploy.yaml", hunks: [0] }]);
  expect(first.changed).toEqual(["app/deploy.yaml"]);
  expect(await contentOf(first.tree, "app/deploy.yaml")).toBe(lines({ 20: "replicas: 3" }));
  expect(await contentOf((await undo([{ path: "app/deploy.yaml", hunks: [1] }])).tree, "app/deploy.yaml")).toBe(lines({ 3: "image: bad" }));
  expect(await contentOf((await undo([{ path: "app/deploy.yaml", hunks: [0, 1] }])).tree, "app/deploy.yaml")).toBe(lines());
  const files = await undo([{ path: "app/other.yaml" }, { path: "gone.yaml" }, { path: "new.yaml" }]);
  expect(files.changed).toEqual(["app/other.yaml", "gone.yaml", "new.yaml"]);
  expect(await contentOf(files.tree, "gone.yaml")).toBe("g: 1\n");
  expect(await contentOf(files.tree, "new.yaml")).toBeUndefined();
  expect(await contentOf(files.tree, "app/deploy.yaml")).toBe(lines({ 3: "image: bad", 20: "replicas: 3" }));
  await expect(core.revert(remote, { head, commits: [bad], only: [{ path: "bin", hunks: [0] }] }, signal)).rejects.toMatchObject({
    reason: "GitOperationFailed",
  });
  expect(await core.revert(remote, { head, commits: [bad], only: [{ path: "not/changed.yaml" }] }, signal)).toEqual({ outcome: "empty" });
});

test("several commits are undone newest first, as git revert does one after the other", async () => {
  const { core, remote, commit, fetch, dir, source } = await setUp();
  commit({ "a.yaml": lines() });
  const one = commit({ "a.yaml": lines({ 3: "one" }) });
  const two = commit({ "a.yaml": lines({ 3: "two" }), "b.yaml": "b: 1\n" });
  commit({ "a.yaml": lines({ 3: "two", 25: "later" }) });
  const head = await fetch();
  const result = await core.revert(remote, { head, commits: [two, one] }, signal);
  runGit(["clone", "-q", source("rev-parse", "--git-dir"), join(dir, "clone")]);
  runGit(["-C", join(dir, "clone"), "revert", "--no-edit", two, one]);
  expect(result).toEqual({
    outcome: "clean",
    tree: runGit(["-C", join(dir, "clone"), "rev-parse", "HEAD^{tree}"]),
    changed: ["a.yaml", "b.yaml"],
  });
  expect(await core.revert(remote, { head, commits: [one] }, signal)).toEqual({ outcome: "conflict", paths: ["a.yaml"] });
  await expect(core.revert(remote, { head, commits: [two, one], only: [{ path: "a.yaml", hunks: [0] }] }, signal)).rejects.toMatchObject({
    message: expect.stringContaining("more than one"),
  });
});

test("what was undone already is empty, and a merge counts against its first parent", async () => {
  const { core, remote, commit, fetch, source } = await setUp();
  const base = commit({ "a.yaml": "a: 1\n", "b.yaml": "b: 1\n" });
  source("checkout", "-q", "-b", "side");
  commit({ "a.yaml": "a: 2\n" });
  source("checkout", "-q", "main");
  commit({ "b.yaml": "b: 2\n" });
  source("merge", "-q", "--no-ff", "-m", "merge", "side");
  const merge = await fetch();
  expect(await core.changes(remote, merge, signal)).toEqual([{ path: "a.yaml", kind: "modified", hunks: 1 }]);
  expect(await core.revert(remote, { head: merge, commits: [merge] }, signal)).toMatchObject({ outcome: "clean", changed: ["a.yaml"] });
  expect((await core.history(remote, { from: base, to: merge }, signal)).map(({ oid }) => oid)).toEqual([
    merge,
    source("rev-parse", "main~1"),
  ]);
  commit({ "a.yaml": "a: 1\n" });
  expect(await core.revert(remote, { head: await fetch(), commits: [merge] }, signal)).toEqual({ outcome: "empty" });
});

test("a file that was renamed since makes the two merges differ, which is a conflict", async () => {
  const { core, remote, commit, fetch } = await setUp();
  commit({ "a.yaml": lines() });
  const bad = commit({ "a.yaml": lines({ 3: "bad" }) });
  commit({ "a.yaml": null, "moved.yaml": lines({ 3: "bad" }) });
  expect(await core.revert(remote, { head: await fetch(), commits: [bad] }, signal)).toEqual({ outcome: "conflict", paths: ["a.yaml"] });
});

test("a merge of two sides is what a merge button makes of them", async () => {
  const { core, remote, commit, fetch, source } = await setUp();
  const base = commit({ "a.yaml": lines(), "b.yaml": "b: 1\n" });
  source("checkout", "-q", "-b", "side");
  const theirs = commit({ "a.yaml": lines({ 20: "theirs" }) });
  source("checkout", "-q", "main");
  const ours = commit({ "a.yaml": lines({ 3: "ours" }) });
  source("merge", "-q", "--no-ff", "-m", "merge", "side");
  await fetch();
  expect(await core.merge(remote, { base, ours, theirs }, signal)).toEqual({
    outcome: "clean",
    tree: source("rev-parse", "main^{tree}"),
    changed: ["a.yaml"],
  });
  expect(await core.merge(remote, { base, ours, theirs: base }, signal)).toEqual({ outcome: "empty" });
});

type Changes = Readonly<Record<string, string | null>>;

const moved = (to: string, content = lines()) => ({ "a.yaml": null, [to]: content });

test.each<[string, Changes, Changes, object]>([
  ["moved to two places", moved("b.yaml"), moved("c.yaml"), { outcome: "conflict", paths: ["a.yaml"] }],
  ["moved to the same place", moved("b.yaml"), moved("b.yaml"), { outcome: "empty" }],
  ["moved here and deleted there", moved("b.yaml"), { "a.yaml": null }, { outcome: "conflict", paths: ["a.yaml"] }],
  ["deleted here and moved there", { "a.yaml": null }, moved("b.yaml"), { outcome: "conflict", paths: ["a.yaml"] }],
  ["moved to where they made another", moved("b.yaml"), { "b.yaml": "b: 1\n" }, { outcome: "conflict", paths: ["b.yaml"] }],
  ["moved here and changed there", moved("b.yaml"), { "a.yaml": lines({ 3: "x" }) }, { outcome: "clean", changed: ["b.yaml"] }],
  ["changed here and moved there", { "a.yaml": lines({ 3: "x" }) }, moved("b.yaml"), { outcome: "clean", changed: ["a.yaml", "b.yaml"] }],
])("a merge of a file that was %s", async (_, ours, theirs, outcome) => {
  const { core, remote, commit, fetch, source } = await setUp();
  const base = commit({ "a.yaml": lines(), "rest.yaml": "r: 1\n" });
  source("checkout", "-q", "-b", "side");
  const side = commit(theirs);
  source("checkout", "-q", "main");
  const head = commit(ours);
  source("merge", "-q", "-s", "ours", "-m", "known", "side");
  await fetch();
  expect(await core.merge(remote, { base, ours: head, theirs: side }, signal)).toMatchObject(outcome);
});

test("history is deepened when it is needed, step by step, and its end is named", async () => {
  const { core, remote, commit, fetch, bare, source } = await setUp();
  commit({ "a.yaml": "a\n" });
  const more = Array.from({ length: 69 }, (_, index) =>
    [
      `commit ${main}\ncommitter a <a@x> ${1_700_000_000 + index} +0000\ndata 1\nm`,
      ...(index === 0 ? [`from ${main}^0`] : []),
      `M 644 inline a.yaml\ndata 2\n${index % 10}\n\n`,
    ].join("\n"),
  );
  runGit(["--git-dir", bare, "fast-import", "--quiet"], more.join(""));
  const oids = source("rev-list", "--reverse", main).split("\n");
  const head = await fetch(2);
  const from = oids[0]!;
  await expect(core.commit(remote, from, signal)).rejects.toMatchObject({ reason: "HistoryUnavailable" });
  expect(await core.history(remote, { from: oids[60]!, to: head }, signal)).toHaveLength(9);
  expect(await core.history(remote, { from, to: head }, signal)).toHaveLength(69);
  expect(await core.commit(remote, from, signal)).toMatchObject({ parents: [] });
  await expect(core.history(remote, { from: "1".repeat(40), to: head }, signal)).rejects.toMatchObject({ reason: "HistoryUnavailable" });
});

test("undoing the oldest commit that was fetched brings its parent", async () => {
  const { core, remote, commit, fetch } = await setUp();
  commit({ "a.yaml": "a: 1\n" });
  const bad = commit({ "a.yaml": "a: 2\n" });
  const head = await fetch(0);
  expect(head).toBe(bad);
  expect(await core.revert(remote, { head, commits: [bad] }, signal)).toMatchObject({ outcome: "clean", changed: ["a.yaml"] });
});

test("many fetches are put together into one pack, and what was made here and not yet pushed is still there", async () => {
  const { core, remote, commit, fetch, dir } = await setUp();
  const first = commit({ "a.yaml": "a: 0\n" });
  await fetch();
  const { tree } = await core.commit(remote, first, signal);
  const made = await core.createCommit(
    remote,
    { tree, parents: [first], message: "ours", author: { name: "a", email: "a@x" }, time: "2026-01-31T12:00:00Z" },
    signal,
  );
  const gitdir = () => join(dir, "cache", readdirSync(join(dir, "cache"))[0]!, "repository");
  const packs = () => readdirSync(join(gitdir(), "objects/pack")).filter((file) => file.endsWith(".pack")).length;
  let head = first;
  for (let index = 1; index <= 3; index++) {
    commit({ "a.yaml": `a: ${index}\n`, "big.bin": randomBytes(6_000_000) });
    head = await fetch();
  }
  expect(packs()).toBe(1);
  expect(await core.history(remote, { from: first, to: head }, signal)).toHaveLength(3);
  expect((await core.commit(remote, made, signal)).message).toBe("ours\n");
  await core.push(remote, { ref: "refs/heads/ours", expected: undefined, commit: made }, signal);
  runGit(["--git-dir", gitdir(), "fsck", "--connectivity-only"]);
});
