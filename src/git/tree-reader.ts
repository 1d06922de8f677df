import { createLru } from "../lib/lru.ts";
import type { ObjectStore } from "./objects.ts";
import { readSafeTree, type TreeEntry } from "./tree.ts";

/** The entries of one directory. */
export interface ReadTree {
  readonly entries: readonly TreeEntry[];
  readonly byName: ReadonlyMap<string, TreeEntry>;
}

/** Reads directories whose names are safe to use as paths. */
export interface TreeReader {
  /** Throws UnsafeContent for names that Git forbids, naming the path, and CorruptData when the tree is missing. */
  read(oid: string, path: string): ReadTree;
}

/** Directories are kept up to about this many entries: a folder is looked up once for every Sync, and again with every commit. */
const maxKeptEntries = 50_000;

/** Reads from this store, each time anew. */
export function readTrees(store: ObjectStore): TreeReader {
  return { read: (oid, path) => parsed(store, oid, path) };
}

/** Reads from the store that there is, and remembers directories: their names are those of their content. */
export function keepTrees(store: () => ObjectStore): TreeReader {
  const kept = createLru<ReadTree>(maxKeptEntries);
  return {
    read: (oid, path) => {
      const known = kept.get(oid);
      if (known) return known;
      const tree = parsed(store(), oid, path);
      kept.set(oid, tree, tree.entries.length + 1);
      return tree;
    },
  };
}

function parsed(store: ObjectStore, oid: string, path: string): ReadTree {
  const entries = readSafeTree(store, oid, path);
  return { entries, byName: new Map(entries.map((entry) => [entry.name, entry])) };
}
