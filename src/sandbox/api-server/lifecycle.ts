import type { KubeObject } from "../../api/object.ts";
import { deleteObject, foregroundFinalizer, plainDelete } from "./deletes.ts";
import type { Cluster } from "./objects.ts";
import type { ResourceType } from "./resource-type.ts";
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
  for (const object of all) {
    const owners = (object.metadata.ownerReferences ?? []).map((reference) => ({ reference, owner: ownerOf(object, byUid.get(reference.uid)) }));
    if (owners.length === 0) continue;
    for (const { reference } of owners) if (reference.blockOwnerDeletion === true) waiting.get(reference.uid)?.push(object);
    const kept = owners.some(({ owner }) => owner !== undefined && !waitsForDependents(owner));
    if (!kept && object.metadata.deletionTimestamp === undefined) discard(cluster, object, owners.some(({ owner }) => owner !== undefined));
  }
  for (const [uid, blockers] of waiting) if (blockers.length === 0) release(cluster, byUid.get(uid));
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

function release(cluster: Cluster, owner: KubeObject | undefined): void {
  const type = owner && typeOf(cluster, owner);
  const current = type && cluster.store.find(type, owner.metadata.namespace, owner.metadata.name);
  if (current === undefined || current.metadata.uid !== owner?.metadata.uid) return;
  const { finalizers = [], ...metadata } = current.metadata;
  const left = finalizers.filter((finalizer) => finalizer !== foregroundFinalizer);
  const grace = (metadata as { deletionGracePeriodSeconds?: number }).deletionGracePeriodSeconds ?? 0;
  if (left.length === 0 && grace === 0) cluster.store.remove(type as ResourceType, { ...current, metadata });
  else cluster.store.put(type as ResourceType, { ...current, metadata: left.length > 0 ? { ...metadata, finalizers: left } : metadata });
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
