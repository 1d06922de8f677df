import type { CauseField, RevisionContent } from "../../api/cause.ts";
import type { GitRepository } from "../../api/git-repository.ts";
import { apiVersion, managers, names } from "../../api/meta.ts";
import { keyOf, type KubeObject } from "../../api/object.ts";
import type { Revert } from "../../api/revert.ts";
import type { Sync } from "../../api/sync.ts";
import { revisionOf } from "../../canary/revision.ts";
import { type Commit, GitError, type Remote } from "../../git/git.ts";
import type { Digest } from "../../lib/digest.ts";
import { messageOf, StalledError } from "../../lib/errors.ts";
import { type BranchName, parseBranchName, parseTrailers, type Trailers } from "../../revert/branch.ts";
import { causeOf } from "../../revert/cause.ts";
import { headOf, objectsAt, type RevertDeps } from "./deps.ts";
import { planRevert } from "./plan.ts";
import { decidingOf, type Scene } from "./scene.ts";
import { renderedSecret } from "./secrets.ts";
import { targetIn } from "./target.ts";

/** A branch that claims to be one of ours, and what its commit says. */
interface Claim {
  readonly branch: string;
  readonly name: BranchName;
  readonly commit: Commit;
  readonly trailers: Trailers;
}

/**
 * On a fresh cluster: finds the revert branches of this cluster and Sync, checks that they are what Serin itself would make,
 * and holds their causes before anything is applied (design rule 6). Anything that does not check out is an event, never an
 * action; what cannot be read now is waited for. Idempotent.
 */
export function adoptBranches(deps: RevertDeps): (sync: Sync, repository: GitRepository, signal: AbortSignal) => Promise<void> {
  return async (sync, repository, signal) => {
    const head = headOf(repository);
    if (!head || !deps.clusterName) return;
    await deps.reverts.informer.whenSynced(signal);
    for (const { name: branch, commit } of repository.status.revertBranches ?? []) {
      const name = parseBranchName(branch);
      if (name?.cluster !== deps.clusterName) continue;
      const remote = await deps.remoteOf(repository, signal);
      // Before the source is fetched, looking for HEAD's history would find none, and that would speak against the branch.
      await deps.git.commit(remote, head, signal);
      const claim = await claimOf(deps, remote, { branch, name, commit }, signal);
      if (!claim) refuse(deps, repository, branch);
      else if (claim.trailers.sync === keyOf(sync.metadata)) await adopt(deps, { sync, repository, head, claim }, signal);
    }
  };
}

/** `undefined`: its trailers are missing, or speak of another branch than this one. */
async function claimOf(
  deps: RevertDeps,
  remote: Remote,
  { branch, name, commit }: { branch: string; name: BranchName; commit: string },
  signal: AbortSignal,
): Promise<Claim | undefined> {
  await deps.git.fetch(remote, [{ name: `refs/heads/${branch}`, commit }], { depth: 50 }, signal);
  const found = await deps.git.commit(remote, commit, signal);
  const trailers = parseTrailers(found.message);
  const agree = trailers?.cluster === name.cluster && trailers.canary === keyOf({ namespace: name.namespace, name: name.canary });
  return trailers && agree ? { branch, name, commit: found, trailers } : undefined;
}

function refuse({ events }: RevertDeps, repository: GitRepository, branch: string): void {
  events.warning({ ...repository }, "BranchNotAdopted", `branch ${branch} is not what this controller would make of its commits: it is left alone`);
}

interface Adoption {
  readonly sync: Sync;
  readonly repository: GitRepository;
  readonly head: string;
  readonly claim: Claim;
}

async function adopt(deps: RevertDeps, adoption: Adoption, signal: AbortSignal): Promise<void> {
  const { claim, repository } = adoption;
  const key = keyOf({ namespace: claim.name.namespace, name: `${claim.name.canary}-${claim.name.id}` });
  if (deps.reverts.find(key)) return;
  const revert = await verified(deps, adoption, signal).catch((error: unknown) => {
    // Only what Git itself says speaks against the branch; anything else is tried again before the Sync goes on.
    if (!(error instanceof StalledError || (error instanceof GitError && error.reason === "HistoryUnavailable"))) throw error;
    deps.log.warn({ branch: claim.branch, error: messageOf(error) }, "revert branch cannot be checked");
    return undefined;
  });
  if (!revert) return refuse(deps, repository, claim.branch);
  await store(deps, adoption, revert, signal);
  await known(deps, key, claim.commit.oid, signal);
}

/** The Revert that the branch stands for, or `undefined` when anything about it is not as we would make it. */
async function verified(deps: RevertDeps, { sync, repository, head, claim }: Adoption, signal: AbortSignal): Promise<Revert | undefined> {
  const remote = await deps.remoteOf(repository, signal);
  const [base] = claim.commit.parents;
  if (!base || !(await isSigned(deps, repository, claim, signal)) || !(await areInHistory(deps, remote, { head, claim }, signal)))
    return undefined;
  const digest = deps.digests.passing;
  const scene = { sync, repository, remote, head, digest };
  const cause = await causeFromGit(deps, scene, claim, signal);
  if (!cause) return undefined;
  const revert = revertOf(sync, claim, cause);
  const full: Scene = { ...scene, revert, cause, deciding: decidingOf(cause, digest) };
  const plan = await planRevert(deps, full, base, signal);
  return plan.outcome === "plan" && plan.tree === claim.commit.tree ? revert : undefined;
}

/** Whether HEAD builds on the commits that are undone, and on the one that the branch was made on. */
async function areInHistory(
  deps: RevertDeps,
  remote: Remote,
  { head, claim }: { head: string; claim: Claim },
  signal: AbortSignal,
): Promise<boolean> {
  const [base = ""] = claim.commit.parents;
  const oldest = claim.trailers.reverts.at(-1) ?? "";
  // Throws when the oldest is not in HEAD's history.
  const later = await deps.git.history(remote, { from: oldest, to: head }, signal);
  const all = new Set([oldest, ...later.map(({ oid }) => oid)]);
  return [base, ...claim.trailers.reverts].every((oid) => all.has(oid));
}

/** Resolves when our own copy has the Revert with its status: what holds, and from which branch, is read from there. */
async function known({ reverts }: RevertDeps, key: string, commit: string, signal: AbortSignal): Promise<void> {
  const seen = Promise.withResolvers<void>();
  const look = (): void => void (reverts.find(key)?.status.commit === commit && seen.resolve());
  const abort = (): void => seen.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  const stop = reverts.informer.onChange(look);
  try {
    look();
    await seen.promise;
  } finally {
    stop();
    signal.removeEventListener("abort", abort);
  }
}

/** With a signing key configured only its signature is trusted; without one the recomputed tree has to do. */
async function isSigned(deps: RevertDeps, repository: GitRepository, { commit }: Claim, signal: AbortSignal): Promise<boolean> {
  const key = await deps.signingKeyOf(repository, signal);
  return key === undefined || deps.git.signedBy(await deps.remoteOf(repository, signal), commit.oid, key, signal);
}

/** The cause by rendering alone: what the target says at the newest undone commit, against what it says with the revert. */
async function causeFromGit(
  deps: RevertDeps,
  scene: Pick<Scene, "sync" | "repository" | "digest">,
  { name, commit, trailers }: Claim,
  signal: AbortSignal,
): Promise<CauseField[] | undefined> {
  const [newest = ""] = trailers.reverts;
  const failed = await objectsAt(deps, scene, newest, signal);
  const promoted = await objectsAt(deps, scene, commit.tree, signal);
  const target = targetIn(failed, { namespace: name.namespace, name: name.canary });
  if (target === undefined) return undefined;
  const before = contentOf(promoted, name.namespace, target, scene.digest);
  const after = contentOf(failed, name.namespace, target, scene.digest);
  return before && after && causeOf(target, before, after, [])?.fields;
}

/** What the target would run, as a Canary sees it once it is applied. */
function contentOf(objects: readonly KubeObject[], namespace: string, target: string, digest: Digest): RevisionContent | undefined {
  const inNamespace = objects.filter(({ metadata }) => metadata.namespace === namespace);
  const deployment = inNamespace.find(({ kind, metadata }) => kind === "Deployment" && metadata.name === target);
  const find = (kind: string, name: string): KubeObject | undefined => {
    const config = inNamespace.find((object) => object.kind === kind && object.metadata.name === name);
    return config?.kind === "Secret" ? { ...config, data: renderedSecret(config) } : config;
  };
  return deployment && revisionOf(deployment, find, digest).content;
}

function revertOf(sync: Sync, { branch, name, commit, trailers }: Claim, cause: CauseField[]): Revert {
  const elsewhere = sync.metadata.namespace !== name.namespace;
  return {
    apiVersion,
    kind: "Revert",
    metadata: {
      name: `${name.canary}-${name.id}`,
      namespace: name.namespace,
      labels: { [names.canary]: name.canary },
      finalizers: [names.finalizer],
    },
    spec: {
      canaryRef: { name: name.canary },
      syncRef: { name: sync.metadata.name, ...(elsewhere ? { namespace: sync.metadata.namespace } : {}) },
      cause,
      commits: [...trailers.reverts],
      strategy: "PullRequest",
      scope: trailers.scope,
      propose: true,
    },
    status: {
      phase: "Planned",
      commits: [...trailers.reverts],
      branch,
      base: commit.parents[0],
      commit: commit.oid,
      tree: commit.tree,
      pushedAt: commit.time,
    },
  };
}

/** The namespace may not exist yet on a fresh cluster: then the manifests make it, and the Revert goes in before them. */
async function store(deps: RevertDeps, adoption: Adoption, revert: Revert, signal: AbortSignal): Promise<void> {
  const { repository, claim } = adoption;
  const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: claim.name.namespace } };
  await deps.kube.apply(namespace, { fieldManager: managers.sync, force: false }, signal);
  const { status, ...object } = await withKeptDigests(deps, adoption, revert, signal);
  const ref = { apiVersion, kind: "Revert", namespace: claim.name.namespace, name: revert.metadata.name };
  await deps.kube.apply(object as unknown as KubeObject, { fieldManager: managers.canary }, signal);
  await deps.kube.patch(ref, { status }, { fieldManager: managers.status, subresource: "status" }, signal);
  deps.events.normal({ ...repository }, "BranchAdopted", `branch ${claim.branch} of an earlier cluster is adopted: its change is held before anything is applied`);
}

/** With digests of Secrets by the namespace's own key, which is made only for a branch that was verified. */
async function withKeptDigests(
  deps: RevertDeps,
  { sync, repository, claim }: Adoption,
  revert: Revert,
  signal: AbortSignal,
): Promise<Revert> {
  if (!revert.spec.cause.some(({ secret }) => secret)) return revert;
  const digest = await deps.digests.of(claim.name.namespace, signal);
  const cause = await causeFromGit(deps, { sync, repository, digest }, claim, signal);
  return cause ? { ...revert, spec: { ...revert.spec, cause } } : revert;
}
