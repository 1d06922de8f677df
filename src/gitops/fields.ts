import type { KubeObject, ManagedFields } from "../api/object.ts";
import { isRecord, sameJson } from "../lib/json.ts";

/** A set of fields as `metadata.managedFields[].fieldsV1` writes it. */
export type FieldSet = Readonly<Record<string, unknown>>;

/** The fields below one step, or `undefined` when the set has none of them. */
export function child(set: FieldSet, step: string): FieldSet | undefined {
  const found = set[step];
  return isRecord(found) ? found : undefined;
}

/** Whether the set ends here: the whole value belongs to it. */
export function isLeaf(set: FieldSet): boolean {
  return Object.keys(set).every((step) => step === ".");
}

/** The set of fields of one item of a list, by its keys or its value; `undefined` when the item is not in the set. */
export function itemFields(set: FieldSet, item: unknown): FieldSet | undefined {
  const step = Object.keys(set).find((candidate) => selects(candidate, item));
  return step === undefined ? undefined : child(set, step);
}

/** Whether a step such as `k:{"name":"app"}` or `v:"x"` selects this item of a list. */
export function selects(step: string, item: unknown): boolean {
  if (step.startsWith("v:")) return sameJson(parse(step.slice(2)), item);
  if (!step.startsWith("k:") || !isRecord(item)) return false;
  const keys = parse(step.slice(2));
  // A key that the manifest leaves out was filled in by the API server's default, e.g. a port's protocol.
  return isRecord(keys) && Object.entries(keys).every(([key, value]) => item[key] === undefined || sameJson(item[key], value));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What a manager owns of an object, its status and scale left out. One set per API version it was written in. */
export function ownedBy(object: KubeObject, owns: (entry: ManagedFields) => boolean): FieldSet[] {
  const entries = object.metadata.managedFields ?? [];
  return entries.flatMap((entry) => (!entry.subresource && entry.fieldsV1 !== undefined && owns(entry) ? [entry.fieldsV1] : []));
}

/** Whether the manager owns the field at these steps, e.g. `["f:spec", "f:replicas"]`, or anything below it. */
export function owns(object: KubeObject, manager: string, steps: readonly string[]): boolean {
  const sets = ownedBy(object, (entry) => entry.manager === manager);
  return sets.some(
    (set) => steps.reduce<FieldSet | undefined>((below, step) => (below ? child(below, step) : undefined), set) !== undefined,
  );
}
