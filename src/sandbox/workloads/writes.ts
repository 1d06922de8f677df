import type { KubeObject, ObjectRef } from "../../api/object.ts";
import { refOf } from "../../api/object.ts";
import { isRecord, mergePatch } from "../../lib/json.ts";

/** One thing to do to the cluster; what a controller's pure part answers. */
export type Write =
  | { readonly do: "create"; readonly object: KubeObject }
  | { readonly do: "patch"; readonly ref: ObjectRef; readonly patch: object; readonly subresource?: "status" | "scale" }
  | { readonly do: "delete"; readonly ref: ObjectRef; readonly uid: string | undefined };

/** What a controller wants: the writes, and when to look again although nothing changed. */
export interface Plan {
  readonly writes: readonly Write[];
  /** In ms; missing: only when something changes. */
  readonly againAfterMs?: number | undefined;
}

/** The patch that brings an object's status to `status`; none when it says so already. */
export function statusWrites(object: KubeObject, status: object): Write[] {
  const before = isRecord(object["status"]) ? object["status"] : {};
  const patch = changes(before, status);
  return Object.keys(patch).length === 0 ? [] : [{ do: "patch", ref: refOf(object), patch: { status: patch }, subresource: "status" }];
}

/** Only what differs, as a merge patch; `undefined` in `after` removes a field. */
export function changes(before: object, after: object): Record<string, unknown> {
  const old = new Map(Object.entries(before));
  const full = mergePatch(before, after);
  return Object.fromEntries(Object.entries(full).filter(([field, value]) => !same(old.get(field), value)));
}

/** Whether a merge patch's value leaves the field as it is. */
function same(before: unknown, patch: unknown): boolean {
  if (patch === null) return before === undefined || before === null;
  if (isRecord(patch)) return isRecord(before) && Object.entries(patch).every(([field, value]) => same(before[field], value));
  if (Array.isArray(patch)) {
    return Array.isArray(before) && patch.length === before.length && patch.every((value, at) => sameValue(before[at], value));
  }
  return before === patch;
}

function sameValue(a: unknown, b: unknown): boolean {
  if (isRecord(a) && isRecord(b)) {
    const fields = new Set([...Object.keys(a), ...Object.keys(b)]);
    return [...fields].every((field) => sameValue(a[field], b[field]));
  }
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((value, at) => sameValue(value, b[at]));
  return a === b;
}
