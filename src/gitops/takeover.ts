import { managers } from "../api/meta.ts";
import type { KubeObject, ManagedFields } from "../api/object.ts";
import { isRecord } from "../lib/json.ts";
import type { FieldSet } from "./fields.ts";

/**
 * Whether an entry was written by hand. `kubectl rollout restart` is something that a person did, not something that the
 * object is meant to be: undoing it would restart the pods once more.
 */
function isByHand({ manager = "", subresource, fieldsV1 }: ManagedFields): boolean {
  if (subresource || !fieldsV1 || manager === "kubectl-rollout") return false;
  return manager.startsWith("kubectl") || manager === "before-first-apply";
}

/** Whether people own fields of the object that have to become ours, so that what Git does not say goes away. */
export function mustTakeOver({ metadata: { managedFields } }: KubeObject): boolean {
  return managedFields?.some(isByHand) ?? false;
}

/**
 * The managedFields with everything that was written by hand given to Sync: the next apply then removes what Git does not
 * say, as if the object had always been applied by Sync. Entries in another version of the API are dropped.
 */
export function takenOver({ apiVersion, metadata: { managedFields = [] } }: KubeObject, nowMs: number): ManagedFields[] {
  const ours = managedFields.find((entry) => isOurs(entry, apiVersion));
  const byHand = managedFields.filter((entry) => isByHand(entry) && entry.apiVersion === apiVersion);
  const fieldsV1 = byHand.reduce<FieldSet>((set, entry) => union(set, entry.fieldsV1 ?? {}), ours?.fieldsV1 ?? {});
  const entry: ManagedFields = {
    manager: managers.sync,
    operation: "Apply",
    apiVersion,
    time: ours?.time ?? new Date(nowMs).toISOString().replace(/\.\d{3}Z$/, "Z"),
    fieldsType: "FieldsV1",
    fieldsV1: { ...fieldsV1 },
  };
  return [...managedFields.filter((other) => !isByHand(other) && !isOurs(other, apiVersion)), entry];
}

function isOurs({ manager, operation, apiVersion, subresource }: ManagedFields, version: string): boolean {
  return manager === managers.sync && operation === "Apply" && apiVersion === version && !subresource;
}

function union(a: FieldSet, b: FieldSet): FieldSet {
  const merged = new Map(Object.entries(a));
  for (const [step, below] of Object.entries(b)) {
    const before = merged.get(step);
    merged.set(step, isRecord(before) && isRecord(below) ? union(before, below) : below);
  }
  return Object.fromEntries(merged);
}
