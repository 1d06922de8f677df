import type { KubeObject } from "../../api/object.ts";
import { expired } from "./api-error.ts";
import { type ResourceType, storageKey } from "./resource-type.ts";

/** One change of one object. `before` is what it was, for watches whose selector the object leaves. */
export interface StoredEvent {
  readonly revision: number;
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly key: string;
  readonly object: KubeObject;
  readonly before?: KubeObject | undefined;
}

/** Objects and the history of their changes, with one counter of revisions for all kinds. Objects that are in it are never changed. */
export interface Store {
  find(type: ResourceType, namespace: string | undefined, name: string): KubeObject | undefined;
  /** Ordered by namespace and name, as etcd's keys are. */
  list(type: ResourceType, namespace: string | undefined): KubeObject[];
  /** Everything, whatever its kind, for garbage collection. */
  everything(): Iterable<KubeObject>;
  /** Creates or replaces. Returns the object with its new resourceVersion. */
  put(type: ResourceType, object: KubeObject): KubeObject;
  /** Removes it. Returns it with the revision of its removal. */
  remove(type: ResourceType, object: KubeObject): KubeObject;
  revision(): number;
  /** Changes after a revision; throws 410 when the history does not reach back that far. */
  since(type: ResourceType, revision: number): StoredEvent[];
  /** Calls the listener for every change from now on. Returns the way to stop. */
  subscribe(listener: (event: StoredEvent) => void): () => void;
  /** Forgets the history, as etcd's compaction does. */
  compact(): void;
}

/** The changes that are remembered, and who listens to new ones. */
interface History {
  record(event: StoredEvent): void;
  since(key: string, revision: number): StoredEvent[];
  subscribe(listener: (event: StoredEvent) => void): () => void;
  /** Forgets everything up to this revision. */
  forget(revision: number): void;
}

function createHistory(limit: number): History {
  const listeners = new Set<(event: StoredEvent) => void>();
  let events: StoredEvent[] = [];
  let forgotten = 1;
  return {
    record: (event) => {
      events.push(event);
      if (events.length > limit * 2) {
        forgotten = events[limit - 1]?.revision ?? forgotten;
        events = events.slice(limit);
      }
      for (const listener of listeners) listener(event);
    },
    since: (key, revision) => {
      if (revision < forgotten) throw expired(`too old resource version: ${revision} (${forgotten})`);
      return events.filter((event) => event.key === key && event.revision > revision);
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    forget: (revision) => {
      events = [];
      forgotten = revision;
    },
  };
}

/** @param historyLimit how many changes are remembered for watches that resume */
export function createStore(historyLimit: number): Store {
  const kinds = new Map<string, Map<string, KubeObject>>();
  const history = createHistory(historyLimit);
  // Not 1, so that nobody takes revisions for positions.
  let counter = 1000;

  const objectsOf = (key: string): Map<string, KubeObject> => {
    const found = kinds.get(key) ?? new Map<string, KubeObject>();
    kinds.set(key, found);
    return found;
  };
  const stamped = (object: KubeObject): KubeObject => {
    counter += 1;
    return { ...object, metadata: { ...object.metadata, resourceVersion: String(counter) } };
  };

  return {
    find: (type, namespace, name) => objectsOf(storageKey(type)).get(path(namespace, name)),
    list: (type, namespace) => {
      const found = [...objectsOf(storageKey(type)).entries()].filter(
        ([, object]) => namespace === undefined || object.metadata.namespace === namespace,
      );
      return found.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object);
    },
    *everything() {
      for (const objects of kinds.values()) yield* objects.values();
    },
    put: (type, object) => {
      const key = storageKey(type);
      const objects = objectsOf(key);
      const at = path(object.metadata.namespace, object.metadata.name);
      const before = objects.get(at);
      const next = stamped(object);
      objects.set(at, next);
      history.record({ revision: counter, type: before === undefined ? "ADDED" : "MODIFIED", key, object: next, before });
      return next;
    },
    remove: (type, object) => {
      const key = storageKey(type);
      const at = path(object.metadata.namespace, object.metadata.name);
      const before = objectsOf(key).get(at);
      objectsOf(key).delete(at);
      const last = stamped(object);
      history.record({ revision: counter, type: "DELETED", key, object: last, before });
      return last;
    },
    revision: () => counter,
    since: (type, revision) => history.since(storageKey(type), revision),
    subscribe: (listener) => history.subscribe(listener),
    compact: () => history.forget(counter),
  };
}

function path(namespace: string | undefined, name: string): string {
  return namespace === undefined || namespace === "" ? name : `${namespace}/${name}`;
}
