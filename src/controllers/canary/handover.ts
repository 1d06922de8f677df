import type { Canary } from "../../api/canary.ts";
import { keyOf, type ObjectRef } from "../../api/object.ts";
import { isOurs } from "../../canary/owned.ts";
import { apexName } from "../../canary/services.ts";
import { primaryName } from "../../canary/workloads.ts";
import { StalledError, WaitingError } from "../../lib/errors.ts";
import type { Router } from "../../routing/router.ts";
import { type Cluster, kindsRead } from "./cluster.ts";

/** How long to wait for the garbage collector to remove what an earlier Canary left. */
const collectedMs = 2_000;

/**
 * Throws when a name that this Canary needs is taken: StalledError naming both when it is somebody else's, WaitingError
 * while what a Canary that has gone owned is being removed. An apex Service that is there already is adopted.
 */
export function claimNames(cluster: Cluster, canary: Canary, router: Router, all: readonly Canary[]): void {
  const { namespace } = canary.metadata;
  const made: ObjectRef[] = [
    { ...kindsRead.deployment, namespace, name: primaryName(canary) },
    { ...kindsRead.service, namespace, name: `${apexName(canary)}-primary` },
    { ...kindsRead.service, namespace, name: `${apexName(canary)}-canary` },
    ...router.outputs(canary),
    ...(canary.spec.autoscalerRef ? [{ ...kindsRead.autoscaler, namespace, name: `${canary.spec.autoscalerRef.name}-primary` }] : []),
  ];
  for (const ref of made) claim(cluster, canary, ref, all);
}

/** Throws StalledError naming both when another Canary has the target: the one that was first, by time and then by name. */
export function claimTarget(canary: Canary, all: readonly Canary[]): void {
  const { metadata, spec } = canary;
  const rivals = all.filter(
    (other) =>
      other.metadata.namespace === metadata.namespace &&
      other.metadata.name !== metadata.name &&
      other.spec.targetRef.name === spec.targetRef.name,
  );
  const first = rivals.find((rival) => isBefore(rival, canary));
  if (!first) return;
  throw new StalledError("TargetTaken", `Canary ${keyOf(metadata)}: its target, Deployment ${spec.targetRef.name}, is rolled out by Canary ${keyOf(first.metadata)} already; remove one of the two`);
}

function isBefore(a: Canary, b: Canary): boolean {
  const [madeA = "", madeB = ""] = [a.metadata.creationTimestamp, b.metadata.creationTimestamp];
  return madeA === madeB ? a.metadata.name < b.metadata.name : madeA < madeB;
}

function claim(cluster: Cluster, canary: Canary, ref: ObjectRef, all: readonly Canary[]): void {
  const live = cluster.find(ref);
  if (!live || isOurs(canary, live)) return;
  const owner = live.metadata.ownerReferences?.find(({ controller }) => controller);
  if (owner?.kind === canary.kind && !all.some(({ metadata }) => metadata.uid === owner.uid)) {
    throw new WaitingError("WaitingForRemoval", `${ref.kind} ${keyOf(ref)} of Canary ${owner.name}, which has gone, is still there`, collectedMs);
  }
  throw new StalledError(
    "NameTaken",
    `${ref.kind} ${keyOf(ref)} exists and is not Canary ${keyOf(canary.metadata)}'s, which makes one of this name; rename it, or remove it from Git or the cluster`,
  );
}
