import { keyOf } from "../../api/object.ts";
import type { RevertPhase } from "../../api/revert.ts";
import { GitError } from "../../git/git.ts";
import { type GitHost, GitHostError, type PullRequest } from "../../githost/git-host.ts";
import { standingOf } from "../../revert/culprits.ts";
import { msUntilRebuild } from "../../revert/limits.ts";
import { isFetched, type RevertDeps, syncsOf } from "./deps.ts";
import { inTurn, type Memory } from "./memory.ts";
import type { NoPlan } from "./no-plan.ts";
import { type Obstacle, obstacleTo, withdraw } from "./obstacles.ts";
import { type Plan, planRevert } from "./plan.ts";
import { conflictComment } from "../../revert/pull-request.ts";
import { publish, type Route } from "./publish.ts";
import { say, sayOutdated, sayProposed, sayPushed } from "./say.ts";
import { type Published, type Scene, valuesAt } from "./scene.ts";

type Deps = RevertDeps & { readonly memory: Memory };

/** After a start the clone is empty until the source was fetched, which changes nothing that would wake us. */
const unfetchedMs = 5_000;

interface Place {
  readonly host: GitHost | undefined;
  readonly published: Published;
}

/**
 * Proposes the revert, or says in the status why not. What is proposed already is kept in shape. Idempotent.
 * @returns when to look again at the latest, in milliseconds; `undefined`: nothing but a change or the next poll matters
 */
export async function propose(deps: Deps, scene: Scene, place: Place, signal: AbortSignal): Promise<number | undefined> {
  const { published } = place;
  // Unknown keeps everything as it is, and a merged one only waits to be fetched.
  if (published.proposal === "unknown" || published.proposal === "merged") return undefined;
  if (!published.branchIsOurs) {
    const { branch = "" } = scene.revert.status;
    await say(deps, scene.revert, { reason: "BranchTakenOver", message: `someone else pushed to ${branch}: it is theirs` }, signal);
    return undefined;
  }
  // Closed, or without its branch: a person may have said no, which is known once HEAD can be read.
  return published.proposal === "none" || published.proposal === "open" ? keep(deps, scene, place, signal) : undefined;
}

/** Makes what is to be made, also anew, and says how what is there stands. */
async function keep(deps: Deps, scene: Scene, place: Place, signal: AbortSignal): Promise<number | undefined> {
  const { published } = place;
  const { revert } = scene;
  // What is proposed already has time until the next poll, which asks the Git host too.
  if (!(await isFetched(deps, scene, signal))) return published.proposal === "none" ? unfetchedMs : undefined;
  const rebuild = isDone(scene, published) ? await rebuildOf(deps, scene, place, signal) : { waitMs: 0 };
  if (rebuild.waitMs === 0) return inTurn(deps.memory, keyOf(scene.repository.metadata), () => make(deps, scene, place, signal));
  if (rebuild.waitMs !== undefined && published.pullRequest) await sayOutdated(deps, revert, published.pullRequest, signal);
  else await confirm(deps, scene, published, signal);
  return rebuild.waitMs;
}

async function make(deps: Deps, scene: Scene, place: Place, signal: AbortSignal): Promise<number | undefined> {
  const { revert } = scene;
  const key = keyOf(revert.metadata);
  const known = deps.memory.planless.get(key);
  if (known?.inputs === inputsOf(deps, scene, revert.status.phase)) {
    // Said again, for something else may have gone wrong and been said meanwhile.
    await say(deps, revert, known.why, signal);
    return undefined;
  }
  const obstacle = await obstacleTo(deps, scene, place.host, signal);
  if (obstacle) {
    await say(deps, revert, obstacle, signal);
    return obstacle.waitMs;
  }
  const plan = await planRevert(deps, scene, baseOf(scene, place.published), signal);
  if (plan.outcome === "plan") return publishOrSay(deps, scene, { plan, place }, signal);
  withdraw(deps, scene);
  const { proposal, pullRequest } = place.published;
  const obstructed = proposal === "open" && pullRequest ? conflictOf(pullRequest, plan) : plan;
  const told = obstructed === plan || (await tellConflict(deps, scene, { ...place, plan }, signal));
  await say(deps, revert, obstructed, signal);
  // What could not be read may be read the next time: a remote gives more history to the one that asks again.
  if (told && plan.reason !== "HistoryUnavailable")
    deps.memory.planless.set(key, { inputs: inputsOf(deps, scene, obstructed.phase), why: obstructed });
  return undefined;
}

/** All that a plan depends on, and how things stood when there was none. */
function inputsOf(deps: RevertDeps, { revert, repository, head }: Scene, phase: RevertPhase | undefined): string {
  const generations = [revert, ...syncsOf(deps, repository)].map(({ metadata: { uid = "", generation = 0 } }) => `${uid} ${generation}`);
  return [head, phase, ...generations.sort()].join(" ");
}

function isDone({ revert: { spec, status }, head }: Scene, { proposal, branchCommit }: Published): boolean {
  if (status.phase !== "Proposed") return false;
  // A commit made anew that was not pushed yet is not done, nor one on the followed branch that somebody rewrote since.
  return status.branch === undefined
    ? spec.strategy === "Push" && status.base === head
    : proposal === "open" && branchCommit === status.commit;
}

async function confirm(deps: Deps, { revert, repository }: Scene, { pullRequest }: Published, signal: AbortSignal): Promise<void> {
  if (pullRequest) await sayProposed(deps, revert, pullRequest, signal);
  else if (revert.status.commit !== undefined)
    await sayPushed(deps, revert, { branch: repository.spec.ref.branch, commit: revert.status.commit }, signal);
}

/** What is pushed already is finished on the commit it was made on; what is not is made on HEAD. */
function baseOf({ revert, head }: Scene, { branchCommit }: Published): string {
  const { commit, base, phase } = revert.status;
  return phase !== "Proposed" && commit !== undefined && branchCommit === commit && base !== undefined ? base : head;
}

/** When a standing branch must be made anew because HEAD has moved under it (design rule 6); without `waitMs`: never. */
async function rebuildOf(
  deps: RevertDeps,
  scene: Scene,
  { published }: Place,
  signal: AbortSignal,
): Promise<{ waitMs?: number | undefined }> {
  const { status } = scene.revert;
  if (!status.base || !status.commit || status.base === scene.head || published.proposal !== "open") return {};
  const merged = await deps.git.merge(scene.remote, { base: status.base, ours: scene.head, theirs: status.commit }, signal);
  const passesCheck = merged.outcome === "clean" && (await undoes(deps, scene, merged.tree, signal));
  const waitMs = msUntilRebuild({
    mergesCleanly: merged.outcome !== "conflict",
    passesCheck,
    approved: published.pullRequest?.approved === true,
    pushedAtMs: Date.parse(status.pushedAt ?? "1970-01-01T00:00:00Z"),
    nowMs: deps.clock.nowMs(),
  });
  return { waitMs };
}

/** A pull request that can neither be merged nor be made anew stays open, and the Revert proposed: a person may resolve it there. */
function conflictOf({ number, url }: PullRequest, { reason, message, conflicts }: NoPlan): Obstacle {
  return {
    phase: "Proposed",
    reason: reason === "Blocked" ? "Conflict" : reason,
    message: `${url} no longer merges and cannot be made anew: ${message}`,
    conflicts,
    pullRequest: { number, url },
  };
}

/** Tells the pull request, once for each commit of ours. False: the host did not take it now. */
async function tellConflict(
  deps: RevertDeps,
  { revert }: Scene,
  { host, published, plan }: Place & { readonly plan: NoPlan },
  signal: AbortSignal,
): Promise<boolean> {
  const comment = { marker: `serin:conflict:${revert.status.commit ?? ""}`, body: conflictComment(plan.message) };
  try {
    await host?.comment(published.pullRequest?.number ?? 0, comment, signal);
    return true;
  } catch (error) {
    if (!(error instanceof GitHostError)) throw error;
    deps.log.debug({ revert: keyOf(revert.metadata), error: error.message }, "pull request could not be told of its conflict");
    return false;
  }
}

async function undoes(deps: RevertDeps, scene: Scene, tree: string, signal: AbortSignal): Promise<boolean> {
  try {
    return standingOf(scene.deciding, await valuesAt(deps, scene, { fields: scene.deciding, at: tree }, signal)) === "promoted";
  } catch (error) {
    if (signal.aborted) throw error;
    return false;
  }
}

async function publishOrSay(
  deps: RevertDeps,
  scene: Scene,
  { plan, place }: { plan: Plan; place: Place },
  signal: AbortSignal,
): Promise<undefined> {
  const route: Route = { host: place.host, clusterName: deps.clusterName ?? "", push: mayPush(scene, plan) };
  if (!route.push && !place.host) {
    await say(deps, scene.revert, { reason: "RevertNotPossible", message: "merging would move other objects, so a pull request is needed: set spec.host on the GitRepository" }, signal);
    return;
  }
  const progress = { revert: scene.revert };
  try {
    await publish(deps, { scene, plan, route, published: place.published, progress }, signal);
  } catch (error) {
    const refused = refusalOf(error);
    if (!refused) throw error;
    await say(deps, progress.revert, refused, signal);
  }
}

/** Straight to the branch only when merging moves nothing and touches nothing outside the Sync's folder (design rule 5). */
function mayPush({ revert, sync }: Scene, { impacts, changed }: Plan): boolean {
  const folder = sync.spec.path.replace(/^\.?\/*/, "").replace(/\/*$/, "");
  const inside = changed.every((path) => folder === "" || path.startsWith(`${folder}/`));
  return revert.spec.strategy === "Push" && inside && impacts.every(({ changes }) => changes.length === 0);
}

/** A refusal that only a person can mend, in the server's own words. */
function refusalOf(error: unknown): Obstacle | undefined {
  if (error instanceof GitError && (error.reason === "PushRefused" || error.reason === "AuthenticationFailed"))
    return { reason: error.reason, message: error.message };
  if (error instanceof GitHostError && error.reason !== "Unknown") return { reason: `Host${error.reason}`, message: error.message };
  return undefined;
}
