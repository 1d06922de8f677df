import type { Canary } from "../../api/canary.ts";
import { managers, names } from "../../api/meta.ts";
import { type KindRef, keyOf, type KubeObject, refOf } from "../../api/object.ts";
import { kindsRead } from "./cluster.ts";
import type { CanaryDeps } from "./deps.ts";

/** Whether the Canary waits for us before it goes. */
export function hasFinalizer({ metadata }: Canary): boolean {
  return metadata.finalizers?.includes(names.finalizer) ?? false;
}

/** With `revertOnDeletion` the finalizer stands before anything loses the owner reference by which it would go otherwise. */
export async function addFinalizer(deps: CanaryDeps, canary: Canary, signal: AbortSignal): Promise<Canary> {
  const { metadata, spec } = canary;
  if (metadata.deletionTimestamp !== undefined || hasFinalizer(canary) || !spec.revertOnDeletion) return canary;
  const stored = await setFinalizers(deps, canary, [...(metadata.finalizers ?? []), names.finalizer], signal);
  return { ...canary, metadata: stored.metadata };
}

/** Without `revertOnDeletion` the finalizer goes once everything has its owner reference again. */
export async function dropFinalizer(deps: CanaryDeps, canary: Canary, signal: AbortSignal): Promise<void> {
  const { metadata, spec } = canary;
  if (metadata.deletionTimestamp === undefined && hasFinalizer(canary) && !spec.revertOnDeletion)
    await setFinalizers(deps, canary, withoutOurs(canary), signal);
}

/**
 * Removes what the Canary made and lets it go: its traffic has returned to the target. Killed in between and run again it
 * goes on where it was.
 */
export async function release(deps: CanaryDeps, canary: Canary, signal: AbortSignal): Promise<Record<string, never>> {
  for (const kind of order) await removeMade(deps, canary, kind, signal);
  await setFinalizers(deps, canary, withoutOurs(canary), signal);
  deps.log.info({ canary: keyOf(canary.metadata) }, "canary released");
  return {};
}

const { httpRoute, ingress, autoscaler, deployment, service, ConfigMap, Secret, record } = kindsRead;

/** Nothing goes while something else still sends requests to it, scales it or reads it. */
const order: readonly KindRef[] = [httpRoute, ingress, autoscaler, deployment, service, ConfigMap, Secret, record];

/** Asks the API server itself: what the shared copy has not seen yet would stay for ever. */
async function removeMade({ kube }: CanaryDeps, { metadata }: Canary, kind: KindRef, signal: AbortSignal): Promise<void> {
  const { namespace, uid } = metadata;
  const made = await kube.list(kind, { namespace, labelSelector: `${names.canaryUid}=${uid ?? ""}` }, signal);
  for (const object of made) await kube.delete(refOf(object), { propagation: "Background", uid: object.metadata.uid }, signal);
}

function withoutOurs({ metadata }: Canary): string[] {
  return (metadata.finalizers ?? []).filter((finalizer) => finalizer !== names.finalizer);
}

async function setFinalizers(
  { kube }: CanaryDeps,
  { apiVersion, kind, metadata }: Canary,
  finalizers: readonly string[],
  signal: AbortSignal,
): Promise<KubeObject> {
  const patch = { metadata: { resourceVersion: metadata.resourceVersion, finalizers: [...finalizers] } };
  return kube.patch(refOf({ apiVersion, kind, metadata }), patch, { fieldManager: managers.canary }, signal);
}
