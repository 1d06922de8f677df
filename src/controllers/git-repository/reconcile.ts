import { formatRevision, type GitRepository, type GitRepositoryStatus, parseRevision } from "../../api/git-repository.ts";
import { nextConditions } from "../../api/conditions.ts";
import { names } from "../../api/meta.ts";
import { keyOf, type KubeObject } from "../../api/object.ts";
import { type Commit, type Git, GitError, type Ref, type Remote } from "../../git/git.ts";
import type { Events, Kube, Reconcile } from "../../kube/kube.ts";
import type { Clock } from "../../lib/clock.ts";
import { parseDurationMs } from "../../lib/duration.ts";
import type { Logger } from "../../lib/log.ts";
import { withOwnWrites } from "../own-writes.ts";
import type { Resources } from "../resources.ts";
import { sourceError } from "./source-error.ts";
import { remoteOf } from "./remote.ts";

/** What the GitRepository controller needs. */
interface GitRepositoryDeps {
  readonly kube: Kube;
  readonly events: Events;
  readonly clock: Clock;
  readonly log: Logger;
  readonly repositories: Resources<GitRepository>;
  readonly git: Git;
  /** A number in [0, 1), for jitter. */
  readonly random?: () => number;
}

/** How much history a fetch brings: a canary that fails needs the commits since the last good one. */
const depth = 50;
/** Polls of many repositories shall not stay in step. */
const jitter = 0.05;
const revertPrefix = "refs/heads/serin/revert/";

/**
 * Follows one branch: asks the remote for it and for the revert branches in one call, fetches and verifies what is new, and
 * only then says so in the status. What was fetched before stays in use while anything is wrong.
 */
export function gitRepositoryReconciler({ kube, git, ...deps }: GitRepositoryDeps): Reconcile {
  const repositories = withOwnWrites(deps.repositories);
  const known = createKnown(git);
  return async (key, signal) => {
    const repository = repositories.find(key);
    if (!repository) return known.forget(key, repositories);
    if (repository.spec.suspend || repository.metadata.deletionTimestamp !== undefined) return {};
    try {
      const remote = await remoteOf(kube, repository, signal);
      known.use(key, remote);
      const found = await look(git, repository, remote, signal);
      const status = await nextStatus({ git, remote, repository, found, nowMs: deps.clock.nowMs() }, signal);
      await repositories.patchStatus(repository, status, signal);
      await tell({ git, ...deps }, { repository, remote, status }, signal);
    } catch (error) {
      throw sourceError(repository, error);
    }
    const spread = 1 + jitter * (2 * (deps.random ?? Math.random)() - 1);
    return { requeueAfterMs: parseDurationMs(repository.spec.interval) * spread };
  };
}

/** What the remote has: the followed branch and the revert branches. */
interface Found {
  readonly tip: Ref;
  readonly reverts: readonly Ref[];
}

async function look(git: Git, { spec: { ref } }: GitRepository, remote: Remote, signal: AbortSignal): Promise<Found> {
  const branch = `refs/heads/${ref.branch}`;
  const refs = await git.listRefs(remote, [branch, revertPrefix], signal);
  const tip = refs.find(({ name }) => name === branch);
  if (!tip) throw new GitError("BranchNotFound", `branch ${ref.branch} does not exist`);
  const reverts = refs.filter(({ name }) => name.startsWith(revertPrefix));
  // What is there already costs nothing, and after a restart this brings back what the cache has lost.
  await git.fetch(remote, [tip, ...reverts], { depth }, signal);
  return { tip, reverts };
}

interface Next {
  readonly git: Git;
  readonly remote: Remote;
  readonly repository: GitRepository;
  readonly found: Found;
  readonly nowMs: number;
}

async function nextStatus({ git, remote, repository, found, nowMs }: Next, signal: AbortSignal): Promise<GitRepositoryStatus> {
  const { status, metadata, spec } = repository;
  const { generation = 0 } = metadata;
  const revision = formatRevision({ branch: spec.ref.branch, commit: found.tip.commit });
  const commit =
    revision === status.revision && status.commit ? status.commit : summaryOf(await git.commit(remote, found.tip.commit, signal));
  const requestedAt = metadata.annotations?.[names.requestedAt];
  const revertBranches = found.reverts
    .map(({ name, commit: oid }) => ({ name: name.slice("refs/heads/".length), commit: oid }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    ...status,
    observedGeneration: generation,
    conditions: nextConditions(
      status.conditions,
      { ready: "True", reason: "Succeeded", message: `Fetched revision: ${revision}`, state: "done" },
      { generation, nowMs },
    ),
    ...(requestedAt === undefined ? {} : { lastHandledReconcileAt: requestedAt }),
    revision,
    commit,
    revertBranches,
  };
}

function summaryOf({ author, message, time }: Commit): NonNullable<GitRepositoryStatus["commit"]> {
  return { author: printable(`${author.name} <${author.email}>`), subject: printable(message.split("\n", 1)[0] ?? ""), time };
}

/** What people wrote into Git ends in terminals: no control characters. */
function printable(text: string): string {
  return text.replace(/\p{Cc}+/gu, " ").slice(0, 250);
}

async function tell(
  { git, events, log }: Pick<GitRepositoryDeps, "git" | "events" | "log">,
  { repository, remote, status }: { repository: GitRepository; remote: Remote; status: GitRepositoryStatus },
  signal: AbortSignal,
): Promise<void> {
  const { revision: before } = repository.status;
  if (before === status.revision || status.revision === undefined) return;
  const object: KubeObject = { apiVersion: repository.apiVersion, kind: repository.kind, metadata: repository.metadata };
  events.normal(object, "NewRevision", `${status.revision}: ${status.commit?.subject ?? ""} (${status.commit?.author ?? ""})`);
  log.info({ repository: keyOf(repository.metadata), revision: status.revision, was: before }, "new revision fetched");
  if (before !== undefined && (await wasRewritten({ git, remote, before, after: status.revision }, signal))) {
    events.warning(object, "ForcePushed", `${status.revision} does not build on ${before}: the branch was rewritten`);
  }
}

interface Move {
  readonly git: Git;
  readonly remote: Remote;
  readonly before: string;
  readonly after: string;
}

/** Whether the old tip is not among the new one's ancestors, on the same branch. */
async function wasRewritten({ git, remote, before, after }: Move, signal: AbortSignal): Promise<boolean> {
  const [old, now] = [parseRevision(before), parseRevision(after)];
  if (!old || !now || old.branch !== now.branch) return false;
  try {
    await git.history(remote, { from: old.commit, to: now.commit }, signal);
    return false;
  } catch (error) {
    if (error instanceof GitError && error.reason === "HistoryUnavailable") return true;
    throw error;
  }
}

/** Which remote belongs to which GitRepository, so that one that nobody uses any more can be freed. */
function createKnown(git: Git): {
  use(key: string, remote: Remote): void;
  forget(key: string, repositories: Resources<GitRepository>): Promise<Record<string, never>>;
} {
  const urls = new Map<string, string>();
  return {
    use: (key, { url }) => {
      urls.set(key, url);
    },
    forget: async (key, repositories) => {
      const url = urls.get(key);
      urls.delete(key);
      const used = repositories.list().some((other) => other.spec.url === url);
      // Without credentials: nothing is sent, only the local copy is dropped.
      if (url !== undefined && !used) await git.forget({ url, timeoutMs: 0 });
      return {};
    },
  };
}
