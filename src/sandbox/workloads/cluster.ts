import type { KindRef, KubeObject } from "../../api/object.ts";
import { keyOf } from "../../api/object.ts";
import type { Informers, Kube } from "../../kube/kube.ts";
import { KubeError } from "../../kube/kube.ts";
import { fieldManager } from "../kinds.ts";
import type { Write } from "./writes.ts";

/**
 * The cluster as the workload controllers see it: the informers' copy with our own writes already in it. Without that a
 * controller that runs again before its watch has caught up would create the same pods twice.
 */
export interface Cluster {
  find(kind: KindRef, key: string): KubeObject | undefined;
  /** Objects that the one with this uid controls. */
  controlledBy(kind: KindRef, uid: string): KubeObject[];
  inNamespace(kind: KindRef, namespace: string): KubeObject[];
  /** Calls with the key of every object that is or becomes different. Returns the way to stop. */
  onChange(kind: KindRef, handler: (object: KubeObject) => void): () => void;
  /** Carries out one write. A delete is only asked for once per object. */
  perform(write: Write, signal: AbortSignal): Promise<void>;
  whenSynced(signal: AbortSignal): Promise<void>;
}

const byController = "sandbox/controller";
const byNamespace = "sandbox/namespace";

/** @param watched kinds that will be read; each gets its indexes here, once */
export function createCluster(kube: Kube, informers: Informers, watched: readonly KindRef[]): Cluster {
  /** Our writes that the informer has not shown yet, by kind and key. A tombstone is an object with a deletionTimestamp. */
  const ahead = new Map<string, Map<string, KubeObject>>();
  for (const kind of watched) {
    const informer = informers.of(kind);
    informer.addIndex(byController, controllerUids);
    informer.addIndex(byNamespace, ({ metadata }) => [metadata.namespace ?? ""]);
    const own = new Map<string, KubeObject>();
    ahead.set(kind.kind, own);
    informer.onChange(({ key, after }) => {
      const written = own.get(key);
      if (written && (!after || caughtUp(after, written))) own.delete(key);
    });
  }
  const merged = (kind: KindRef, seen: readonly KubeObject[], belongs: (object: KubeObject) => boolean): KubeObject[] => {
    const own = ahead.get(kind.kind);
    if (!own || own.size === 0) return [...seen];
    const rest = seen.filter(({ metadata }) => !own.has(keyOf(metadata)));
    return [...rest, ...[...own.values()].filter(belongs)];
  };
  const remember = (object: KubeObject): void => {
    const key = keyOf(object.metadata);
    const seen = informers.of(object).find(key);
    if (!seen || !caughtUp(seen, object)) ahead.get(object.kind)?.set(key, object);
  };
  const find = (kind: KindRef, key: string): KubeObject | undefined => ahead.get(kind.kind)?.get(key) ?? informers.of(kind).find(key);
  return {
    find,
    controlledBy: (kind, uid) =>
      merged(kind, informers.of(kind).byIndex(byController, uid), (object) => controllerUids(object).includes(uid)),
    inNamespace: (kind, namespace) =>
      merged(kind, informers.of(kind).byIndex(byNamespace, namespace), ({ metadata }) => metadata.namespace === namespace),
    onChange: (kind, handler) =>
      informers.of(kind).onChange(({ before, after }) => {
        const object = after ?? before;
        if (object) handler(object);
      }),
    perform: async (write, signal) => {
      switch (write.do) {
        case "create":
          return await create(kube, { find, remember }, write, signal);
        case "patch":
          return await patch(kube, { find, remember }, write, signal);
        case "delete":
          return await remove(kube, { find, remember }, write, signal);
        default:
          return write satisfies never;
      }
    },
    whenSynced: async (signal) => {
      await Promise.all(watched.map((kind) => informers.of(kind).whenSynced(signal)));
    },
  };
}

type Memory = Pick<Cluster, "find"> & { remember: (object: KubeObject) => void };

async function create(kube: Kube, { remember }: Memory, { object }: Write & { do: "create" }, signal: AbortSignal): Promise<void> {
  const created = kube.create(object, { fieldManager }, signal);
  if (object.kind !== "Binding") return remember(await created);
  // A real API server answers a Binding by a Status without metadata: done all the same.
  await created.catch((error: unknown) => {
    if (!(error instanceof KubeError && error.reason === "NotKubernetes")) throw error;
  });
}

async function patch(kube: Kube, { find, remember }: Memory, write: Write & { do: "patch" }, signal: AbortSignal): Promise<void> {
  const known = find(write.ref, keyOf(write.ref));
  const stored = await kube.patch(write.ref, write.patch, { fieldManager, subresource: write.subresource }, signal);
  // The answer to a write of `scale` is a Scale, not the object; and what has gone meanwhile must not come back.
  if (write.subresource === "scale" || (known && !find(write.ref, keyOf(write.ref)))) return;
  remember(stored);
}

async function remove(kube: Kube, { find, remember }: Memory, { ref, uid }: Write & { do: "delete" }, signal: AbortSignal): Promise<void> {
  if (find(ref, keyOf(ref))?.metadata.deletionTimestamp !== undefined) return;
  await kube.delete(ref, { propagation: "Background", uid }, signal);
  const left = find(ref, keyOf(ref));
  if (left && left.metadata.uid === uid) remember(doomed(left));
}

/** What we have deleted looks terminating to us at once. */
function doomed(object: KubeObject): KubeObject {
  return { ...object, metadata: { ...object.metadata, deletionTimestamp: object.metadata.deletionTimestamp ?? new Date(0).toISOString() } };
}

/** Whether what the informer shows is at least as new as what we wrote. */
function caughtUp(seen: KubeObject, written: KubeObject): boolean {
  if (seen.metadata.uid !== written.metadata.uid) return true;
  if (written.metadata.deletionTimestamp !== undefined && seen.metadata.deletionTimestamp === undefined) return false;
  return Number(seen.metadata.resourceVersion) >= Number(written.metadata.resourceVersion);
}

function controllerUids({ metadata }: KubeObject): string[] {
  return (metadata.ownerReferences ?? []).flatMap(({ controller, uid }) => (controller === true ? [uid] : []));
}
