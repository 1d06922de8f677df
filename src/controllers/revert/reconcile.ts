import { findCondition, isoSeconds } from "../../api/conditions.ts";
import type { CanaryStatus } from "../../api/canary.ts";
import { keyOf } from "../../api/object.ts";
import type { Revert, RevertPhase } from "../../api/revert.ts";
import type { Reconcile, ReconcileResult } from "../../kube/kube.ts";
import { endOf } from "../../revert/end.ts";
import type { RevertDeps } from "./deps.ts";
import { isEnded } from "./holds.ts";
import { held, statusWith } from "./outcome.ts";
import { propose } from "./propose.ts";
import { observe, observeHead, observeProposal, type Published, type Scene } from "./scene.ts";
import { releaseOnly, tidyUp } from "./tidy.ts";

/** How often branch and pull request are read while nothing else happens. */
const pollMs = 60_000;

/** Brings one bad change out of Git: decides whether it has ended (design rule 7), else proposes it (rules 3 to 6). */
export function revertReconciler(deps: RevertDeps): Reconcile {
  return async (key, signal) => {
    const revert = deps.reverts.find(key);
    if (!revert) return {};
    if (revert.metadata.deletionTimestamp && (await namespaceGoes(deps, revert, signal))) return releaseOnly(deps, revert, signal);
    if (isEnded(revert.status.phase)) return tidyUp(deps, revert, signal);
    const scene = await observe(deps, revert, signal);
    return step(deps, scene, signal);
  };
}

async function step(deps: RevertDeps, scene: Scene, signal: AbortSignal): Promise<ReconcileResult> {
  const { revert, repository } = scene;
  const host = await deps.hostOf(repository, signal);
  const [atHead, published] = await Promise.all([observeHead(deps, scene, signal), observeProposal(deps, scene, host, signal)]);
  const deleted = revert.metadata.deletionTimestamp !== undefined;
  const end = endOf({ atHead, proposal: published.proposal, branchIsOurs: published.branchIsOurs, deleted, reopened: revert.status.reopened === true });
  switch (end.do) {
    case "end":
      return finish(deps, revert, end.phase, signal);
    case "branchDeleted":
      return branchDeleted(deps, revert, signal);
    case "reopen":
      return reopen(deps, { scene, published }, signal);
    case "stay":
      return stay(deps, { scene, published }, signal);
    default:
      return end satisfies never;
  }
}

async function stay(deps: RevertDeps, { scene, published }: { scene: Scene; published: Published }, signal: AbortSignal): Promise<ReconcileResult> {
  const host = await deps.hostOf(scene.repository, signal);
  await propose(deps, scene, { host, published }, signal);
  return { requeueAfterMs: pollMs };
}

/** Pushed and opened once more (design rule 7, fourth row); a second time it is the person's turn. */
async function reopen(deps: RevertDeps, { scene, published }: { scene: Scene; published: Published }, signal: AbortSignal): Promise<ReconcileResult> {
  const { pushedAt: _, ...status } = scene.revert.status;
  const revert = await deps.reverts.patchStatus(scene.revert, { ...status, reopened: true, phase: "Planned" }, signal);
  return stay(deps, { scene: { ...scene, revert }, published }, signal);
}

async function branchDeleted(deps: RevertDeps, revert: Revert, signal: AbortSignal): Promise<ReconcileResult> {
  const message = `Branch ${revert.status.branch ?? ""} or its pull request was removed twice; delete this Revert to let the change out, or push the branch again`;
  await tell(deps, revert, "BranchDeleted", message);
  await deps.reverts.patchStatus(revert, statusWith(deps, revert, {}, held("BranchDeleted", message)), signal);
  return { requeueAfterMs: pollMs };
}

async function tell({ events }: RevertDeps, revert: Revert, reason: string, message: string): Promise<void> {
  if (findCondition(revert.status.conditions, "Ready")?.reason !== reason) events.warning({ ...revert }, reason, message);
}

/** The end is recorded first: from then on the Sync holds nothing back. Tidying up follows in the next run. */
async function finish(deps: RevertDeps, revert: Revert, phase: Extract<RevertPhase, "Merged" | "Declined" | "Superseded">, signal: AbortSignal): Promise<ReconcileResult> {
  if (phase === "Declined") await markDeclined(deps, revert, signal);
  const outcome = { ready: "Unknown" as const, reason: phase, message: "It has ended; branch and pull request are being tidied up", state: "reconciling" as const };
  const ended = await deps.reverts.patchStatus(revert, statusWith(deps, revert, { phase, endedAt: isoSeconds(deps.clock.nowMs()) }, outcome), signal);
  deps.events.normal({ ...ended }, phase, endings[phase]);
  return tidyUp(deps, ended, signal);
}

const endings = {
  Merged: "Git names the promoted values again",
  Declined: "declined by a person: the change is tried once more",
  Superseded: "Git names other values by now: they are analysed",
};

/** The Canary remembers that a person declined it, even when this object is gone. */
async function markDeclined({ canaries }: RevertDeps, { metadata, spec }: Revert, signal: AbortSignal): Promise<void> {
  const canary = canaries.find(keyOf({ namespace: metadata.namespace, name: spec.canaryRef.name }));
  if (!canary) return;
  const others = (canary.status.refused ?? []).filter(({ revert }) => revert !== metadata.name);
  const refused: CanaryStatus["refused"] = [...others, { revert: metadata.name, fields: spec.cause, declined: true }];
  await canaries.patchStatus(canary, { ...canary.status, refused: refused.slice(-20) }, signal);
}

async function namespaceGoes({ kube }: RevertDeps, { metadata }: Revert, signal: AbortSignal): Promise<boolean> {
  const namespace = await kube.find({ apiVersion: "v1", kind: "Namespace", name: metadata.namespace ?? "" }, signal);
  return namespace === undefined || namespace.metadata.deletionTimestamp !== undefined;
}
