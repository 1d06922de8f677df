import { isoSeconds } from "../../api/conditions.ts";
import { keyOf } from "../../api/object.ts";
import type { Revert, RevertStatus } from "../../api/revert.ts";
import type { GitHost, PullRequest } from "../../githost/git-host.ts";
import { WaitingError } from "../../lib/errors.ts";
import { hashJson } from "../../lib/json.ts";
import { branchName, commitMessage } from "../../revert/branch.ts";
import { pullRequestBody, pullRequestTitle, type Proposal as Text } from "../../revert/pull-request.ts";
import type { RevertDeps } from "./deps.ts";
import { statusWith } from "./outcome.ts";
import type { Plan } from "./plan.ts";
import { sayProposed, sayPushed } from "./say.ts";
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
  /** The Revert as last written, also when publishing ends with an error. */
  readonly progress: { revert: Revert };
}

/**
 * Writes the commit, records what is about to be pushed, pushes by compare-and-swap and opens the pull request (design
 * rule 6). Killed anywhere and run again it ends with one branch, one commit and one pull request.
 */
export async function publish(deps: RevertDeps, publication: Publication, signal: AbortSignal): Promise<Revert> {
  const { scene, plan, route, published, progress } = publication;
  const commit = await makeCommit(deps, publication, signal);
  progress.revert = await record(deps, publication, commit, signal);
  const undone = plan.commits.map(({ oid }) => oid.slice(0, 7)).join(", ");
  if (route.push) {
    await pushToBranch(deps, scene, { base: plan.base, commit }, signal);
    const { branch } = scene.repository.spec.ref;
    const said = await sayPushed(deps, progress.revert, { branch, commit }, signal);
    deps.events.normal({ ...scene.revert }, "Pushed", `pushed ${commit.slice(0, 7)} to ${branch}, reverting ${undone}`);
    return said;
  }
  progress.revert = await pushOwnBranch(deps, { scene, published, revert: progress.revert }, commit, signal);
  const pullRequest = await openPullRequest({ ...publication, scene: { ...scene, revert: progress.revert } }, signal);
  // Told once it is recorded: a run that ends before that is repeated.
  const said = await sayProposed(deps, progress.revert, pullRequest, signal);
  if (scene.revert.status.pullRequest?.number !== pullRequest.number) {
    deps.events.normal({ ...scene.revert }, "Proposed", `opened pull request ${pullRequest.url} to revert ${undone}`);
  }
  return said;
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
  return deps.git.createCommit(
    remote,
    { tree: plan.tree, parents: [plan.base], message, author, time, ...(signingKey ? { signingKey } : {}) },
    signal,
  );
}

/** Hash of the cause, as it stands at the end of the Revert's name; of a person's own Revert computed anew. */
function causeId({ metadata, spec }: Revert): string {
  const id = metadata.name.slice(spec.canaryRef.name.length + 1);
  return /^[0-9a-f]{7}$/.test(id) ? id : hashJson([metadata.name, spec.cause]).slice(0, 7);
}

/** Write-ahead: whose branch it is must be known before it exists. Recording the same again writes nothing. */
async function record(
  deps: RevertDeps,
  { scene: { revert }, plan, route, published }: Publication,
  commit: string,
  signal: AbortSignal,
): Promise<Revert> {
  const { clusterName, push } = route;
  const branch = push
    ? undefined
    : branchName({
        cluster: clusterName,
        namespace: revert.metadata.namespace ?? "",
        canary: revert.spec.canaryRef.name,
        id: causeId(revert),
      });
  if (revert.status.commit === commit && revert.status.branch === branch) return revert;
  const { conflicts: _, replaces: __, ...before } = revert.status;
  const again = before.phase === "Proposed";
  const change: RevertStatus = {
    ...before,
    phase: again ? "Proposed" : "Planned",
    commits: plan.commits.map(({ oid }) => oid),
    bystanders: plan.bystanders.map(({ oid }) => oid),
    base: plan.base,
    tree: plan.tree,
    commit,
    proposedAt: before.proposedAt ?? isoSeconds(deps.clock.nowMs()),
    ...(branch === undefined ? {} : { branch, ...replacing(published, commit) }),
  };
  const outcome = { ready: "Unknown" as const, reason: "Proposing", message: "The revert is made and about to be pushed", state: "reconciling" as const };
  return deps.reverts.patchStatus(revert, again ? change : statusWith(deps, { ...revert, status: change }, {}, outcome), signal);
}

function replacing({ branchCommit }: Published, commit: string): Pick<RevertStatus, "replaces"> {
  return branchCommit === undefined || branchCommit === commit ? {} : { replaces: branchCommit };
}

async function pushOwnBranch(
  deps: RevertDeps,
  at: { scene: Scene; published: Published; revert: Revert },
  commit: string,
  signal: AbortSignal,
): Promise<Revert> {
  const { scene, published, revert } = at;
  const { replaces: _, ...status } = revert.status;
  const isThere = published.branchCommit === commit;
  if (!isThere)
    await deps.git.push(scene.remote, { ref: `refs/heads/${status.branch ?? ""}`, expected: published.branchCommit, commit }, signal);
  if (isThere && status.pushedAt !== undefined) return revert;
  return deps.reverts.patchStatus(revert, { ...status, pushedAt: isoSeconds(deps.clock.nowMs()) }, signal);
}

/** Compare-and-swap on the followed branch itself: a stale tip is planned anew on the next commit. */
async function pushToBranch(
  deps: RevertDeps,
  { repository, remote }: Scene,
  { base, commit }: { base: string; commit: string },
  signal: AbortSignal,
): Promise<void> {
  const ref = `refs/heads/${repository.spec.ref.branch}`;
  const tip = (await deps.git.listRefs(remote, [ref], signal)).find(({ name }) => name === ref)?.commit;
  // Pushed before we were ended, and not fetched since.
  if (tip === commit) return;
  await deps.git.push(remote, { ref, expected: base, commit }, signal);
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
  const pullRequest = await host.createPullRequest(
    { head: revert.status.branch ?? "", base: repository.spec.ref.branch, title, body },
    signal,
  );
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
    canaryChanges: plan.canaryChanges,
  };
}
