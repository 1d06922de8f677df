import { keyOf, type KubeObject } from "../api/object.ts";
import { messageOf } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import { createIndexes } from "./indexes.ts";
import type { Change, Informer } from "./kube.ts";

/** The objects of one kind with their indexes, and who wants to hear of changes. */
export interface Store extends Pick<Informer, "find" | "list" | "addIndex" | "byIndex" | "onChange"> {
  /** Stores the object and tells of it, unless this very version is stored already. */
  put(object: KubeObject): void;
  remove(object: KubeObject): void;
  /** Makes these the only objects of the namespace (missing: of all), telling of every difference. */
  replace(objects: readonly KubeObject[], namespace: string | undefined): void;
}

/** An empty store. A handler or index function that throws is logged; the others are still called. */
export function createStore(log: Logger): Store {
  const objects = new Map<string, KubeObject>();
  const indexes = createIndexes((object, error) => log.error({ object, error: messageOf(error) }, "index function failed"));
  const handlers = new Set<(change: Change) => void>();
  const call = (handler: (change: Change) => void, change: Change): void => {
    try {
      handler(change);
    } catch (error) {
      log.error({ object: change.key, error: messageOf(error) }, "change handler failed");
    }
  };
  const set = (key: string, after: KubeObject | undefined): void => {
    const before = objects.get(key);
    indexes.update(key, before, after);
    if (after) objects.set(key, after);
    else objects.delete(key);
    for (const handler of handlers) call(handler, { key, before, after });
  };
  const put = (object: KubeObject): void => {
    const key = keyOf(object.metadata);
    if (!isSameVersion(objects.get(key), object)) set(key, object);
  };
  return {
    put,
    remove: ({ metadata }) => {
      const key = keyOf(metadata);
      if (objects.has(key)) set(key, undefined);
    },
    replace: (next, namespace) => {
      const kept = new Set(next.map(({ metadata }) => keyOf(metadata)));
      const gone = [...objects].filter(([key, { metadata }]) => !kept.has(key) && belongsTo(metadata.namespace, namespace));
      for (const [key] of gone) set(key, undefined);
      for (const object of next) put(object);
    },
    find: (key) => objects.get(key),
    list: () => [...objects.values()],
    addIndex: (name, indexOf) => indexes.define(name, indexOf, objects),
    byIndex: (name, value) => indexes.keysOf(name, value).flatMap((key) => objects.get(key) ?? []),
    onChange: (handler) => {
      handlers.add(handler);
      for (const [key, after] of objects) call(handler, { key, after });
      return () => {
        handlers.delete(handler);
      };
    },
  };
}

function belongsTo(own: string | undefined, namespace: string | undefined): boolean {
  return namespace === undefined || own === undefined || own === namespace;
}

function isSameVersion(a: KubeObject | undefined, b: KubeObject): boolean {
  return (
    a !== undefined &&
    a.metadata.uid === b.metadata.uid &&
    a.metadata.resourceVersion !== undefined &&
    a.metadata.resourceVersion === b.metadata.resourceVersion
  );
}
