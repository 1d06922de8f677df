import type { Canary } from "../api/canary.ts";
import { names } from "../api/meta.ts";
import { controllerReference, type KindRef, type KubeObject } from "../api/object.ts";

/** The head of an object that the Canary makes and that goes with it. */
export function owned(canary: Canary, ref: KindRef & { readonly name: string }): KubeObject {
  const { apiVersion, kind, metadata } = canary;
  const head = unowned(canary, ref);
  return { ...head, metadata: { ...head.metadata, ownerReferences: [controllerReference({ apiVersion, kind, metadata })] } };
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
