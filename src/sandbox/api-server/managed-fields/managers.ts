import { isDeepStrictEqual } from "node:util";
import type { KubeObject, ManagedFields } from "../../../api/object.ts";
import type { Draft } from "../resource-type.ts";
import { encodeFieldSet, type FieldSet, isEmpty, parseFieldSet } from "./field-set.ts";

/** Who writes, and how. */
export interface Writer {
  readonly manager: string;
  readonly operation: "Apply" | "Update";
  readonly apiVersion: string;
  /** Empty for the main resource. */
  readonly subresource: string;
}

/** What one writer owns. */
export interface Owner extends Writer {
  readonly set: FieldSet;
  /** RFC 3339; missing when the writer has never changed a value. */
  readonly time?: string | undefined;
}

/** Whether both are the same manager. An applier stays itself when it applies another version of the kind. */
export function sameWriter(a: Writer, b: Writer): boolean {
  const same = a.manager === b.manager && a.operation === b.operation && a.subresource === b.subresource;
  return same && (a.operation === "Apply" || a.apiVersion === b.apiVersion);
}

/** The owners recorded on an object. */
export function ownersOf(object: KubeObject | undefined): Owner[] {
  return (object?.metadata.managedFields ?? []).map(
    ({ manager = "", operation = "Update", apiVersion = "", subresource = "", time, fieldsV1 }) => ({
      manager,
      operation,
      apiVersion,
      subresource,
      set: parseFieldSet(fieldsV1),
      time,
    }),
  );
}

/** `metadata.managedFields` in the real server's order: appliers first, then by time and name. Owners of nothing are left out. */
export function encodeOwners(owners: readonly Owner[]): ManagedFields[] {
  return owners
    .filter(({ set }) => !isEmpty(set))
    .toSorted(byOperationTimeName)
    .map(({ manager, operation, apiVersion, time, set, subresource }) => ({
      manager,
      operation,
      apiVersion,
      ...(time !== undefined && { time }),
      fieldsType: "FieldsV1",
      fieldsV1: encodeFieldSet(set),
      ...(subresource !== "" && { subresource }),
    }));
}

function byOperationTimeName(a: Owner, b: Owner): number {
  const parts: [string, string][] = [
    [a.operation, b.operation],
    [a.time ?? "", b.time ?? ""],
    [a.manager, b.manager],
    [a.apiVersion, b.apiVersion],
    [a.subresource, b.subresource],
  ];
  for (const [left, right] of parts) if (left !== right) return left < right ? -1 : 1;
  return 0;
}

/** Whether both say the same of ownership, times aside: such a write is not worth a new revision. */
export function sameOwnership(a: KubeObject, b: KubeObject): boolean {
  const timeless = ({ metadata: { managedFields = [] } }: KubeObject): unknown =>
    managedFields.map((entry) => ({ ...entry, time: undefined }));
  return isDeepStrictEqual(timeless(a), timeless(b));
}

/** The object as ownership sees it: without the parts of metadata that nobody owns. */
export function ownable(object: Draft | KubeObject): Record<string, unknown> {
  const {
    name: _n,
    namespace: _ns,
    uid: _u,
    resourceVersion: _r,
    generation: _g,
    creationTimestamp: _c,
    deletionTimestamp: _d,
    managedFields: _m,
    ...metadata
  } = object.metadata;
  const { deletionGracePeriodSeconds: _p, selfLink: _s, ...rest } = metadata as Record<string, unknown>;
  const { apiVersion: _a, kind: _k, ...body } = object;
  return { ...body, metadata: rest };
}
