import { findCondition, setCondition } from "../../api/conditions.ts";
import { names } from "../../api/meta.ts";
import { keyOf } from "../../api/object.ts";
import type { Revert, RevertStatus } from "../../api/revert.ts";
import { GitError } from "../../git/git.ts";
import { type GitHost, GitHostError } from "../../githost/git-host.ts";
import { standingOf, valuesOf } from "../../revert/culprits.ts";
import { isStorm, msUntilProposal, type RecentFailure, shouldRebuild } from "../../revert/limits.ts";
import { objectsAt, repositoryOf, type RevertDeps, syncOf } from "./deps.ts";
import { isHolding } from "./holds.ts";
import { held, statusWith } from "./outcome.ts";
import { type NoPlan, type Plan, planRevert } from "./plan.ts";
import { publish, type Route } from "./publish.ts";
import { isReleased } from "./released.ts";
import type { Published, Scene } from "./scene.ts";

interface Place {
  readonly host: GitHost | undefined;
  readonly published: Published;
}

/** Proposes the revert, or says in the status why not. What is proposed already is kept in shape. Idempotent. */
export async function propose(deps: RevertDeps, scene: Scene, place: Place, signal: AbortSignal): Promise<void> {
  const { proposal } = place.published;
  // Unknown keeps everything as it is, and a merged one only waits to be fetched.
  if (proposal === "unknown" || proposal === "merged") return;
  if (!place.published.branchIsOurs) return say(deps, scene.revert, { reason: "BranchTakenOver", message: `someone else pushed to ${scene.revert.status.branch ?? ""}: it is theirs` }, signal);
  if (isDone(scene.revert, proposal) && !(await isOutdated(deps, scene, place, signal))) return;
  const obstacle = await obstacleTo(deps, scene, place);
  if (obstacle) return say(deps, scene.revert, obstacle, signal);
  const base = baseOf(scene, place.published);
  const plan = await planRevert(deps, scene, base, signal);
  if (plan.outcome === "none") return say(deps, scene.revert, plan, signal);
  await publishOrSay(deps, scene, { plan, place }, signal);
}

function isDone({ spec, status }: Revert, proposal: Published["proposal"]): boolean {
  return status.phase === "Proposed" && (proposal === "open" || (spec.strategy === "Push" && status.branch === undefined));
}

/** What is pushed already is finished on the commit it was made on; what is not is made on HEAD. */
function baseOf({ revert, head }: Scene, { branchCommit }: Published): string {
  const { commit, base, phase } = revert.status;
  return phase !== "Proposed" && commit !== undefined && branchCommit === commit && base !== undefined ? base : head;
}

interface Obstacle {
  readonly reason: string;
  readonly message: string;
  readonly phase?: NoPlan["phase"];
  readonly conflicts?: readonly string[] | undefined;
}

/** Why nothing is proposed now, most decisive first (design rules 3, 9, 12). */
async function obstacleTo(deps: RevertDeps, scene: Scene, { host }: Place): Promise<Obstacle | undefined> {
  const { revert } = scene;
  if (revert.spec.strategy === "None") return { reason: "StrategyNone", message: "spec.strategy is None: Git is left as it is" };
  const obstacle = notReleased(deps, revert) ?? notPossible(deps, scene, host);
  if (obstacle || revert.status.commit !== undefined) return obstacle;
  const waitMs = msUntilProposal(proposalsOf(deps, scene), deps.clock.nowMs());
  if (waitMs > 0) return { reason: "ProposalLimit", message: "three reverts were proposed for this repository within the hour; this one follows" };
  return undoneByOther(deps, scene);
}

function notReleased(deps: RevertDeps, revert: Revert): Obstacle | undefined {
  if (isReleased(revert)) return undefined;
  const how = `to propose it: kubectl -n ${revert.metadata.namespace ?? ""} annotate revert ${revert.metadata.name} ${names.release}=yes`;
  if (!revert.spec.propose) return { reason: "NotTheCommitsFault", message: `${revert.spec.evidence?.reason ?? "It"} is not known to be the commit's fault; ${how}` };
  const storm = isStorm(failureOf(revert), otherFailures(deps, revert));
  return storm ? { reason: "Storm", message: `several different changes failed at once, so none is proposed; ${how}` } : undefined;
}

function notPossible(deps: RevertDeps, { revert, repository }: Scene, host: GitHost | undefined): Obstacle | undefined {
  const reason = "RevertNotPossible";
  if (!host && revert.spec.strategy === "PullRequest") return { reason, message: `GitRepository ${keyOf(repository.metadata)} names no Git host: set spec.host` };
  return deps.clusterName ? undefined : { reason, message: "the controller has no cluster name, which branches carry: start it with --cluster-name" };
}

function failureOf({ metadata, spec, status }: Revert): RecentFailure {
  const failedAt = spec.evidence?.failedAt ?? metadata.creationTimestamp ?? "";
  return { failedAtMs: Date.parse(failedAt), commits: (status.commits ?? [spec.evidence?.commit ?? metadata.name]).join(" ") };
}

function otherFailures({ reverts }: RevertDeps, revert: Revert): RecentFailure[] {
  return reverts.list().filter(({ metadata }) => keyOf(metadata) !== keyOf(revert.metadata)).map(failureOf);
}

function proposalsOf(deps: RevertDeps, { repository, revert }: Scene): number[] {
  const own = keyOf(repository.metadata);
  const same = deps.reverts.list().filter((other) => {
    const sync = syncOf(deps, other);
    const source = sync && repositoryOf(deps, sync);
    return source !== undefined && keyOf(source.metadata) === own && keyOf(other.metadata) !== keyOf(revert.metadata);
  });
  return same.flatMap(({ status }) => (status.pushedAt === undefined ? [] : [Date.parse(status.pushedAt)]));
}

/** Another Revert's branch may undo this cause as well: one pull request is enough (design rule 9). */
async function undoneByOther(deps: RevertDeps, scene: Scene): Promise<Obstacle | undefined> {
  const own = keyOf(scene.revert.metadata);
  const others = deps.reverts.list().filter((other) => keyOf(other.metadata) !== own && isHolding(other) && other.status.phase === "Proposed" && other.status.tree !== undefined);
  for (const other of others) {
    const sync = syncOf(deps, other);
    const source = sync && repositoryOf(deps, sync);
    if (!source || keyOf(source.metadata) !== keyOf(scene.repository.metadata)) continue;
    const objects = await objectsAt(deps, scene, other.status.tree ?? "", AbortSignal.timeout(60_000));
    const values = valuesOf(scene.deciding, scene.revert.metadata.namespace ?? "", objects);
    if (standingOf(scene.deciding, values) !== "promoted") continue;
    return { reason: "UndoneByOther", message: `${other.status.pullRequest?.url ?? keyOf(other.metadata)} undoes this cause too` };
  }
  return undefined;
}

/** Whether a standing branch must be made anew because HEAD has moved under it (design rule 6). */
async function isOutdated(deps: RevertDeps, scene: Scene, { published }: Place, signal: AbortSignal): Promise<boolean> {
  const { status } = scene.revert;
  if (!status.base || !status.commit || status.base === scene.head || published.proposal !== "open") return false;
  const merged = await deps.git.merge(scene.remote, { base: status.base, ours: scene.head, theirs: status.commit }, signal);
  const passesCheck = merged.outcome === "clean" && (await undoes(deps, scene, merged.tree, signal));
  return shouldRebuild({
    mergesCleanly: merged.outcome !== "conflict",
    passesCheck,
    approved: published.pullRequest?.approved === true,
    pushedAtMs: Date.parse(status.pushedAt ?? "1970-01-01T00:00:00Z"),
    nowMs: deps.clock.nowMs(),
  });
}

async function undoes(deps: RevertDeps, scene: Scene, tree: string, signal: AbortSignal): Promise<boolean> {
  try {
    const values = valuesOf(scene.deciding, scene.revert.metadata.namespace ?? "", await objectsAt(deps, scene, tree, signal));
    return standingOf(scene.deciding, values) === "promoted";
  } catch {
    return false;
  }
}

async function publishOrSay(deps: RevertDeps, scene: Scene, { plan, place }: { plan: Plan; place: Place }, signal: AbortSignal): Promise<void> {
  const route: Route = { host: place.host, clusterName: deps.clusterName ?? "", push: mayPush(scene, plan) };
  if (!route.push && !place.host) return say(deps, scene.revert, { reason: "RevertNotPossible", message: "merging would move other objects, so a pull request is needed: set spec.host on the GitRepository" }, signal);
  try {
    await publish(deps, { scene, plan, route, published: place.published }, signal);
  } catch (error) {
    const refused = refusalOf(error);
    if (!refused) throw error;
    await sayOn(deps, scene.revert, refused, signal);
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
  if (error instanceof GitError && (error.reason === "PushRefused" || error.reason === "AuthenticationFailed")) return { reason: error.reason, message: error.message };
  if (error instanceof GitHostError && error.reason !== "Unknown") return { reason: `Host${error.reason}`, message: error.message };
  return undefined;
}

/** The status may have moved on while publishing: read it again. */
async function sayOn(deps: RevertDeps, revert: Revert, obstacle: Obstacle, signal: AbortSignal): Promise<void> {
  const latest = deps.reverts.find(keyOf(revert.metadata)) ?? revert;
  return say(deps, latest, obstacle, signal);
}

async function say(deps: RevertDeps, revert: Revert, { reason, message, phase, conflicts }: Obstacle, signal: AbortSignal): Promise<void> {
  const before = findCondition(revert.status.conditions, "Ready")?.reason;
  const next = phase ?? (revert.status.phase === "Proposed" ? "Proposed" : "Planned");
  const change: Partial<RevertStatus> = { phase: next, ...(conflicts === undefined ? {} : { conflicts: [...conflicts] }) };
  await deps.reverts.patchStatus(revert, statusWith(deps, revert, change, held(reason, message)), signal);
  if (before !== reason) deps.events.warning({ ...revert }, reason, message);
  await tellCanary(deps, revert, { reason, message }, signal);
}

/** The condition RevertNotPossible on the Canary says what is missing (design rule 12). */
async function tellCanary(deps: RevertDeps, revert: Revert, { reason, message }: Obstacle, signal: AbortSignal): Promise<void> {
  if (reason !== "RevertNotPossible") return;
  const canary = deps.canaries.find(keyOf({ namespace: revert.metadata.namespace, name: revert.spec.canaryRef.name }));
  if (!canary) return;
  const at = { generation: canary.metadata.generation ?? 0, nowMs: deps.clock.nowMs() };
  const conditions = setCondition(canary.status.conditions, { type: "RevertNotPossible", status: "True", reason: "HostMissing", message }, at);
  await deps.canaries.patchStatus(canary, { ...canary.status, conditions }, signal);
}
