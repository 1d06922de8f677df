import fs from "node:fs";
import git from "isomorphic-git";
import { messageOf } from "../lib/errors.ts";
import { GitError, type Ref, type Remote } from "./git.ts";
import { type Http, isomorphicTransport, remoteName, withoutSlash } from "./http.ts";
import { listRefs } from "./ls-refs.ts";
import type { ObjectStore } from "./objects.ts";
import { DamagedTransferError, printable } from "./pkt-line.ts";
import type { Repository } from "./repository.ts";
import { entryKind, MissingCommitError, peelToCommit, readCommit, readTree } from "./tree.ts";

/** What a call works with. */
export interface Session {
  readonly http: Http;
  readonly remote: Remote;
  readonly repository: Repository;
  readonly signal: AbortSignal;
}

/** The depths that are tried, one after the other, when a commit is further back than what was fetched. */
const ladder = [50, 200, 1_000] as const;
const maxPacks = 100;
const compactAboveBytes = 16 * 1024 * 1024;
const maxVerifiedEntries = 200_000;

/**
 * Brings the commits and `depth` first-parent ancestors of each, verifies them and only then publishes the refs. Nothing is
 * asked of the remote when all is there. A damaged repository is thrown away and fetched anew, once.
 */
export function fetchRefs(session: Session, refs: readonly Ref[], depth: number): Promise<void> {
  const { repository } = session;
  return repository.exclusive(async () => {
    await bring(session, refs, depth);
    await compactIfDue(session, refs, depth);
  });
}

async function bring(session: Session, refs: readonly Ref[], depth: number): Promise<void> {
  const { repository } = session;
  const wasInUse = repository.published().size > 0;
  try {
    await bringOnce(session, refs, depth);
  } catch (error) {
    if (!isDamage(error)) throw error;
    repository.reset();
    if (!wasInUse) throw error;
    await bringOnce(session, refs, depth);
  }
}

/** Whether what we have on disk is to be doubted. */
export function isDamage(error: unknown): boolean {
  return error instanceof GitError && error.reason === "CorruptData" && !(error instanceof DamagedTransferError);
}

async function bringOnce(session: Session, refs: readonly Ref[], depth: number): Promise<void> {
  const { repository } = session;
  const wanted = refs.filter(({ commit }) => !isComplete(repository.store(), commit, depth));
  if (wanted.length > 0) await receive(session, { wants: wanted.map(({ commit }) => commit), depth });
  const published = repository.published();
  for (const ref of refs) if (published.get(ref.name) !== ref.commit) verify(repository.store(), ref, published);
  repository.publish(new Map(refs.map(({ name, commit }) => [name, commit])));
}

/** Whether the commit is there with so many first-parent ancestors, or all there are. */
function isComplete(store: ObjectStore, oid: string, depth: number): boolean {
  try {
    let at: string | undefined = peelToCommit(store, oid);
    for (let seen = 0; at !== undefined && seen <= depth; seen++) at = readCommit(store, at).parents[0];
    return true;
  } catch (error) {
    if (error instanceof MissingCommitError) return false;
    throw error;
  }
}

/** One request for a pack; nothing of it is published yet. */
async function receive(
  { http, remote, repository, signal }: Session,
  { wants, depth }: { wants: readonly string[]; depth: number },
): Promise<void> {
  repository.restoreShallow();
  try {
    await git.fetch({
      fs,
      http: isomorphicTransport(http, remote, { wants, signal }),
      gitdir: repository.gitdir(),
      cache: {},
      url: withoutSlash(remote.url),
      remote: "origin",
      ref: "refs/heads/want-0",
      // All that the transport "advertises" is wanted, and all that was published is offered.
      singleBranch: false,
      tags: false,
      // Git counts the tip itself; without a depth a force push would bring the whole history.
      depth: depth + 1,
    });
  } catch (error) {
    repository.restoreShallow();
    throw transferError(remote, error, signal);
  } finally {
    repository.store().refresh();
  }
}

function transferError(remote: Remote, error: unknown, signal: AbortSignal): unknown {
  if (error instanceof GitError || signal.aborted) return error;
  // The transport has checked what was received, so these are about the objects that were there before.
  const damage = error instanceof Error && "code" in error && (error.code === "NotFoundError" || error.code === "InternalError");
  const reason = damage ? "CorruptData" : "GitOperationFailed";
  return new GitError(reason, `fetch from ${remoteName(remote)}: ${printable(messageOf(error))}`, { cause: error });
}

/** Throws unless the commit, its trees and the presence of all its files are as they should be. */
function verify(store: ObjectStore, { name, commit }: Ref, published: ReadonlyMap<string, string>): void {
  const found = attempt(() => readCommit(store, peelToCommit(store, commit)));
  if (!found)
    throw new GitError("GitOperationFailed", `the remote did not send commit ${commit} of ${printable(name)}; it may have moved meanwhile`);
  // What was verified for another ref or an older tip need not be looked at again.
  const known = new Set([...published.values()].map((oid) => attempt(() => readCommit(store, peelToCommit(store, oid)))?.tree));
  const todo = [found.tree];
  let left = maxVerifiedEntries;
  for (let tree = todo.pop(); tree !== undefined; tree = todo.pop()) {
    if (known.has(tree) || left < 0) continue;
    known.add(tree);
    for (const entry of readTree(store, tree)) {
      left--;
      const kind = entryKind(entry);
      if (kind === "tree") todo.push(entry.oid);
      else if (kind !== "submodule" && !store.has(entry.oid)) throw new GitError("CorruptData", `commit ${commit} lacks some of its files`);
    }
  }
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof MissingCommitError) return undefined;
    throw error;
  }
}

/** Fetches anew into a directory beside it when there are too many packs; every read looks into each of them. */
async function compactIfDue(session: Session, refs: readonly Ref[], depth: number): Promise<void> {
  const { repository } = session;
  const sizes = repository.packBytes();
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const due = sizes.length > maxPacks || (total > 3 * (sizes[0] ?? 0) && total > compactAboveBytes);
  if (!due) return;
  const sibling = repository.sibling();
  try {
    await bring({ ...session, repository: sibling }, refs, depth);
    repository.replaceWith(sibling);
  } catch {
    // What was asked for is there. The next fetch tries to tidy up again.
    sibling.close();
  }
}

/**
 * Runs work that reads history. When a commit is missing, brings more history, step by step, and runs it again.
 * Throws HistoryUnavailable when the remote does not give it.
 */
export async function withHistory<T>(session: Session, work: () => T): Promise<T> {
  for (const depth of ladder) {
    const done = tryWork(work);
    if ("value" in done) return done.value;
    await deepen(session, depth);
  }
  const done = tryWork(work);
  if ("value" in done) return done.value;
  await bySha(session, done.missing);
  return work();
}

function tryWork<T>(work: () => T): { value: T } | { missing: string } {
  try {
    return { value: work() };
  } catch (error) {
    if (error instanceof MissingCommitError) return { missing: error.oid };
    throw error;
  }
}

/** Asks for the refs of this repository again, as they are now, with more of their history. */
async function deepen(session: Session, depth: number): Promise<void> {
  const { http, remote, repository, signal } = session;
  const names = new Set(repository.published().keys());
  if (names.size === 0) return;
  const refs = (await listRefs(http, remote, { prefixes: [...names], signal })).filter(({ name }) => names.has(name));
  if (refs.length > 0) await repository.exclusive(() => bring(session, refs, depth));
}

async function bySha(session: Session, missing: string): Promise<void> {
  try {
    await session.repository.exclusive(() => receive(session, { wants: [missing], depth: 1 }));
  } catch (error) {
    session.signal.throwIfAborted();
    throw new GitError("HistoryUnavailable", `commit ${missing} is further back than the remote gives`, { cause: error });
  }
}
