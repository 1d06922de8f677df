import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { aGitRemote, runGit } from "../../test/git-remote.ts";
import { createGitCore } from "./core.ts";
import { filesAt, listAt, objectAt } from "./files.ts";
import { GitError } from "./git.ts";
import { type DiskStore, objectName, openObjects } from "./objects.ts";
import { emptyTree, writeTree } from "./tree.ts";
import { keepTrees } from "./tree-reader.ts";

const signal = new AbortController().signal;

function aStore(): DiskStore & { dir: string } {
  const dir = mkdtempSync(join(tmpdir(), "serin-content-"));
  runGit(["init", "-q", "--bare", dir]);
  const store = openObjects(dir);
  onTestFinished(() => {
    store.close();
    rmSync(dir, { recursive: true, force: true });
  });
  return { ...store, dir };
}

type Content = string | Buffer | Tree | { readonly link: string } | { readonly submodule: true };
interface Tree {
  readonly [name: string]: Content;
}

/** Writes a tree without asking whether its names are allowed. */
function tree(store: DiskStore, content: Tree): string {
  const entries = Object.entries(content).map(([name, value]): [string, string, string] => {
    if (typeof value === "string" || Buffer.isBuffer(value)) return ["100644", name, store.write("blob", Buffer.from(value))];
    if ("link" in value && typeof value.link === "string") return ["120000", name, store.write("blob", Buffer.from(value.link))];
    return "submodule" in value ? ["160000", name, "1".repeat(40)] : ["40000", name, tree(store, value as Tree)];
  });
  return rawTree(store, entries);
}

function rawTree(store: DiskStore, entries: readonly (readonly [string, string | Buffer, string])[]): string {
  return store.write(
    "tree",
    Buffer.concat(
      entries.map(([mode, name, oid]) =>
        Buffer.concat([Buffer.from(`${mode} `), Buffer.from(name), Buffer.from([0]), Buffer.from(oid, "hex")]),
      ),
    ),
  );
}

function failure(read: () => unknown): { reason: string; message: string } {
  try {
    read();
  } catch (error) {
    if (error instanceof GitError) return { reason: error.reason, message: error.message };
    throw error;
  }
  return { reason: "none", message: "" };
}

test.each<[string, Tree, string]>([
  ["a directory called ..", { "..": { pwn: "evil" } }, '"app/.."'],
  ["a name with a slash", { "../x": "evil" }, '"app/../x"'],
  ["an absolute name", { "/etc/x": "evil" }, '"app//etc/x"'],
  ["a .git directory", { ".git": { hooks: { x: "evil" } } }, '"app/.git"'],
  ["a .GIT directory", { ".GIT": { config: "evil" } }, '"app/.GIT"'],
  ["Windows' short name of it", { "git~1": { config: "evil" } }, '"app/git~1"'],
  ["an invisible character in it", { ".g\u200cit": { config: "evil" } }, '"app/.g\\u200cit"'],
  ["a backslash", { ".git\\hooks\\x": "evil" }, '"app/.git\\\\hooks\\\\x"'],
  ["an empty name", { "": "evil" }, '"app/"'],
  ["an absolute link", { "passwd.yaml": { link: "/etc/passwd" } }, '"app/passwd.yaml"'],
  ["a link out of the repository", { "x.yaml": { link: "../../secret" } }, '"app/x.yaml"'],
  ["a link to nothing", { "x.yaml": { link: "gone.yaml" } }, '"app/x.yaml"'],
  ["a link to itself", { "x.yaml": { link: "x.yaml" } }, '"app/x.yaml"'],
  ["a link to the directory it is in", { loop: { link: "." } }, '"app/loop"'],
  ["a submodule", { vendor: { submodule: true } }, '"app/vendor"'],
])("%s is refused and named", (_, content, path) => {
  const store = aStore();
  const root = tree(store, { app: content });
  const { reason, message } = failure(() => filesAt(store, root, "app"));
  expect([reason, message.slice(0, path.length)]).toEqual(["UnsafeContent", path]);
});

test("a name that is there twice is refused, and so is an unknown mode", () => {
  const store = aStore();
  const blob = store.write("blob", Buffer.from("x"));
  const twice = rawTree(store, [
    ["100644", "a.yaml", blob],
    ["100644", "a.yaml", blob],
  ]);
  expect(failure(() => filesAt(store, twice, ""))).toEqual({ reason: "UnsafeContent", message: '"a.yaml" is there twice' });
  const odd = rawTree(store, [["100777", "a.yaml", blob]]);
  expect(failure(() => filesAt(store, odd, "")).reason).toBe("UnsafeContent");
});

test("control characters in a name do not reach a message as they are", () => {
  const store = aStore();
  const root = tree(store, { "a\n\u001b[31m.yaml": { link: "/x" } });
  expect(failure(() => filesAt(store, root, "")).message).toMatch(/^"a\\n\\u001b\[31m\.yaml" is a symbolic link out of the repository/);
});

test("links inside the repository are followed, to files and to directories", () => {
  const store = aStore();
  const root = tree(store, {
    shared: { "base.yaml": "base: 1\n", deep: { "d.yaml": "d: 1\n" } },
    app: { "base.yaml": { link: "../shared/base.yaml" }, all: { link: "../shared/deep" }, again: { link: "all/d.yaml" } },
    current: { link: "app" },
  });
  const read = (path: string) => filesAt(store, root, path).map((file) => `${file.path}=${Buffer.from(file.content).toString().trim()}`);
  expect(read("app")).toEqual(["app/again=d: 1", "app/all/d.yaml=d: 1", "app/base.yaml=base: 1"]);
  expect(read("current")).toEqual(["current/again=d: 1", "current/all/d.yaml=d: 1", "current/base.yaml=base: 1"]);
  expect(read("./app/")).toEqual(read("app"));
  expect(objectAt(store, root, "current")?.kind).toBe("tree");
  expect(objectAt(store, root, "app/base.yaml")).toEqual({ oid: objectName("blob", Buffer.from("base: 1\n")), kind: "blob" });
  expect(objectAt(store, root, "app/none")).toBeUndefined();
  const linked = (path: string) => listAt(store, root, path).map((file) => [file.path, file.linked]);
  expect(linked("app")).toEqual([["app/again", true], ["app/all/d.yaml", true], ["app/base.yaml", true]]);
  expect(linked("shared")).toEqual([["shared/base.yaml", false], ["shared/deep/d.yaml", false]]);
});

test("directories that were read before are not read again, whatever the path that they are reached by", () => {
  const store = aStore();
  const root = tree(store, { a: { "x.yaml": "x: 1\n" }, b: { "x.yaml": "x: 1\n" } });
  const read: string[] = [];
  const trees = keepTrees(() => ({ ...store, find: (oid, maxBytes) => (read.push(oid), store.find(oid, maxBytes)) }));
  const found = ["a/x.yaml", "b/x.yaml", "a", "b"].map((path) => objectAt(store, root, path, trees)?.oid);
  expect(found[0]).toBe(found[1]);
  expect(read).toEqual([root, found[2]]);
});

test("names that mean something to JavaScript are only names", () => {
  const store = aStore();
  const root = rawTree(store, [
    ["40000", "__proto__", tree(store, { polluted: "x" })],
    ["100644", "constructor", store.write("blob", Buffer.from("x"))],
  ]);
  expect(filesAt(store, root, "").map(({ path }) => path)).toEqual(["__proto__/polluted", "constructor"]);
  expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
});

test("ten objects that describe ten billion paths hit the limit, and so do too many, too deep and too large files", () => {
  const store = aStore();
  let bomb = tree(store, { x: "x" });
  for (let level = 0; level < 10; level++)
    bomb = rawTree(
      store,
      Array.from({ length: 10 }, (_, index) => ["40000", `d${index}`, bomb]),
    );
  expect(failure(() => filesAt(store, bomb, ""))).toMatchObject({
    reason: "LimitExceeded",
    message: expect.stringContaining("more than 50000 files"),
  });
  let deep = tree(store, { x: "x" });
  for (let level = 0; level < 70; level++) deep = rawTree(store, [["40000", "d", deep]]);
  expect(failure(() => filesAt(store, deep, ""))).toMatchObject({
    reason: "LimitExceeded",
    message: expect.stringContaining("64 directories deep"),
  });
  const large = tree(store, { app: { "big.yaml": Buffer.alloc(1024 * 1024 + 1) } });
  expect(failure(() => filesAt(store, large, ""))).toEqual({
    reason: "LimitExceeded",
    message: '"app/big.yaml" is larger than the limit of 1 MiB for one file',
  });
  const blob = store.write("blob", Buffer.alloc(1024 * 1024));
  const many = rawTree(
    store,
    Array.from({ length: 70 }, (_, index) => ["100644", `f${index}`, blob]),
  );
  expect(failure(() => filesAt(store, many, ""))).toMatchObject({
    reason: "LimitExceeded",
    message: expect.stringContaining("more than 64 MiB"),
  });
});

test("a directory with a name that is not UTF-8 can be read but not rewritten", () => {
  const store = aStore();
  const blob = store.write("blob", Buffer.from("x"));
  const root = rawTree(store, [["100644", Buffer.from([0x61, 0xff]), blob]]);
  expect(filesAt(store, root, "")).toHaveLength(1);
  expect(failure(() => writeTree(store, [{ mode: "100644", name: "a\ufffd", oid: blob }])).reason).toBe("UnsafeContent");
});

test("every object of a repacked repository reads as git cat-file prints it, whether packed, deltified or loose", async () => {
  const repo = await aGitRemote();
  onTestFinished(() => repo.close());
  const lines = Array.from({ length: 400 }, (_, index) => `key${index}: value`);
  for (let round = 0; round < 7; round++) {
    lines[round * 50] = `key: changed in round ${round}`;
    repo.commit({
      "app/a.yaml": lines.join("\n"),
      [`app/b${round}.yaml`]: lines.slice(round).join("\n"),
      bin: Buffer.from([0, round, 255]),
    });
  }
  repo.git("tag", "-a", "v1", "-m", "one");
  repo.git("repack", "-adfq", "--depth=20");
  repo.commit({ "loose.yaml": "loose: 1\n" });
  const store = openObjects(repo.bare);
  onTestFinished(() => store.close());
  const listed = repo
    .git("cat-file", "--batch-all-objects", "--batch-check")
    .split("\n")
    .map((line) => line.split(" "));
  expect(listed.length).toBeGreaterThan(25);
  expect(repo.git("verify-pack", "-v", `${repo.bare}/objects/pack/${store.packs()[0]}`)).toContain("chain length");
  const read = listed.map(([oid]) => {
    const object = store.find(oid!);
    return [oid, object?.kind, String(object?.bytes.length)];
  });
  expect(read).toEqual(listed);
  const wrong = listed.filter(([oid, kind]) => objectName(kind as "blob", store.find(oid!)!.bytes) !== oid);
  expect(wrong).toEqual([]);
  expect(store.find("2".repeat(40))).toBeUndefined();
});

test("a pack of a few hundred kilobytes with a 400 MB file of zeros is refused before it is inflated", async () => {
  const repo = await aGitRemote();
  const core = createGitCore(join(repo.dir, "cache"));
  onTestFinished(async () => {
    await core.close();
    await repo.close();
  });
  // Streamed straight into a pack: no copy of it in memory, neither here nor in the server.
  repo.git("config", "core.bigFileThreshold", "1m");
  const zeros = join(repo.dir, "zeros");
  writeFileSync(zeros, "");
  truncateSync(zeros, 400_000_000);
  const blob = runGit(["--git-dir", repo.bare, "-c", "core.compression=1", "hash-object", "-w", zeros]);
  const root = runGit(["--git-dir", repo.bare, "mktree"], `100644 blob ${blob}\tz.yaml\n`);
  const commit = repo.git("commit-tree", root, "-m", "bomb");
  repo.git("update-ref", "refs/heads/main", commit);
  const before = process.memoryUsage().rss;
  await expect(core.fetch(repo.remote, [{ name: "refs/heads/main", commit }], { depth: 50 }, signal)).rejects.toMatchObject({
    reason: "LimitExceeded",
    message: expect.stringContaining("64 MiB"),
  });
  expect(process.memoryUsage().rss - before).toBeLessThan(150 * 1024 * 1024);
  const good = repo.commit({ "a.yaml": "a: 1\n" });
  expect(good).not.toBe(commit);
});

test("a commit whose tree is empty has no files", () => {
  const store = aStore();
  expect(filesAt(store, emptyTree, "")).toEqual([]);
});
