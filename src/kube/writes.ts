import { describeRef, type KubeObject, type ObjectRef, refOf } from "../api/object.ts";
import { isRecord } from "../lib/json.ts";
import { type DeleteOptions, type Kube, KubeError, type WriteOptions } from "./kube.ts";
import type { ClientParts } from "./parts.ts";
import { collectionPath, objectPath, requireNamespace, withQuery } from "./paths.ts";
import { asObject } from "./reads.ts";
import { isUnknownPath } from "./status.ts";
import type { HttpRequest } from "./transport.ts";

/** The writing half of the client. */
export function writesOf(parts: ClientParts): Pick<Kube, "create" | "apply" | "patch" | "replace" | "delete"> {
  const send = async (ref: ObjectRef, request: HttpRequest, signal: AbortSignal): Promise<KubeObject> => {
    try {
      return asObject(ref, await parts.transport.json(request, signal));
    } catch (error) {
      if (isUnknownPath(error)) parts.discovery.forget(ref.apiVersion);
      throw error;
    }
  };
  return {
    create: async (object, options, signal) => {
      const ref = refOf(object);
      const resource = await parts.resource(ref, signal);
      requireNamespace(resource, ref);
      const path = withQuery(collectionPath(resource, ref.namespace), writeQuery(options));
      return send(ref, { method: "POST", path, body: object, impersonate: options.impersonate }, signal);
    },
    apply: async (object, options, signal) => {
      const ref = refOf(object);
      const { force = true, strict = true, subresource } = options;
      const query = { ...writeQuery(options), force, fieldValidation: strict ? "Strict" : undefined };
      const path = withQuery(objectPath(await parts.resource(ref, signal), ref, subresource), query);
      const contentType = "application/apply-patch+yaml"; // JSON is YAML
      return send(ref, { method: "PATCH", path, contentType, body: withoutServerFields(object), impersonate: options.impersonate }, signal);
    },
    patch: async (ref, mergePatch, options, signal) => {
      const path = withQuery(objectPath(await parts.resource(ref, signal), ref, options.subresource), writeQuery(options));
      return send(
        ref,
        { method: "PATCH", path, contentType: "application/merge-patch+json", body: mergePatch, impersonate: options.impersonate },
        signal,
      );
    },
    replace: async (object, options, signal) => {
      const ref = refOf(object);
      const path = withQuery(objectPath(await parts.resource(ref, signal), ref, options.subresource), writeQuery(options));
      return send(ref, { method: "PUT", path, body: object, impersonate: options.impersonate }, signal);
    },
    delete: (ref, options, signal) => remove(parts, ref, options, signal),
  };
}

function writeQuery({ fieldManager, dryRun }: WriteOptions): Record<string, string | undefined> {
  return { fieldManager, dryRun: dryRun ? "All" : undefined };
}

/** Server-side apply refuses managedFields. */
function withoutServerFields(object: KubeObject): KubeObject {
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}

async function remove(parts: ClientParts, ref: ObjectRef, options: DeleteOptions, signal: AbortSignal): Promise<void> {
  const resource = await parts.discovery.resource(ref, signal);
  if (!resource) return;
  const path = objectPath(resource, ref);
  try {
    await parts.transport.json({ method: "DELETE", path, body: deleteBody(options), impersonate: options.impersonate }, signal);
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    if (error.code === 404) return;
    if (error.code === 409 && options.uid !== undefined && (await isAnother(parts, path, { ref, uid: options.uid, signal }))) return;
    throw error;
  }
}

function deleteBody({ propagation = "Background", uid, resourceVersion, gracePeriodSeconds }: DeleteOptions): object {
  const preconditions = uid === undefined && resourceVersion === undefined ? undefined : { uid, resourceVersion };
  return { apiVersion: "v1", kind: "DeleteOptions", propagationPolicy: propagation, gracePeriodSeconds, preconditions };
}

/** Whether the object at this path is not the one meant: that one is gone already. */
async function isAnother(
  parts: ClientParts,
  path: string,
  { ref, uid, signal }: { ref: ObjectRef; uid: string; signal: AbortSignal },
): Promise<boolean> {
  try {
    const live = await parts.transport.json({ method: "GET", path }, signal);
    return isRecord(live) && isRecord(live["metadata"]) && live["metadata"]["uid"] !== uid;
  } catch (error) {
    if (error instanceof KubeError && error.code === 404) return true;
    throw new Error(`read ${describeRef(ref)} after its deletion was refused`, { cause: error });
  }
}
