import { randomUUID } from "node:crypto";
import { isRecord } from "../../lib/json.ts";
import { ApiError, badRequest, conflict, invalid, notFound, required } from "./api-error.ts";
import type { Body } from "./body.ts";
import { conform, type Decoded, decodeObject } from "./decode.ts";
import { applyConfiguration, refuseMistyped } from "./managed-fields/track.ts";
import { type Cluster, getObject, timestamp, type WriteOptions } from "./objects.ts";
import { applyMergePatch } from "./patches/merge-patch.ts";
import { jsonPatch } from "./patches/json-patch.ts";
import { strategicMerge } from "./patches/strategic-merge.ts";
import type { Draft, ResourceType } from "./resource-type.ts";
import {
  keepIdentity,
  onlyPart,
  requireNamespace,
  storeChanged,
  storeNew,
  storeTracked,
  withDefaults,
  writerOf,
  type Written,
} from "./writes.ts";
import type { KubeObject } from "../../api/object.ts";

/** Where an object is. */
export interface Place {
  readonly namespace: string | undefined;
  readonly name: string;
}

/** A patch as it came in. */
export interface PatchRequest {
  readonly body: Body;
  /** Without parameters, e.g. `application/merge-patch+json`. */
  readonly contentType: string;
  readonly force: boolean;
  readonly options: WriteOptions;
}

const applyType = "application/apply-patch+yaml";
const patchTypes = ["application/json-patch+json", "application/merge-patch+json"];
const strategicType = "application/strategic-merge-patch+json";

/** Changes an object by any of the four kinds of patch; an apply also creates it. */
export function patchObject(cluster: Cluster, type: ResourceType, place: Place, request: PatchRequest): Written {
  const { contentType } = request;
  if (contentType === applyType) return applyObject(cluster, type, place, request);
  const allowed = type.custom ? patchTypes : [...patchTypes, strategicType];
  if (!allowed.includes(contentType)) throw unsupportedPatch(type, contentType);
  const before = getObject(cluster, type, place.namespace, place.name);
  const patched = patchedValue(type, before, request);
  if (!isRecord(patched)) throw badRequest("the patch does not leave an object");
  const { object, warnings } = decodePatched(type, patched, request);
  return { object: storeChanged(cluster, type, { before, after: object }, request.options), warnings, created: false };
}

function unsupportedPatch(type: ResourceType, contentType: string): ApiError {
  if (![...patchTypes, strategicType].includes(contentType))
    return new ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {});
  return new ApiError(
    415,
    "UnsupportedMediaType",
    `the body of the request was in an unknown format - accepted media types include: ${[...patchTypes, ...(type.custom ? [] : [strategicType]), applyType].join(", ")}`,
  );
}

function patchedValue(type: ResourceType, before: KubeObject, { body, contentType }: PatchRequest): unknown {
  if (contentType === "application/json-patch+json") return jsonPatch(before, body.value);
  if (contentType === strategicType) return strategicMerge(before, body.value, type.schema);
  return applyMergePatch(before, body.value);
}

function decodePatched(type: ResourceType, patched: Record<string, unknown>, { body, options }: PatchRequest): Decoded {
  return decodeObject(type, { value: structuredClone(patched), duplicates: body.duplicates }, options.validation);
}

/** Server-side apply. */
function applyObject(cluster: Cluster, type: ResourceType, place: Place, { body, force, options }: PatchRequest): Written {
  const config = readConfiguration(type, body, place, options);
  const live = cluster.store.find(type, place.namespace, place.name);
  const context = { type, writer: writerOf(type, "Apply", options), now: timestamp(cluster.clock.nowMs()), force };
  if (live === undefined) refuseCreation(type, place.name, { body, options, uid: config.metadata.uid });
  const { object: merged } = applyConfiguration(context, live, config);
  const object = converted(type, merged);
  if (live === undefined) {
    requireNamespace(cluster, type, object);
    object.metadata.uid = randomUUID();
    return { object: storeNew(cluster, type, withDefaults(type, object), options.dryRun), warnings: [], created: true };
  }
  const next = withDefaults(type, onlyPart(type, live, object, options.subresource));
  if (config.metadata.resourceVersion !== undefined) next.metadata.resourceVersion = config.metadata.resourceVersion;
  if (config.metadata.uid !== undefined) next.metadata.uid = config.metadata.uid;
  keepIdentity(type, live, next);
  type.strategy.prepareUpdate?.(next, live);
  return { object: storeTracked(cluster, type, { before: live, after: next }, options), warnings: [], created: false };
}

/** What may be applied to an object that is there, and not to make one. */
function refuseCreation(
  type: ResourceType,
  name: string,
  { body, options, uid }: Pick<PatchRequest, "body" | "options"> & { uid: string | undefined },
): void {
  if (options.subresource !== "") throw notFound(type, name);
  if (!isNamed(body)) throw badRequest(`the name of the object (${name} based on URL) was undeterminable: name must be provided`);
  if (uid === undefined) return;
  throw conflict(type, name, `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`);
}

/**
 * The merged object without what the schema no longer has; that the configuration fits the schema was checked already. Throws
 * 500, as the real server does, for text that is not of its format.
 */
function converted(type: ResourceType, merged: Draft): Draft {
  try {
    return conform(type, merged, true).object;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const kind = `${type.group}/${type.version}, Kind=${type.kind}`;
    const { namespace = "", name } = merged.metadata;
    const why = error.message.replace(/^.*? cannot be handled as an? \w+: /, "");
    const what = `failed to convert new object (${namespace}/${name}; ${kind}) to proper version`;
    throw new ApiError(500, "", `${what}: unable to convert unstructured object to ${kind}: error decoding from json: ${why}`);
  }
}

function isNamed({ value }: Body): boolean {
  return isRecord(value) && isRecord(value["metadata"]) && typeof value["metadata"]["name"] === "string";
}

function readConfiguration(type: ResourceType, { value, duplicates }: Body, { namespace, name }: Place, options: WriteOptions): Draft {
  if (options.manager === "") {
    const patchOptions = { ...type, kind: "PatchOptions", group: "meta.k8s.io" };
    throw invalid(patchOptions, "", [required("fieldManager", "is required for apply patch")]);
  }
  const [twice] = duplicates;
  if (twice !== undefined && options.validation === "Strict") {
    throw badRequest(
      `error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n  line 1: key ${JSON.stringify(twice.split(".").at(-1))} already set in map`,
    );
  }
  if (!isRecord(value)) throw badRequest("error decoding YAML: expected an object");
  const metadata = isRecord(value["metadata"]) ? value["metadata"] : {};
  if (metadata["managedFields"] !== undefined && !(Array.isArray(metadata["managedFields"]) && metadata["managedFields"].length === 0)) {
    throw badRequest("metadata.managedFields must be nil");
  }
  const { apiVersion, kind } = checkKind(type, value);
  const { managedFields: _, ...own } = metadata;
  refuseMistyped(type, { ...value, apiVersion, kind, metadata: metadata as Draft["metadata"] });
  const place = { name, ...(namespace !== undefined && { namespace }) };
  return { ...structuredClone(value), apiVersion, kind, metadata: { ...structuredClone(own), ...place } };
}

function checkKind(type: ResourceType, { apiVersion, kind }: Record<string, unknown>): { apiVersion: string; kind: string } {
  if (typeof apiVersion !== "string" || typeof kind !== "string") throw badRequest("error decoding YAML: Object 'Kind' is missing");
  conform(type, { apiVersion, kind });
  return { apiVersion, kind };
}
