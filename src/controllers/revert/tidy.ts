import type { GitRepository } from "../../api/git-repository.ts";
import { managers, names } from "../../api/meta.ts";
import { keyOf, refOf } from "../../api/object.ts";
import type { Revert } from "../../api/revert.ts";
import { messageOf } from "../../lib/errors.ts";
import type { ReconcileResult } from "../../kube/kube.ts";
import { repositoryOf, type RevertDeps, syncOf } from "./deps.ts";
import { statusWith } from "./outcome.ts";

const retryMs = 60_000;
/** A Git host that is down does not keep a deleted object for ever. */
const giveUpMs = 10 * 60_000;

/** After the end: closes the pull request with a word why, deletes our branch, and lets a deleted object go. Idempotent. */
export async function tidyUp(deps: RevertDeps, revert: Revert, signal: AbortSignal): Promise<ReconcileResult> {
  if (!revert.status.conditions?.some(({ type }) => type === "Reconciling")) return release(deps, revert, signal);
  const left = await tidyGit(deps, revert, signal);
  if (left && !left.forGood && !isOverdue(deps, revert)) {
    deps.log.debug({ revert: keyOf(revert.metadata), error: left.why }, "revert cannot be tidied up yet");
    return { requeueAfterMs: retryMs };
  }
  if (left)
    deps.events.warning({ ...revert }, "NotTidiedUp", `branch ${revert.status.branch ?? ""} and its pull request stay: ${left.why}`);
  const outcome = {
    ready: "True" as const,
    reason: revert.status.phase ?? "Merged",
    message: messageOfEnd(revert),
    state: "done" as const,
  };
  const tidied = await deps.reverts.patchStatus(revert, statusWith(deps, revert, {}, outcome), signal);
  return release(deps, tidied, signal);
}

function isOverdue({ clock }: RevertDeps, { metadata, status }: Revert): boolean {
  return metadata.deletionTimestamp !== undefined && clock.nowMs() - Date.parse(status.endedAt ?? "") > giveUpMs;
}

/** What an ended Revert says of itself. */
export function messageOfEnd({ metadata, status }: Revert): string {
  if (status.undone)
    return `It was merged, but a later commit brings the failed values back: they are refused, and held without a Revert until a commit message says "Reapply ${metadata.name}"`;
  const said = {
    Merged: "Git names the promoted values again; nothing is held back",
    Declined: "A person declined it: the change goes out as Git says, once more as a canary",
    Superseded: "Git names other values by now: they are analysed like any other release",
  };
  return said[status.phase as keyof typeof said];
}

/** What keeps branch and pull request from going. */
interface Left {
  readonly why: string;
  /** Waiting does not help. */
  readonly forGood: boolean;
}

async function tidyGit(deps: RevertDeps, revert: Revert, signal: AbortSignal): Promise<Left | undefined> {
  if (!revert.status.branch) return undefined;
  const sync = syncOf(deps, revert);
  const repository = sync && repositoryOf(deps, sync);
  if (!repository)
    return {
      why: `${sync ? `GitRepository ${sync.spec.sourceRef.name}` : `Sync ${revert.spec.syncRef.name}`} does not exist any more`,
      forGood: true,
    };
  try {
    await closePullRequest(deps, repository, revert, signal);
    await deleteBranch(deps, repository, revert, signal);
    return undefined;
  } catch (error) {
    // Whatever it is, it must not keep the end from being seen.
    if (signal.aborted) throw error;
    return { why: messageOf(error), forGood: false };
  }
}

async function closePullRequest(deps: RevertDeps, repository: GitRepository, revert: Revert, signal: AbortSignal): Promise<void> {
  const { branch = "", phase = "" } = revert.status;
  const host = await deps.hostOf(repository, signal);
  const pullRequest = await host?.findPullRequest(branch, signal);
  if (!host || pullRequest?.state !== "open") return;
  await host.comment(pullRequest.number, { marker: `serin:ended:${phase}`, body: `${messageOfEnd(revert)}. Closing this pull request.` }, signal);
  await host.updatePullRequest(pullRequest.number, { state: "closed" }, signal);
}

async function deleteBranch(deps: RevertDeps, repository: GitRepository, { status }: Revert, signal: AbortSignal): Promise<void> {
  const remote = await deps.remoteOf(repository, signal);
  const ref = `refs/heads/${status.branch ?? ""}`;
  const found = (await deps.git.listRefs(remote, [ref], signal)).find(({ name }) => name === ref);
  // A branch that someone else pushed to is theirs.
  if (found && (found.commit === status.commit || found.commit === status.replaces))
    await deps.git.push(remote, { ref, expected: found.commit, commit: undefined }, signal);
}

async function release({ kube }: RevertDeps, revert: Revert, signal: AbortSignal): Promise<ReconcileResult> {
  const { deletionTimestamp, finalizers = [], resourceVersion } = revert.metadata;
  if (!deletionTimestamp || !finalizers.includes(names.finalizer)) return {};
  const kept = finalizers.filter((finalizer) => finalizer !== names.finalizer);
  await kube.patch(refOf({ ...revert }), { metadata: { resourceVersion, finalizers: kept } }, { fieldManager: managers.status }, signal);
  return {};
}

/** Lets the object go without touching Git: its namespace goes too (design rule 11). */
export function releaseOnly(deps: RevertDeps, revert: Revert, signal: AbortSignal): Promise<ReconcileResult> {
  return release(deps, revert, signal);
}
