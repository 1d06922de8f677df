import { groupOf, type ObjectRef } from "../api/object.ts";
import type { InventoryEntry } from "../api/sync.ts";

/** `namespace_name_group_kind` as Flux writes it; `:` in names becomes `__`. */
export function entryId({ apiVersion, kind, namespace, name }: ObjectRef): string {
  return [namespace ?? "", name.replaceAll(":", "__"), groupOf(apiVersion), kind].join("_");
}

/** The version that belongs to the entry: `v1` of `apps/v1`. */
export function versionOf(apiVersion: string): string {
  return apiVersion.slice(apiVersion.indexOf("/") + 1);
}

const knownRefs = new WeakMap<object, ObjectRef>();

/** The object that an entry names. Throws on an id that Serin did not write. Worked out once: an entry never changes. */
export function refOfEntry(entry: Pick<InventoryEntry, "id" | "v">): ObjectRef {
  const known = knownRefs.get(entry);
  if (known) return known;
  const ref = parseEntry(entry);
  knownRefs.set(entry, ref);
  return ref;
}

function parseEntry({ id, v }: Pick<InventoryEntry, "id" | "v">): ObjectRef {
  // Names may hold single underscores (RBAC), so everything else is cut off from the ends.
  const found = /^([^_]*)_(.+)_([^_]*)_([^_]+)$/.exec(id);
  if (!found) throw new Error(`status.inventory holds "${id}", which is not namespace_name_group_kind`);
  const [, namespace = "", name = "", group = "", kind = ""] = found;
  const apiVersion = group === "" ? v : `${group}/${v}`;
  const ref = { apiVersion, kind, name: name.replaceAll("__", ":") };
  return namespace === "" ? ref : { ...ref, namespace };
}
