import type { CauseField } from "../../api/cause.ts";
import type { GitRepository } from "../../api/git-repository.ts";
import { keyOf } from "../../api/object.ts";
import type { Revert } from "../../api/revert.ts";
import type { Sync } from "../../api/sync.ts";
import type { Remote } from "../../git/git.ts";
import { GitHostError, type GitHost, type PullRequest } from "../../githost/git-host.ts";
import { messageOf, WaitingError } from "../../lib/errors.ts";
import { standingOf, valuesOf } from "../../revert/culprits.ts";
import type { AtHead, Proposal } from "../../revert/end.ts";
import { headOf, objectsAt, repositoryOf, type RevertDeps, syncOf } from "./deps.ts";

/** Everything one run of a Revert reads before it decides. */
export interface Scene {
  readonly revert: Revert;
  readonly sync: Sync;
  readonly repository: GitRepository;
  readonly remote: Remote;
  /** Commit at the tip of the followed branch, as last fetched. */
  readonly head: string;
  readonly deciding: readonly CauseField[];
}

/** The Sync, source and credentials of a Revert. Throws WaitingError while one of them is missing. */
export async function observe(deps: RevertDeps, revert: Revert, signal: AbortSignal): Promise<Scene> {
  const sync = syncOf(deps, revert);
  if (!sync) throw new WaitingError("SyncNotFound", `Sync ${revert.spec.syncRef.name}, which applies the target, does not exist`, 30_000);
  const repository = repositoryOf(deps, sync);
  if (!repository) throw new WaitingError("SourceNotFound", `GitRepository ${sync.spec.sourceRef.name} of Sync ${keyOf(sync.metadata)} does not exist`, 30_000);
  const head = headOf(repository);
  if (!head) throw new WaitingError("SourceNotReady", `GitRepository ${keyOf(repository.metadata)} has not been fetched yet`, 5_000);
  const remote = await deps.remoteOf(repository, signal);
  return { revert, sync, repository, remote, head, deciding: revert.spec.cause.filter(({ decides }) => decides) };
}

/** What the deciding fields say at HEAD, without any hold. A rendering that fails says nothing. */
export async function observeHead(deps: RevertDeps, scene: Scene, signal: AbortSignal): Promise<AtHead> {
  try {
    const objects = await objectsAt(deps, scene, scene.head, signal);
    const values = valuesOf(scene.deciding, scene.revert.metadata.namespace ?? "", objects);
    return standingWithSecrets(scene.deciding, values);
  } catch (error) {
    deps.log.debug({ revert: keyOf(scene.revert.metadata), error: messageOf(error) }, "HEAD cannot be rendered");
    return "unknown";
  }
}

/** A Secret's values are not known here, so it alone cannot say that the cause is gone. */
function standingWithSecrets(deciding: readonly CauseField[], values: readonly unknown[]): AtHead {
  const open = deciding.map((field, position) => ({ field, value: values[position] })).filter(({ field }) => !field.secret);
  if (open.length === 0) return "unknown";
  return standingOf(open.map(({ field }) => field), open.map(({ value }) => value));
}

/** What is known of the branch and the pull request. */
export interface Published {
  readonly proposal: Proposal;
  readonly pullRequest?: PullRequest | undefined;
  /** Commit of the branch on the remote now; `undefined`: it is not there. */
  readonly branchCommit?: string | undefined;
  readonly branchIsOurs: boolean;
}

/** Reads the branch and the pull request (design rule 11). Never throws for a host or remote that does not answer. */
export async function observeProposal(deps: RevertDeps, scene: Scene, host: GitHost | undefined, signal: AbortSignal): Promise<Published> {
  const { status } = scene.revert;
  if (!status.branch) return { proposal: "none", branchIsOurs: true };
  try {
    const ref = `refs/heads/${status.branch}`;
    const refs = await deps.git.listRefs(scene.remote, [ref], signal);
    const branchCommit = refs.find(({ name }) => name === ref)?.commit;
    const branchIsOurs = branchCommit === undefined || branchCommit === status.commit;
    const pullRequest = await host?.findPullRequest(status.branch, signal);
    return { proposal: proposalOf(pullRequest, branchCommit, status.pushedAt !== undefined), pullRequest, branchCommit, branchIsOurs };
  } catch (error) {
    if (signal.aborted) throw error;
    const reason = error instanceof GitHostError ? error.reason : "GitOperationFailed";
    deps.log.debug({ revert: keyOf(scene.revert.metadata), reason, error: messageOf(error) }, "proposal cannot be read");
    return { proposal: "unknown", branchIsOurs: true };
  }
}

function proposalOf(pullRequest: PullRequest | undefined, branchCommit: string | undefined, pushed: boolean): Proposal {
  if (pullRequest?.state === "merged") return "merged";
  if (branchCommit === undefined) return pushed ? "branchMissing" : "none";
  if (!pullRequest) return "none";
  if (pullRequest.state === "open") return "open";
  return pullRequest.closedBy?.bot === true ? "closedByBot" : "closedByPerson";
}
