import type { KubeObject } from "../api/object.ts";
import { isRecord } from "../lib/json.ts";

/** Whether a kind is namespaced. Objects of kinds that nobody knows yet count as namespaced when they name a namespace. */
export interface Scope {
  readonly namespaced: boolean;
}

/**
 * The object in the namespace where it belongs: the target namespace when the Sync has one, none for cluster-scoped kinds.
 * @param target `undefined` keeps what the manifest says
 */
export function inNamespace(object: KubeObject, { namespaced }: Scope, target: string | undefined): KubeObject {
  const { namespace: written, ...metadata } = object.metadata;
  if (!namespaced) return { ...object, metadata };
  const namespace = target ?? written;
  return { ...object, metadata: namespace === undefined ? metadata : { ...metadata, namespace } };
}

/** With a target namespace, bindings follow the ServiceAccounts that move with them, as kustomize does. */
export function withSubjectsIn(object: KubeObject, target: string | undefined, moved: ReadonlySet<string>): KubeObject {
  if (target === undefined || !/^(?:Cluster)?RoleBinding$/.test(object.kind) || !Array.isArray(object["subjects"])) return object;
  const subjects = object["subjects"].map((subject: unknown) => {
    if (!isRecord(subject) || subject["kind"] !== "ServiceAccount") return subject;
    return subject["name"] === "default" || moved.has(String(subject["name"])) ? { ...subject, namespace: target } : subject;
  });
  return { ...object, subjects };
}

/** Kinds that a set of CustomResourceDefinitions brings, as `group/kind` and whether they are namespaced. */
export function definedScopes(objects: readonly KubeObject[]): Map<string, Scope> {
  const found = objects.flatMap(({ kind, spec }): [string, Scope][] => {
    if (kind !== "CustomResourceDefinition" || !isRecord(spec) || !isRecord(spec["names"])) return [];
    return [[`${String(spec["group"])}/${String(spec["names"]["kind"])}`, { namespaced: spec["scope"] === "Namespaced" }]];
  });
  return new Map(found);
}
