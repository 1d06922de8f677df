import type { CauseField } from "../../api/cause.ts";
import type { GitRepository } from "../../api/git-repository.ts";
import { keyOf } from "../../api/object.ts";
import type { Revert, RevertStatus } from "../../api/revert.ts";
import type { Sync } from "../../api/sync.ts";
import type { Remote } from "../../git/git.ts";
import { GitHostError, type GitHost, type PullRequest } from "../../githost/git-host.ts";
import type { Digest } from "../../lib/digest.ts";
import { messageOf, WaitingError } from "../../lib/errors.ts";
import { standingOf, valuesOf } from "../../revert/culprits.ts";
import type { AtHead, Proposal } from "../../revert/end.ts";
import { headOf, objectsAt, repositoryOf, type RevertDeps, syncOf } from "./deps.ts";
import { digested, digestFor, isComparable } from "./secrets.ts";

/** Everything one run of a Revert reads before it decides. */
export interface Scene {
  readonly revert: Revert;
  readonly sync: Sync;
  readonly repository: GitRepository;
  readonly remote: Remote;
  /** Commit at the tip of the followed branch, as last fetched. */
  readonly head: string;
  /** Stands for the values of Secrets. */
  readonly digest: Digest;
  /** The fields of the cause; a Secret's values are digests. */
  readonly cause: readonly CauseField[];
  /** Those that decide and can be compared. */
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
  const { cause } = revert.spec;
  const [remote, digest] = await Promise.all([
    deps.remoteOf(repository, signal),
    digestFor(deps, revert.metadata.namespace ?? "", cause, signal),
  ]);
  return { revert, sync, repository, remote, head, digest, cause, deciding: decidingOf(cause, digest) };
}

/** The fields that decide, as far as they can be compared. */
export function decidingOf(cause: readonly CauseField[], digest: Digest): CauseField[] {
  return cause.filter((field) => field.decides && isComparable(field, digest));
}

/** What the fields say in the rendering of a commit or tree. */
export async function valuesAt(
  deps: RevertDeps,
  scene: Scene,
  { fields, at }: { fields: readonly CauseField[]; at: string },
  signal: AbortSignal,
): Promise<unknown[]> {
  return valuesOf(fields, scene.revert.metadata.namespace ?? "", digested(await objectsAt(deps, scene, at, signal), scene.digest));
}

/** What the deciding fields say at HEAD, without any hold. A rendering that fails says nothing, nor do fields that cannot be compared. */
export async function observeHead(deps: RevertDeps, scene: Scene, signal: AbortSignal): Promise<AtHead> {
  if (scene.deciding.length === 0) return "unknown";
  try {
    return standingOf(scene.deciding, await valuesAt(deps, scene, { fields: scene.deciding, at: scene.head }, signal));
  } catch (error) {
    if (signal.aborted) throw error;
    deps.log.debug({ revert: keyOf(scene.revert.metadata), error: messageOf(error) }, "HEAD cannot be rendered");
    return "unknown";
  }
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
    const { branchCommit, pullRequest } = await branchAndPullRequest(deps, scene, { branch: status.branch, host }, signal);
    // Between recording a commit that was made anew and pushing it, the branch still has the one before.
    const branchIsOurs = branchCommit === undefined || branchCommit === status.commit || branchCommit === status.replaces;
    return { proposal: proposalOf(status, pullRequest, branchCommit), pullRequest, branchCommit, branchIsOurs };
  } catch (error) {
    if (signal.aborted) throw error;
    const reason = error instanceof GitHostError ? error.reason : "GitOperationFailed";
    deps.log.debug({ revert: keyOf(scene.revert.metadata), reason, error: messageOf(error) }, "proposal cannot be read");
    return { proposal: "unknown", branchIsOurs: true };
  }
}

async function branchAndPullRequest(
  deps: RevertDeps,
  scene: Scene,
  { branch, host }: { branch: string; host: GitHost | undefined },
  signal: AbortSignal,
): Promise<Pick<Published, "branchCommit" | "pullRequest">> {
  const branchCommit = await branchCommitOf(deps, scene, branch, signal);
  const pullRequest = await host?.findPullRequest(branch, signal);
  if (branchCommit === undefined || pullRequest?.state !== "closed") return { branchCommit, pullRequest };
  // A host closes what loses its branch: a branch that went between the two answers must not look like a person's no.
  return { branchCommit: await branchCommitOf(deps, scene, branch, signal), pullRequest };
}

async function branchCommitOf({ git }: RevertDeps, { remote }: Scene, branch: string, signal: AbortSignal): Promise<string | undefined> {
  const ref = `refs/heads/${branch}`;
  return (await git.listRefs(remote, [ref], signal)).find(({ name }) => name === ref)?.commit;
}

function proposalOf(status: RevertStatus, pullRequest: PullRequest | undefined, branchCommit: string | undefined): Proposal {
  const state = stateOf(status, pullRequest);
  if (state === "merged" || branchCommit !== undefined) return state;
  return status.pushedAt === undefined ? "none" : "branchMissing";
}

function stateOf(status: RevertStatus, pullRequest: PullRequest | undefined): Proposal {
  if (!pullRequest) return "none";
  if (pullRequest.state === "open") return "open";
  // One that was not recorded and is over belongs to an earlier time, before this cause failed again.
  if (pullRequest.number !== status.pullRequest?.number) return "none";
  if (pullRequest.state === "merged") return "merged";
  return pullRequest.closedBy?.bot === true ? "closedByBot" : "closedByPerson";
}
