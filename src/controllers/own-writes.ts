import type { Resource } from "../api/meta.ts";
import { keyOf } from "../api/object.ts";
import type { Resources } from "./resources.ts";

/**
 * The same objects, but a status that was written through this is seen at once: `find` gives what the API server returned
 * until the informer has caught up. Without it a run that follows closely would decide on the status before the last one.
 */
export function withOwnWrites<R extends Resource<unknown, unknown>>(resources: Resources<R>): Resources<R> {
  const written = new Map<string, R>();
  return {
    informer: resources.informer,
    list: () => resources.list(),
    addIndex: (index, indexOf) => resources.addIndex(index, indexOf),
    byIndex: (index, value) => resources.byIndex(index, value),
    find: (key) => {
      const seen = resources.find(key);
      const own = written.get(key);
      if (own && (!seen || seen.metadata.uid !== own.metadata.uid || versionOf(seen) >= versionOf(own))) written.delete(key);
      return seen && (written.get(key) ?? seen);
    },
    patchStatus: async (resource, status, signal) => {
      const stored = await resources.patchStatus(resource, status, signal);
      written.set(keyOf(stored.metadata), stored);
      return stored;
    },
  };
}

/** Resource versions are opaque by contract but numbers, which grow, on every API server there is; others count as old. */
function versionOf({ metadata: { resourceVersion = "" } }: Resource<unknown, unknown>): bigint {
  return /^[0-9]+$/.test(resourceVersion) ? BigInt(resourceVersion) : -1n;
}
