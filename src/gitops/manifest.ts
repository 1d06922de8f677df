import { names } from "../api/meta.ts";
import type { KubeObject, ObjectMeta } from "../api/object.ts";
import { isRecord } from "../lib/json.ts";

/** Who applies, for the labels on every object. */
export interface Owner {
  readonly name: string;
  readonly namespace: string;
}

/** Fields that only the API server writes; manifests exported from a cluster often have them. */
const serverFields = new Set([
  "uid",
  "resourceVersion",
  "generation",
  "creationTimestamp",
  "deletionTimestamp",
  "managedFields",
  "selfLink",
]);

/** The manifest as it is applied, all but the commit: labelled with its Sync, without what only the API server writes. */
export function prepare(object: KubeObject, owner: Owner): KubeObject {
  const { status: _, ...rest } = withEncodedData(object);
  const kept = Object.fromEntries(Object.entries(object.metadata).filter(([field]) => !serverFields.has(field))) as unknown as ObjectMeta;
  const labels = { ...kept.labels, [names.syncName]: owner.name, [names.syncNamespace]: owner.namespace };
  const { annotations: written = {}, ...others } = kept;
  const { [names.commit]: __, ...annotations } = written;
  const metadata = { ...others, labels, ...(Object.keys(annotations).length > 0 ? { annotations } : {}) };
  return { ...rest, apiVersion: object.apiVersion, kind: object.kind, metadata };
}

/** The manifest with the commit that last changed it. */
export function withCommit(object: KubeObject, commit: string): KubeObject {
  return { ...object, metadata: { ...object.metadata, annotations: { ...object.metadata.annotations, [names.commit]: commit } } };
}

/** Whether the object says that it belongs to this Sync. */
export function belongsTo({ metadata: { labels } }: KubeObject, owner: Owner): boolean {
  return labels?.[names.syncName] === owner.name && labels[names.syncNamespace] === owner.namespace;
}

/**
 * `stringData` is never stored, so nobody could own it: a Secret is applied with `data` alone. With a value that is no text,
 * such as a number without quotes, it stays as it is for the API server to refuse: 0123 and `on` would become other words.
 */
function withEncodedData(object: KubeObject): KubeObject {
  const { stringData, ...rest } = object;
  if (object.kind !== "Secret" || object.apiVersion !== "v1" || !isRecord(stringData)) return object;
  if (!Object.values(stringData).every((value) => typeof value === "string")) return object;
  const encoded = Object.entries(stringData).map(([key, value]) => [key, Buffer.from(String(value), "utf8").toString("base64")]);
  const data = isRecord(rest["data"]) ? rest["data"] : {};
  return {
    ...rest,
    apiVersion: object.apiVersion,
    kind: object.kind,
    metadata: object.metadata,
    data: { ...data, ...Object.fromEntries(encoded) },
  };
}
