import type { Canary } from "../../api/canary.ts";
import type { CauseField } from "../../api/cause.ts";
import type { GitRepository } from "../../api/git-repository.ts";
import { keyOf, type KubeObject } from "../../api/object.ts";
import type { Sync } from "../../api/sync.ts";
import { type Commit, GitError, type Remote } from "../../git/git.ts";
import type { Digest } from "../../lib/digest.ts";
import { StalledError } from "../../lib/errors.ts";
import { namesRevert, revertedCommits } from "../../revert/branch.ts";
import { standingOf, valuesOf } from "../../revert/culprits.ts";
import { headOf, objectsAt, repositoryOf, type RevertDeps } from "./deps.ts";
import { decidingOf } from "./scene.ts";
import { digested, digestFor } from "./secrets.ts";

/** What telling refused values apart needs. */
export type RefusedDeps = Pick<RevertDeps, "kube" | "reverts" | "canaries" | "repositories" | "git" | "remoteOf" | "renderAt" | "digests">;

/** Values that a Revert keeps out. */
interface Refused {
  /** Of the Canary and its Revert. */
  readonly namespace: string;
  readonly revert: string;
  readonly fields: readonly CauseField[];
  /** Stands for the values of Secrets in them. */
  readonly digest: Digest;
  /** The commit that merged our revert, where its Revert does not say so yet. */
  readonly mergeCommit?: string | undefined;
}

/** Refused values that a rendering names again, and nobody took back. */
export interface RefusedAgain extends Refused {
  readonly canary: Canary;
}

/** How far back the commit is looked for that brought the values back. */
const maxSteps = 50;

/**
 * Refused values that a commit brings back (design rule 8), unless a person declined the revert, a commit's message says
 * that it reverts ours, or an active Revert holds them anyway.
 */
export async function refusedAgain(
  deps: RefusedDeps,
  sync: Sync,
  seen: { rendered: readonly KubeObject[]; active: ReadonlySet<string> },
  signal: AbortSignal,
): Promise<RefusedAgain[]> {
  const inSync = new Set(seen.rendered.filter(({ kind }) => kind === "Deployment").map(({ metadata }) => keyOf(metadata)));
  const own = deps.canaries
    .list()
    .filter(({ metadata, spec }) => inSync.has(keyOf({ namespace: metadata.namespace, name: spec.targetRef.name })));
  const found = (await Promise.all(own.map((canary) => backAgain(deps, canary, seen, signal)))).flat();
  const repository = repositoryOf(deps, sync);
  if (found.length === 0 || !repository) return found;
  const taken = await Promise.all(found.map((refused) => isTakenBack(deps, { sync, repository, refused }, signal)));
  return found.filter((_, position) => !taken[position]);
}

async function backAgain(
  deps: RefusedDeps,
  canary: Canary,
  { rendered, active }: { rendered: readonly KubeObject[]; active: ReadonlySet<string> },
  signal: AbortSignal,
): Promise<RefusedAgain[]> {
  const namespace = canary.metadata.namespace ?? "";
  const refused = (canary.status.refused ?? []).filter(
    ({ revert, declined }) => !declined && !active.has(keyOf({ namespace, name: revert })),
  );
  if (refused.length === 0) return [];
  const digest = await digestFor(deps, namespace, refused.flatMap(({ fields }) => fields), signal);
  return refused
    .map(({ revert, fields }): RefusedAgain => ({ canary, namespace, revert, fields: decidingOf(fields, digest), digest }))
    .filter((again) => isBack(again, rendered));
}

function isBack({ namespace, fields, digest }: Refused, rendered: readonly KubeObject[]): boolean {
  const values = valuesOf(fields, namespace, digested(rendered, digest));
  return fields.length > 0 && fields.every((field, position) => standingOf([field], [values[position]]) === "failed");
}

/** What HEAD names again, in which Sync's rendering. */
interface Question {
  readonly sync: Sync;
  readonly repository: GitRepository;
  readonly refused: Refused;
}

/** Whether one of the commits since the values came back says that it reverts ours: a person wants the change again. */
export async function isTakenBack(deps: RefusedDeps, question: Question, signal: AbortSignal): Promise<boolean> {
  const remote = await deps.remoteOf(question.repository, signal);
  let oid = headOf(question.repository);
  for (let step = 0; oid !== undefined && step < maxSteps; step += 1) {
    const commit = await find(deps, remote, oid, signal);
    if (!commit) return false;
    if (await saysSo(deps, { remote, commit, refused: question.refused }, signal)) return true;
    [oid] = commit.parents;
    if (oid === undefined || !(await wasBackAt(deps, question, oid, signal))) return false;
  }
  return false;
}

async function find(deps: RefusedDeps, remote: Remote, oid: string, signal: AbortSignal): Promise<Commit | undefined> {
  try {
    return await deps.git.commit(remote, oid, signal);
  } catch (error) {
    if (error instanceof GitError && error.reason === "HistoryUnavailable") return undefined;
    throw error;
  }
}

async function wasBackAt(deps: RefusedDeps, { sync, repository, refused }: Question, oid: string, signal: AbortSignal): Promise<boolean> {
  try {
    return isBack(refused, await objectsAt(deps, { sync, repository }, oid, signal));
  } catch (error) {
    if (error instanceof StalledError || (error instanceof GitError && error.reason === "HistoryUnavailable")) return false;
    throw error;
  }
}

/** By the id of our commit or of the merge that brought it in, by the number of our pull request, or by the Revert's name. */
async function saysSo(
  deps: RefusedDeps,
  { remote, commit, refused }: { remote: Remote; commit: Commit; refused: Refused },
  signal: AbortSignal,
): Promise<boolean> {
  const { namespace, revert } = refused;
  const { pullRequest, ...status } = deps.reverts.find(keyOf({ namespace, name: revert }))?.status ?? {};
  const ours = [status.commit, status.mergeCommit, refused.mergeCommit];
  const undone = revertedCommits(commit.message);
  const names = commit.message.includes(`Reapply ${revert}`) || namesPullRequest(commit.message, pullRequest);
  if (names || undone.some((oid) => ours.includes(oid))) return true;
  for (const oid of undone) if (await isOurs(deps, { remote, oid, revert }, signal)) return true;
  return false;
}

/** As the hosts' buttons write it: `Reverts acme/apps#42`. */
function namesPullRequest(message: string, pullRequest: { number: number } | undefined): boolean {
  return pullRequest !== undefined && new RegExp(`^Reverts? \\S*[#!]${pullRequest.number}\\b`, "im").test(message);
}

/** Whether the commit, or a branch that it merged, carries the Revert's trailer. */
async function isOurs(
  deps: RefusedDeps,
  { remote, oid, revert }: { remote: Remote; oid: string; revert: string },
  signal: AbortSignal,
): Promise<boolean> {
  const commit = await find(deps, remote, oid, signal);
  const merged = await Promise.all((commit?.parents ?? []).slice(1).map((parent) => find(deps, remote, parent, signal)));
  return [commit, ...merged].some((one) => one !== undefined && namesRevert(one.message, revert));
}
