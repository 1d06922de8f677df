import type { KindRef, KubeObject, ObjectRef } from "../api/object.ts";

/** The API server refused a request, or answered something that is not its API. */
export class KubeError extends Error {
  /** HTTP status, e.g. 409; 0 when there was no answer. */
  readonly code: number;
  /** `reason` of the Status object, e.g. Conflict, Invalid, NotFound, AlreadyExists, Forbidden. */
  readonly reason: string;
  /** `details.causes` of the Status object: which fields are wrong, or who owns them. */
  readonly causes: readonly StatusCause[];

  constructor(code: number, reason: string, message: string, causes: readonly StatusCause[] = []) {
    super(message);
    this.name = "KubeError";
    this.code = code;
    this.reason = reason;
    this.causes = causes;
  }
}

/** One entry of a Status object's `details.causes`. */
export interface StatusCause {
  readonly reason?: string;
  readonly message?: string;
  readonly field?: string;
}

/** What discovery says of a kind. */
export interface ApiResource extends KindRef {
  readonly plural: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
}

/** One line of a watch. */
export type WatchEvent =
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK"; readonly object: KubeObject }
  | { readonly type: "ERROR"; readonly status: { readonly code?: number; readonly reason?: string; readonly message?: string } };

/** Which objects of a kind are listed. */
export interface ListOptions {
  /** Missing: all namespaces. */
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
}

/** As whom something is written, and to which part of the object. */
export interface WriteOptions {
  readonly fieldManager: string;
  /** Nothing is stored; the answer is what would have been. */
  readonly dryRun?: boolean;
  /** Write as this user, e.g. `system:serviceaccount:shop:deployer`. */
  readonly impersonate?: string | undefined;
  /** `status` or `scale`. */
  readonly subresource?: string | undefined;
}

/** How a server-side apply treats others' fields and unknown ones. */
export interface ApplyOptions extends WriteOptions {
  /** Take fields over from other managers instead of failing with Conflict. Default true. */
  readonly force?: boolean;
  /** Unknown and duplicate fields are errors. Default true. */
  readonly strict?: boolean;
}

/** What goes with an object, how fast, and under which conditions. */
export interface DeleteOptions {
  readonly propagation?: "Background" | "Foreground" | "Orphan";
  /** Time a pod gets to stop; 0 removes it from the API at once, which only its node may ask for. Missing: the pod's own. */
  readonly gracePeriodSeconds?: number | undefined;
  /** Only this very object, not one of the same name made since. */
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly impersonate?: string | undefined;
}

/**
 * The Kubernetes API, raw JSON in and out. Every method retries what is safe to retry (429, 5xx, lost connections)
 * within the signal's life and throws {@link KubeError} for an answer that is final.
 */
export interface Kube {
  /** `undefined`: there is no such object (or no such kind). */
  find(ref: ObjectRef, signal: AbortSignal): Promise<KubeObject | undefined>;
  /** Like `find`, but throws KubeError NotFound. */
  get(ref: ObjectRef, signal: AbortSignal): Promise<KubeObject>;
  /** All pages. An unknown kind throws KubeError NotFound. */
  list(kind: KindRef, options: ListOptions, signal: AbortSignal): Promise<KubeObject[]>;
  create(object: KubeObject, options: WriteOptions, signal: AbortSignal): Promise<KubeObject>;
  /** Server-side apply. Idempotent. Returns the stored object. With `metadata.resourceVersion` a stale one throws KubeError Conflict. */
  apply(object: KubeObject, options: ApplyOptions, signal: AbortSignal): Promise<KubeObject>;
  /** JSON merge patch. With `metadata.resourceVersion` in the patch, a stale one throws KubeError Conflict. */
  patch(ref: ObjectRef, mergePatch: object, options: WriteOptions, signal: AbortSignal): Promise<KubeObject>;
  /** PUT of the whole object; `metadata.resourceVersion` guards it. */
  replace(object: KubeObject, options: WriteOptions, signal: AbortSignal): Promise<KubeObject>;
  /** Idempotent: an object that is gone already is no error. */
  delete(ref: ObjectRef, options: DeleteOptions, signal: AbortSignal): Promise<void>;
  /** `undefined`: the API server does not know this kind (now; a CRD may come). Cached; a miss is asked again. */
  resource(kind: KindRef, signal: AbortSignal): Promise<ApiResource | undefined>;
}

/** One page of a list, for informers. */
export interface ListPage {
  readonly items: KubeObject[];
  readonly resourceVersion: string;
  /** Token of the next page; missing on the last. */
  readonly continue?: string | undefined;
}

/** What an informer needs beside {@link Kube}; the client implements both. */
export interface KubeWatch {
  listPage(kind: KindRef, options: ListOptions & { limit: number; continue?: string | undefined }, signal: AbortSignal): Promise<ListPage>;
  /** Ends when the server ends it; throws KubeError (410 as an ERROR event) or the transport's error. */
  watch(
    kind: KindRef,
    options: ListOptions & { resourceVersion: string; timeoutSeconds: number },
    signal: AbortSignal,
  ): AsyncIterable<WatchEvent>;
}

/** A change that an informer saw. `before` is missing for a new object, `after` for a deleted one. */
export interface Change {
  readonly key: string;
  readonly before?: KubeObject | undefined;
  readonly after?: KubeObject | undefined;
}

/** A local copy of all objects of one kind, kept current by one watch that everybody shares. */
export interface Informer {
  readonly kind: KindRef;
  /** Whether the first list is complete. Before that `find` and `list` do not know everything. */
  readonly synced: boolean;
  /** Resolves when `synced`; rejects when the signal aborts first. */
  whenSynced(signal: AbortSignal): Promise<void>;
  /** @param key `namespace/name`, or `name` when cluster-scoped */
  find(key: string): KubeObject | undefined;
  list(): KubeObject[];
  /** Objects for which `indexOf` returned this value. The index is kept current; define it once, at wiring. */
  addIndex(index: string, indexOf: (object: KubeObject) => string[]): void;
  byIndex(index: string, value: string): KubeObject[];
  /** Calls the handler for every change from now on, and once for every object already known. Returns the way to stop. */
  onChange(handler: (change: Change) => void): () => void;
}

/** All informers of the process: one per kind, started on first use. */
export interface Informers {
  /**
   * The informer of this kind. Of `metadata.managedFields` only the entries of managers whose name starts with `serin` or
   * `kubectl` are kept. Starts watching at once; a kind that the API server does not know (yet) counts as synced and empty,
   * and is asked for again.
   */
  of(kind: KindRef): Informer;
}

/** What a reconciler says when it is done. */
export interface ReconcileResult {
  /** Run again after this time even if nothing changes. Missing: only when something changes. */
  readonly requeueAfterMs?: number | undefined;
}

/**
 * Brings one object's world in line with it. Gets a key, not an event. Throw `StalledError` when a human must act,
 * `WaitingError` when something else must happen first, any other error to be retried with backoff.
 */
export type Reconcile = (key: string, signal: AbortSignal) => Promise<ReconcileResult>;

/** Records what has changed, for `kubectl describe`. Same object, reason and message within minutes are counted, not repeated. */
export interface Events {
  normal(object: KubeObject, reason: string, message: string): void;
  warning(object: KubeObject, reason: string, message: string): void;
}
