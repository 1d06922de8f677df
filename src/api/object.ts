/** Which type of object: group and version as in YAML, and the kind. */
export interface KindRef {
  readonly apiVersion: string;
  readonly kind: string;
}

/** Names one object. `namespace` is missing for cluster-scoped kinds. */
export interface ObjectRef extends KindRef {
  readonly namespace?: string | undefined;
  readonly name: string;
}

/** One entry of `metadata.ownerReferences`. */
interface OwnerReference extends KindRef {
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

/** One entry of `metadata.managedFields`. */
export interface ManagedFields {
  readonly manager?: string;
  readonly operation?: "Apply" | "Update";
  readonly apiVersion?: string;
  readonly time?: string;
  readonly subresource?: string;
  readonly fieldsType?: string;
  readonly fieldsV1?: Record<string, unknown>;
}

/** What every Kubernetes object says of itself. */
export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string | undefined;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  readonly ownerReferences?: readonly OwnerReference[];
  readonly managedFields?: readonly ManagedFields[];
}

/** Any Kubernetes object as raw JSON: fields that we do not know are kept. Never mutated; build a new one. */
export interface KubeObject extends KindRef {
  readonly metadata: ObjectMeta;
  readonly [field: string]: unknown;
}

/** The reference that names this object. */
export function refOf({ apiVersion, kind, metadata: { name, namespace } }: KubeObject): ObjectRef {
  return namespace === undefined ? { apiVersion, kind, name } : { apiVersion, kind, namespace, name };
}

/** `namespace/name`, or `name` when cluster-scoped: the key of queues and caches. */
export function keyOf({ namespace, name }: { namespace?: string | undefined; name: string }): string {
  return namespace === undefined || namespace === "" ? name : `${namespace}/${name}`;
}

/**
 * Whether this is the version of the other, or one of later: what a watch tells of may be older than what a write returned.
 * Versions are opaque by contract, but numbers that grow on every API server there is; what is none counts as old.
 */
export function isAsNewAs(one: { readonly metadata: ObjectMeta }, other: { readonly metadata: ObjectMeta }): boolean {
  return versionOf(one.metadata) >= versionOf(other.metadata);
}

function versionOf({ resourceVersion = "" }: ObjectMeta): bigint {
  return /^[0-9]+$/.test(resourceVersion) ? BigInt(resourceVersion) : -1n;
}

/** The reverse of {@link keyOf}. */
export function parseKey(key: string): { namespace?: string; name: string } {
  const slash = key.indexOf("/");
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** `apps` for `apps/v1`, and the empty string for the core group's `v1`. */
export function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf("/");
  return slash < 0 ? "" : apiVersion.slice(0, slash);
}

/** How messages name an object: `Deployment/shop/checkout`. */
export function describeRef({ kind, namespace, name }: ObjectRef): string {
  return `${kind}/${keyOf({ namespace, name })}`;
}

/** An owner reference by which this object owns and controls others. Throws when the object was never stored. */
export function controllerReference({ apiVersion, kind, metadata: { name, uid } }: KubeObject): OwnerReference {
  if (uid === undefined) throw new Error(`${kind}/${name} has no uid yet`);
  return { apiVersion, kind, name, uid, controller: true, blockOwnerDeletion: true };
}
