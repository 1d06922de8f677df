import { writeCommit } from "../../src/git/commit.ts";
import { editTree, type Leaf } from "../../src/git/edit-tree.ts";
import { contentsOf, filesAt, listAt, objectAt, rootTree } from "../../src/git/files.ts";
import { type Git, GitError, type Person, type Ref, type Remote } from "../../src/git/git.ts";
import { changesOf, firstParents } from "../../src/git/history.ts";
import { type GitObject, objectName, type ObjectStore } from "../../src/git/objects.ts";
import { merge, revert } from "../../src/git/revert.ts";
import { emptyTree, MissingCommitError, peelToCommit, readCommit } from "../../src/git/tree.ts";

/** What people do to a repository: they push. */
export interface PeoplesCommit {
  readonly message?: string;
  /** Without refs/heads/. Default `main`. */
  readonly branch?: string;
  readonly author?: Person;
  /** Milliseconds since the epoch. */
  readonly atMs?: number;
}

/** A branch that moved. */
export interface RefMove {
  readonly ref: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
}

/** A repository as its host has it, in memory. Its objects have the ids that Git gives them. */
export interface MemoryRemote {
  readonly remote: Remote;
  readonly store: ObjectStore;
  readonly refs: ReadonlyMap<string, string>;
  /** Writes files (`null` deletes) on top of a branch and moves it there. Returns the commit. */
  commit(files: Readonly<Record<string, string | null>>, how?: PeoplesCommit): string;
  /** Moves or deletes a ref, whatever it is at. */
  move(ref: string, commit: string | undefined): void;
  /** Calls the listener after each move of a ref. */
  onMoved(listener: (move: RefMove) => void): void;
  /** Contents by path of a commit or tree. */
  files(commitOrTree: string): Map<string, string>;
  /** Another repository that begins as this one is now. */
  fork(): MemoryRemote;
}

const ada = { name: "Ada", email: "ada@example.test" };

/** Objects by their names. */
function memoryObjects(): ObjectStore {
  const objects = new Map<string, GitObject>();
  return {
    find: (oid) => objects.get(oid),
    has: (oid) => objects.has(oid),
    write: (kind, bytes) => {
      const oid = objectName(kind, bytes);
      if (!objects.has(oid)) objects.set(oid, { kind, bytes });
      return oid;
    },
  };
}

/** An empty repository. */
export function memoryRemote(url = "https://git.example/acme/apps.git"): MemoryRemote {
  return remoteOn(url, memoryObjects(), new Map());
}

function remoteOn(url: string, store: ObjectStore, refs: Map<string, string>): MemoryRemote {
  const listeners: ((move: RefMove) => void)[] = [];
  const move = (ref: string, after: string | undefined): void => {
    const before = refs.get(ref);
    if (before === after) return;
    if (after === undefined) refs.delete(ref);
    else refs.set(ref, after);
    for (const listener of listeners) listener({ ref, before, after });
  };
  return {
    remote: { url, auth: { username: "serin", password: "token" }, timeoutMs: 60_000 },
    store,
    refs,
    move,
    onMoved: (listener) => void listeners.push(listener),
    // Objects are only ever added, and equal ones are the same.
    fork: () => remoteOn(url, store, new Map(refs)),
    commit: (files, { message = "change", branch = "main", author = ada, atMs = 0 } = {}) => {
      const ref = `refs/heads/${branch}`;
      const parent = refs.get(ref);
      const before = parent === undefined ? emptyTree : readCommit(store, parent).tree;
      const edits = Object.entries(files).map(([path, content]): [string, Leaf] => [path, leafOf(store, path, content)]);
      const { tree } = editTree(store, before, new Map(edits));
      const parents = parent === undefined ? [] : [parent];
      const commit = writeCommit(store, { tree, parents, message, author, time: new Date(atMs).toISOString() });
      move(ref, commit);
      return commit;
    },
    files: (commitOrTree) =>
      new Map(filesAt(store, rootTree(store, commitOrTree), "").map(({ path, content }) => [path, Buffer.from(content).toString("utf8")])),
  };
}

function leafOf(store: ObjectStore, path: string, content: string | null): Leaf {
  if (content === null) return undefined;
  return { mode: "100644", name: path.slice(path.lastIndexOf("/") + 1), oid: store.write("blob", Buffer.from(content)) };
}

/** A commit and all of its ancestors. */
function ancestry(store: ObjectStore, tip: string, known: ReadonlySet<string> = new Set()): Set<string> {
  const found = new Set<string>();
  const todo = [tip];
  for (let oid = todo.pop(); oid !== undefined; oid = todo.pop()) {
    if (known.has(oid) || found.has(oid)) continue;
    found.add(oid);
    todo.push(...readCommit(store, oid).parents);
  }
  return found;
}

/** Whether one commit is the other or an ancestor of it. */
export function isAncestor(store: ObjectStore, { older, newer }: { older: string; newer: string }): boolean {
  return ancestry(store, newer).has(older);
}

/**
 * One clone of these repositories, as a process has it: it knows the commits that it fetched or made. What it computes is
 * computed by the real functions; only where objects are kept and how they travel is made up. `signedBy` knows no signatures.
 */
export function memoryGit(...remotes: readonly MemoryRemote[]): Git {
  const clones = new Map<string, Clone>();
  const at = ({ url }: Remote): Clone => {
    const found = clones.get(url);
    if (found) return found;
    const source = remotes.find(({ remote }) => remote.url === url);
    if (!source) throw new GitError("RepositoryNotFound", `${url}: not found`);
    const made = clone(source);
    clones.set(url, made);
    return made;
  };
  return {
    listRefs: async (remote, prefixes) => {
      const all = [...at(remote).source.refs].map(([name, commit]): Ref => ({ name, commit }));
      return all.filter(({ name }) => prefixes.some((prefix) => name.startsWith(prefix))).sort((a, b) => (a.name < b.name ? -1 : 1));
    },
    fetch: async (remote, refs) => {
      const { source, known } = at(remote);
      for (const { commit } of refs) for (const oid of ancestry(source.store, commit, known)) known.add(oid);
    },
    commit: async (remote, oid) => readCommit(at(remote).store, peelToCommit(at(remote).store, oid)),
    objectAt: async (remote, oid, path) => objectAt(at(remote).store, rootTree(at(remote).store, oid), path),
    objectsAt: async (remote, oid, paths) =>
      paths.map((path) => objectAt(at(remote).store, rootTree(at(remote).store, oid), path)),
    list: async (remote, oid, path) => listAt(at(remote).store, rootTree(at(remote).store, oid), path),
    contents: async (remote, files) => contentsOf(at(remote).store, files),
    files: async (remote, oid, path) => filesAt(at(remote).store, rootTree(at(remote).store, oid), path),
    history: async (remote, range) => deepening(at(remote), ({ store }) => firstParents(store, range)),
    changes: async (remote, commit) => deepening(at(remote), ({ store }) => changesOf(store, commit)),
    revert: async (remote, request) => deepening(at(remote), ({ store }) => revert(store, request)),
    merge: async (remote, sides) => deepening(at(remote), ({ store }) => merge(store, sides)),
    createCommit: async (remote, commit) => {
      const { store, known } = at(remote);
      const oid = writeCommit(store, commit);
      known.add(oid);
      return oid;
    },
    push: async (remote, update) => push(at(remote), update),
    signedBy: async () => false,
    forget: async ({ url }) => void clones.delete(url),
    close: async () => {},
  };
}

interface Clone {
  readonly source: MemoryRemote;
  /** Commits that were fetched or made here. */
  readonly known: Set<string>;
  readonly store: ObjectStore;
}

/** The remote's objects, but of its commits only those that are known. */
function clone(source: MemoryRemote): Clone {
  const known = new Set<string>();
  const find = (oid: string): GitObject | undefined => {
    const object = source.store.find(oid);
    return object?.kind === "commit" && !known.has(oid) ? undefined : object;
  };
  const store: ObjectStore = { find, has: (oid) => find(oid) !== undefined, write: (kind, bytes) => source.store.write(kind, bytes) };
  return { source, known, store };
}

/** Whatever is missing is asked for again, as long as a ref of the remote leads to it. */
function deepening<T>(one: Clone, work: (one: Clone) => T): T {
  const { source, known } = one;
  try {
    return work(one);
  } catch (error) {
    if (!(error instanceof MissingCommitError)) throw error;
    for (const tip of source.refs.values()) for (const oid of ancestry(source.store, tip, known)) known.add(oid);
    if (!known.has(error.oid)) throw error;
    return work(one);
  }
}

function push({ source }: Clone, { ref, expected, commit }: Parameters<Git["push"]>[1]): void {
  const now = source.refs.get(ref);
  if (now === commit) return;
  if (now !== expected) throw new GitError("StaleRef", `${ref} has moved: it is at ${now ?? "nothing"}, not at ${expected ?? "nothing"}`);
  source.move(ref, commit);
}
