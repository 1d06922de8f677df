import type { IncomingMessage } from "node:http";
import type { KubeObject } from "../../api/object.ts";
import { methodNotAllowed, noSuchResource } from "./api-error.ts";
import { type Body, parseBody, readText } from "./body.ts";
import { deleteObject, deleteOptions } from "./deletes.ts";
import { type Cluster, getObject, listObjects, type Page } from "./objects.ts";
import { patchObject, type PatchRequest, type Place } from "./patch.ts";
import { answerForm, type Target, writeOptions } from "./request.ts";
import { groupVersion, type ResourceType } from "./resource-type.ts";
import { requestSelector } from "./selectors.ts";
import { bindPod, evictPod, noLogs, scaleOf, writeScale } from "./subresources.ts";
import { metadataOf, tableOf } from "./tables.ts";
import { createObject, replaceObject, type Written } from "./writes.ts";

/** An answer that is complete: everything but a watch. */
export interface Answer {
  readonly code: number;
  /** Text is sent as it is, anything else as JSON. */
  readonly body: object | string;
  readonly warnings?: readonly string[];
}

/** A request with all that belongs to it. */
export interface Call {
  readonly cluster: Cluster;
  readonly target: Target;
  readonly request: IncomingMessage;
  readonly query: URLSearchParams;
  /** Logs of a pod, when the sandbox has them. */
  readonly podLog: PodLog | undefined;
}

/** Finds the log of a pod's container; `undefined` when there is none. */
export type PodLog = (pod: {
  namespace: string;
  name: string;
  container: string | undefined;
  tailLines: number | undefined;
}) => string | undefined;

/** Answers every request about objects but a watch. */
export async function answer(call: Call): Promise<Answer> {
  const { target } = call;
  if (target.verb === "list") return list(call);
  if (target.verb === "get") return get(call);
  const contentType = (call.request.headers["content-type"] ?? "application/json").split(";")[0] ?? "";
  const body = parseBody(await readText(call.request), contentType);
  if (target.verb === "delete") return remove(call, body);
  if (target.verb === "deletecollection") return removeAll(call, body);
  return write(call, body, contentType);
}

function placeOf({ target }: Call): Place {
  const { namespace, name } = target;
  if (name === undefined || (namespace === undefined) === target.type.namespaced) throw methodNotAllowed();
  return { namespace, name };
}

function list(call: Call): Answer {
  const { cluster, target, query, request } = call;
  const page = listObjects(cluster, target.type, {
    namespace: target.namespace,
    selects: requestSelector(query, target.type),
    limit: Number(query.get("limit") ?? 0),
    token: query.get("continue") ?? "",
  });
  const metadata = {
    resourceVersion: page.resourceVersion,
    ...(page.continue !== undefined && { continue: page.continue, remainingItemCount: page.remaining }),
  };
  const { as } = answerForm(request.headers.accept);
  if (as === "table") return { code: 200, body: tableOf(target.type, page.items, tableOptions(call, metadata)) };
  if (as === "metadata")
    return {
      code: 200,
      body: { kind: "PartialObjectMetadataList", apiVersion: "meta.k8s.io/v1", metadata, items: page.items.map(metadataOf) },
    };
  return { code: 200, body: objectList(target.type, page, metadata) };
}

/** Items of built-in kinds do not repeat their kind, as in the real server. */
function objectList(type: ResourceType, { items }: Page, metadata: object): object {
  const listed = type.custom ? items : items.map(({ apiVersion: _a, kind: _k, ...rest }) => rest);
  return { kind: `${type.kind}List`, apiVersion: groupVersion(type), metadata, items: listed };
}

function tableOptions({ cluster, query }: Call, metadata: object): Parameters<typeof tableOf>[2] {
  return { metadata, includeObject: query.get("includeObject") ?? "Metadata", nowMs: cluster.clock.nowMs(), headers: true };
}

function get(call: Call): Answer {
  const { cluster, target } = call;
  const place = placeOf(call);
  const object = getObject(cluster, target.type, place.namespace, place.name);
  switch (target.subresource) {
    case "":
      return shaped(call, 200, object);
    case "status":
      if (!target.type.status) throw noSuchResource();
      return shaped(call, 200, object);
    case "scale":
      return { code: 200, body: scaleOf(target.type, object) };
    case "log":
      return log(call, place);
    default:
      throw noSuchResource();
  }
}

function log({ podLog, query, target }: Call, { namespace = "", name }: Place): Answer {
  if (target.type.kind !== "Pod") throw noSuchResource();
  const lines = query.get("tailLines");
  const text = podLog?.({
    namespace,
    name,
    container: query.get("container") ?? undefined,
    tailLines: lines === null ? undefined : Number(lines),
  });
  if (text === undefined) throw noLogs();
  return { code: 200, body: text };
}

/** The object in the form that the client asked for. */
function shaped(call: Call, code: number, object: KubeObject, warnings: readonly string[] = []): Answer {
  const { as } = answerForm(call.request.headers.accept);
  if (as === "table")
    return {
      code,
      warnings,
      body: tableOf(call.target.type, [object], tableOptions(call, { resourceVersion: object.metadata.resourceVersion })),
    };
  return { code, warnings, body: as === "metadata" ? metadataOf(object) : object };
}

function stored(call: Call, { object, created, warnings }: Written): Answer {
  return shaped(call, created ? 201 : 200, object, warnings);
}

function write(call: Call, body: Body, contentType: string): Answer {
  const { cluster, target, query, request } = call;
  const { type, verb, subresource } = target;
  const options = writeOptions(request, query, subresource);
  if (verb === "create") return create(call, body, options);
  const place = placeOf(call);
  const patch: PatchRequest = { body, contentType, force: query.get("force") === "true" || query.get("force") === "1", options };
  if (subresource === "scale") return { code: 200, body: writeScale(cluster, type, place, patch) };
  if (subresource !== "" && !(subresource === "status" && type.status)) throw noSuchResource();
  if (verb === "update") return stored(call, replaceObject(cluster, type, place, { body, options }));
  return stored(call, patchObject(cluster, type, place, patch));
}

function create(call: Call, body: Body, options: ReturnType<typeof writeOptions>): Answer {
  const { cluster, target } = call;
  const { type, subresource, namespace, name } = target;
  if (type.virtual === true) return bindByName(call, body, options);
  if (subresource !== "") return createBelow(call, body, options);
  if (name !== undefined || (namespace === undefined && type.namespaced)) throw methodNotAllowed();
  return stored(call, createObject(cluster, type, namespace, { body, options }));
}

function createBelow(call: Call, { value }: Body, options: ReturnType<typeof writeOptions>): Answer {
  const { type, subresource } = call.target;
  const path = `${type.kind}/${subresource}`;
  if (path === "Pod/binding") return { code: 201, body: bindPod(call.cluster, type, placeOf(call), { value, options }) };
  if (path === "Pod/eviction") return { code: 201, body: evictPod(call.cluster, type, placeOf(call), value) };
  throw noSuchResource();
}

function bindByName({ cluster, target }: Call, body: Body, options: ReturnType<typeof writeOptions>): Answer {
  const pods = cluster.registry.ofKind("v1", "Pod");
  const value = body.value as { metadata?: { name?: string } } | undefined;
  if (pods === undefined || value?.metadata?.name === undefined) throw noSuchResource();
  return { code: 201, body: bindPod(cluster, pods, { namespace: target.namespace, name: value.metadata.name }, { value, options }) };
}

function remove(call: Call, body: Body): Answer {
  const { cluster, target, query } = call;
  if (target.subresource !== "") throw noSuchResource();
  const { gone, object } = deleteObject(cluster, target.type, placeOf(call), deleteOptions(body.value, query));
  // Pods answer with themselves even when they are gone at once.
  if (!gone || target.type.kind === "Pod") return shaped(call, 200, object);
  const { name, uid } = object.metadata;
  const group = target.type.group === "" ? {} : { group: target.type.group };
  return {
    code: 200,
    body: { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", details: { name, ...group, kind: target.type.plural, uid } },
  };
}

function removeAll(call: Call, body: Body): Answer {
  const { cluster, target, query } = call;
  const page = listObjects(cluster, target.type, {
    namespace: target.namespace,
    selects: requestSelector(query, target.type),
    limit: 0,
    token: "",
  });
  for (const { metadata } of page.items)
    deleteObject(cluster, target.type, { namespace: metadata.namespace, name: metadata.name }, deleteOptions(body.value, query));
  return { code: 200, body: objectList(target.type, page, { resourceVersion: page.resourceVersion }) };
}
