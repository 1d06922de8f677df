import { describeRef, type KindRef, type KubeObject, keyOf, type ObjectRef, refOf } from "../../src/api/object.ts";
import {
  type ApiResource,
  type Kube,
  KubeError,
  type KubeWatch,
  type ListOptions,
  type WriteOptions,
} from "../../src/kube/kube.ts";
import { isRecord } from "../../src/lib/json.ts";
import { applied, sameObject, sameValue, updated, type Writer } from "./field-ownership.ts";

/** One change as it was stored. */
export interface StoredChange {
  readonly version: number;
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly object: KubeObject;
  readonly before: KubeObject | undefined;
  /** Field manager who made it; empty for a deletion. */
  readonly by: string;
}

/** An API server in memory, as far as controllers see it: no schemas, no defaults, no validation, and nobody owns a status. */
export interface MemoryKube extends Kube, KubeWatch {
  /** Every write that was asked for, e.g. `patch Sync/shop/a status`. */
  readonly writes: string[];
  /** The newest version. */
  version(): number;
  /** Every change of objects of this kind, oldest first. */
  changes(kind: KindRef): readonly StoredChange[];
  /** Objects of this kind as they are. */
  objects(kind: KindRef): KubeObject[];
  /** Calls the listener with each change as soon as it is stored. */
  onStored(listener: (change: StoredChange) => void): void;
  /** Another API server that begins as this one is now. */
  fork(nowMs: () => number): MemoryKube;
  /** Set to make a call fail: called before each with e.g. `find Sync/shop/a`; what it throws is thrown. */
  before: (call: string) => void | Promise<void>;
}

/** Objects of one kind, and all that happened to them. */
interface Shelf {
  readonly resource: ApiResource;
  readonly objects: Map<string, KubeObject>;
  readonly log: StoredChange[];
}

interface State {
  readonly shelves: ReadonlyMap<string, Shelf>;
  readonly nowMs: () => number;
  readonly listeners: Set<(change: StoredChange) => void>;
  version: number;
}

/** A kind for {@link memoryKube}. */
export function resourceOf(apiVersion: string, kind: string, namespaced = true): ApiResource {
  return { apiVersion, kind, plural: `${kind.toLowerCase()}s`, namespaced, verbs: ["get", "list", "watch"] };
}

/** An empty API server in memory that knows these kinds. */
export function memoryKube(resources: readonly ApiResource[], nowMs: () => number = () => 0): MemoryKube {
  const shelves = new Map(resources.map((resource) => [kindKey(resource), { resource, objects: new Map(), log: [] }]));
  return kubeOn({ shelves, nowMs, listeners: new Set(), version: 0 });
}

function kubeOn(state: State): MemoryKube {
  const kube: MemoryKube = {
    writes: [],
    before: () => {},
    version: () => state.version,
    changes: (kind) => shelfOf(state, kind).log,
    objects: (kind) => [...shelfOf(state, kind).objects.values()],
    onStored: (listener) => void state.listeners.add(listener),
    fork: (nowMs) => {
      const shelves = [...state.shelves].map(([key, { resource, objects, log }]): [string, Shelf] => [
        key,
        { resource, objects: new Map(objects), log: [...log] },
      ]);
      return kubeOn({ shelves: new Map(shelves), nowMs, listeners: new Set(), version: state.version });
    },
    ...readsOf(state, async (call) => kube.before(call)),
    ...writesOf(state, async (call) => {
      kube.writes.push(call);
      await kube.before(call);
    }),
  };
  return kube;
}

type Hook = (call: string) => Promise<void>;

function readsOf(state: State, hook: Hook): Pick<Kube, "find" | "get" | "list" | "resource"> & KubeWatch {
  const select = (kind: KindRef, { namespace, labelSelector }: ListOptions): KubeObject[] =>
    [...shelfOf(state, kind).objects.values()].filter((object) => isIn(namespace, object) && matches(object, labelSelector));
  return {
    resource: async (kind) => state.shelves.get(kindKey(kind))?.resource,
    find: async (ref) => {
      await hook(`find ${describeRef(ref)}`);
      return state.shelves.get(kindKey(ref))?.objects.get(keyOf(ref));
    },
    get: async (ref) => {
      await hook(`get ${describeRef(ref)}`);
      return current(state, ref);
    },
    list: async (kind, options) => {
      await hook(`list ${kind.kind}`);
      return select(kind, options);
    },
    listPage: async (kind, options) => {
      await hook(`list ${kind.kind}`);
      const items = select(kind, options);
      const from = Number(options.continue ?? 0);
      const to = options.limit > 0 ? from + options.limit : items.length;
      return { items: items.slice(from, to), resourceVersion: String(state.version), continue: to < items.length ? String(to) : undefined };
    },
    async *watch(kind, { namespace, resourceVersion }, signal) {
      const { log } = shelfOf(state, kind);
      let next = log.findIndex(({ version }) => version > Number(resourceVersion));
      if (next < 0) next = log.length;
      while (!signal.aborted) {
        for (let change = log[next]; change; change = log[next]) {
          next += 1;
          if (isIn(namespace, change.object)) yield { type: change.type, object: change.object };
        }
        await nextChange(state, signal);
      }
      throw signal.reason;
    },
  };
}

function writesOf(state: State, hook: Hook): Pick<Kube, "create" | "apply" | "patch" | "replace" | "delete"> {
  const writer = (operation: Writer["operation"], { fieldManager, subresource }: WriteOptions): Writer => ({
    manager: fieldManager,
    operation,
    subresource,
    time: timeOf(state),
  });
  const update = (before: KubeObject | undefined, next: KubeObject, options: WriteOptions): KubeObject =>
    put(state, options.subresource === "status" ? next : updated(before, next, writer("Update", options)), options);
  return {
    patch: async (ref, change, options) => {
      await hook(`patch ${describeRef(ref)}${options.subresource ? ` ${options.subresource}` : ""}`);
      const before = current(state, ref);
      return update(before, limited(before, merged(before, change) as KubeObject, options), options);
    },
    create: async (object, options) => {
      await hook(`create ${describeRef(refOf(object))}`);
      if (shelfOf(state, object).objects.has(keyOf(object.metadata)))
        throw new KubeError(409, "AlreadyExists", `${describeRef(refOf(object))} exists already`);
      return update(undefined, object, options);
    },
    apply: async (object, options) => {
      await hook(`apply ${describeRef(refOf(object))}${options.dryRun ? " dry" : ""}`);
      const before = shelfOf(state, object).objects.get(keyOf(object.metadata));
      refuseOtherUid(before, object);
      return put(state, applied(before, object, writer("Apply", options), options.force ?? true), options);
    },
    replace: async (object, options) => {
      await hook(`replace ${describeRef(refOf(object))}`);
      const before = current(state, refOf(object));
      const { managedFields: _, ...metadata } = object.metadata;
      const owners = before.metadata.managedFields === undefined ? {} : { managedFields: before.metadata.managedFields };
      return update(before, limited(before, { ...object, metadata: { ...metadata, ...owners } }, options), options);
    },
    delete: async (ref, { uid, resourceVersion }) => {
      await hook(`delete ${describeRef(ref)}`);
      const live = state.shelves.get(kindKey(ref))?.objects.get(keyOf(ref));
      if (!live || (uid !== undefined && live.metadata.uid !== uid)) return;
      if (resourceVersion !== undefined && live.metadata.resourceVersion !== resourceVersion) throw stale(ref);
      if (!live.metadata.finalizers?.length) return void drop(state, live);
      const deletionTimestamp = live.metadata.deletionTimestamp ?? timeOf(state);
      put(state, { ...live, metadata: { ...live.metadata, deletionTimestamp } }, { fieldManager: "" });
    },
  };
}

/** Stores the object, guarded by its resource version if it has one. */
function put(state: State, object: KubeObject, { dryRun, fieldManager }: WriteOptions): KubeObject {
  const { objects } = shelfOf(state, object);
  const before = objects.get(keyOf(object.metadata));
  if (before) refuseStale(before, object);
  if (before && sameObject(before, object)) return before;
  const next = completed(state, object, before);
  if (dryRun) return next;
  if (next.metadata.deletionTimestamp !== undefined && !next.metadata.finalizers?.length) return drop(state, next);
  const version = ++state.version;
  const stored: KubeObject = { ...next, metadata: { ...next.metadata, resourceVersion: String(version) } };
  objects.set(keyOf(stored.metadata), stored);
  record(state, { version, type: before ? "MODIFIED" : "ADDED", object: stored, before, by: fieldManager });
  return stored;
}

function refuseStale({ metadata }: KubeObject, next: KubeObject): void {
  const { resourceVersion } = next.metadata;
  if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion) throw stale(refOf(next));
}

function refuseOtherUid(before: KubeObject | undefined, { kind, metadata }: KubeObject): void {
  const { name, uid } = metadata;
  if (uid === undefined || uid === before?.metadata.uid) return;
  throw new KubeError(409, "Conflict", `${kind} ${name}: uid mismatch: ${uid} was asked for, there is ${before?.metadata.uid ?? "no object"}`);
}

function stale(ref: ObjectRef): KubeError {
  const message = "the object has been modified; please apply your changes to the latest version and try again";
  return new KubeError(409, "Conflict", `${describeRef(ref)}: ${message}`);
}

/** With what the server alone decides. */
function completed(state: State, object: KubeObject, before: KubeObject | undefined): KubeObject {
  const fresh = { uid: `uid-${state.version + 1}`, generation: 0, resourceVersion: "", creationTimestamp: timeOf(state) };
  const { uid, generation, resourceVersion, creationTimestamp } = { ...fresh, ...before?.metadata };
  const edited = !before || !sameValue(before["spec"], object["spec"]);
  return {
    ...object,
    metadata: { ...object.metadata, uid, generation: edited ? generation + 1 : generation, resourceVersion, creationTimestamp },
  };
}

function drop(state: State, object: KubeObject): KubeObject {
  const version = ++state.version;
  const { objects } = shelfOf(state, object);
  const before = objects.get(keyOf(object.metadata));
  objects.delete(keyOf(object.metadata));
  const last = { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } };
  record(state, { version, type: "DELETED", object: last, before, by: "" });
  return object;
}

function record(state: State, change: StoredChange): void {
  shelfOf(state, change.object).log.push(change);
  for (const listener of state.listeners) listener(change);
}

/** A write of the status changes nothing else, one to scale only the replicas, and any other write no status. */
function limited(before: KubeObject, after: KubeObject, { subresource }: WriteOptions): KubeObject {
  const { resourceVersion } = after.metadata;
  if (subresource === undefined) return before["status"] === undefined ? after : { ...after, status: before["status"] };
  const metadata = { ...before.metadata, ...(resourceVersion === undefined ? {} : { resourceVersion }) };
  if (subresource === "status") return { ...before, metadata, status: after["status"] };
  const { replicas } = isRecord(after["spec"]) ? after["spec"] : {};
  return { ...before, metadata, spec: { ...(before["spec"] as object), replicas } };
}

function merged(before: unknown, change: unknown): unknown {
  if (!isRecord(change)) return change;
  const result: Record<string, unknown> = isRecord(before) ? { ...before } : {};
  for (const [field, value] of Object.entries(change)) {
    if (value === null) delete result[field];
    else if (value !== undefined) result[field] = merged(result[field], value);
  }
  return result;
}

function current(state: State, ref: ObjectRef): KubeObject {
  const object = state.shelves.get(kindKey(ref))?.objects.get(keyOf(ref));
  if (!object) throw new KubeError(404, "NotFound", `${describeRef(ref)} not found`);
  return object;
}

function isIn(namespace: string | undefined, { metadata }: KubeObject): boolean {
  return namespace === undefined || metadata.namespace === namespace;
}

function matches({ metadata }: KubeObject, selector: string | undefined): boolean {
  return (selector ?? "").split(",").filter((term) => term !== "").every((term) => {
    const [label = "", value] = term.split("=");
    return metadata.labels?.[label] === value;
  });
}

/** Throws for a kind that is not served. */
function shelfOf({ shelves }: State, kind: KindRef): Shelf {
  const shelf = shelves.get(kindKey(kind));
  if (!shelf) throw new KubeError(404, "NotFound", `the API server does not know the kind ${kind.kind} of ${kind.apiVersion}`);
  return shelf;
}

function kindKey({ apiVersion, kind }: KindRef): string {
  return `${apiVersion} ${kind}`;
}

function timeOf({ nowMs }: State): string {
  return new Date(nowMs()).toISOString().replace(/\.\d{3}Z$/, "Z");
}

async function nextChange({ listeners }: State, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => {
      listeners.delete(done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    listeners.add(done);
    signal.addEventListener("abort", done);
  });
}
