import { describeRef, keyOf, type KubeObject, refOf } from "../api/object.ts";
import { differences, formatPath } from "./path.ts";

/** One object that merging would move, against what runs now. */
export interface ObjectChange {
  /** e.g. `Deployment/shop/checkout`. */
  readonly object: string;
  readonly change: "deleted" | "created" | "changed";
  /** Fields that change, for `changed`; a Secret's values are never shown. */
  readonly fields: readonly { readonly path: string; readonly from: string; readonly to: string }[];
}

/** What merging changes in one Sync. */
export interface Impact {
  /** `namespace/name`. */
  readonly sync: string;
  /** Deletions first, then creations, then changes. */
  readonly changes: readonly ObjectChange[];
}

/**
 * What merging would change in the cluster (design rule 5): the objects that run now, with what is held back, against
 * the rendering of the revert's tree. Most often nothing.
 */
export function impactOf(sync: string, now: readonly KubeObject[], merged: readonly KubeObject[]): Impact {
  const before = byIdentity(now);
  const after = byIdentity(merged);
  const deleted = [...before].filter(([id]) => !after.has(id)).map(([, object]) => whole(object, "deleted"));
  const created = [...after].filter(([id]) => !before.has(id)).map(([, object]) => whole(object, "created"));
  const changed = [...after].flatMap(([id, object]) => changeOf(before.get(id), object));
  return { sync, changes: [...deleted, ...created, ...changed] };
}

function byIdentity(objects: readonly KubeObject[]): Map<string, KubeObject> {
  return new Map(objects.map((object) => [`${object.apiVersion} ${object.kind} ${keyOf(object.metadata)}`, object]));
}

function whole(object: KubeObject, change: "deleted" | "created"): ObjectChange {
  return { object: describeRef(refOf(object)), change, fields: [] };
}

function changeOf(before: KubeObject | undefined, after: KubeObject): ObjectChange[] {
  if (!before) return [];
  const found = differences(before, after);
  if (found.length === 0) return [];
  const secret = after.kind === "Secret";
  const fields = found.map((difference) => ({
    path: formatPath(difference.path),
    from: secret ? "(secret)" : shown(difference.before),
    to: secret ? "(secret)" : shown(difference.after),
  }));
  return [{ object: describeRef(refOf(after)), change: "changed", fields }];
}

/** A value in one short line. */
export function shown(value: unknown): string {
  if (value === undefined) return "(none)";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > 120 ? `${text.slice(0, 117)}…` : text;
}
