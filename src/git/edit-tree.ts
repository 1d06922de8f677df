import type { ObjectStore } from "./objects.ts";
import { emptyTree, entryKind, joinPath, readSafeTree, type TreeEntry, writeTree } from "./tree.ts";

/** What becomes of one path: another file, link or submodule, or nothing. */
export type Leaf = TreeEntry | undefined;

/** Edits by directory. */
interface EditNode {
  readonly children: Map<string, EditNode>;
  edit?: { readonly leaf: Leaf };
}

/**
 * Writes the tree with these edits and returns its id; only directories that change are rewritten.
 * `collisions`: paths that would be both a file and a directory.
 */
export function editTree(store: ObjectStore, tree: string, edits: ReadonlyMap<string, Leaf>): { tree: string; collisions: Set<string> } {
  const collisions = new Set<string>();
  const edited = edits.size === 0 ? tree : applyEdits({ store, collisions }, tree, { node: nestedEdits(edits), path: "" });
  return { tree: edited, collisions };
}

function nestedEdits(edits: ReadonlyMap<string, Leaf>): EditNode {
  const root: EditNode = { children: new Map() };
  for (const [path, leaf] of edits) {
    let node = root;
    for (const name of path.split("/")) {
      const child = node.children.get(name) ?? { children: new Map() };
      node.children.set(name, child);
      node = child;
    }
    node.edit = { leaf };
  }
  return root;
}

function applyEdits(
  context: { store: ObjectStore; collisions: Set<string> },
  tree: string,
  { node, path }: { node: EditNode; path: string },
): string {
  const entries = new Map(readSafeTree(context.store, tree, path).map((entry) => [entry.name, entry]));
  for (const [name, child] of node.children) {
    const at = joinPath(path, name);
    const now = entries.get(name);
    const before = now && entryKind(now) === "tree" ? now.oid : emptyTree;
    const subtree = child.children.size > 0 ? applyEdits(context, before, { node: child, path: at }) : before;
    const leaf = leafOf(child, now);
    if (subtree !== emptyTree && leaf) context.collisions.add(at);
    place(entries, name, subtree === emptyTree ? leaf : { mode: "40000", name, oid: subtree });
  }
  return writeTree(context.store, entries.values());
}

function leafOf({ edit }: EditNode, now: TreeEntry | undefined): Leaf {
  if (edit) return edit.leaf;
  return now && entryKind(now) !== "tree" ? now : undefined;
}

function place(entries: Map<string, TreeEntry>, name: string, entry: Leaf): void {
  if (entry) entries.set(name, { ...entry, name });
  else entries.delete(name);
}
