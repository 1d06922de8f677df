import { isoSeconds } from "../../api/conditions.ts";
import { keyOf } from "../../api/object.ts";
import type { Revert, RevertStatus } from "../../api/revert.ts";
import type { GitHost, PullRequest } from "../../githost/git-host.ts";
import { WaitingError } from "../../lib/errors.ts";
import { branchName, commitMessage } from "../../revert/branch.ts";
import { pullRequestBody, pullRequestTitle, type Proposal as Text } from "../../revert/pull-request.ts";
import type { RevertDeps } from "./deps.ts";
import { statusWith } from "./outcome.ts";
import type { Plan } from "./plan.ts";
import type { Published, Scene } from "./scene.ts";

/** Where a verified inverse goes. */
export interface Route {
  readonly host: GitHost | undefined;
  readonly clusterName: string;
  /** Straight to the followed branch; only when merging moves nothing and touches only the Sync's own folder. */
  readonly push: boolean;
}

/** What is published, and where. */
export interface Publication {
  readonly scene: Scene;
  readonly plan: Plan;
  readonly route: Route;
  readonly published: Published;
}

/**
 * Writes the commit, records what is about to be pushed, pushes by compare-and-swap and opens the pull request (design
 * rule 6). Killed anywhere and run again it ends with one branch, one commit and one pull request.
 */
export async function publish(deps: RevertDeps, publication: Publication, signal: AbortSignal): Promise<Revert> {
  const { scene, plan, route, published } = publication;
  const commit = await makeCommit(deps, publication, signal);
  const recorded = await record(deps, publication, commit, signal);
  if (route.push) return pushToBranch(deps, { ...scene, revert: recorded }, { plan, commit }, signal);
  await pushOwnBranch(deps, scene, { branch: recorded.status.branch ?? "", commit, published }, signal);
  const pushed = await deps.reverts.patchStatus(recorded, { ...recorded.status, pushedAt: recorded.status.pushedAt ?? isoSeconds(deps.clock.nowMs()) }, signal);
  const pullRequest = await openPullRequest({ ...publication, scene: { ...scene, revert: pushed } }, signal);
  deps.events.normal({ ...pushed }, "Proposed", `opened pull request ${pullRequest.url} to revert ${plan.commits.map(({ oid }) => oid.slice(0, 7)).join(", ")}`);
  return deps.reverts.patchStatus(pushed, proposedStatus(deps, pushed, pullRequest), signal);
}

async function makeCommit(deps: RevertDeps, { scene, plan, route }: Publication, signal: AbortSignal): Promise<string> {
  const { revert, sync, repository, remote } = scene;
  const trailers = {
    cluster: route.clusterName,
    clusterUid: await deps.clusterUid(),
    sync: keyOf(sync.metadata),
    canary: keyOf({ namespace: revert.metadata.namespace, name: revert.spec.canaryRef.name }),
    reverts: plan.commits.map(({ oid }) => oid),
    scope: revert.spec.scope,
    revert: revert.metadata.name,
  };
  const message = commitMessage(trailers, plan.commits.map(({ subject }) => subject), revert.spec.evidence);
  const signingKey = await deps.signingKeyOf(repository, signal);
  const time = revert.spec.evidence?.failedAt ?? revert.metadata.creationTimestamp ?? "1970-01-01T00:00:00Z";
  const author = repository.spec.commit.author;
  return deps.git.createCommit(remote, { tree: plan.tree, parents: [plan.base], message, author, time, ...(signingKey ? { signingKey } : {}) }, signal);
}

/** Hash of the cause, as it stands at the end of the Revert's name. */
export function causeId({ metadata, spec }: Revert): string {
  return metadata.name.slice(spec.canaryRef.name.length + 1);
}

async function record(deps: RevertDeps, { scene: { revert }, plan, route }: Publication, commit: string, signal: AbortSignal): Promise<Revert> {
  const { clusterName, push } = route;
  const branch = branchName({ cluster: clusterName, namespace: revert.metadata.namespace ?? "", canary: revert.spec.canaryRef.name, id: causeId(revert) });
  const change: Partial<RevertStatus> = {
    phase: revert.status.phase ?? "Planned",
    commits: plan.commits.map(({ oid }) => oid),
    bystanders: plan.bystanders.map(({ oid }) => oid),
    base: plan.base,
    tree: plan.tree,
    commit,
    ...(push ? {} : { branch }),
  };
  const outcome = { ready: "Unknown" as const, reason: "Proposing", message: "The revert is made and about to be pushed", state: "reconciling" as const };
  const { conflicts: _, ...status } = statusWith(deps, revert, change, revert.status.phase === "Proposed" ? currentOutcome(revert) : outcome);
  return deps.reverts.patchStatus(revert, status, signal);
}

function currentOutcome({ status }: Revert) {
  const ready = status.conditions?.find(({ type }) => type === "Ready");
  return { ready: ready?.status ?? ("Unknown" as const), reason: ready?.reason ?? "Proposing", message: ready?.message ?? "", state: "done" as const };
}

async function pushOwnBranch(deps: RevertDeps, { remote }: Scene, { branch, commit, published }: { branch: string; commit: string; published: Published }, signal: AbortSignal): Promise<void> {
  if (published.branchCommit === commit) return;
  await deps.git.push(remote, { ref: `refs/heads/${branch}`, expected: published.branchCommit, commit }, signal);
}

/** Compare-and-swap on the followed branch itself: a stale tip is planned anew on the next commit. */
async function pushToBranch(deps: RevertDeps, { revert, repository, remote }: Scene, { plan, commit }: { plan: Plan; commit: string }, signal: AbortSignal): Promise<Revert> {
  await deps.git.push(remote, { ref: `refs/heads/${repository.spec.ref.branch}`, expected: plan.base, commit }, signal);
  deps.events.normal({ ...revert }, "Pushed", `pushed ${commit.slice(0, 7)} to ${repository.spec.ref.branch}, reverting ${plan.commits.map(({ oid }) => oid.slice(0, 7)).join(", ")}`);
  const outcome = { ready: "True" as const, reason: "Pushed", message: `The revert is on ${repository.spec.ref.branch} as ${commit}`, state: "done" as const };
  const change = { phase: "Proposed" as const, pushedAt: isoSeconds(deps.clock.nowMs()) };
  return deps.reverts.patchStatus(revert, statusWith(deps, revert, change, outcome), signal);
}

async function openPullRequest({ scene, plan, route, published }: Publication, signal: AbortSignal): Promise<PullRequest> {
  const { revert, repository } = scene;
  const { host, clusterName } = route;
  if (!host) throw new WaitingError("RevertNotPossible", "the GitRepository names no host for pull requests", 60_000);
  const text = textOf(scene, plan, clusterName);
  const title = pullRequestTitle(text);
  const body = pullRequestBody(text);
  const known = published.pullRequest;
  if (known && known.state === "closed") await host.updatePullRequest(known.number, { state: "open" }, signal);
  const pullRequest = await host.createPullRequest({ head: revert.status.branch ?? "", base: repository.spec.ref.branch, title, body }, signal);
  if (pullRequest.body !== body || pullRequest.title !== title) await host.updatePullRequest(pullRequest.number, { title, body }, signal);
  return pullRequest;
}

function textOf({ revert, sync }: Scene, plan: Plan, cluster: string): Text {
  return {
    cluster,
    canary: keyOf({ namespace: revert.metadata.namespace, name: revert.spec.canaryRef.name }),
    sync: keyOf(sync.metadata),
    revert: revert.metadata.name,
    cause: revert.spec.cause,
    evidence: revert.spec.evidence,
    commits: plan.commits,
    bystanders: plan.bystanders,
    undone: plan.undone,
    stays: plan.stays,
    impacts: plan.impacts,
    canaryChanges: [],
  };
}

function proposedStatus(deps: RevertDeps, revert: Revert, { number, url }: PullRequest): RevertStatus {
  const outcome = { ready: "True" as const, reason: "Proposed", message: `Waiting for a person to decide on ${url}; the change is held back meanwhile`, state: "done" as const };
  return statusWith(deps, revert, { phase: "Proposed", pullRequest: { number, url } }, outcome);
}

