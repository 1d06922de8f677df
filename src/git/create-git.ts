import { fileURLToPath } from "node:url";
import type { Logger } from "../lib/log.ts";
import { createChild } from "./child.ts";
import { type Git, GitError, type GitObserver, type Remote } from "./git.ts";
import type { GitCore, SentArguments } from "./protocol.ts";

/** How the child process is started: a file that calls `runGitWorker`, e.g. the program's own bundle with an argument. */
export interface GitWorker {
  readonly file: string;
  readonly args: readonly string[];
}

/** What {@link createGit} needs. */
interface GitOptions {
  /** A directory of our own for the repositories; a cache, so an emptyDir will do. */
  readonly dir: string;
  readonly log: Logger;
  /** Resident memory above which the child process is killed. Default: 768 MiB. */
  readonly memoryLimitBytes?: number | undefined;
  /** Default: from its source file, which a bundle does not have. */
  readonly worker?: GitWorker | undefined;
  readonly observer?: GitObserver | undefined;
}

const defaultMemoryLimitBytes = 768 * 1024 * 1024;
/** Time for work that is not waiting for the remote, e.g. reading a large pack. */
const workLimitMs = 120_000;

/** Git in a child process of its own: a hostile repository can end that, never us. It is started at the first call. */
export function createGit({
  dir,
  log,
  memoryLimitBytes = defaultMemoryLimitBytes,
  worker,
  observer,
}: GitOptions): Git & { workerPid(): number | undefined } {
  const file = fileURLToPath(new URL("worker-main.ts", import.meta.url));
  const child = createChild({ dir, log, memoryLimitBytes, worker: worker ?? { file, args: [] } });
  const call = async <Method extends keyof GitCore>(
    method: Method,
    signal: AbortSignal,
    ...args: SentArguments<Method>
  ): Promise<Awaited<ReturnType<GitCore[Method]>>> => {
    const [remote] = args as [Remote];
    const startedMs = performance.now();
    const tell = (reason?: GitError["reason"]): void =>
      observer?.({ operation: method, reason, durationMs: performance.now() - startedMs });
    try {
      const value = await child.call({ method, args, signal, limitMs: remote.timeoutMs * 4 + workLimitMs });
      tell();
      // The child answers a method with that method's result.
      return value as Awaited<ReturnType<GitCore[Method]>>;
    } catch (error) {
      tell(error instanceof GitError ? error.reason : undefined);
      throw error;
    }
  };
  const never = new AbortController().signal;
  return {
    listRefs: (remote, prefixes, signal) => call("listRefs", signal, remote, prefixes),
    fetch: (remote, refs, options, signal) => call("fetch", signal, remote, refs, options),
    commit: (remote, oid, signal) => call("commit", signal, remote, oid),
    objectAt: (remote, oid, path, signal) => call("objectAt", signal, remote, oid, path),
    objectsAt: (remote, oid, paths, signal) => call("objectsAt", signal, remote, oid, paths),
    list: (remote, oid, path, signal) => call("list", signal, remote, oid, path),
    contents: (remote, files, signal) => call("contents", signal, remote, files),
    files: (remote, oid, path, signal) => call("files", signal, remote, oid, path),
    history: (remote, range, signal) => call("history", signal, remote, range),
    changes: (remote, commit, signal) => call("changes", signal, remote, commit),
    revert: (remote, request, signal) => call("revert", signal, remote, request),
    merge: (remote, sides, signal) => call("merge", signal, remote, sides),
    createCommit: (remote, commit, signal) => call("createCommit", signal, remote, commit),
    push: (remote, update, signal) => call("push", signal, remote, update),
    signedBy: (remote, commit, key, signal) => call("signedBy", signal, remote, commit, key),
    forget: (remote) => call("forget", never, remote),
    close: () => child.close(),
    workerPid: () => child.pid(),
  };
}
