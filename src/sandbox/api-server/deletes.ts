import type { KubeObject } from "../../api/object.ts";
import { conflict } from "./api-error.ts";
import { type Cluster, getObject, timestamp } from "./objects.ts";
import type { Place } from "./patch.ts";
import { numberAt, recordAt, textAt, valueAt } from "./read-fields.ts";
import type { DraftMeta, ResourceType } from "./resource-type.ts";

/** Body and parameters of a DELETE. */
export interface DeleteOptions {
  readonly propagation: "Background" | "Foreground" | "Orphan";
  readonly uid: string | undefined;
  readonly resourceVersion: string | undefined;
  readonly gracePeriodSeconds: number | undefined;
  readonly dryRun: boolean;
}

/** A delete with nothing said: what garbage collection and namespace removal use. */
export const plainDelete: DeleteOptions = {
  propagation: "Background",
  uid: undefined,
  resourceVersion: undefined,
  gracePeriodSeconds: undefined,
  dryRun: false,
};

/** The finalizer of an owner that waits for its dependents. */
export const foregroundFinalizer = "foregroundDeletion";

/** What became of the object: gone, or marked and waiting for finalizers, dependents or the node. */
export interface Deleted {
  readonly gone: boolean;
  readonly object: KubeObject;
}

/** Reads DELETE options from the body and the query; the body wins. */
export function deleteOptions(body: unknown, query: URLSearchParams): DeleteOptions {
  const grace = valueAt(body, "gracePeriodSeconds") ?? query.get("gracePeriodSeconds") ?? undefined;
  const dryRun = valueAt(body, "dryRun");
  return {
    propagation: propagationOf(body, query),
    uid: textAt(body, "preconditions", "uid") || undefined,
    resourceVersion: textAt(body, "preconditions", "resourceVersion") || undefined,
    gracePeriodSeconds: grace === undefined ? undefined : Number(grace),
    dryRun: query.get("dryRun") === "All" || (Array.isArray(dryRun) && dryRun.includes("All")),
  };
}

function propagationOf(body: unknown, query: URLSearchParams): DeleteOptions["propagation"] {
  const asked = textAt(body, "propagationPolicy") || query.get("propagationPolicy");
  const orphans = valueAt(body, "orphanDependents") === true || query.get("orphanDependents") === "true";
  if (orphans || asked === "Orphan") return "Orphan";
  return asked === "Foreground" ? "Foreground" : "Background";
}

/** Deletes an object, or marks it when something must happen first. Throws 404, and 409 when a precondition does not hold. */
export function deleteObject(cluster: Cluster, type: ResourceType, { namespace, name }: Place, options: DeleteOptions): Deleted {
  const object = getObject(cluster, type, namespace, name);
  checkPreconditions(type, object, options);
  if (options.propagation === "Orphan" && !options.dryRun) orphanDependents(cluster, object);
  const grace = graceOf(type, object, options.gracePeriodSeconds);
  const finalizers = finalizersOf(type, object, options);
  const waits = grace > 0 || finalizers.length > 0;
  if (options.dryRun) return { gone: !waits, object };
  if (!waits) return { gone: true, object: cluster.store.remove(type, withoutGrace(object)) };
  const marked = mark(cluster, type, object, { grace, finalizers });
  return { gone: false, object: marked };
}

/** What was given time and is deleted at once after all has none left. */
function withoutGrace(object: KubeObject): KubeObject {
  const metadata: DraftMeta = object.metadata;
  return metadata.deletionGracePeriodSeconds === undefined
    ? object
    : { ...object, metadata: { ...metadata, deletionGracePeriodSeconds: 0 } as DraftMeta };
}

function checkPreconditions(type: ResourceType, { metadata }: KubeObject, { uid, resourceVersion }: DeleteOptions): void {
  // These two messages name the kind, not the resource.
  const named = { ...type, plural: type.kind };
  if (uid !== undefined && uid !== metadata.uid) {
    throw conflict(
      named,
      metadata.name,
      `the UID in the precondition (${uid}) does not match the UID in record (${metadata.uid ?? ""}). The object might have been deleted and then recreated`,
    );
  }
  if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion) {
    throw conflict(
      named,
      metadata.name,
      `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${metadata.resourceVersion ?? ""}). The object might have been modified`,
    );
  }
}

/** Only pods are given time: none that never ran or has ended. */
function graceOf(type: ResourceType, object: KubeObject, asked: number | undefined): number {
  if (type.kind !== "Pod" || type.group !== "") return 0;
  const phase = textAt(object, "status", "phase");
  if (textAt(object, "spec", "nodeName") === "" || phase === "Succeeded" || phase === "Failed") return 0;
  return (
    asked ??
    (valueAt(object, "spec", "terminationGracePeriodSeconds") === undefined
      ? 30
      : numberAt(object, "spec", "terminationGracePeriodSeconds"))
  );
}

function finalizersOf(type: ResourceType, object: KubeObject, { propagation }: DeleteOptions): readonly string[] {
  const finalizers = object.metadata.finalizers ?? [];
  const isNamespace = type.kind === "Namespace" && type.group === "";
  if (isNamespace && Array.isArray(recordAt(object, "spec")["finalizers"])) return [...finalizers, "kubernetes"];
  return propagation === "Foreground" && !finalizers.includes(foregroundFinalizer) ? [...finalizers, foregroundFinalizer] : finalizers;
}

function mark(
  cluster: Cluster,
  type: ResourceType,
  object: KubeObject,
  { grace, finalizers }: { grace: number; finalizers: readonly string[] },
): KubeObject {
  const was: DraftMeta = object.metadata;
  const stored = finalizers.filter((finalizer) => finalizer !== "kubernetes");
  const isMarked = was.deletionTimestamp !== undefined;
  if (isMarked && !isMore(was, grace, stored)) return object;
  const next: DraftMeta = { ...was, deletionTimestamp: timestamp(cluster.clock.nowMs() + grace * 1000), deletionGracePeriodSeconds: grace };
  if (stored.length > 0) next.finalizers = stored;
  if (was.generation !== undefined && !isMarked) next.generation = was.generation + 1;
  const isNamespace = type.kind === "Namespace" && type.group === "";
  return cluster.store.put(type, {
    ...object,
    metadata: next,
    ...(isNamespace && { status: { ...recordAt(object, "status"), phase: "Terminating" } }),
  });
}

/** Whether a second delete asks for more than the first: less time, or another finalizer. */
function isMore({ deletionGracePeriodSeconds = 0, finalizers = [] }: DraftMeta, grace: number, stored: readonly string[]): boolean {
  return grace < deletionGracePeriodSeconds || stored.length !== finalizers.length;
}

function orphanDependents({ store, registry }: Cluster, owner: KubeObject): void {
  for (const dependent of Array.from(store.everything())) {
    const references = dependent.metadata.ownerReferences ?? [];
    const left = references.filter(({ uid }) => uid !== owner.metadata.uid);
    const type = registry.ofKind(dependent.apiVersion, dependent.kind);
    if (left.length === references.length || type === undefined) continue;
    const { ownerReferences: _, ...metadata } = dependent.metadata;
    store.put(type, { ...dependent, metadata: left.length > 0 ? { ...metadata, ownerReferences: left } : metadata });
  }
}
