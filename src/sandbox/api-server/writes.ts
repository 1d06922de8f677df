import { randomInt, randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { KubeObject } from "../../api/object.ts";
import { allocateAddresses } from "./addresses.ts";
import {
  alreadyExists,
  ApiError,
  badRequest,
  conflict,
  type FieldError,
  forbidden,
  forbiddenField,
  invalid,
  invalidValue,
  notFound,
} from "./api-error.ts";
import type { Body } from "./body.ts";
import { decodeObject } from "./decode.ts";
import { sameOwnership, type Writer } from "./managed-fields/managers.ts";
import { trackUpdate } from "./managed-fields/track.ts";
import { type Cluster, getObject, timestamp, type WriteOptions } from "./objects.ts";
import { refuseOverQuota } from "./quota.ts";
import { type Draft, groupVersion, type ResourceType } from "./resource-type.ts";
import { applyDefaults } from "./schema-defaults.ts";
import { errorsOf } from "./validation/object.ts";

/** What a write stored, and what is to be said of it in Warning headers. */
export interface Written {
  readonly object: KubeObject;
  readonly warnings: readonly string[];
  readonly created: boolean;
}

/** Whose fields a write's changes become. */
export function writerOf(type: ResourceType, operation: "Apply" | "Update", { manager, subresource }: WriteOptions): Writer {
  return { manager, operation, apiVersion: groupVersion(type), subresource };
}

/** Creates an object from a request's body. */
export function createObject(
  cluster: Cluster,
  type: ResourceType,
  namespace: string | undefined,
  request: { body: Body; options: WriteOptions },
): Written {
  const { body, options } = request;
  const { object, warnings } = decodeObject(type, body, options.validation);
  if (object.metadata.resourceVersion !== undefined && object.metadata.resourceVersion !== "")
    throw new ApiError(500, "", "resourceVersion should not be set on objects to be created");
  const filled = withDefaults(type, identified(cluster, type, namespace, object));
  trackUpdate({ type, writer: writerOf(type, "Update", options), now: timestamp(cluster.clock.nowMs()) }, undefined, filled);
  return { object: storeNew(cluster, type, filled, options.dryRun), warnings, created: true };
}

const nameAlphabet = "bcdfghjklmnpqrstvwxz2456789";

/** The new object with its name and namespace. */
function identified(cluster: Cluster, type: ResourceType, namespace: string | undefined, object: Draft): Draft {
  const { metadata } = object;
  const said = metadata.namespace ?? "";
  if (said !== "" && namespace !== undefined && said !== namespace)
    throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
  if ((metadata.name ?? "") === "" && metadata.generateName !== undefined) metadata.name = generatedName(metadata.generateName);
  if (namespace !== undefined) metadata.namespace = namespace;
  else delete metadata.namespace;
  // Defaults may speak of it, so it is there before them.
  metadata.uid = randomUUID();
  requireNamespace(cluster, type, object);
  return object;
}

function generatedName(prefix: string): string {
  return prefix + Array.from({ length: 5 }, () => nameAlphabet[randomInt(nameAlphabet.length)] ?? "").join("");
}

/** Throws 404 when the namespace of a new object is not there, 403 when it is on its way out. */
export function requireNamespace({ store, registry }: Cluster, type: ResourceType, { metadata: { namespace, name } }: Draft): void {
  const namespaces = registry.ofKind("v1", "Namespace");
  if (namespace === undefined || namespaces === undefined) return;
  const found = store.find(namespaces, undefined, namespace);
  if (found === undefined) throw notFound(namespaces, namespace);
  if (found.metadata.deletionTimestamp !== undefined)
    throw forbidden(type, name, `unable to create new content in namespace ${namespace} because it is being terminated`);
}

/** The object with everything filled in that users see filled in. */
export function withDefaults(type: ResourceType, object: Draft): Draft {
  const filled = type.custom ? (applyDefaults(object, type.schema) as Draft) : object;
  type.strategy.defaults?.(filled);
  return filled;
}

/** Stores a new object whose ownership is recorded already. Throws 409 when there is one of this name, 422 when it is invalid. */
export function storeNew(cluster: Cluster, type: ResourceType, object: Draft, dryRun: boolean): KubeObject {
  const { metadata } = object;
  if (type.status) {
    delete object["status"];
    // Nobody can set it, but what its schema says for a missing one holds when the object is read again.
    const schema = type.schema.properties?.["status"];
    if (schema?.default !== undefined) object["status"] = applyDefaults(structuredClone(schema.default), schema);
  }
  type.strategy.prepareCreate?.(object);
  metadata.uid ??= randomUUID();
  metadata.creationTimestamp = timestamp(cluster.clock.nowMs());
  if (type.generation) metadata.generation = 1;
  delete metadata.deletionTimestamp;
  delete metadata.deletionGracePeriodSeconds;
  delete metadata.resourceVersion;
  refuseInvalid(type, metadata.name, errorsOf(type, object, undefined));
  const other = cluster.store.find(type, metadata.namespace, metadata.name);
  if (other) throw alreadyExists(type, metadata.name, other.metadata.deletionTimestamp !== undefined);
  allocateAddresses(cluster, type, object);
  refuseOverQuota(cluster, type, object);
  return dryRun ? object : cluster.store.put(type, object);
}

/** Replaces an object (PUT). Throws 409 when it was changed since the client read it. */
export function replaceObject(
  cluster: Cluster,
  type: ResourceType,
  at: { namespace: string | undefined; name: string },
  request: { body: Body; options: WriteOptions },
): Written {
  const { body, options } = request;
  const { object, warnings } = decodeObject(type, body, options.validation);
  if ((object.metadata.name ?? at.name) !== at.name)
    throw badRequest(`the name of the object (${object.metadata.name}) does not match the name on the URL (${at.name})`);
  const before = getObject(cluster, type, at.namespace, at.name);
  if (type.custom && (object.metadata.resourceVersion ?? "") === "") {
    throw invalid({ ...type, kind: type.plural }, at.name, [
      invalidValue("metadata.resourceVersion", 0, "must be specified for an update"),
    ]);
  }
  return { object: storeChanged(cluster, type, { before, after: object }, options), warnings, created: false };
}

/** Before and after a change that is about to be stored. */
export interface Change {
  readonly before: KubeObject;
  readonly after: Draft;
}

/** Stores a change as an ordinary update: defaults, ownership, validation. Returns the stored object, the old one when nothing changed. */
export function storeChanged(cluster: Cluster, type: ResourceType, { before, after }: Change, options: WriteOptions): KubeObject {
  const next = withDefaults(type, onlyPart(type, before, after, options.subresource));
  keepIdentity(type, before, next);
  type.strategy.prepareUpdate?.(next, before);
  trackUpdate({ type, writer: writerOf(type, "Update", options), now: timestamp(cluster.clock.nowMs()) }, before, next);
  return storeTracked(cluster, type, { before, after: next }, options);
}

/** Main resource and status ignore each other's part. */
export function onlyPart(type: ResourceType, before: KubeObject, after: Draft, subresource: string): Draft {
  const { status, ...rest } = after;
  if (subresource === "status") {
    const { managedFields, resourceVersion, uid } = after.metadata;
    const metadata = { ...before.metadata, ...(resourceVersion !== undefined && { resourceVersion }), ...(uid !== undefined && { uid }) };
    const owned = managedFields === undefined ? metadata : { ...metadata, managedFields };
    return { ...structuredClone(before), metadata: owned, status };
  }
  if (!type.status) return after;
  return before["status"] === undefined
    ? (rest as Draft)
    : { ...rest, apiVersion: after.apiVersion, kind: after.kind, metadata: after.metadata, status: before["status"] };
}

/** Puts back what no client may change. Throws 409 for another object's uid or an old revision. */
export function keepIdentity(type: ResourceType, before: KubeObject, after: Draft): void {
  const { metadata } = after;
  const was: Draft["metadata"] = before.metadata;
  if (metadata.uid !== undefined && metadata.uid !== was.uid) {
    throw conflict(type, was.name, `Precondition failed: UID in precondition: ${metadata.uid}, UID in object meta: ${was.uid ?? ""}`);
  }
  if (metadata.resourceVersion !== undefined && metadata.resourceVersion !== "" && metadata.resourceVersion !== was.resourceVersion) {
    throw conflict(type, was.name, "the object has been modified; please apply your changes to the latest version and try again");
  }
  for (const field of [
    "uid",
    "name",
    "namespace",
    "creationTimestamp",
    "generation",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generateName",
    "resourceVersion",
  ] as const) {
    if (was[field] === undefined) delete metadata[field];
    else Object.assign(metadata, { [field]: was[field] });
  }
}

/** Stores a change whose ownership is recorded already. An object that waits for its last finalizer goes when that is removed. */
export function storeTracked(
  cluster: Cluster,
  type: ResourceType,
  { before, after }: Change,
  { dryRun, subresource }: { dryRun: boolean; subresource: string },
): KubeObject {
  refuseInvalid(type, before.metadata.name, [...errorsOf(type, after, before, subresource), ...newFinalizers(before, after)]);
  allocateAddresses(cluster, type, after);
  if (sameContent(before, after)) return before;
  if (type.generation && !isDeepStrictEqual(bodyOf(type, before), bodyOf(type, after)))
    after.metadata.generation = (before.metadata.generation ?? 0) + 1;
  if (dryRun) return after;
  return isDone(after) ? cluster.store.remove(type, after) : cluster.store.put(type, after);
}

function isDone({ metadata }: Draft): boolean {
  return (
    metadata.deletionTimestamp !== undefined && (metadata.finalizers ?? []).length === 0 && (metadata.deletionGracePeriodSeconds ?? 0) === 0
  );
}

function newFinalizers(before: KubeObject, after: Draft): FieldError[] {
  if (before.metadata.deletionTimestamp === undefined) return [];
  const added = (after.metadata.finalizers ?? []).filter((finalizer) => before.metadata.finalizers?.includes(finalizer) !== true);
  return added.length === 0
    ? []
    : [
        forbiddenField(
          "metadata.finalizers",
          `no new finalizers can be added if the object is being deleted, found new finalizers ${JSON.stringify(added)}`,
        ),
      ];
}

function sameContent(before: KubeObject, after: Draft): boolean {
  const content = (object: KubeObject | Draft): unknown => ({ ...object, metadata: { ...object.metadata, managedFields: undefined } });
  return isDeepStrictEqual(content(before), content(after)) && sameOwnership(before, after);
}

/** What a generation counts: all but metadata, and but status where that is a subresource. */
function bodyOf(type: ResourceType, object: KubeObject | Draft): unknown {
  const { metadata: _m, status, ...body } = object;
  return type.status ? body : { ...body, status };
}

function refuseInvalid(type: ResourceType, name: string, errors: readonly FieldError[]): void {
  if (errors.length > 0) throw invalid(type, name ?? "", errors);
}
