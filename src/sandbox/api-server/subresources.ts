import type { KubeObject } from "../../api/object.ts";
import { ApiError, badRequest, conflict, type FieldError, invalid, invalidValue, noSuchResource } from "./api-error.ts";
import { deleteObject, deleteOptions } from "./deletes.ts";
import { type Cluster, getObject, timestamp, type WriteOptions } from "./objects.ts";
import { patchObject, type PatchRequest, type Place } from "./patch.ts";
import { applyMergePatch } from "./patches/merge-patch.ts";
import { jsonPatch } from "./patches/json-patch.ts";
import { numberAt, recordAt, recordsAt, textAt, valueAt } from "./read-fields.ts";
import { type Draft, groupVersion, type ResourceType } from "./resource-type.ts";
import { selectorText } from "./selectors.ts";
import { storeChanged } from "./writes.ts";

/** The scale subresource of an object. Throws 404 when its kind has none. */
export function scaleOf(type: ResourceType, object: KubeObject): object {
  const { scale } = type;
  if (scale === undefined) throw noSuchResource();
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const selector = scale.selector === undefined ? "" : selectorText(valueAt(object, ...scale.selector.split(".")));
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas: numberAt(object, ...scale.spec.split(".")) },
    status: { replicas: numberAt(object, ...scale.status.split(".")), ...(selector !== "" && { selector }) },
  };
}

/** Changes the number of replicas through the scale subresource. Returns the new Scale. */
export function writeScale(cluster: Cluster, type: ResourceType, place: Place, request: PatchRequest): object {
  const before = getObject(cluster, type, place.namespace, place.name);
  const scale = scaleOf(type, before);
  if (request.contentType.startsWith("application/apply-patch")) return applyScale(cluster, type, place, request);
  const next = nextScale(scale, request);
  const replicas = valueAt(next, "spec", "replicas") ?? 0;
  const resourceVersion = textAt(next, "metadata", "resourceVersion");
  const after = withReplicas(type, structuredClone(before) as Draft, replicas);
  if (resourceVersion !== "") after.metadata.resourceVersion = resourceVersion;
  return scaleOf(type, storeChanged(cluster, type, { before, after }, { ...request.options, subresource: "scale" }));
}

function nextScale(scale: object, { contentType, body }: PatchRequest): unknown {
  if (contentType === "application/json-patch+json") return jsonPatch(scale, body.value);
  if (contentType.includes("merge-patch")) return applyMergePatch(scale, body.value);
  return body.value;
}

function applyScale(cluster: Cluster, type: ResourceType, place: Place, request: PatchRequest): object {
  const config = withReplicas(
    type,
    { apiVersion: groupVersion(type), kind: type.kind, metadata: { name: place.name } },
    numberAt(request.body.value, "spec", "replicas"),
  );
  const written = patchObject(cluster, type, place, {
    ...request,
    body: { value: config, duplicates: [] },
    options: { ...request.options, subresource: "scale" },
  });
  return scaleOf(type, written.object);
}

function withReplicas(type: ResourceType, object: Draft, replicas: unknown): Draft {
  if (typeof replicas !== "number" || replicas < 0) {
    const wrong: FieldError = invalidValue("spec.replicas", replicas, "must be greater than or equal to 0");
    throw invalid({ ...type, kind: "Scale", group: "autoscaling" }, object.metadata.name, [wrong]);
  }
  const path = type.scale?.spec.split(".") ?? [];
  const last = path.at(-1);
  if (last === undefined) throw noSuchResource();
  let node: Record<string, unknown> = object;
  for (const field of path.slice(0, -1)) {
    node[field] ??= {};
    node = recordAt(node, field);
  }
  node[last] = replicas;
  return object;
}

/** Puts a pod on a node, as a scheduler asks for it. Throws 409 when it is on one. */
export function bindPod(cluster: Cluster, type: ResourceType, place: Place, binding: { value: unknown; options: WriteOptions }): object {
  const nodeName = textAt(binding.value, "target", "name");
  if (nodeName === "") throw badRequest("a Binding needs target.name, the node");
  const before = getObject(cluster, type, place.namespace, place.name);
  const bound = textAt(before, "spec", "nodeName");
  if (bound !== "")
    throw conflict({ ...type, plural: "pods/binding" }, place.name, `pod ${place.name} is already assigned to node "${bound}"`);
  if (before.metadata.deletionTimestamp !== undefined)
    throw conflict({ ...type, plural: "pods/binding" }, place.name, `pod ${place.name} is being deleted, cannot be assigned to a host`);
  const scheduled = { type: "PodScheduled", status: "True", lastProbeTime: null, lastTransitionTime: timestamp(cluster.clock.nowMs()) };
  const conditions = recordsAt(before, "status", "conditions").filter((condition) => condition["type"] !== "PodScheduled");
  const after = {
    ...before,
    spec: { ...recordAt(before, "spec"), nodeName },
    status: { ...recordAt(before, "status"), conditions: [...conditions, scheduled] },
  };
  if (!binding.options.dryRun) cluster.store.put(type, after);
  return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 };
}

/** Deletes a pod as `kubectl drain` does. There are no disruption budgets here, so it is always allowed. */
export function evictPod(cluster: Cluster, type: ResourceType, place: Place, body: unknown): object {
  deleteObject(cluster, type, place, deleteOptions(valueAt(body, "deleteOptions"), new URLSearchParams()));
  return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 };
}

/** 501: this server has no logs of the pod. */
export function noLogs(): ApiError {
  return new ApiError(501, "NotImplemented", "this API server keeps no logs of pods");
}
