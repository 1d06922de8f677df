import type { ServerResponse } from "node:http";
import type { KubeObject } from "../../api/object.ts";
import { ApiError, statusOf } from "./api-error.ts";
import { type Cluster, inVersion } from "./objects.ts";
import { groupVersion, type ResourceType, storageKey } from "./resource-type.ts";
import type { Selector } from "./selectors.ts";
import type { StoredEvent } from "./store.ts";

/** What a watch is asked for. */
export interface WatchRequest {
  readonly type: ResourceType;
  readonly namespace: string | undefined;
  readonly selects: Selector;
  /** Empty or `0`: the present state first, then changes. */
  readonly resourceVersion: string;
  readonly bookmarks: boolean;
  /** The present state first, then a bookmark that says so. */
  readonly sendInitialEvents: boolean;
  readonly timeoutMs: number;
  /** The form of the object in each event. */
  shape(object: KubeObject): object;
}

const bookmarkEveryMs = 10_000;

/** Streams changes until the time is up, the client goes or the server closes. An old revision is answered by an ERROR event 410. */
export function serveWatch(cluster: Cluster, request: WatchRequest, response: ServerResponse, closing: AbortSignal): void {
  response.writeHead(200, { "content-type": "application/json", "cache-control": "no-cache, private" });
  response.flushHeaders();
  const send = (type: string, object: object): void => void response.write(`${JSON.stringify({ type, object })}\n`);
  let last = cluster.store.revision();
  const deliver = (event: StoredEvent): void => {
    last = event.revision;
    const change = visible(event, request);
    if (change) send(change.type, request.shape(inVersion(request.type, change.object)));
  };
  try {
    for (const event of backlog(cluster, request)) deliver(event);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    send("ERROR", statusOf(error));
    response.end();
    return;
  }
  last = cluster.store.revision();
  const bookmark = (annotations?: Record<string, string>): void =>
    send("BOOKMARK", request.shape(bookmarkObject(request.type, last, annotations)));
  if (request.sendInitialEvents) bookmark({ "k8s.io/initial-events-end": "true" });
  const key = storageKey(request.type);
  const stop = cluster.store.subscribe((event) => (event.key === key ? deliver(event) : (last = event.revision)));
  keepOpen(cluster, request, { response, closing, stop, bookmark });
}

interface OpenWatch {
  readonly response: ServerResponse;
  readonly closing: AbortSignal;
  stop(): void;
  bookmark(): void;
}

/** Sends bookmarks and ends the stream in time. */
function keepOpen({ clock }: Cluster, { bookmarks, timeoutMs }: WatchRequest, open: OpenWatch): void {
  const { response, closing } = open;
  const ended = new AbortController();
  const end = (): void => {
    if (ended.signal.aborted) return;
    ended.abort();
    open.stop();
    closing.removeEventListener("abort", end);
    response.end();
  };
  response.on("close", end);
  closing.addEventListener("abort", end, { once: true });
  const pulse = async (): Promise<void> => {
    const until = clock.nowMs() + timeoutMs;
    for (let left = timeoutMs; left > 0; left = until - clock.nowMs()) {
      await clock.sleep(Math.min(left, bookmarkEveryMs), ended.signal);
      if (bookmarks) open.bookmark();
    }
    end();
  };
  // Rejects only when the watch has ended.
  pulse().catch(() => undefined);
}

function bookmarkObject(type: ResourceType, revision: number, annotations?: Record<string, string>): KubeObject {
  const metadata = { resourceVersion: String(revision), ...(annotations && { annotations }) };
  return { kind: type.kind, apiVersion: groupVersion(type), metadata: metadata as unknown as KubeObject["metadata"] };
}

/** What the client has missed: everything there is, or the changes since its revision. */
function backlog({ store }: Cluster, { type, namespace, resourceVersion, sendInitialEvents }: WatchRequest): StoredEvent[] {
  const fresh = resourceVersion === "" || resourceVersion === "0" || sendInitialEvents;
  if (!fresh) return store.since(type, Number(resourceVersion));
  const key = storageKey(type);
  return store.list(type, namespace).map((object) => ({ revision: store.revision(), type: "ADDED", key, object }));
}

/** The event as this watch sees it: an object that leaves the selector is deleted for it, one that enters is added. */
function visible(
  { type, object, before }: StoredEvent,
  { namespace, selects }: WatchRequest,
): { type: string; object: KubeObject } | undefined {
  if (namespace !== undefined && object.metadata.namespace !== namespace) return undefined;
  const was = before !== undefined && selects(before);
  const is = selects(object);
  if (type === "DELETED") return was || is ? { type, object } : undefined;
  if (is) return { type: was ? "MODIFIED" : "ADDED", object };
  return was ? { type: "DELETED", object } : undefined;
}
