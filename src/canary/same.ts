import type { KubeObject } from "../api/object.ts";
import { hashJson, isRecord, sameJson } from "../lib/json.ts";

/** On objects that Serin makes: a hash of what it applied last, so that a field it no longer wants is noticed as well. */
export const appliedAnnotation = "serin.dev/applied";

/** The object with a hash of itself. */
export function stamped(object: KubeObject): KubeObject {
  const annotations = { ...object.metadata.annotations, [appliedAnnotation]: hashJson(object).slice(0, 10) };
  return { ...object, metadata: { ...object.metadata, annotations } };
}

/** Whether the live object has every wanted value; what others added beside is theirs. */
export function sayTheSame(wanted: KubeObject, live: KubeObject): boolean {
  return contains(live, wanted);
}

/** Lists to which others may add entries of their own. */
const shared = new Set(["ownerReferences", "finalizers"]);

function contains(live: unknown, wanted: unknown): boolean {
  if (wanted === undefined) return true;
  if (Array.isArray(wanted))
    return Array.isArray(live) && live.length === wanted.length && wanted.every((item, index) => contains(live[index], item));
  if (!isRecord(wanted)) return sameJson(live, wanted);
  if (!isRecord(live)) return Object.keys(wanted).length === 0 && live === undefined;
  return Object.entries(wanted).every(([field, value]) =>
    shared.has(field) ? containsAll(live[field], value) : contains(live[field], value),
  );
}

function containsAll(live: unknown, wanted: unknown): boolean {
  return Array.isArray(live) && Array.isArray(wanted) && wanted.every((item) => live.some((other) => contains(other, item)));
}

/** Whether `spec.replicas` of the live object belongs to this field manager. */
export function liveReplicasOwned({ metadata }: KubeObject, manager: string): boolean {
  return (metadata.managedFields ?? []).some((entry) => {
    const spec = entry.fieldsV1?.["f:spec"];
    return entry.manager === manager && entry.subresource === undefined && isRecord(spec) && "f:replicas" in spec;
  });
}
