import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type GitDir, gitDir } from "./git-dir.ts";
import { mergedByFiles, writeMerge } from "./merge.ts";

let dir: string;
let git: GitDir;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "serin-merge-test-"));
  await promisify(execFile)("git", ["init", "-q", "--bare", dir]);
  git = gitDir(dir);
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const person = { name: "Ada", email: "ada@x", time: 1_700_000_000 };

/** A commit with these files. */
async function commit(files: Readonly<Record<string, string>>, ...parents: string[]): Promise<string> {
  const blobs = Object.entries(files).map(async ([path, text]) => {
    const { stdout } = await git(["hash-object", "-w", "--stdin"], { input: text });
    return `100644 blob ${stdout.trim()}\t${path}\n`;
  });
  const tree = (await git(["mktree"], { input: (await Promise.all(blobs)).join("") })).stdout.trim();
  const people = ["author A <a@x> 1 +0000", "committer A <a@x> 1 +0000"];
  const lines = [`tree ${tree}`, ...parents.map((parent) => `parent ${parent}`), ...people, "", "x\n"];
  return (await git(["hash-object", "-t", "commit", "-w", "--stdin"], { input: lines.join("\n") })).stdout.trim();
}

const ten = Array.from({ length: 10 }, (_, line) => `line ${line}\n`).join("");

test.each<[string, Record<string, string>, Record<string, string>]>([
  ["different files", { a: "1\n", b: "2\n", c: ten }, { a: "1\n", b: "1\n", c: ten, d: "new\n" }],
  ["different lines of one file", { a: "1\n", c: ten.replace("line 1", "first") }, { a: "1\n", c: ten.replace("line 8", "last") }],
  ["a deleted file", { a: "1\n", c: ten }, { a: "2\n", b: "1\n", c: ten }],
  ["the same change", { a: "9\n", b: "1\n", c: ten }, { a: "9\n", b: "1\n", c: ten }],
])("an older git merges %s to the same tree as a newer one", async (_, ours, theirs) => {
  const start = await commit({ a: "1\n", b: "1\n", c: ten });
  const [left, right] = [await commit(ours, start), await commit(theirs, start)];
  const newer = await writeMerge(git, { style: "squash", base: left, head: right, message: "m", person });
  const tree = (await git(["rev-parse", `${newer}^{tree}`])).stdout.trim();
  expect(await mergedByFiles(git, left, right)).toBe(tree);
});

test("an older git names the files in conflict too", async () => {
  const start = await commit({ a: "1\n", b: "1\n" });
  const [left, right] = [await commit({ a: "2\n", b: "2\n" }, start), await commit({ a: "3\n" }, start)];
  const conflict = { name: "MergeConflict", message: "conflict in a, b" };
  await expect(mergedByFiles(git, left, right)).rejects.toMatchObject(conflict);
  await expect(writeMerge(git, { style: "merge", base: left, head: right, message: "m", person })).rejects.toMatchObject(conflict);
});
