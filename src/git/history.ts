import { type Commit, type FileChange, GitError } from "./git.ts";
import { lineDiff } from "./line-diff.ts";
import { metered, type ObjectStore } from "./objects.ts";
import { isBinary, linesOf } from "./merge-text.ts";
import { emptyTree, entryKind, joinPath, peelToCommit, readCommit, readSafeTree, type TreeEntry } from "./tree.ts";

const maxCommits = 1_000;
const maxInflatedBytes = 256 * 1024 * 1024;
/** Larger files are no manifests; their changes are not parted. */
const maxTextBytes = 1024 * 1024;

/** First-parent history, newest first, from `to` back to but without `from`. Throws HistoryUnavailable when `from` is not on it. */
export function firstParents(store: ObjectStore, { from, to }: { from: string; to: string }): Commit[] {
  const commits: Commit[] = [];
  for (let at: string | undefined = peelToCommit(store, to); at !== from; at = commits.at(-1)?.parents[0]) {
    if (at === undefined || commits.length >= maxCommits) {
      const why = at === undefined ? `is not among the first parents of ${to}` : `is not within ${maxCommits} commits of ${to}`;
      throw new GitError("HistoryUnavailable", `commit ${from} ${why}`);
    }
    commits.push(readCommit(store, at));
  }
  return commits;
}

/** One path at which two trees differ. */
export interface Difference {
  readonly path: string;
  readonly before: TreeEntry | undefined;
  readonly after: TreeEntry | undefined;
}

/** Trees of a commit and of its first parent; a root commit's parent is empty. */
export function treesOf(store: ObjectStore, oid: string): { before: string; after: string } {
  const { tree, parents } = readCommit(store, oid);
  return { before: parents[0] === undefined ? emptyTree : readCommit(store, parents[0]).tree, after: tree };
}

/** Files (not directories) at which two trees differ, in the order of their trees. Equal directories are not opened. */
export function differences(store: ObjectStore, before: string, after: string, path = ""): Difference[] {
  if (before === after) return [];
  const old = entriesByName(store, before, path);
  const now = entriesByName(store, after, path);
  const names = [...new Set([...old.keys(), ...now.keys()])].sort();
  return names.flatMap((name) => entryDifferences(store, { path: joinPath(path, name), before: old.get(name), after: now.get(name) }));
}

function entryDifferences(store: ObjectStore, { path, before, after }: Difference): Difference[] {
  if (before?.oid === after?.oid && before?.mode === after?.mode) return [];
  const treeOf = (entry: TreeEntry | undefined) => (entry && entryKind(entry) === "tree" ? entry.oid : emptyTree);
  const leafOf = (entry: TreeEntry | undefined) => (entry && entryKind(entry) !== "tree" ? entry : undefined);
  const leaf = leafOf(before) || leafOf(after) ? [{ path, before: leafOf(before), after: leafOf(after) }] : [];
  return [...leaf, ...differences(store, treeOf(before), treeOf(after), path)];
}

function entriesByName(store: ObjectStore, tree: string, path: string): Map<string, TreeEntry> {
  return new Map(readSafeTree(store, tree, path).map((entry) => [entry.name, entry]));
}

/** Files that a commit changed against its first parent. */
export function changesOf(store: ObjectStore, oid: string): FileChange[] {
  const limited = metered(store, maxInflatedBytes);
  const { before, after } = treesOf(limited, peelToCommit(limited, oid));
  return differences(limited, before, after).map((difference) => ({
    path: difference.path,
    kind: difference.before ? (difference.after ? "modified" : "deleted") : "added",
    hunks: textChange(limited, difference)?.hunks.length ?? 0,
  }));
}

/** The lines of a changed text file before and after, and where they differ; `undefined`: its change cannot be parted. */
export function textChange(
  store: ObjectStore,
  { path, before, after }: Difference,
): { before: string[]; after: string[]; hunks: ReturnType<typeof lineDiff> } | undefined {
  if (!before || !after || before.mode !== after.mode || entryKind(before) !== "file") return undefined;
  const [old, now] = [blobBytes(store, before.oid, path), blobBytes(store, after.oid, path)];
  if (isBinary(old) || isBinary(now) || Math.max(old.length, now.length) > maxTextBytes) return undefined;
  const lines = { before: linesOf(old), after: linesOf(now) };
  return { ...lines, hunks: lineDiff(lines.before, lines.after) };
}

/** Content of a file. Throws CorruptData when it is missing. */
export function blobBytes(store: ObjectStore, oid: string, path: string): Buffer {
  const object = store.find(oid);
  if (object?.kind !== "blob") throw new GitError("CorruptData", `the content of ${JSON.stringify(path)} is missing`);
  return object.bytes;
}
