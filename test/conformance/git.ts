import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Git, GitError, type GitErrorReason, type Remote, type RevertRequest } from "../../src/git/git.ts";

/** A repository on a host, and the hands of those who push to it. */
export interface GitLab {
  readonly remote: Remote;
  /** A clone that knows nothing yet. */
  readonly clone: () => Git;
  /** Writes files (`null` deletes) on `main` and pushes. Returns the commit. */
  readonly commit: (files: Readonly<Record<string, string | null>>, message?: string) => string;
  stop(): Promise<void>;
}

const main = "refs/heads/main";
const signal = AbortSignal.timeout(60_000);
const ada = { name: "Ada", email: "ada@example.test" };
const lines = (changes: Readonly<Record<number, string>> = {}): string =>
  Array.from({ length: 20 }, (_, index) => `${changes[index] ?? `line ${index}`}\n`).join("");

/** What Serin needs of Git, as tests. The real one and the fake pass the same. */
export function gitConformance(name: string, start: () => Promise<GitLab>): void {
  describe.each([name])("%s", () => {
    let lab: GitLab;
    let git: Git;
    beforeEach(async () => {
      lab = await start();
      git = lab.clone();
    });
    afterEach(() => lab.stop());

    const fetch = async (by: Git = git): Promise<string> => {
      const refs = (await by.listRefs(lab.remote, [main], signal)).filter((ref) => ref.name === main);
      await by.fetch(lab.remote, refs, { depth: 50 }, signal);
      return refs[0]!.commit;
    };
    const refusal = async (call: Promise<unknown>): Promise<GitErrorReason> => {
      const error = await call.then(() => undefined, (thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(GitError);
      return (error as GitError).reason;
    };
    const contents = async (tree: string, path = ""): Promise<Record<string, string>> => {
      const files = await git.files(lab.remote, tree, path, signal);
      return Object.fromEntries(files.map((file) => [file.path, Buffer.from(file.content).toString()]));
    };
    const undo = async (request: RevertRequest): Promise<Record<string, string> | string> => {
      const result = await git.revert(lab.remote, request, signal);
      return result.outcome === "clean" ? contents(result.tree) : result.outcome;
    };
    const made = (head: string, tree: string) =>
      git.createCommit(lab.remote, { tree, parents: [head], message: "Undo", author: ada, time: "2026-01-31T12:00:00Z" }, signal);

    test("a commit is known once it was fetched, with its files and its history", async () => {
      const first = lab.commit({ "apps/a.yaml": "a: 1\n", "apps/b/b.yaml": "b: 1\n", "README.md": "hi\n" }, "first\n\nbody");
      expect(await refusal(git.commit(lab.remote, first, signal))).toBe("HistoryUnavailable");
      expect(await refusal(git.files(lab.remote, first, "", signal))).toBe("HistoryUnavailable");
      expect(await fetch()).toBe(first);
      const found = await git.commit(lab.remote, first, signal);
      expect(found).toMatchObject({ oid: first, parents: [], author: ada, message: "first\n\nbody\n" });
      const second = lab.commit({ "apps/a.yaml": "a: 2\n", "README.md": null });
      expect(await refusal(git.files(lab.remote, second, "", signal))).toBe("HistoryUnavailable");
      await fetch();
      expect((await git.commit(lab.remote, second, signal)).parents).toEqual([first]);
      expect((await git.history(lab.remote, { from: first, to: second }, signal)).map(({ oid }) => oid)).toEqual([second]);
      expect(await git.history(lab.remote, { from: second, to: second }, signal)).toEqual([]);
      const third = lab.commit({ "README.md": "again\n" });
      expect((await git.history(lab.remote, { from: first, to: third }, signal)).map(({ oid }) => oid)).toEqual([third, second]);
      expect(await refusal(git.history(lab.remote, { from: second, to: first }, signal))).toBe("HistoryUnavailable");
      expect(await contents(second)).toEqual({ "apps/a.yaml": "a: 2\n", "apps/b/b.yaml": "b: 1\n" });
      expect(await contents(second, "apps/b")).toEqual({ "apps/b/b.yaml": "b: 1\n" });
      expect(await contents(second, "nowhere")).toEqual({});
      expect(await git.changes(lab.remote, second, signal)).toEqual([
        { path: "README.md", kind: "deleted", hunks: 0 },
        { path: "apps/a.yaml", kind: "modified", hunks: 1 },
      ]);
    });

    test("equal content has equal ids, wherever it stands and however it came to be", async () => {
      const first = lab.commit({ "a/x.yaml": "x: 1\n", "b/x.yaml": "x: 1\n", "c.yaml": "c\n" });
      const second = lab.commit({ "a/x.yaml": "x: 2\n" });
      const third = lab.commit({ "a/x.yaml": "x: 1\n" });
      await fetch();
      const at = async (oid: string, path: string) => git.objectAt(lab.remote, oid, path, signal);
      expect(await at(first, "a")).toEqual(await at(first, "b"));
      expect(await at(third, "")).toEqual(await at(first, ""));
      expect(await at(second, "a")).not.toEqual(await at(first, "a"));
      expect(await at(first, "c.yaml")).toEqual({ oid: "f2ad6c76f0115a6ba5b00456a849810e7ec0af20", kind: "blob" });
      expect(await at(first, "gone")).toBeUndefined();
    });

    test("a commit is undone wholly, by file or by hunk, and nothing else moves", async () => {
      lab.commit({ "a.yaml": lines(), "b.yaml": "b: 1\n" });
      const bad = lab.commit({ "a.yaml": lines({ 2: "bad", 15: "good" }), "b.yaml": "b: 2\n", "new.yaml": "n\n" });
      lab.commit({ "a.yaml": lines({ 2: "bad", 8: "later", 15: "good" }) });
      const head = await fetch();
      const commits = [bad];
      const all = { "a.yaml": lines({ 8: "later" }), "b.yaml": "b: 1\n" };
      expect(await undo({ head, commits })).toEqual(all);
      expect(await undo({ head, commits, only: [{ path: "b.yaml" }] })).toEqual({
        "a.yaml": lines({ 2: "bad", 8: "later", 15: "good" }),
        "b.yaml": "b: 1\n",
        "new.yaml": "n\n",
      });
      expect(await undo({ head, commits, only: [{ path: "a.yaml", hunks: [0] }] })).toMatchObject({
        "a.yaml": lines({ 8: "later", 15: "good" }),
      });
    });

    test("what was undone already is empty, and what changed since is a conflict", async () => {
      lab.commit({ "a.yaml": lines() });
      const bad = lab.commit({ "a.yaml": lines({ 5: "bad" }) });
      lab.commit({ "a.yaml": lines({ 5: "other" }) });
      const changed = await fetch();
      expect(await git.revert(lab.remote, { head: changed, commits: [bad] }, signal)).toEqual({ outcome: "conflict", paths: ["a.yaml"] });
      lab.commit({ "a.yaml": lines() });
      expect(await git.revert(lab.remote, { head: await fetch(), commits: [bad] }, signal)).toEqual({ outcome: "empty" });
    });

    test("two sides are merged as a button would", async () => {
      const base = lab.commit({ "a.yaml": lines() });
      const bad = lab.commit({ "a.yaml": lines({ 2: "bad" }) });
      const head = await fetch();
      const result = await git.revert(lab.remote, { head, commits: [bad] }, signal);
      if (result.outcome !== "clean") throw new Error(result.outcome);
      const theirs = await made(head, result.tree);
      lab.commit({ "a.yaml": lines({ 2: "bad", 15: "later" }) });
      const ours = await fetch();
      const merged = await git.merge(lab.remote, { base: head, ours, theirs }, signal);
      expect(merged).toMatchObject({ outcome: "clean", changed: ["a.yaml"] });
      expect(merged.outcome === "clean" && (await contents(merged.tree))).toEqual({ "a.yaml": lines({ 15: "later" }) });
      expect(await git.merge(lab.remote, { base, ours, theirs: base }, signal)).toEqual({ outcome: "empty" });
      lab.commit({ "a.yaml": lines({ 2: "other" }) });
      const third = await fetch();
      expect(await git.merge(lab.remote, { base: head, ours: third, theirs }, signal)).toEqual({ outcome: "conflict", paths: ["a.yaml"] });
    });

    test("the same commit has the same id wherever it is made, and is known to nobody else before it is pushed", async () => {
      lab.commit({ "a.yaml": "a: 1\n" });
      const head = await fetch();
      const { tree } = await git.commit(lab.remote, head, signal);
      const oid = await made(head, tree);
      expect(await made(head, tree)).toBe(oid);
      const found = await git.commit(lab.remote, oid, signal);
      expect(found).toMatchObject({ tree, parents: [head], message: "Undo\n", time: "2026-01-31T12:00:00Z" });
      const other = lab.clone();
      await fetch(other);
      expect(await refusal(other.commit(lab.remote, oid, signal))).toBe("HistoryUnavailable");
    });

    test("a branch is pushed, moved and deleted by compare-and-swap", async () => {
      lab.commit({ "a.yaml": "a: 1\n" });
      const head = await fetch();
      const { tree } = await git.commit(lab.remote, head, signal);
      const [one, two] = [
        await made(head, tree),
        await git.createCommit(lab.remote, { tree, parents: [head], message: "Two", author: ada, time: "2026-01-31T12:00:00Z" }, signal),
      ];
      const ref = "refs/heads/serin/revert/x";
      const push = (expected: string | undefined, commit: string | undefined) => git.push(lab.remote, { ref, expected, commit }, signal);
      const listed = async () => (await lab.clone().listRefs(lab.remote, ["refs/heads/serin/"], signal)).map(({ commit }) => commit);
      await push(undefined, one);
      await push(undefined, one);
      expect(await listed()).toEqual([one]);
      expect(await refusal(push(undefined, two))).toBe("StaleRef");
      await push(one, two);
      expect(await refusal(push(one, undefined))).toBe("StaleRef");
      expect(await listed()).toEqual([two]);
      const other = lab.clone();
      await other.fetch(lab.remote, [{ name: ref, commit: two }], { depth: 50 }, signal);
      expect((await other.commit(lab.remote, two, signal)).parents).toEqual([head]);
      await push(two, undefined);
      expect(await listed()).toEqual([]);
    });

    test("a repository that was forgotten has to be fetched again", async () => {
      const head = lab.commit({ "a.yaml": "a: 1\n" });
      await fetch();
      await git.forget(lab.remote);
      expect(await refusal(git.commit(lab.remote, head, signal))).toBe("HistoryUnavailable");
      await fetch();
      expect((await git.commit(lab.remote, head, signal)).oid).toBe(head);
    });
  });
}
