import type { KindRef, KubeObject } from "../api/object.ts";
import { type Clock, systemClock } from "../lib/clock.ts";
import type { Logger } from "../lib/log.ts";
import { orAborted } from "./abort.ts";
import type { Informer, Informers, KubeWatch } from "./kube.ts";
import { runReflector } from "./reflector.ts";
import { createStore, type Store } from "./store.ts";

/** What all informers of a process share. */
interface InformersOptions {
  readonly watch: KubeWatch;
  readonly log: Logger;
  readonly clock?: Clock;
  /** Watch these only, one watch each. Missing: the whole cluster with one watch. */
  readonly namespaces?: readonly string[] | undefined;
  /** Kinds that are watched in the whole cluster all the same: what is looked for is in another namespace, or in none. */
  readonly everywhere?: readonly KindRef[];
  /** Ends all watches. */
  readonly signal: AbortSignal;
  /** A number in [0, 1), for jitter. */
  readonly random?: () => number;
}

/** The informers of this process: one per kind, whoever asks, started on first use. */
export function createInformers(options: InformersOptions): Informers {
  const informers = new Map<string, Informer>();
  return {
    of: ({ apiVersion, kind }) => {
      const key = `${apiVersion} ${kind}`;
      const informer = informers.get(key) ?? startInformer({ apiVersion, kind }, options);
      informers.set(key, informer);
      return informer;
    },
  };
}

function startInformer(kind: KindRef, options: InformersOptions): Informer {
  const { watch, clock = systemClock, signal, random } = options;
  const log = options.log.child({ kind: kind.kind });
  const store = createStore(log);
  const scopes = scopesOf(kind, options);
  const missing = new Set(scopes);
  const allSynced = Promise.withResolvers<void>();
  for (const namespace of scopes) {
    const sink = sinkInto(store, namespace, () => {
      missing.delete(namespace);
      if (missing.size === 0) allSynced.resolve();
    });
    void runReflector({ watch, kind, namespace, clock, log, ...(random ? { random } : {}) }, sink, signal);
  }
  return {
    kind,
    get synced() {
      return missing.size === 0;
    },
    whenSynced: async (waiting) => {
      if (missing.size > 0) await orAborted(allSynced.promise, waiting);
      else waiting.throwIfAborted();
    },
    find: (key) => store.find(key),
    list: () => store.list(),
    addIndex: (index, indexOf) => store.addIndex(index, indexOf),
    byIndex: (index, value) => store.byIndex(index, value),
    onChange: (handler) => store.onChange(handler),
  };
}

/** `undefined`: the whole cluster. */
function scopesOf({ apiVersion, kind }: KindRef, { namespaces, everywhere = [] }: InformersOptions): readonly (string | undefined)[] {
  const isEverywhere = everywhere.some((other) => other.apiVersion === apiVersion && other.kind === kind);
  return namespaces === undefined || isEverywhere ? [undefined] : namespaces;
}

function sinkInto(store: Store, namespace: string | undefined, synced: () => void) {
  return {
    put: (object: KubeObject) => store.put(object),
    remove: (object: KubeObject) => store.remove(object),
    replace: (objects: readonly KubeObject[]) => store.replace(objects, namespace),
    synced,
  };
}
