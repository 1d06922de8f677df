import { findCondition, isoSeconds } from "../../api/conditions.ts";
import { type CanaryStatus, refusedKept } from "../../api/canary.ts";
import { managers, names } from "../../api/meta.ts";
import { keyOf, refOf } from "../../api/object.ts";
import type { Revert, RevertPhase, RevertStatus } from "../../api/revert.ts";
import type { GitHost, PullRequest } from "../../githost/git-host.ts";
import type { Reconcile, ReconcileResult } from "../../kube/kube.ts";
import { parseDurationMs } from "../../lib/duration.ts";
import { StalledError, WaitingError } from "../../lib/errors.ts";
import { neverInGit } from "./blame.ts";
import { endOf, type Proposal } from "../../revert/end.ts";
import { withOwnWrites } from "../own-writes.ts";
import { tellOfChanges } from "./comments.ts";
import type { RevertDeps } from "./deps.ts";
import { isEnded } from "./holds.ts";
import { createMemory, forget, type Memory } from "./memory.ts";
import { held, statusWith } from "./outcome.ts";
import { propose } from "./propose.ts";
import { say, tellCanary } from "./say.ts";
import { afterMerge } from "./undone.ts";
import { observe, observeHead, observeProposal, type Published, type Scene } from "./scene.ts";
import { releaseOnly, tidyUp } from "./tidy.ts";

/** How often branch and pull request are read while nothing else happens: as often as the source, within these bounds. */
const pollMs = 60_000;
const fastestPollMs = 5_000;

function pollMsOf({ repository }: Scene): number {
  return Math.min(Math.max(parseDurationMs(repository.spec.interval), fastestPollMs), pollMs);
}

type Deps = RevertDeps & { readonly memory: Memory };

/** Brings one bad change out of Git: decides whether it has ended (design rule 7), else proposes it (rules 3 to 6). */
export function revertReconciler(given: RevertDeps): Reconcile {
  const deps: Deps = { ...given, reverts: withOwnWrites(given.reverts), memory: createMemory() };
  return async (key, signal) => {
    // After a start what is not known yet must not count as gone.
    await Promise.all([deps.syncs, deps.repositories, deps.canaries].map(({ informer }) => informer.whenSynced(signal)));
    const revert = deps.reverts.find(key);
    const over = !revert || isEnded(revert.status.phase);
    if (over) forget(deps.memory, key);
    if (!revert) return {};
    if (isDeleted(revert) && (await namespaceGoes(deps, revert, signal))) return releaseOnly(deps, revert, signal);
    if (over) return tidyUp(deps, revert, signal);
    return actOn(deps, revert, signal);
  };
}

async function actOn(deps: Deps, revert: Revert, signal: AbortSignal): Promise<ReconcileResult> {
  if (!isDeleted(revert) && !revert.metadata.finalizers?.includes(names.finalizer)) return addFinalizer(deps, revert, signal);
  const scene = await look(deps, revert, signal);
  return scene ? step(deps, scene, signal) : finish(deps, revert, { phase: "Declined" }, signal);
}

function isDeleted({ metadata }: Revert): boolean {
  return metadata.deletionTimestamp !== undefined;
}

/** Deleting the object is the person's word, even when nothing is left of what it was about: then `undefined`. */
async function look(deps: RevertDeps, revert: Revert, signal: AbortSignal): Promise<Scene | undefined> {
  try {
    return await observe(deps, revert, signal);
  } catch (error) {
    if (isDeleted(revert) && error instanceof WaitingError) return undefined;
    throw error;
  }
}

/** What is known of branch and pull request, and the way to the host or what keeps us from it. */
interface Place {
  readonly host: GitHost | undefined;
  readonly published: Published;
  readonly problem?: StalledError | WaitingError | undefined;
}

async function step(deps: Deps, scene: Scene, signal: AbortSignal): Promise<ReconcileResult> {
  const { revert } = scene;
  const [says, place] = await Promise.all([observeHead(deps, scene, signal), observePlace(deps, scene, signal)]);
  // What Git never said cannot be merged away: it is held until a person says otherwise (design rule 3).
  const atHead = says === "promoted" && (await neverInGit(deps, scene, signal)) ? "failed" : says;
  const { branchIsOurs, pullRequest } = place.published;
  const proposal = await afterMerge(deps, scene, { atHead, published: place.published }, signal);
  const end = endOf({ atHead, proposal, branchIsOurs, deleted: isDeleted(revert), reopened: revert.status.reopened === true });
  switch (end.do) {
    case "end":
      return finish(deps, revert, { phase: end.phase, ...mergeOf(end.phase, proposal, pullRequest) }, signal);
    case "branchDeleted":
      return branchDeleted(deps, revert, signal);
    case "reopen":
      return reopen(deps, scene, place, signal);
    case "stay":
      return stay(deps, scene, place, signal);
    default:
      return end satisfies never;
  }
}

type Ending = Extract<RevertPhase, "Merged" | "Declined" | "Superseded">;

/** How it was merged, and whether that was undone before we looked. */
function mergeOf(phase: Ending, proposal: Proposal, pullRequest: PullRequest | undefined): Pick<RevertStatus, "mergeCommit" | "undone"> {
  if (phase !== "Merged") return {};
  const mergeCommit = pullRequest?.state === "merged" ? pullRequest.mergeCommit : undefined;
  return { ...(mergeCommit === undefined ? {} : { mergeCommit }), ...(proposal === "undone" ? { undone: true } : {}) };
}

/** Credentials that are missing say nothing about the pull request: a Revert can still end by what HEAD says. */
async function observePlace(deps: RevertDeps, scene: Scene, signal: AbortSignal): Promise<Place> {
  try {
    const host = await deps.hostOf(scene.repository, signal);
    return { host, published: await observeProposal(deps, scene, host, signal) };
  } catch (error) {
    if (!(error instanceof StalledError || error instanceof WaitingError)) throw error;
    return { host: undefined, published: { proposal: "unknown", branchIsOurs: true }, problem: error };
  }
}

async function stay(deps: Deps, scene: Scene, { host, published, problem }: Place, signal: AbortSignal): Promise<ReconcileResult> {
  if (problem) {
    await say(deps, scene.revert, { reason: problem.reason, message: problem.message }, signal);
    return { requeueAfterMs: pollMs };
  }
  const soonestMs = await propose(deps, scene, { host, published }, signal);
  if (host && published.proposal === "open") await tellOfChanges(deps, scene, { host, published }, signal);
  const dueMs = pollMsOf(scene);
  return { requeueAfterMs: Math.min(soonestMs ?? dueMs, dueMs) };
}

/** Pushed and opened once more (design rule 7, fourth row); a second time it is the person's turn. */
async function reopen(deps: Deps, scene: Scene, place: Place, signal: AbortSignal): Promise<ReconcileResult> {
  // Without these the pull request that was closed counts as none, should we be ended before the next is open.
  const { pushedAt: _, pullRequest: __, ...status } = scene.revert.status;
  const revert = await deps.reverts.patchStatus(scene.revert, { ...status, reopened: true, phase: "Planned" }, signal);
  return stay(deps, { ...scene, revert }, { ...place, published: { ...place.published, proposal: "none" } }, signal);
}

async function branchDeleted(deps: RevertDeps, revert: Revert, signal: AbortSignal): Promise<ReconcileResult> {
  const message = `Branch ${revert.status.branch ?? ""} or its pull request was removed twice; delete this Revert to let the change out, or push the branch again`;
  if (findCondition(revert.status.conditions, "Ready")?.reason !== "BranchDeleted")
    deps.events.warning({ ...revert }, "BranchDeleted", message);
  await deps.reverts.patchStatus(revert, statusWith(deps, revert, {}, held("BranchDeleted", message)), signal);
  return { requeueAfterMs: pollMs };
}

/** The end is recorded first: from then on the Sync holds nothing back. Tidying up follows in the next run. */
async function finish(
  deps: RevertDeps,
  revert: Revert,
  { phase, ...merge }: { phase: Ending } & ReturnType<typeof mergeOf>,
  signal: AbortSignal,
): Promise<ReconcileResult> {
  await remember(deps, revert, phase === "Declined", signal);
  const outcome = {
    ready: "Unknown" as const,
    reason: phase,
    message: "It has ended; branch and pull request are being tidied up",
    state: "reconciling" as const,
  };
  const ended = await deps.reverts.patchStatus(
    revert,
    statusWith(deps, revert, { phase, ...merge, endedAt: isoSeconds(deps.clock.nowMs()) }, outcome),
    signal,
  );
  deps.events.normal({ ...ended }, phase, merge.undone ? "merged, but a later commit brings the failed values back: they are refused" : endings[phase]);
  const tidied = await tidyUp(deps, ended, signal);
  if (phase !== "Declined") await tellCanary(deps, revert, undefined, signal);
  return tidied;
}

const endings = {
  Merged: "Git names the promoted values again",
  Declined: "declined by a person: the change is tried once more",
  Superseded: "Git names other values by now: they are analysed",
};

/**
 * The Canary remembers what was refused, also on a cluster that only adopted the Revert, and that a person declined it, even
 * when this object is gone.
 */
async function remember({ canaries }: RevertDeps, { metadata, spec }: Revert, declined: boolean, signal: AbortSignal): Promise<void> {
  const canary = canaries.find(keyOf({ namespace: metadata.namespace, name: spec.canaryRef.name }));
  const all = canary?.status.refused ?? [];
  const known = all.find(({ revert }) => revert === metadata.name);
  if (!canary || (known && !declined)) return;
  const others = all.filter((entry) => entry !== known);
  const entry = known ?? { revert: metadata.name, fields: spec.cause.filter(({ decides }) => decides) };
  const refused: CanaryStatus["refused"] = [...others, declined ? { ...entry, declined } : entry].slice(-refusedKept);
  const conditions = canary.status.conditions?.filter(({ type }) => type !== "RevertNotPossible");
  await canaries.patchStatus(canary, { ...canary.status, ...(conditions ? { conditions } : {}), refused }, signal);
}

async function namespaceGoes({ kube }: RevertDeps, { metadata }: Revert, signal: AbortSignal): Promise<boolean> {
  const namespace = await kube.find({ apiVersion: "v1", kind: "Namespace", name: metadata.namespace ?? "" }, signal);
  return namespace === undefined || namespace.metadata.deletionTimestamp !== undefined;
}

/** A Revert that a person wrote: deleting it shall be a word that we hear. */
async function addFinalizer({ kube }: RevertDeps, revert: Revert, signal: AbortSignal): Promise<ReconcileResult> {
  const { resourceVersion, finalizers = [] } = revert.metadata;
  await kube.patch(
    refOf({ ...revert }),
    { metadata: { resourceVersion, finalizers: [...finalizers, names.finalizer] } },
    { fieldManager: managers.status },
    signal,
  );
  // The change of the object brings it back here.
  return {};
}
