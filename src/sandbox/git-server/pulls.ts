import { branchCommit, branches, refCommit } from "./git-dir.ts";
import { MergeConflict, type MergeStyle, writeMerge } from "./merge.ts";
import { isOpen, type Pull, pullRef, Refused, type Repository, type Review, type TimelineEntry } from "./repository.ts";
import type { Store } from "./store.ts";

/** Who changes a pull request, and with which store's numbers. */
export interface Doer {
  readonly store: Store;
  readonly login: string;
}

/** What a new pull request says. */
interface NewPull {
  readonly head: string;
  readonly base: string;
  readonly title: string;
  readonly body: string;
}

/** Throws {@link Refused} 404. */
export function getPull(repository: Repository, number: number): Pull {
  const pull = repository.pulls.find((candidate) => candidate.number === number);
  if (!pull) throw new Refused(404, "not found");
  return pull;
}

/** Opens a pull request. Throws {@link Refused}: 404 without the branches, 409 when there is an open one, 422 for a branch on itself. */
export async function openPull(repository: Repository, { login }: Doer, wanted: NewPull): Promise<Pull> {
  const { head, base, title, body } = wanted;
  if (head === base) throw new Refused(422, "Invalid PullRequest: There are no changes between the head and the base");
  const [headCommit, baseCommit] = [await branchCommit(repository.git, head), await branchCommit(repository.git, base)];
  if (!headCommit || !baseCommit) throw new Refused(404, "not found");
  const open = repository.pulls.find((pull) => isOpen(pull) && pull.head === head && pull.base === base);
  if (open) throw new Refused(409, alreadyExists(repository, open));
  const now = new Date();
  const pull: Pull = {
    number: repository.pulls.length + 1,
    head,
    base,
    title,
    body,
    poster: login,
    createdAt: now,
    updatedAt: now,
    timeline: [],
    reviews: [],
    closedAt: undefined,
    merged: undefined,
  };
  repository.pulls.push(pull);
  await repository.git(["update-ref", pullRef(pull), headCommit]);
  return pull;
}

function alreadyExists({ id }: Repository, { number, head, base }: Pull): string {
  const what = `id: ${number}, issue_id: ${number}, head_repo_id: ${id}, base_repo_id: ${id}, head_branch: ${head}, base_branch: ${base}`;
  return `pull request already exists for these targets [${what}]`;
}

/** Changes what is given. Throws {@link Refused} 412 for a merged one's state or an unknown state. */
export function editPull(pull: Pull, doer: Doer, { title, body, state }: { title?: string; body?: string; state?: string }): void {
  if (title) pull.title = title;
  if (body !== undefined) pull.body = body;
  pull.updatedAt = new Date();
  if (state !== undefined) setState(pull, doer, state);
}

function setState(pull: Pull, doer: Doer, state: string): void {
  if (pull.merged) throw new Refused(412, "cannot change state of this pull request, it was already merged");
  if (state !== "open" && state !== "closed") throw new Refused(412, `unknown state: ${state}`);
  if ((state === "open") === isOpen(pull)) return;
  pull.closedAt = state === "closed" ? new Date() : undefined;
  note(pull, doer, state === "closed" ? "close" : "reopen");
}

/** Adds to the timeline. */
export function note(pull: Pull, { store, login }: Doer, type: TimelineEntry["type"], body = ""): TimelineEntry {
  const entry = { id: store.nextId(), type, login, body, at: new Date() };
  pull.timeline.push(entry);
  return entry;
}

/** Adds a review of what the head is now. */
export async function review(repository: Repository, pull: Pull, doer: Doer, says: Pick<Review, "state" | "body">): Promise<Review> {
  const made = { ...says, id: doer.store.nextId(), login: doer.login, commit: (await headCommit(repository, pull)) ?? "", at: new Date() };
  pull.reviews.push(made);
  return made;
}

/** How a pull request is merged. */
interface MergeRequest {
  readonly style: MergeStyle;
  readonly title?: string | undefined;
  readonly message?: string | undefined;
  /** Commit that the head must still be at. */
  readonly head?: string | undefined;
  readonly deleteBranch?: boolean | undefined;
}

/** Merges, really. Throws {@link Refused}: 404 when closed, 405 when merged already, 409 on a conflict or when somebody was faster. */
export async function mergePull(repository: Repository, pull: Pull, doer: Doer, request: MergeRequest): Promise<void> {
  if (pull.merged) throw new Refused(405, "The PR is already merged");
  if (!isOpen(pull)) throw new Refused(404, "not found");
  const { git } = repository;
  const head = await branchCommit(git, pull.head);
  const base = await branchCommit(git, pull.base);
  if (!head || !base) throw new Refused(405, "Please try again later");
  if (request.head !== undefined && request.head !== head) throw new Refused(409, "head out of date");
  const commit = await mergeCommit(repository, pull, doer, { request, head, base });
  await git(["update-ref", `refs/heads/${pull.base}`, commit, base]);
  pull.merged = { login: doer.login, at: new Date(), commit, before: base };
  pull.closedAt = pull.merged.at;
  pull.updatedAt = pull.merged.at;
  note(pull, doer, "merge_pull");
  if (request.deleteBranch) {
    await git(["update-ref", "-d", `refs/heads/${pull.head}`, head]);
    note(pull, doer, "delete_branch");
  }
}

async function mergeCommit(
  { git }: Repository,
  pull: Pull,
  { login }: Doer,
  { request, head, base }: { request: MergeRequest; head: string; base: string },
): Promise<string> {
  const merging = `Merge pull request '${pull.title}' (#${pull.number}) from ${pull.head} into ${pull.base}`;
  const title = request.title?.trim() || (request.style === "squash" ? `${pull.title} (#${pull.number})` : merging);
  const message = [title, request.message?.trim()].filter(Boolean).join("\n\n");
  const person = { name: login, email: `${login}@noreply.localhost`, time: Math.floor(Date.now() / 1000) };
  try {
    return await writeMerge(git, { style: request.style, base, head, message, person });
  } catch (error) {
    if (error instanceof MergeConflict) throw new Refused(409, error.message);
    throw error;
  }
}

/** Deletes a branch. Throws {@link Refused}: 404 when there is none, 403 for a protected one. */
export async function deleteBranch(repository: Repository, branch: string): Promise<void> {
  const commit = await branchCommit(repository.git, branch);
  if (!commit) throw new Refused(404, "not found");
  if (repository.protectedBranches.has(branch)) throw new Refused(403, "branch protected");
  await repository.git(["update-ref", "-d", `refs/heads/${branch}`, commit]);
}

/** Commit at the head, also when its branch is gone. */
export async function headCommit({ git }: Repository, pull: Pull): Promise<string | undefined> {
  return (await branchCommit(git, pull.head)) ?? (await refCommit(git, pullRef(pull)));
}

/** A branch that moved: `before` is missing for a new one, `after` for a deleted one. */
export interface BranchMove {
  readonly branch: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
}

/**
 * Compares the branches with those last seen: keeps the commits of open pull requests, closes those whose branch is gone, as Gitea
 * does, and gives the moves.
 */
export async function noticeMoves(repository: Repository, doer: Doer): Promise<BranchMove[]> {
  const now = await branches(repository.git);
  const names = new Set([...repository.branches.keys(), ...now.keys()]);
  const all = [...names].map((branch) => ({ branch, before: repository.branches.get(branch), after: now.get(branch) }));
  const moves = all.filter(({ before, after }) => before !== after);
  repository.branches = now;
  for (const { branch, after } of moves) {
    for (const pull of repository.pulls.filter((candidate) => isOpen(candidate) && candidate.head === branch)) {
      if (after === undefined) editPull(pull, doer, { state: "closed" });
      else await repository.git(["update-ref", pullRef(pull), after]);
    }
  }
  return moves;
}
