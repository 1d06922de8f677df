import { GitError } from "../../git/git.ts";
import type { AtHead, Proposal } from "../../revert/end.ts";
import type { RevertDeps } from "./deps.ts";
import { isTakenBack } from "./refused.ts";
import type { Published, Scene } from "./scene.ts";

/**
 * What became of a revert that is in HEAD already while HEAD names the failed values: somebody brought them back before we
 * looked (`undone`), and perhaps says that it reverts ours (`reapplied`). Anything else stays what it is.
 */
export async function afterMerge(
  deps: RevertDeps,
  scene: Scene,
  { atHead, published: { proposal, pullRequest } }: { atHead: AtHead; published: Published },
  signal: AbortSignal,
): Promise<Proposal> {
  const { sync, repository, revert, deciding, digest } = scene;
  if (atHead !== "failed" || !(await isInHead(deps, scene, proposal, signal))) return proposal;
  const { namespace = "", name } = revert.metadata;
  const refused = { namespace, revert: name, fields: deciding, digest, mergeCommit: pullRequest?.mergeCommit };
  return (await isTakenBack(deps, { sync, repository, refused }, signal)) ? "reapplied" : "undone";
}

async function isInHead(deps: RevertDeps, scene: Scene, proposal: Proposal, signal: AbortSignal): Promise<boolean> {
  const { status } = scene.revert;
  if (proposal === "merged") return isNewest(deps, scene, signal);
  if (proposal !== "none" || status.phase !== "Proposed" || status.branch !== undefined || status.commit === undefined) return false;
  return isAncestor(deps, scene, status.commit, signal);
}

/** The host said that it is merged before we asked what the branch is at: if that is what we have, then we have the merge. */
async function isNewest(deps: RevertDeps, { remote, repository, head }: Scene, signal: AbortSignal): Promise<boolean> {
  const ref = `refs/heads/${repository.spec.ref.branch}`;
  try {
    const refs = await deps.git.listRefs(remote, [ref], signal);
    return refs.some(({ name, commit }) => name === ref && commit === head);
  } catch (error) {
    if (error instanceof GitError) return false;
    throw error;
  }
}

/** Whether what was pushed to the followed branch itself is part of HEAD. */
async function isAncestor(deps: RevertDeps, { remote, head }: Scene, commit: string, signal: AbortSignal): Promise<boolean> {
  try {
    return (await deps.git.history(remote, { from: commit, to: head }, signal)).length > 0;
  } catch (error) {
    if (error instanceof GitError) return false;
    throw error;
  }
}
