import type { KindRef, KubeObject } from "../../src/api/object.ts";
import type { Informer, Informers } from "../../src/kube/kube.ts";
import { silentLogger } from "../../src/lib/log.ts";
import { createStore } from "../../src/kube/store.ts";
import type { MemoryKube } from "./memory-kube.ts";

/** An informer that sees nothing by itself: whoever drives it says when it lists and when the next change arrives. */
export interface DrivenInformer extends Informer {
  /** Changes that were stored and have not arrived; the first list counts as one. */
  behind(): number;
  /** The first list, or one more: everything as it is now, whatever is still on its way. */
  relist(): void;
  /** Lets this many changes arrive, oldest first. */
  deliver(count: number): void;
}

/** Informers of one process on an API server in memory. */
export interface MemoryInformers extends Informers {
  readonly of: (kind: KindRef) => DrivenInformer;
  /** Those that are behind, in the order in which they were first asked for. */
  late(): DrivenInformer[];
}

/** No informers yet. */
export function memoryInformers(kube: MemoryKube): MemoryInformers {
  const all = new Map<string, DrivenInformer>();
  return {
    of: (kind) => {
      const key = `${kind.apiVersion} ${kind.kind}`;
      const informer = all.get(key) ?? startInformer(kube, { apiVersion: kind.apiVersion, kind: kind.kind });
      all.set(key, informer);
      return informer;
    },
    late: () => {
      const late: DrivenInformer[] = [];
      for (const informer of all.values()) if (informer.behind() > 0) late.push(informer);
      return late;
    },
  };
}

function startInformer(kube: MemoryKube, kind: KindRef): DrivenInformer {
  const store = createStore(silentLogger);
  const changes = kube.changes(kind);
  const synced = Promise.withResolvers<void>();
  let listed = false;
  let next = 0;
  return {
    kind,
    get synced() {
      return listed;
    },
    whenSynced: () => synced.promise,
    find: (key) => store.find(key),
    list: () => store.list(),
    addIndex: (name, indexOf) => store.addIndex(name, indexOf),
    byIndex: (name, value) => store.byIndex(name, value),
    onChange: (handler) => store.onChange(handler),
    behind: () => (listed ? changes.length - next : 1),
    relist: () => {
      next = changes.length;
      store.replace(kube.objects(kind).map(slim), undefined);
      listed = true;
      synced.resolve();
    },
    deliver: (count) => {
      for (const { type, object } of changes.slice(next, next + count)) {
        next += 1;
        if (type === "DELETED") store.remove(object);
        else store.put(slim(object));
      }
    },
  };
}

/** As the interface says: of managedFields only the entries of Serin's managers and of people. */
function slim(object: KubeObject): KubeObject {
  const { managedFields, ...metadata } = object.metadata;
  if (managedFields === undefined) return object;
  const kept = managedFields.filter(({ manager = "" }) => /^(?:serin|kubectl|before-first-apply)/.test(manager));
  return { ...object, metadata: kept.length > 0 ? { ...metadata, managedFields: kept } : metadata };
}
