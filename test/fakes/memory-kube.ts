import { describeRef, type KindRef, type KubeObject, keyOf, type ObjectRef, refOf } from "../../src/api/object.ts";
import {
  type ApiResource,
  type Kube,
  KubeError,
  type KubeWatch,
  type ListOptions,
  type WatchEvent,
  type WriteOptions,
} from "../../src/kube/kube.ts";
import { isRecord, sameJson } from "../../src/lib/json.ts";

/** An API server in memory, as far as controllers see it: no server-side apply by field, no validation. */
export interface MemoryKube extends Kube, KubeWatch {
  /** Every write that was asked for, e.g. `patch Sync/shop/a status`. */
  readonly writes: string[];
  /** Set to make a call fail: called before each with e.g. `find Sync/shop/a`; what it throws is thrown. */
  before: (call: string) => void | Promise<void>;
}

interface Entry {
  readonly version: number;
  readonly event: WatchEvent & { type: "ADDED" | "MODIFIED" | "DELETED" };
}

interface State {
  readonly resources: readonly ApiResource[];
  readonly objects: Map<string, KubeObject>;
  readonly log: Entry[];
  readonly listeners: Set<() => void>;
  version: number;
}

/** A kind for {@link memoryKube}. */
export function resourceOf(apiVersion: string, kind: string, namespaced = true): ApiResource {
  return { apiVersion, kind, plural: `${kind.toLowerCase()}s`, namespaced, verbs: ["get", "list", "watch"] };
}

/** An empty API server in memory that knows these kinds. */
export function memoryKube(resources: readonly ApiResource[]): MemoryKube {
  const state: State = { resources, objects: new Map(), log: [], listeners: new Set(), version: 0 };
  const kube: MemoryKube = {
    writes: [],
    before: () => {},
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
  const known = (kind: KindRef): void => {
    if (!resourceFor(state, kind)) throw new KubeError(404, "NotFound", `the API server does not know the kind ${kind.kind} of ${kind.apiVersion}`);
  };
  const select = ({ apiVersion, kind }: KindRef, { namespace, labelSelector }: ListOptions): KubeObject[] => {
    known({ apiVersion, kind });
    return [...state.objects.values()].filter(
      (object) =>
        object.apiVersion === apiVersion &&
        object.kind === kind &&
        (namespace === undefined || object.metadata.namespace === namespace) &&
        matches(object, labelSelector),
    );
  };
  return {
    resource: async (kind) => resourceFor(state, kind),
    find: async (ref) => {
      await hook(`find ${describeRef(ref)}`);
      return state.objects.get(idOf(ref));
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
      known(kind);
      let seen = Number(resourceVersion);
      while (!signal.aborted) {
        const news = state.log.filter(({ version }) => version > seen);
        for (const { version, event } of news) {
          seen = version;
          const { object } = event;
          if (
            object.apiVersion === kind.apiVersion &&
            object.kind === kind.kind &&
            (namespace === undefined || object.metadata.namespace === namespace)
          )
            yield event;
        }
        if (news.length === 0) await nextChange(state, signal);
      }
      throw signal.reason;
    },
  };
}

function writesOf(state: State, hook: Hook): Pick<Kube, "create" | "apply" | "patch" | "replace" | "delete"> {
  const patch = async (ref: ObjectRef, change: object, options: WriteOptions): Promise<KubeObject> => {
    await hook(`patch ${describeRef(ref)}${options.subresource ? ` ${options.subresource}` : ""}`);
    const before = current(state, ref);
    return put(state, limited(before, merged(before, change) as KubeObject, options), options);
  };
  return {
    patch,
    create: async (object, options) => {
      await hook(`create ${describeRef(refOf(object))}`);
      if (state.objects.has(idOf(refOf(object)))) throw new KubeError(409, "AlreadyExists", `${describeRef(refOf(object))} exists already`);
      return put(state, object, options);
    },
    apply: async (object, options) => {
      await hook(`apply ${describeRef(refOf(object))}`);
      const before = state.objects.get(idOf(refOf(object)));
      return put(state, before ? (merged(before, object) as KubeObject) : object, options);
    },
    replace: async (object, options) => {
      await hook(`replace ${describeRef(refOf(object))}`);
      return put(state, limited(current(state, refOf(object)), object, options), options);
    },
    delete: async (ref, { uid }) => {
      await hook(`delete ${describeRef(ref)}`);
      const live = state.objects.get(idOf(ref));
      if (!live || (uid !== undefined && live.metadata.uid !== uid)) return;
      const deletionTimestamp = live.metadata.deletionTimestamp ?? new Date(0).toISOString();
      if (live.metadata.finalizers?.length)
        return void put(state, { ...live, metadata: { ...live.metadata, deletionTimestamp } }, { fieldManager: "" });
      drop(state, live);
    },
  };
}

/** Stores the object, guarded by its resource version if it has one. */
function put(state: State, object: KubeObject, { dryRun }: WriteOptions): KubeObject {
  const ref = refOf(object);
  const before = state.objects.get(idOf(ref));
  check(state, object, before);
  const next = completed(object, before, state.version);
  if (dryRun || (before && sameJson(before, next))) return next;
  if (next.metadata.deletionTimestamp !== undefined && !next.metadata.finalizers?.length) return drop(state, next);
  const version = ++state.version;
  const stored: KubeObject = { ...next, metadata: { ...next.metadata, resourceVersion: String(version) } };
  state.objects.set(idOf(ref), stored);
  record(state, { version, event: { type: before ? "MODIFIED" : "ADDED", object: stored } });
  return stored;
}

/** Throws for an unknown kind and for a stale version. */
function check(
  state: State,
  { apiVersion, kind, metadata: { name, namespace, resourceVersion } }: KubeObject,
  before: KubeObject | undefined,
): void {
  if (!resourceFor(state, { apiVersion, kind }))
    throw new KubeError(404, "NotFound", `the API server does not know the kind ${kind} of ${apiVersion}`);
  if (!before || resourceVersion === undefined || resourceVersion === before.metadata.resourceVersion) return;
  const which = describeRef({ apiVersion, kind, namespace, name });
  throw new KubeError(409, "Conflict", `${which}: the object has been modified; please apply your changes to the latest version and try again`);
}

/** With what the server alone decides. */
function completed(object: KubeObject, before: KubeObject | undefined, version: number): KubeObject {
  const { uid = `uid-${version + 1}`, generation = 0, resourceVersion = "" } = before?.metadata ?? {};
  const edited = !before || !sameJson(before["spec"], object["spec"]);
  return { ...object, metadata: { ...object.metadata, uid, generation: edited ? generation + 1 : generation, resourceVersion } };
}

function drop(state: State, object: KubeObject): KubeObject {
  const version = ++state.version;
  state.objects.delete(idOf(refOf(object)));
  record(state, {
    version,
    event: { type: "DELETED", object: { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } } },
  });
  return object;
}

function record(state: State, entry: Entry): void {
  state.log.push(entry);
  for (const listener of state.listeners) listener();
}

/** A write of the status changes nothing else, and any other write no status. */
function limited(before: KubeObject, after: KubeObject, { subresource }: WriteOptions): KubeObject {
  const { resourceVersion } = after.metadata;
  if (subresource === "status") {
    const metadata = { ...before.metadata, ...(resourceVersion === undefined ? {} : { resourceVersion }) };
    return { ...before, metadata, status: after["status"] };
  }
  return before["status"] === undefined ? after : { ...after, status: before["status"] };
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
  const object = state.objects.get(idOf(ref));
  if (!object) throw new KubeError(404, "NotFound", `${describeRef(ref)} not found`);
  return object;
}

function matches({ metadata }: KubeObject, selector: string | undefined): boolean {
  return (selector ?? "").split(",").filter((term) => term !== "").every((term) => {
    const [label = "", value] = term.split("=");
    return metadata.labels?.[label] === value;
  });
}

function resourceFor({ resources }: State, { apiVersion, kind }: KindRef): ApiResource | undefined {
  return resources.find((resource) => resource.apiVersion === apiVersion && resource.kind === kind);
}

function idOf({ apiVersion, kind, namespace, name }: ObjectRef): string {
  return `${apiVersion} ${kind} ${keyOf({ namespace, name })}`;
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
