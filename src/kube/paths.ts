import { describeRef, type KindRef, type ObjectRef } from "../api/object.ts";
import { type ApiResource, KubeError } from "./kube.ts";

/** `/apis/apps/v1/namespaces/shop/deployments`, or without the namespace for all of them and for cluster-scoped kinds. */
export function collectionPath({ apiVersion, plural, namespaced }: ApiResource, namespace: string | undefined): string {
  const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  return namespaced && namespace ? `${root}/namespaces/${encodeURIComponent(namespace)}/${plural}` : `${root}/${plural}`;
}

/** The path of one object. Throws KubeError Invalid when a namespaced object names no namespace. */
export function objectPath(resource: ApiResource, ref: ObjectRef, subresource?: string): string {
  requireNamespace(resource, ref);
  if (ref.name === "") throw new KubeError(422, "Invalid", `${ref.kind}: metadata.name is empty`);
  const path = `${collectionPath(resource, ref.namespace)}/${encodeURIComponent(ref.name)}`;
  return subresource === undefined ? path : `${path}/${subresource}`;
}

/** Throws KubeError Invalid when the kind lives in namespaces and none is given. */
export function requireNamespace({ namespaced }: ApiResource, ref: ObjectRef): void {
  if (namespaced && !ref.namespace) throw new KubeError(422, "Invalid", `${describeRef(ref)}: metadata.namespace is missing, and ${ref.kind} lives in a namespace`);
}

/** The path with those parameters that have a value. */
export function withQuery(path: string, parameters: Record<string, string | number | boolean | undefined>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined && value !== "") query.set(name, String(value));
  const text = query.toString();
  return text === "" ? path : `${path}?${text}`;
}

/** The error for a kind that the API server does not serve. */
export function unknownKind({ apiVersion, kind }: KindRef): KubeError {
  return new KubeError(404, "NotFound", `the API server does not know the kind ${kind} of ${apiVersion}; is its CRD installed?`);
}
