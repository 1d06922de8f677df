import { branchCommit, refCommit } from "./git-dir.ts";
import { headCommit } from "./pulls.ts";
import { defaultBranch, fullName, isOpen, type Pull, pullRef, type Repository, type Review, type TimelineEntry } from "./repository.ts";

/** Where the server is and how its accounts are numbered; Gitea's replies hold both everywhere. */
export interface View {
  /** Without a slash at the end. */
  readonly url: string;
  readonly userId: (login: string) => number;
}

/** An account as Gitea's API shows it. */
export function userView({ userId, url }: View, login: string): object {
  return { id: userId(login), login, full_name: "", email: `${login}@noreply.localhost`, html_url: url, is_admin: false };
}

/** A repository as Gitea's API shows it. */
export function repositoryView(view: View, repository: Repository): object {
  const page = `${view.url}/${fullName(repository)}`;
  return {
    id: repository.id,
    owner: userView(view, repository.owner),
    name: repository.name,
    full_name: fullName(repository),
    private: repository.isPrivate,
    archived: repository.archived,
    empty: repository.branches.size === 0,
    html_url: page,
    clone_url: `${page}.git`,
    default_branch: defaultBranch,
    created_at: repository.createdAt.toISOString(),
  };
}

/** A pull request as Gitea's API shows it. */
export async function pullView(view: View, repository: Repository, pull: Pull): Promise<object> {
  const page = `${view.url}/${fullName(repository)}`;
  return {
    id: pull.number,
    url: `${view.url}/api/v1/repos/${fullName(repository)}/pulls/${pull.number}`,
    number: pull.number,
    user: userView(view, pull.poster),
    title: pull.title,
    body: pull.body,
    labels: [],
    state: isOpen(pull) ? "open" : "closed",
    draft: false,
    is_locked: false,
    comments: pull.timeline.filter(({ type }) => type === "comment").length,
    html_url: `${page}/pulls/${pull.number}`,
    merged: pull.merged !== undefined,
    merged_at: pull.merged?.at.toISOString() ?? null,
    merge_commit_sha: pull.merged?.commit ?? null,
    merged_by: pull.merged ? userView(view, pull.merged.login) : null,
    base: await branchView(view, repository, { branch: pull.base, commit: await branchCommit(repository.git, pull.base) }),
    head: await headView(view, repository, pull),
    created_at: pull.createdAt.toISOString(),
    updated_at: pull.updatedAt.toISOString(),
    closed_at: pull.closedAt?.toISOString() ?? null,
  };
}

async function headView(view: View, repository: Repository, pull: Pull): Promise<object> {
  const commit = await headCommit(repository, pull);
  const gone = (await branchCommit(repository.git, pull.head)) === undefined;
  return branchView(view, repository, { branch: pull.head, commit, ref: gone ? pullRef(pull) : pull.head });
}

async function branchView(
  view: View,
  repository: Repository,
  { branch, commit, ref = branch }: { branch: string; commit: string | undefined; ref?: string },
): Promise<object> {
  return { label: branch, ref, sha: commit ?? "", repo_id: repository.id, repo: repositoryView(view, repository) };
}

/** A branch as Gitea's API shows it; `undefined`: there is none. */
export async function branchInfo({ git, protectedBranches }: Repository, name: string): Promise<object | undefined> {
  const commit = await refCommit(git, `refs/heads/${name}`);
  return commit === undefined ? undefined : { name, commit: { id: commit }, protected: protectedBranches.has(name) };
}

/** A comment as Gitea's API shows it. */
export function commentView(view: View, { id, login, body, at }: TimelineEntry): object {
  return { id, user: userView(view, login), body, created_at: at.toISOString(), updated_at: at.toISOString() };
}

/** An entry of the timeline as Gitea's API shows it. */
export function timelineView(view: View, entry: TimelineEntry): object {
  return { ...commentView(view, entry), type: entry.type };
}

/** A review as Gitea's API shows it. */
export function reviewView(view: View, { id, login, state, body, commit, at }: Review): object {
  const times = { submitted_at: at.toISOString(), updated_at: at.toISOString() };
  return { id, user: userView(view, login), state, body, commit_id: commit, stale: false, official: false, dismissed: false, ...times };
}
