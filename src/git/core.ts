import { createHash } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { isCommitSignedBy, writeCommit } from "./commit.ts";
import { fetchRefs, isDamage, type Session, withHistory } from "./fetch.ts";
import { contentsOf, filesAt, listAt, objectAt, rootTree } from "./files.ts";
import type { Remote } from "./git.ts";
import { changesOf, firstParents } from "./history.ts";
import { createHttp } from "./http.ts";
import { listRefs } from "./ls-refs.ts";
import type { GitCore } from "./protocol.ts";
import { push } from "./push.ts";
import { openRepository, type Repository } from "./repository.ts";
import { merge, revert } from "./revert.ts";
import { peelToCommit, readCommit } from "./tree.ts";

/** All of Git in this process, with its repositories under `dir`. Reading is synchronous: it belongs into a process of its own. */
export function createGitCore(dir: string): GitCore & { close(): Promise<void> } {
  const http = createHttp();
  const repositories = new Map<string, Repository>();
  const repositoryOf = (remote: Remote) => {
    const known = repositories.get(remote.url);
    if (known) return known;
    const place = placeOf(dir, remote);
    mkdirSync(place, { recursive: true });
    const repository = openRepository(place);
    repositories.set(remote.url, repository);
    return repository;
  };
  const session = (remote: Remote, signal: AbortSignal): Session => ({ http, remote, repository: repositoryOf(remote), signal });
  /** Reads; when the repository turns out to be damaged it is thrown away, so that the next fetch brings it anew. */
  const read = async <T>(remote: Remote, signal: AbortSignal, work: (session: Session) => T | Promise<T>): Promise<T> => {
    signal.throwIfAborted();
    const repository = repositoryOf(remote);
    try {
      return await work(session(remote, signal));
    } catch (error) {
      if (isDamage(error)) await repository.exclusive(() => Promise.resolve(repository.reset()));
      throw error;
    }
  };
  const store = ({ repository }: Session) => repository.store();
  return {
    listRefs: (remote, prefixes, signal) => listRefs(http, remote, { prefixes, signal }),
    fetch: (remote, refs, { depth }, signal) => fetchRefs(session(remote, signal), refs, depth),
    commit: (remote, oid, signal) => read(remote, signal, (at) => readCommit(store(at), peelToCommit(store(at), oid))),
    objectAt: (remote, oid, path, signal) =>
      read(remote, signal, (at) => objectAt(store(at), rootTree(store(at), oid), path, at.repository.trees)),
    objectsAt: (remote, oid, paths, signal) =>
      read(remote, signal, (at) => {
        const root = rootTree(store(at), oid);
        return paths.map((path) => objectAt(store(at), root, path, at.repository.trees));
      }),
    list: (remote, oid, path, signal) =>
      read(remote, signal, (at) => listAt(store(at), rootTree(store(at), oid), path, at.repository.trees)),
    contents: (remote, files, signal) => read(remote, signal, (at) => contentsOf(store(at), files)),
    files: (remote, oid, path, signal) => read(remote, signal, (at) => filesAt(store(at), rootTree(store(at), oid), path)),
    history: (remote, range, signal) => read(remote, signal, (at) => withHistory(at, () => firstParents(store(at), range))),
    changes: (remote, commit, signal) => read(remote, signal, (at) => withHistory(at, () => changesOf(store(at), commit))),
    revert: (remote, request, signal) => read(remote, signal, (at) => withHistory(at, () => revert(store(at), request))),
    merge: (remote, sides, signal) => read(remote, signal, (at) => withHistory(at, () => merge(store(at), sides))),
    createCommit: (remote, commit, signal) => read(remote, signal, (at) => writeCommit(store(at), commit)),
    push: (remote, update, signal) => read(remote, signal, (at) => push(at, update)),
    signedBy: (remote, commit, key, signal) =>
      read(remote, signal, (at) => isCommitSignedBy(store(at), peelToCommit(store(at), commit), key)),
    forget: async (remote) => {
      const repository = repositories.get(remote.url);
      repositories.delete(remote.url);
      await repository?.exclusive(() => Promise.resolve(repository.close()));
      rmSync(placeOf(dir, remote), { recursive: true, force: true });
    },
    close: async () => {
      for (const repository of repositories.values()) repository.close();
      await http.close();
    },
  };
}

function placeOf(dir: string, { url }: Remote): string {
  return join(dir, createHash("sha256").update(url).digest("hex").slice(0, 40));
}
