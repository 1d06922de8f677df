import { GitError, type SourceEntry, type SourceFile } from "./git.ts";
import { metered, type ObjectStore } from "./objects.ts";
import { ObjectTooLargeError } from "./pack.ts";
import { entryKind, joinPath, peelToCommit, quotePath, readCommit, type TreeEntry } from "./tree.ts";
import { readTrees, type TreeReader } from "./tree-reader.ts";

const maxEntries = 50_000;
const maxDepth = 64;
const maxFileBytes = 1024 * 1024;
const maxTotalBytes = 64 * 1024 * 1024;
const maxInflatedBytes = 256 * 1024 * 1024;
const maxLinkHops = 40;

/** What stands at a path once links are followed; `path` is where it really is. */
interface Found {
  readonly entry: TreeEntry;
  readonly path: string;
}

/** Tree of a commit, or the tree itself. Throws HistoryUnavailable when it is not there. */
export function rootTree(store: ObjectStore, commitOrTree: string): string {
  if (store.find(commitOrTree)?.kind === "tree") return commitOrTree;
  return readCommit(store, peelToCommit(store, commitOrTree)).tree;
}

/** Id of what stands at a path of a tree; links inside the tree are followed. `undefined`: nothing, or no file and no directory. */
export function objectAt(
  store: ObjectStore,
  root: string,
  path: string,
  trees = readTrees(store),
): { oid: string; kind: "tree" | "blob" } | undefined {
  const entry = locate({ store, trees, root, hops: 0 }, stepsOf(path))?.entry;
  const kind = entry && entryKind(entry);
  return entry && (kind === "tree" || kind === "file") ? { oid: entry.oid, kind: kind === "tree" ? "tree" : "blob" } : undefined;
}

/** All regular files under a path of a tree with their contents, in byte order of their paths. */
export function filesAt(store: ObjectStore, root: string, path: string): SourceFile[] {
  const entries = listAt(store, root, path);
  const contents = contentsOf(store, entries);
  return entries.map(({ path: file, executable }, index) => ({ path: file, content: contents[index] ?? Buffer.alloc(0), executable }));
}

/** All regular files under a path of a tree, in byte order of their paths. */
export function listAt(store: ObjectStore, root: string, path: string, trees?: TreeReader): SourceEntry[] {
  const limited = metered(store, maxInflatedBytes);
  const steps = stepsOf(path);
  const lookup = { store: limited, trees: trees ?? readTrees(limited), root };
  const found = locate({ ...lookup, hops: 0 }, steps);
  if (!found) return [];
  const walk: Walk = { ...lookup, files: [], entries: 0 };
  visit(walk, found, { path: steps.join("/"), inside: [], linked: false });
  const keyed = walk.files.map((file) => ({ file, key: Buffer.from(file.path) }));
  return keyed.sort((a, b) => a.key.compare(b.key)).map(({ file }) => file);
}

/** What is in these files, in their order. */
export function contentsOf(store: ObjectStore, files: readonly Pick<SourceEntry, "path" | "oid">[]): Buffer[] {
  const limited = metered(store, maxInflatedBytes);
  let bytes = 0;
  return files.map(({ path, oid }) => {
    const content = readFile(limited, oid, path);
    bytes += content.length;
    if (bytes <= maxTotalBytes) return content;
    const mebibytes = maxTotalBytes / 1024 / 1024;
    throw new GitError("LimitExceeded", `the files come to more than ${mebibytes} MiB; ${quotePath(path)} is beyond them`);
  });
}

function stepsOf(path: string): string[] {
  return path.split("/").filter((step) => step !== "" && step !== ".");
}

interface Walk {
  readonly store: ObjectStore;
  readonly trees: TreeReader;
  readonly root: string;
  readonly files: SourceEntry[];
  entries: number;
}

/** Where the walk is: the path as the user sees it, and the real directories it came through. */
interface Position {
  readonly path: string;
  readonly inside: readonly string[];
  /** A link was followed on the way. */
  readonly linked: boolean;
}

function visit(walk: Walk, { entry, path: real }: Found, position: Position): void {
  const kind = entryKind(entry);
  const where = quotePath(position.path);
  if (kind === "file") return void walk.files.push(entryOf(entry, position));
  if (kind === "symlink") return visit(walk, followLink(walk, real, position.path), { ...position, linked: true });
  if (kind === "submodule")
    throw new GitError("UnsafeContent", `${where} is a submodule, which is not fetched: move it out of the path or commit its files`);
  if (position.inside.includes(real)) throw new GitError("UnsafeContent", `${where} is a symbolic link to a directory that holds it`);
  if (position.inside.length >= maxDepth) throw new GitError("LimitExceeded", `${where} is more than ${maxDepth} directories deep`);
  const { entries } = walk.trees.read(entry.oid, position.path);
  walk.entries += entries.length;
  if (walk.entries > maxEntries)
    throw new GitError("LimitExceeded", `there are more than ${maxEntries} files and directories; ${where} is beyond them`);
  const { linked } = position;
  const inside = [...position.inside, real];
  for (const child of entries)
    visit(walk, { entry: child, path: joinPath(real, child.name) }, { path: joinPath(position.path, child.name), inside, linked });
}

function entryOf({ oid, mode }: TreeEntry, { path, linked }: Position): SourceEntry {
  return { path, oid, executable: mode === "100755", linked };
}

function readFile(store: ObjectStore, oid: string, path: string): Buffer {
  try {
    const object = store.find(oid, maxFileBytes);
    if (object?.kind === "blob") return object.bytes;
  } catch (error) {
    if (!(error instanceof ObjectTooLargeError)) throw error;
    throw new GitError("LimitExceeded", `${quotePath(path)} is larger than the limit of 1 MiB for one file`, { cause: error });
  }
  throw new GitError("CorruptData", `the content of ${quotePath(path)} is missing`);
}

function followLink(walk: Walk, real: string, shown: string): Found {
  const found = locate({ ...walk, hops: 0 }, real.split("/"), shown);
  if (found) return found;
  throw new GitError("UnsafeContent", `${quotePath(shown)} is a symbolic link to something that is not in the repository`);
}

interface Lookup {
  readonly store: ObjectStore;
  readonly trees: TreeReader;
  readonly root: string;
  hops: number;
}

/** Goes down a path from the root and follows every link on the way, the last one too. */
function locate(lookup: Lookup, steps: readonly string[], shown: string = steps.join("/")): Found | undefined {
  let here: Found = { entry: { mode: "40000", name: "", oid: lookup.root }, path: "" };
  for (const [index, step] of steps.entries()) {
    if (entryKind(here.entry) !== "tree") return undefined;
    const child = lookup.trees.read(here.entry.oid, here.path).byName.get(step);
    if (!child) return undefined;
    const at = { entry: child, path: joinPath(here.path, step) };
    if (entryKind(child) !== "symlink") {
      here = at;
      continue;
    }
    lookup.hops++;
    if (lookup.hops > maxLinkHops) throw new GitError("UnsafeContent", `${quotePath(shown)} is a symbolic link that leads in circles`);
    return locate(lookup, [...linkTarget(lookup.store, at, shown), ...steps.slice(index + 1)], shown);
  }
  return here;
}

/** Steps from the root to what a link names. Throws UnsafeContent for a link out of the repository. */
function linkTarget(store: ObjectStore, { entry, path }: Found, shown: string): string[] {
  const target = readFile(store, entry.oid, path).toString("utf8");
  const leaves = () =>
    new GitError("UnsafeContent", `${quotePath(shown)} is a symbolic link out of the repository, to ${quotePath(target)}`);
  if (target.startsWith("/") || target.includes("\0")) throw leaves();
  const steps = path.split("/").slice(0, -1);
  for (const step of target.split("/")) {
    if (step === "" || step === ".") continue;
    if (step !== "..") steps.push(step);
    else if (steps.pop() === undefined) throw leaves();
  }
  return steps;
}
