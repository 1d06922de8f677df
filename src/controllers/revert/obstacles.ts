import { findCondition } from "../../api/conditions.ts";
import type { GitRepository } from "../../api/git-repository.ts";
import { names } from "../../api/meta.ts";
import { keyOf } from "../../api/object.ts";
import type { Revert } from "../../api/revert.ts";
import type { GitHost } from "../../githost/git-host.ts";
import { standingOf } from "../../revert/culprits.ts";
import { isStorm, msUntilProposal, type RecentFailure } from "../../revert/limits.ts";
import { repositoryOf, type RevertDeps, syncOf } from "./deps.ts";
import { isHolding } from "./holds.ts";
import type { Memory } from "./memory.ts";
import type { NoPlan } from "./no-plan.ts";
import { isReleased } from "./released.ts";
import { type Scene, valuesAt } from "./scene.ts";

/** Why nothing is proposed now. */
export interface Obstacle {
  readonly reason: string;
  readonly message: string;
  readonly phase?: NoPlan["phase"] | "Proposed";
  readonly conflicts?: readonly string[] | undefined;
  /** The one that is open all the same. */
  readonly pullRequest?: { readonly number: number; readonly url: string };
  /** When it goes by itself. */
  readonly waitMs?: number | undefined;
  /** Others have said the same already: one alert is enough. */
  readonly quiet?: boolean | undefined;
}

type Deps = RevertDeps & { readonly memory: Memory };

/** Why nothing is proposed now, most decisive first (design rules 3, 9, 12). */
export async function obstacleTo(deps: Deps, scene: Scene, host: GitHost | undefined, signal: AbortSignal): Promise<Obstacle | undefined> {
  const { revert } = scene;
  if (revert.spec.strategy === "None") return { reason: "StrategyNone", message: "spec.strategy is None: Git is left as it is" };
  const obstacle = notReleased(deps, revert) ?? notPossible(deps, scene, host);
  if (obstacle || revert.status.commit !== undefined) return obstacle;
  return (await undoneByOther(deps, scene, signal)) ?? overLimit(deps, scene);
}

function notReleased(deps: Deps, revert: Revert): Obstacle | undefined {
  deps.memory.storms.delete(keyOf(revert.metadata));
  if (isReleased(revert)) return undefined;
  const how = `to propose it: kubectl -n ${revert.metadata.namespace ?? ""} annotate revert ${revert.metadata.name} ${names.release}=yes`;
  if (!revert.spec.propose && wasDeclined(deps, revert)) return { reason: "DeclinedBefore", message: `a person declined this revert before, so it is not proposed again; ${how}` };
  if (!revert.spec.propose) return { reason: "NotTheCommitsFault", message: `${revert.spec.evidence?.reason ?? "It"} is not known to be the commit's fault; ${how}` };
  if (!isStorm(failureOf(revert), otherFailures(deps, revert))) return undefined;
  const quiet = isTold(deps, revert);
  if (!quiet) deps.memory.storms.add(keyOf(revert.metadata));
  return { reason: "Storm", message: `several different changes failed at once, so none is proposed; ${how}`, quiet };
}

function wasDeclined({ canaries }: RevertDeps, { metadata, spec }: Revert): boolean {
  const canary = canaries.find(keyOf({ namespace: metadata.namespace, name: spec.canaryRef.name }));
  return (canary?.status.refused ?? []).some(({ revert, declined }) => revert === metadata.name && declined === true);
}

function isTold({ reverts, memory }: Deps, revert: Revert): boolean {
  return reverts.list().some(({ metadata, status }) => {
    const key = keyOf(metadata);
    const tells = memory.storms.has(key) || readyReason({ status }) === "Storm";
    return key !== keyOf(revert.metadata) && tells;
  });
}

function readyReason({ status }: Pick<Revert, "status">): string | undefined {
  return findCondition(status.conditions, "Ready")?.reason;
}

function notPossible(deps: RevertDeps, { revert, repository }: Scene, host: GitHost | undefined): Obstacle | undefined {
  const reason = "RevertNotPossible";
  if (!host && revert.spec.strategy === "PullRequest") return { reason, message: `GitRepository ${keyOf(repository.metadata)} names no Git host: set spec.host` };
  return deps.clusterName ? undefined : { reason, message: "the controller has no cluster name, which branches carry: start it with --cluster-name" };
}

/** By the commit that the target had when it failed: it is known at once, and the same for all whom one commit broke. */
function failureOf({ metadata, spec, status }: Revert): RecentFailure {
  const failedAt = spec.evidence?.failedAt ?? metadata.creationTimestamp ?? "";
  const commits = spec.evidence?.commit ?? (spec.commits ?? status.commits)?.join(" ");
  const canary = keyOf({ namespace: metadata.namespace, name: spec.canaryRef.name });
  return { canary, failedAtMs: Date.parse(failedAt), commits: commits ?? keyOf(metadata) };
}

function otherFailures({ reverts }: RevertDeps, revert: Revert): RecentFailure[] {
  return reverts.list().filter(({ metadata }) => keyOf(metadata) !== keyOf(revert.metadata)).map(failureOf);
}

/** Takes a place among the proposals of the hour, or says when there is one (design rule 3). */
function overLimit(deps: Deps, { repository, revert }: Scene): Obstacle | undefined {
  const [source, own, nowMs] = [keyOf(repository.metadata), keyOf(revert.metadata), deps.clock.nowMs()];
  const taken = deps.memory.proposing.get(source) ?? new Map<string, number>();
  const recorded = deps.reverts.list().filter(({ status }) => status.proposedAt !== undefined);
  const fromHere = recorded
    .filter((other) => sourceKey(deps, other) === source)
    .map(({ metadata, status }) => [keyOf(metadata), Date.parse(status.proposedAt ?? "")] as const);
  const others = new Map([...taken, ...fromHere]);
  others.delete(own);
  const waitMs = msUntilProposal([...others.values()], nowMs);
  if (waitMs > 0) return { reason: "ProposalLimit", message: "three reverts were proposed for this repository within the hour; this one follows", waitMs };
  deps.memory.proposing.set(source, taken.set(own, nowMs));
  return undefined;
}

/** Gives the place back that was taken for a proposal which cannot be made. */
export function withdraw({ memory }: Deps, { repository, revert }: Scene): void {
  memory.proposing.get(keyOf(repository.metadata))?.delete(keyOf(revert.metadata));
}

function sourceKey(deps: RevertDeps, revert: Revert): string | undefined {
  const repository: GitRepository | undefined = ((sync) => sync && repositoryOf(deps, sync))(syncOf(deps, revert));
  return repository && keyOf(repository.metadata);
}

/** Another Revert's branch may undo this cause as well: one pull request is enough (design rule 9). */
async function undoneByOther(deps: RevertDeps, scene: Scene, signal: AbortSignal): Promise<Obstacle | undefined> {
  if (scene.deciding.length === 0) return undefined;
  const own = keyOf(scene.revert.metadata);
  const others = deps.reverts
    .list()
    // One that was ended in the middle of its proposal goes on with it.
    .filter(({ status }) => status.phase === "Proposed" || (status.phase === "Planned" && status.commit !== undefined))
    // Nobody can merge one whose branch was removed for good.
    .filter((other) => keyOf(other.metadata) !== own && isHolding(other) && readyReason(other) !== "BranchDeleted");
  for (const other of others) {
    if (sourceKey(deps, other) !== keyOf(scene.repository.metadata) || !(await undoes(deps, scene, other, signal))) continue;
    return { reason: "UndoneByOther", message: `${other.status.pullRequest?.url ?? keyOf(other.metadata)} undoes this cause too` };
  }
  return undefined;
}

/** Whether merging the other's branch into HEAD undoes this cause: it may have been made before this cause was there. */
async function undoes(deps: RevertDeps, scene: Scene, { status }: Revert, signal: AbortSignal): Promise<boolean> {
  const { base, commit } = status;
  if (!base || !commit) return false;
  const merged = await deps.git.merge(scene.remote, { base, ours: scene.head, theirs: commit }, signal);
  if (merged.outcome !== "clean") return false;
  return standingOf(scene.deciding, await valuesAt(deps, scene, { fields: scene.deciding, at: merged.tree }, signal)) === "promoted";
}
