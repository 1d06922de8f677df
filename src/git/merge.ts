import { editTree, type Leaf } from "./edit-tree.ts";
import { blobBytes } from "./history.ts";
import { isBinary, mergeText } from "./merge-text.ts";
import type { ObjectStore } from "./objects.ts";
import { findRenames } from "./renames.ts";
import { emptyTree, entryKind, joinPath, readSafeTree, type TreeEntry } from "./tree.ts";

/** The three trees of a merge. */
export interface ThreeTrees {
  readonly base: string;
  readonly ours: string;
  readonly theirs: string;
}

/** What a merge gave; `tree` is `undefined` when there are conflicts. */
interface Merged {
  readonly tree: string | undefined;
  readonly conflicts: ReadonlySet<string>;
}

interface Merge {
  readonly store: ObjectStore;
  readonly base: Map<string, TreeEntry>;
  readonly ours: Map<string, TreeEntry>;
  readonly theirs: Map<string, TreeEntry>;
  /** What becomes of paths, compared with ours. */
  readonly edits: Map<string, Leaf>;
  readonly conflicts: Set<string>;
  readonly done: Set<string>;
}

/**
 * Three-way merge of trees; writes the objects of the result. Equal directories are never opened. Any doubt is a conflict: one
 * side changes what the other deletes, both add, types differ, links, submodules or binary files changed on both sides.
 */
export function mergeTrees(store: ObjectStore, trees: ThreeTrees, { renames }: { renames: boolean }): Merged {
  const merge: Merge = {
    store,
    base: new Map(),
    ours: new Map(),
    theirs: new Map(),
    edits: new Map(),
    conflicts: new Set(),
    done: new Set(),
  };
  collect(merge, trees, "");
  if (renames) followRenames(merge);
  for (const path of new Set([...merge.base.keys(), ...merge.ours.keys(), ...merge.theirs.keys()])) {
    if (!merge.done.has(path))
      edit(merge, path, mergeLeaf(merge, path, { base: merge.base.get(path), ours: merge.ours.get(path), theirs: merge.theirs.get(path) }));
  }
  const { edits, conflicts } = merge;
  if (conflicts.size > 0) return { tree: undefined, conflicts };
  const { tree, collisions } = editTree(store, trees.ours, edits);
  return collisions.size > 0 ? { tree: undefined, conflicts: collisions } : { tree, conflicts };
}

function same(a: Leaf, b: Leaf): boolean {
  return a === b || (a?.oid === b?.oid && a?.mode === b?.mode);
}

function isTree(entry: Leaf): entry is TreeEntry {
  return entry !== undefined && entryKind(entry) === "tree";
}

function isFile(entry: Leaf): entry is TreeEntry {
  return entry !== undefined && entryKind(entry) === "file";
}

/** Finds the paths at which the three are not all the same. */
function collect(merge: Merge, { base, ours, theirs }: ThreeTrees, path: string): void {
  if (base === ours && ours === theirs) return;
  const read = (tree: string) => new Map(readSafeTree(merge.store, tree, path).map((entry) => [entry.name, entry]));
  const sides = { base: read(base), ours: read(ours), theirs: read(theirs) };
  for (const name of new Set([...sides.base.keys(), ...sides.ours.keys(), ...sides.theirs.keys()])) {
    const three = { base: sides.base.get(name), ours: sides.ours.get(name), theirs: sides.theirs.get(name) };
    if (same(three.base, three.ours) && same(three.ours, three.theirs)) continue;
    const at = joinPath(path, name);
    for (const side of ["base", "ours", "theirs"] as const) {
      const entry = three[side];
      if (entry && !isTree(entry)) merge[side].set(at, entry);
    }
    const subtree = (entry: Leaf) => (isTree(entry) ? entry.oid : emptyTree);
    collect(merge, { base: subtree(three.base), ours: subtree(three.ours), theirs: subtree(three.theirs) }, at);
  }
}

function edit({ ours, edits }: Merge, path: string, leaf: Leaf): void {
  if (!same(ours.get(path), leaf)) edits.set(path, leaf);
}

interface ThreeLeaves {
  readonly base: Leaf;
  readonly ours: Leaf;
  readonly theirs: Leaf;
}

function mergeLeaf(merge: Merge, path: string, { base, ours, theirs }: ThreeLeaves): Leaf {
  if (same(ours, theirs) || same(base, theirs)) return ours;
  if (same(base, ours)) return theirs;
  if (!isFile(ours) || !isFile(theirs)) return conflict(merge, path, ours ?? theirs);
  const mode = mergeMode(base, ours, theirs);
  // A base of another type says nothing about the content.
  const oid = mergeContent(merge, path, { base: isFile(base) ? base : undefined, ours, theirs });
  return mode === undefined || oid === undefined ? conflict(merge, path, ours) : { ...ours, mode, oid };
}

function conflict({ conflicts }: Merge, path: string, leaf: Leaf): Leaf {
  conflicts.add(path);
  return leaf;
}

function mergeMode(base: Leaf, ours: TreeEntry, theirs: TreeEntry): string | undefined {
  if (!base) return ours.mode === theirs.mode ? ours.mode : undefined;
  return base.mode === ours.mode ? theirs.mode : ours.mode;
}

function mergeContent(
  { store }: Merge,
  path: string,
  { base, ours, theirs }: { base: Leaf; ours: TreeEntry; theirs: TreeEntry },
): string | undefined {
  if (ours.oid === theirs.oid || base?.oid === theirs.oid) return ours.oid;
  if (base?.oid === ours.oid) return theirs.oid;
  const read = (entry: Leaf) => (entry ? blobBytes(store, entry.oid, path) : Buffer.alloc(0));
  const texts = { base: read(base), ours: read(ours), theirs: read(theirs) };
  if (Object.values(texts).some(isBinary)) return undefined;
  const merged = mergeText(texts);
  return merged && store.write("blob", merged);
}

function followRenames(merge: Merge): void {
  const read = (oid: string) => blobBytes(merge.store, oid, oid);
  const ours = findRenames(merge.base, merge.ours, read);
  const theirs = findRenames(merge.base, merge.theirs, read);
  for (const [from, to] of ours) {
    const other = theirs.get(from);
    if (other === undefined) renamedByUs(merge, from, to);
    else renamedByBoth(merge, from, { ours: to, theirs: other });
  }
  for (const [from, to] of theirs) if (!ours.has(from)) renamedByThem(merge, from, to);
}

function renamedByBoth(merge: Merge, from: string, to: { ours: string; theirs: string }): void {
  for (const path of [from, to.ours, to.theirs]) merge.done.add(path);
  if (to.ours !== to.theirs) merge.conflicts.add(from);
  else
    edit(
      merge,
      to.ours,
      mergeLeaf(merge, to.ours, { base: merge.base.get(from), ours: merge.ours.get(to.ours), theirs: merge.theirs.get(to.ours) }),
    );
}

function renamedByUs(merge: Merge, from: string, to: string): void {
  const { base, ours, theirs, conflicts, done } = merge;
  done.add(from).add(to);
  const changed = theirs.get(from);
  if (same(base.get(from), changed)) {
    if (theirs.has(to)) conflicts.add(to);
  } else if (!changed) conflicts.add(from);
  else if (theirs.has(to) && !base.has(to)) conflicts.add(to);
  else edit(merge, to, mergeLeaf(merge, to, { base: base.get(from), ours: ours.get(to), theirs: changed }));
}

function renamedByThem(merge: Merge, from: string, to: string): void {
  const { base, ours, theirs, edits, conflicts, done } = merge;
  const [fromDone, toDone] = [done.has(from), done.has(to)];
  if (fromDone && toDone) return;
  done.add(from).add(to);
  const changed = ours.get(from);
  if (toDone || (ours.has(to) && !base.has(to))) conflicts.add(to);
  else if (!changed) conflicts.add(from);
  else {
    edit(merge, to, mergeLeaf(merge, to, { base: base.get(from), ours: changed, theirs: theirs.get(to) }));
    edits.set(from, undefined);
  }
}
