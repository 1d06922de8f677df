import type { Canary } from "../api/canary.ts";
import { names } from "../api/meta.ts";
import { controllerReference, type KindRef, type KubeObject } from "../api/object.ts";

/**
 * The head of an object that the Canary makes and that goes with it: by owner reference, or with revertOnDeletion by our own
 * hand, because the garbage collector does not wait until the target has its traffic back.
 */
export function owned(canary: Canary, ref: KindRef & { readonly name: string }): KubeObject {
  const { apiVersion, kind, metadata } = canary;
  const reference = controllerReference({ apiVersion, kind, metadata });
  const head = unowned(canary, ref);
  const labels = { ...head.metadata.labels, [names.canaryUid]: reference.uid };
  return { ...head, metadata: { ...head.metadata, labels, ...(isCollected(canary) ? { ownerReferences: [reference] } : {}) } };
}

/** Whether the garbage collector removes what the Canary made. */
export function isCollected({ metadata, spec }: Canary): boolean {
  return !spec.revertOnDeletion && metadata.deletionTimestamp === undefined;
}

/** The head of an object that the Canary writes to but that outlives it. */
export function unowned({ metadata }: Canary, { apiVersion, kind, name }: KindRef & { readonly name: string }): KubeObject {
  return { apiVersion, kind, metadata: { name, namespace: metadata.namespace, labels: { [names.canary]: metadata.name } } };
}

/** Whether a live object was made by this Canary, or left behind by an earlier one of its name. */
export function isOurs({ metadata }: Canary, live: KubeObject): boolean {
  const controller = live.metadata.ownerReferences?.find((owner) => owner.controller);
  if (controller) return controller.uid === metadata.uid;
  return live.metadata.labels?.[names.canary] === metadata.name && live.metadata.labels[names.syncName] === undefined;
}

/** Whether a live object goes with this very Canary. */
export function isMade({ metadata }: Canary, { metadata: { labels, ownerReferences } }: KubeObject): boolean {
  const isLabelled = metadata.uid !== undefined && labels?.[names.canaryUid] === metadata.uid;
  return isLabelled || isReferenced({ metadata }, ownerReferences);
}

/** Whether the owner references name this Canary as the one that controls the object. */
export function isReferenced({ metadata }: Pick<Canary, "metadata">, references: KubeObject["metadata"]["ownerReferences"]): boolean {
  return (references ?? []).some(({ controller, uid }) => controller === true && uid === metadata.uid);
}
