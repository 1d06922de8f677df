import { editTree, type Leaf } from "./edit-tree.ts";
import { rootTree } from "./files.ts";
import { GitError, type RevertRequest, type RevertResult } from "./git.ts";
import { type Difference, differences, textChange, treesOf } from "./history.ts";
import { mergeTrees, type ThreeTrees } from "./merge.ts";
import { withoutHunks } from "./merge-text.ts";
import { inMemory, metered, type ObjectStore } from "./objects.ts";
import { peelToCommit, quotePath, readCommit } from "./tree.ts";

const maxInflatedBytes = 256 * 1024 * 1024;

/**
 * Undoes commits, newest first, on top of `head`: for each a three-way merge whose base is the commit, whose one side is what
 * we have so far and whose other is what was before it. Objects are written only when the outcome is clean.
 * Throws MissingCommitError when more history is needed.
 */
export function revert(store: ObjectStore, { head, commits, only }: RevertRequest): RevertResult {
  const objects = inMemory(metered(store, maxInflatedBytes));
  const start = readCommit(objects, peelToCommit(objects, head)).tree;
  const touched = new Set<string>();
  let tree = start;
  for (const commit of commits) {
    const { before, after } = treesOf(objects, peelToCommit(objects, commit));
    const changes = differences(objects, before, after);
    refuseSharedHunks(changes, { only, touched });
    for (const { path } of changes) touched.add(path);
    const theirs = only ? partlyUndone(objects, after, { changes, only }) : before;
    const merged = mergeBothWays(objects, { base: after, ours: tree, theirs });
    if ("paths" in merged) return { outcome: "conflict", paths: merged.paths };
    tree = merged.tree;
  }
  if (tree === start) return { outcome: "empty" };
  const changed = differences(objects, start, tree).map(({ path }) => path);
  // Undoing a change never touches what the change did not.
  const outside = changed.filter((path) => !touched.has(path));
  if (outside.length > 0) return { outcome: "conflict", paths: outside };
  objects.flush();
  return { outcome: "clean", tree, changed };
}

/** Three-way merge of commits or trees as a Git host's merge button does it, with regard to renames. Writes only objects. */
export function merge(store: ObjectStore, { base, ours, theirs }: ThreeTrees): RevertResult {
  const objects = inMemory(metered(store, maxInflatedBytes));
  const trees = { base: rootTree(objects, base), ours: rootTree(objects, ours), theirs: rootTree(objects, theirs) };
  const { tree, conflicts } = mergeTrees(objects, trees, { renames: true });
  if (tree === undefined) return { outcome: "conflict", paths: [...conflicts].sort() };
  if (tree === trees.ours) return { outcome: "empty" };
  objects.flush();
  return { outcome: "clean", tree, changed: differences(store, trees.ours, tree).map(({ path }) => path) };
}

/** Merges without and with regard to renames. Only when both are clean and agree is the result one that nobody doubts. */
function mergeBothWays(store: ObjectStore, trees: ThreeTrees): { tree: string } | { paths: string[] } {
  const plain = mergeTrees(store, trees, { renames: false });
  const renamed = mergeTrees(store, trees, { renames: true });
  if (plain.tree !== undefined && plain.tree === renamed.tree) return { tree: plain.tree };
  if (plain.tree === undefined || renamed.tree === undefined)
    return { paths: [...new Set([...renamed.conflicts, ...plain.conflicts])].sort() };
  return { paths: differences(store, plain.tree, renamed.tree).map(({ path }) => path) };
}

type Part = NonNullable<RevertRequest["only"]>[number];

/** A hunk is counted in one commit's change to a file, so it means nothing when two of the commits change that file. */
function refuseSharedHunks(
  changes: readonly Difference[],
  { only, touched }: { only: readonly Part[] | undefined; touched: ReadonlySet<string> },
): void {
  const shared = only?.find(({ path, hunks }) => hunks && touched.has(path) && changes.some((change) => change.path === path));
  if (shared)
    throw new GitError(
      "GitOperationFailed",
      `${quotePath(shared.path)} is changed by more than one of the commits, so its hunks cannot be told apart`,
    );
}

/** The commit's tree with only these parts of its change taken back. */
function partlyUndone(
  store: ObjectStore,
  after: string,
  { changes, only }: { changes: readonly Difference[]; only: readonly Part[] },
): string {
  const parts = new Map(only.map((part) => [part.path, part]));
  const edits = new Map<string, Leaf>();
  for (const change of changes) {
    const part = parts.get(change.path);
    if (part) edits.set(change.path, part.hunks ? withoutSomeHunks(store, change, part.hunks) : change.before);
  }
  return editTree(store, after, edits).tree;
}

function withoutSomeHunks(store: ObjectStore, change: Difference, hunks: readonly number[]): Leaf {
  const text = textChange(store, change);
  if (!text || !change.after)
    throw new GitError("GitOperationFailed", `the change to ${quotePath(change.path)} cannot be parted into hunks`);
  return { ...change.after, oid: store.write("blob", withoutHunks(text, new Set(hunks))) };
}
