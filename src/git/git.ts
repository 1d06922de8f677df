/** Where a repository is and who we are there. Never logged: `url` holds no credentials, the headers do. */
export interface Remote {
  /** http:// or https://, without credentials. */
  readonly url: string;
  readonly auth?: { readonly username: string; readonly password: string } | { readonly bearerToken: string } | undefined;
  /** PEM of the authority that signed the server's certificate. */
  readonly ca?: string | undefined;
  /** Limit of one exchange. */
  readonly timeoutMs: number;
}

/** A branch or tag as the remote names it, e.g. `refs/heads/main`. */
export interface Ref {
  readonly name: string;
  readonly commit: string;
}

/** Author or committer, as commits name them. */
export interface Person {
  readonly name: string;
  readonly email: string;
}

/** One commit. */
export interface Commit {
  readonly oid: string;
  readonly tree: string;
  /** First parent first; a root commit has none. */
  readonly parents: readonly string[];
  readonly author: Person;
  /** Author time, RFC 3339 UTC. */
  readonly time: string;
  readonly message: string;
  /** Armoured signature (`-----BEGIN SSH SIGNATURE-----`…), when there is one. */
  readonly signature?: string | undefined;
}

/** One regular file of a commit, by name. Symbolic links inside the tree are followed, others are refused. */
export interface SourceEntry {
  /** From the root of the repository, with forward slashes. */
  readonly path: string;
  /** Id of the content: equal ids mean equal content. */
  readonly oid: string;
  readonly executable: boolean;
  /** It stands elsewhere and is reached by a symbolic link, so the id of its folder says nothing of its content. */
  readonly linked: boolean;
}

/** One regular file of a commit with what is in it. */
export interface SourceFile {
  readonly path: string;
  readonly content: Uint8Array;
  readonly executable: boolean;
}

/** How a Git operation may fail, so that the caller can say what to do about it. */
export const gitErrorReasons = [
  "AuthenticationFailed", // 401, 403: the credentials are wrong or may not do this
  "RepositoryNotFound",
  "BranchNotFound",
  "StaleRef", // compare-and-swap lost: the branch moved
  "PushRefused", // a hook or branch protection; the message is the server's
  "HistoryUnavailable", // the commit is beyond what the remote will give
  "LimitExceeded", // a size, count or time limit of ours
  "UnsafeContent", // symlink out of the tree, a path Git forbids, names that are not UTF-8
  "CorruptData",
  "GitOperationFailed", // everything else; worth a retry
] as const;
export type GitErrorReason = (typeof gitErrorReasons)[number];

/** Thrown by every method of {@link Git}. Holds no credentials. */
export class GitError extends Error {
  readonly reason: GitErrorReason;

  constructor(reason: GitErrorReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "GitError";
    this.reason = reason;
  }
}

/** One call of {@link Git}. */
interface GitOperation {
  /** Name of the method. */
  readonly operation: string;
  /** Why it failed; missing when it did not, or was broken off. */
  readonly reason?: GitErrorReason | undefined;
  readonly durationMs: number;
}

/** Told of every call, for metrics. Must be cheap and must not throw. */
export type GitObserver = (operation: GitOperation) => void;

/** What is to be undone. */
export interface RevertRequest {
  /** Commit on which the result is based. */
  readonly head: string;
  /** Newest first. A merge counts against its first parent. */
  readonly commits: readonly string[];
  /**
   * Which part of the commits' changes to undo. Missing: all of it. `paths`: only these files.
   * `hunks`: of one file, only the hunks (by index, in the order of {@link Git.changes}).
   */
  readonly only?: readonly { readonly path: string; readonly hunks?: readonly number[] | undefined }[] | undefined;
}

/** What undoing gave. `conflict`: no clean inverse, or the merge with and the one without renames differ. */
export type RevertResult =
  | { readonly outcome: "clean"; readonly tree: string; readonly changed: readonly string[] }
  | { readonly outcome: "empty" } // already undone
  | { readonly outcome: "conflict"; readonly paths: readonly string[] };

/** One file that a commit changed against its first parent, and its hunks. */
export interface FileChange {
  readonly path: string;
  readonly kind: "added" | "deleted" | "modified";
  /** Number of hunks; 0 for binary files and mode changes, which cannot be parted. */
  readonly hunks: number;
}

/** A commit to be made. */
export interface NewCommit {
  readonly tree: string;
  readonly parents: readonly string[];
  readonly message: string;
  readonly author: Person;
  /** RFC 3339; whole seconds. Given by the caller, so that making it again gives the same id. */
  readonly time: string;
  /** OpenSSH private key; missing: unsigned. */
  readonly signingKey?: string | undefined;
}

/**
 * All that Serin does with Git. Objects live in a bare repository per remote URL; everything that touches bytes from
 * outside runs in a child process with a memory cap. Concurrent calls are safe.
 */
export interface Git {
  /** One protocol v2 `ls-refs`. Names that start with one of the prefixes; callers filter exactly. Cheap: safe to poll. */
  listRefs(remote: Remote, prefixes: readonly string[], signal: AbortSignal): Promise<Ref[]>;
  /**
   * Brings the commits (tips of these refs, as just listed) and at least `depth` first-parent ancestors into the
   * repository, verifies and only then publishes them. What is there already costs nothing.
   */
  fetch(remote: Remote, refs: readonly Ref[], options: { depth: number }, signal: AbortSignal): Promise<void>;
  /** Throws HistoryUnavailable when the commit is not in the repository. */
  commit(remote: Remote, oid: string, signal: AbortSignal): Promise<Commit>;
  /** Id of the tree or blob at a path (`""` is the root) of a commit or tree; `undefined`: nothing there. */
  objectAt(
    remote: Remote,
    commitOrTree: string,
    path: string,
    signal: AbortSignal,
  ): Promise<{ oid: string; kind: "tree" | "blob" } | undefined>;
  /** As `objectAt` for many paths at once, in their order. One that cannot be looked at fails all. */
  objectsAt(
    remote: Remote,
    commitOrTree: string,
    paths: readonly string[],
    signal: AbortSignal,
  ): Promise<({ oid: string; kind: "tree" | "blob" } | undefined)[]>;
  /** All regular files under the path as `files` gives them, without what is in them. */
  list(remote: Remote, commitOrTree: string, path: string, signal: AbortSignal): Promise<SourceEntry[]>;
  /** What is in these files, in their order; within git.md's limits. */
  contents(remote: Remote, files: readonly Pick<SourceEntry, "path" | "oid">[], signal: AbortSignal): Promise<Uint8Array[]>;
  /** All regular files under the path of a commit or tree, in byte order of their paths; within git.md's limits. `[]`: nothing there. */
  files(remote: Remote, commitOrTree: string, path: string, signal: AbortSignal): Promise<SourceFile[]>;
  /**
   * First-parent history, newest first, from `to` back to but without `from`. Deepens when needed.
   * Throws HistoryUnavailable when `from` is not found within 1,000 commits, or is not an ancestor.
   */
  history(remote: Remote, range: { from: string; to: string }, signal: AbortSignal): Promise<Commit[]>;
  /** Files that a commit changed against its first parent. */
  changes(remote: Remote, commit: string, signal: AbortSignal): Promise<FileChange[]>;
  /** Three-way inverse in memory; writes only objects. Deepens when a parent is missing. */
  revert(remote: Remote, request: RevertRequest, signal: AbortSignal): Promise<RevertResult>;
  /** Three-way merge of two commits or trees in memory, as a merge button would; `empty`: nothing to merge. Writes only objects. */
  merge(remote: Remote, sides: { base: string; ours: string; theirs: string }, signal: AbortSignal): Promise<RevertResult>;
  /** Writes a commit object and returns its id. The same input gives the same id. */
  createCommit(remote: Remote, commit: NewCommit, signal: AbortSignal): Promise<string>;
  /**
   * Compare-and-swap push of one ref. `expected`: the value it must have now, `undefined` when it must not exist.
   * `commit` undefined deletes the branch. Throws StaleRef or PushRefused.
   */
  push(
    remote: Remote,
    update: { ref: string; expected: string | undefined; commit: string | undefined },
    signal: AbortSignal,
  ): Promise<void>;
  /** Whether the commit's signature is a good one by this OpenSSH key (private or public). Unsigned: false. */
  signedBy(remote: Remote, commit: string, key: string, signal: AbortSignal): Promise<boolean>;
  /** Frees the repository of a remote that nobody uses any more. */
  forget(remote: Remote): Promise<void>;
  /** Ends the child process. */
  close(): Promise<void>;
}
