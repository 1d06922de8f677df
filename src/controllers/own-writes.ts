import type { Resource } from "../api/meta.ts";
import { isAsNewAs, keyOf, type ObjectMeta } from "../api/object.ts";
import type { Resources } from "./resources.ts";

interface Stored {
  readonly metadata: ObjectMeta;
}

/**
 * What was written lately, until the watch has caught up with it. For objects that somebody else makes and deletes, so whether one
 * is there at all is the watch's word. What Syncs make themselves is there from the write on, and is known by `createLive`.
 */
export interface OwnWrites<T> {
  /** Remembers what the API server returned for a write. */
  wrote(stored: T): void;
  /** The newer of what the informer knows and what was written. What the informer does not know, or knows as another, counts as it says. */
  newest(key: string, seen: T | undefined): T | undefined;
}

/** Nothing written yet. Keys are those of informers. */
export function createOwnWrites<T extends Stored>(): OwnWrites<T> {
  const written = new Map<string, T>();
  return {
    wrote: (stored) => void written.set(keyOf(stored.metadata), stored),
    newest: (key, seen) => {
      const own = written.get(key);
      if (own && (!seen || seen.metadata.uid !== own.metadata.uid || isAsNewAs(seen, own))) written.delete(key);
      return seen && (written.get(key) ?? seen);
    },
  };
}

/**
 * The same objects, but a status that was written through this is seen at once: `find` gives what the API server returned
 * until the informer has caught up. Without it a run that follows closely would decide on the status before the last one.
 */
export function withOwnWrites<R extends Resource<unknown, unknown>>(resources: Resources<R>): Resources<R> {
  const written = createOwnWrites<R>();
  return {
    informer: resources.informer,
    list: () => resources.list(),
    addIndex: (index, indexOf) => resources.addIndex(index, indexOf),
    byIndex: (index, value) => resources.byIndex(index, value),
    find: (key) => written.newest(key, resources.find(key)),
    patchStatus: async (resource, status, signal) => {
      const stored = await resources.patchStatus(resource, status, signal);
      written.wrote(stored);
      return stored;
    },
  };
}
