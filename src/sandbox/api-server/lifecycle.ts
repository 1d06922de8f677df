import type { KubeObject } from "../../api/object.ts";
import { deleteObject, foregroundFinalizer, plainDelete } from "./deletes.ts";
import type { Cluster } from "./objects.ts";
import type { DraftMeta, ResourceType } from "./resource-type.ts";
import type { StoredEvent } from "./store.ts";

/**
 * Does what the controllers behind a real API server do to objects of every kind: deletes what belonged to deleted owners,
 * lets owners go that waited for their dependents, and empties namespaces that are being deleted. Returns the way to stop.
 */
export function startLifecycle(cluster: Cluster): () => void {
  let pending: NodeJS.Immediate | undefined;
  const stop = cluster.store.subscribe((event) => {
    if (pending === undefined && needsCare(event)) {
      pending = setImmediate(() => {
        pending = undefined;
        collectGarbage(cluster);
        emptyNamespaces(cluster);
      });
    }
  });
  return () => {
    stop();
    clearImmediate(pending);
  };
}

function needsCare({ type, object: { metadata } }: StoredEvent): boolean {
  return type === "DELETED" || metadata.deletionTimestamp !== undefined || (type === "ADDED" && metadata.ownerReferences !== undefined);
}

function typeOf({ registry }: Cluster, object: KubeObject): ResourceType | undefined {
  return registry.ofKind(object.apiVersion, object.kind);
}

function collectGarbage(cluster: Cluster): void {
  const all = [...cluster.store.everything()];
  const byUid = new Map(all.map((object) => [object.metadata.uid, object]));
  /** Owners that are deleted in the foreground, with what still blocks them. */
  const waiting = new Map(all.filter(waitsForDependents).map((owner): [string, KubeObject[]] => [owner.metadata.uid ?? "", []]));
  for (const object of all) careFor(cluster, object, { byUid, waiting });
  for (const [uid, blockers] of waiting) {
    const owner = byUid.get(uid);
    if (blockers.length === 0 && owner) release(cluster, owner);
  }
}

interface Ownership {
  readonly byUid: ReadonlyMap<string | undefined, KubeObject>;
  readonly waiting: ReadonlyMap<string, KubeObject[]>;
}

/** Notes whom an object blocks, and discards it when none of its owners is left. */
function careFor(cluster: Cluster, object: KubeObject, { byUid, waiting }: Ownership): void {
  const { ownerReferences = [], deletionTimestamp } = object.metadata;
  for (const { uid, blockOwnerDeletion } of ownerReferences) if (blockOwnerDeletion === true) waiting.get(uid)?.push(object);
  const owners = ownerReferences.map(({ uid }) => ownerOf(object, byUid.get(uid))).filter((owner) => owner !== undefined);
  const kept = ownerReferences.length === 0 || owners.some((owner) => !waitsForDependents(owner));
  if (!kept && deletionTimestamp === undefined) discard(cluster, object, owners.length > 0);
}

/** An owner in another namespace is none. */
function ownerOf(object: KubeObject, owner: KubeObject | undefined): KubeObject | undefined {
  const at = owner?.metadata.namespace;
  return owner !== undefined && (at === undefined || at === object.metadata.namespace) ? owner : undefined;
}

function waitsForDependents({ metadata }: KubeObject): boolean {
  return metadata.deletionTimestamp !== undefined && metadata.finalizers?.includes(foregroundFinalizer) === true;
}

function discard(cluster: Cluster, object: KubeObject, foreground: boolean): void {
  const type = typeOf(cluster, object);
  const { namespace, name, uid } = object.metadata;
  if (type && cluster.store.find(type, namespace, name)?.metadata.uid === uid) {
    deleteObject(cluster, type, { namespace, name }, { ...plainDelete, propagation: foreground ? "Foreground" : "Background" });
  }
}

/** Nothing blocks this owner any more. */
function release(cluster: Cluster, owner: KubeObject): void {
  const type = typeOf(cluster, owner);
  const current = type && cluster.store.find(type, owner.metadata.namespace, owner.metadata.name);
  if (type === undefined || current === undefined || current.metadata.uid !== owner.metadata.uid) return;
  const { finalizers = [], ...metadata }: DraftMeta = current.metadata;
  const left = finalizers.filter((finalizer) => finalizer !== foregroundFinalizer);
  if (left.length > 0) cluster.store.put(type, { ...current, metadata: { ...metadata, finalizers: left } });
  else if ((metadata.deletionGracePeriodSeconds ?? 0) > 0) cluster.store.put(type, { ...current, metadata });
  else cluster.store.remove(type, { ...current, metadata });
}

function emptyNamespaces(cluster: Cluster): void {
  const namespaces = cluster.registry.ofKind("v1", "Namespace");
  if (namespaces === undefined) return;
  for (const namespace of cluster.store.list(namespaces, undefined)) {
    if (namespace.metadata.deletionTimestamp === undefined) continue;
    const content = [...cluster.store.everything()].filter(({ metadata }) => metadata.namespace === namespace.metadata.name);
    for (const object of content) if (object.metadata.deletionTimestamp === undefined) discard(cluster, object, false);
    const left = [...cluster.store.everything()].some(({ metadata }) => metadata.namespace === namespace.metadata.name);
    if (!left && (namespace.metadata.finalizers ?? []).length === 0) cluster.store.remove(namespaces, namespace);
  }
}
