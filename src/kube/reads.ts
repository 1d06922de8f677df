import { describeRef, type KindRef, type KubeObject, type ObjectRef } from "../api/object.ts";
import { isRecord } from "../lib/json.ts";
import { type Kube, KubeError, type KubeWatch, type ListOptions, type ListPage, type WatchEvent } from "./kube.ts";
import type { ClientParts } from "./parts.ts";
import { collectionPath, objectPath, withQuery } from "./paths.ts";
import { isUnknownPath } from "./status.ts";
import { watchEvents } from "./watch-stream.ts";

/** Objects a page: small enough to parse without holding up the event loop. */
export const pageSize = 500;
/** A list whose pages expire this often is asked for in one piece. */
const maxRestarts = 3;

/** The reading half of the client. */
export function readsOf(parts: ClientParts): Pick<Kube, "find" | "get" | "list"> {
  const find: Kube["find"] = async (ref, signal) => {
    const resource = await parts.discovery.resource(ref, signal);
    if (!resource) return undefined;
    return readObject(parts, ref, objectPath(resource, ref), signal).catch(orMissing);
  };
  return {
    find,
    get: async (ref, signal) => {
      const resource = await parts.resource(ref, signal);
      return readObject(parts, ref, objectPath(resource, ref), signal);
    },
    list: (kind, options, signal) => listAll(watchesOf(parts), kind, options, signal),
  };
}

/** The part of the client that informers use. */
export function watchesOf(parts: ClientParts): KubeWatch {
  return {
    listPage: (kind, options, signal) => listPage(parts, kind, options, signal),
    watch: (kind, options, signal) => watch(parts, kind, options, signal),
  };
}

type Pages = Pick<KubeWatch, "listPage">;
type PageOptions = ListOptions & { limit: number; continue?: string | undefined };

/** Every object of a list, page by page; starts again when the pages expire in between. */
async function listAll(kube: Pages, kind: KindRef, options: ListOptions, signal: AbortSignal): Promise<KubeObject[]> {
  for (let restarts = 0; ; restarts++) {
    try {
      return (await listPages(kube, kind, { ...options, limit: restarts < maxRestarts ? pageSize : 0 }, signal)).items;
    } catch (error) {
      if (!(error instanceof KubeError && error.code === 410) || restarts >= maxRestarts) throw error;
    }
  }
}

/** All pages from here on, as one. KubeError 410 when they expire in between. */
export async function listPages(kube: Pages, kind: KindRef, options: PageOptions, signal: AbortSignal): Promise<ListPage> {
  let next = await kube.listPage(kind, options, signal);
  const pages = [next.items];
  while (next.continue) {
    next = await kube.listPage(kind, { ...options, continue: next.continue }, signal);
    pages.push(next.items);
  }
  return { items: pages.flat(), resourceVersion: next.resourceVersion };
}

async function listPage(parts: ClientParts, kind: KindRef, options: PageOptions, signal: AbortSignal): Promise<ListPage> {
  const resource = await parts.resource(kind, signal);
  const { namespace, limit, labelSelector, fieldSelector } = options;
  const path = withQuery(collectionPath(resource, namespace), {
    labelSelector,
    fieldSelector,
    limit: limit || undefined,
    continue: options.continue,
  });
  try {
    return parsePage(kind, path, await parts.transport.json({ method: "GET", path }, signal));
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    if (isUnknownPath(error)) parts.discovery.forget(kind.apiVersion);
    // Huge objects: the same page, in smaller pieces.
    if (error.reason === "ResponseTooLarge" && limit > 1)
      return listPage(parts, kind, { ...options, limit: Math.ceil(limit / 10) }, signal);
    throw error;
  }
}

function parsePage({ apiVersion, kind }: KindRef, path: string, answer: unknown): ListPage {
  const { metadata, items } = isRecord(answer) ? answer : {};
  if (!isRecord(metadata) || typeof metadata["resourceVersion"] !== "string" || !(Array.isArray(items) || items === null)) {
    throw new KubeError(0, "NotKubernetes", `GET ${path}: the answer is no list of ${kind}`);
  }
  const next = metadata["continue"];
  return {
    // The API server leaves these two out of the items of built-in kinds.
    items: (items ?? []).map((item: object) => ({ apiVersion, kind, ...item }) as KubeObject),
    resourceVersion: metadata["resourceVersion"],
    continue: typeof next === "string" && next !== "" ? next : undefined,
  };
}

async function* watch(
  parts: ClientParts,
  kind: KindRef,
  options: ListOptions & { resourceVersion: string; timeoutSeconds: number },
  signal: AbortSignal,
): AsyncGenerator<WatchEvent> {
  const resource = await parts.resource(kind, signal);
  const { namespace, resourceVersion, timeoutSeconds, labelSelector, fieldSelector } = options;
  const path = withQuery(collectionPath(resource, namespace), {
    watch: true, allowWatchBookmarks: true, resourceVersion, timeoutSeconds, labelSelector, fieldSelector,
  });
  try {
    yield* watchEvents(await parts.transport.stream({ method: "GET", path }, signal));
  } catch (error) {
    if (isUnknownPath(error)) parts.discovery.forget(kind.apiVersion);
    throw error;
  }
}

async function readObject(parts: ClientParts, ref: ObjectRef, path: string, signal: AbortSignal): Promise<KubeObject> {
  return asObject(ref, await parts.transport.json({ method: "GET", path }, signal));
}

/** The answer as an object. Throws KubeError for JSON that is none. */
export function asObject(ref: ObjectRef, answer: unknown): KubeObject {
  if (isRecord(answer) && isRecord(answer["metadata"]) && typeof answer["metadata"]["name"] === "string")
    return answer as unknown as KubeObject;
  throw new KubeError(0, "NotKubernetes", `${describeRef(ref)}: the answer is no Kubernetes object`);
}

function orMissing(error: unknown): undefined {
  if (error instanceof KubeError && error.code === 404) return undefined;
  throw error;
}
