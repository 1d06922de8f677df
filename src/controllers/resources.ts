import { apiVersion, type Kind, managers, parseObject, type Parsed, type Resource } from "../api/meta.ts";
import { keyOf, type KubeObject, refOf } from "../api/object.ts";
import type { Informer, Informers, Kube } from "../kube/kube.ts";
import { StalledError } from "../lib/errors.ts";
import { mergePatch, sameJson } from "../lib/json.ts";

/** Typed access to the objects of one of our kinds. */
export interface Resources<R> {
  readonly informer: Informer;
  /** `undefined` when there is none. Throws StalledError naming each field when the stored object does not fit the schema. */
  find(key: string): R | undefined;
  /** All that fit the schema. */
  list(): R[];
  /** Defines an index over those that fit the schema. Once, at wiring. */
  addIndex(index: string, indexOf: (resource: R) => string[]): void;
  /** Those for which the index gave this value. Throws when there is no such index. */
  byIndex(index: string, value: string): R[];
  /**
   * Replaces the status, guarded by the resource version: throws KubeError Conflict when the object changed since it was
   * read. An equal status is not written. Returns the object as it is now.
   */
  patchStatus(resource: R, status: object, signal: AbortSignal): Promise<R>;
}

type Of<K extends Kind> = Resource<ReturnType<K["spec"]["parse"]>, ReturnType<K["status"]["parse"]>>;

/** The objects of this kind. */
export function resourcesOf<K extends Kind>(kind: K, { informers, kube }: { informers: Informers; kube: Kube }): Resources<Of<K>> {
  const informer = informers.of({ apiVersion, kind: kind.kind });
  // An object of the shared copy never changes: a new version is a new object.
  const known = new WeakMap<KubeObject, Parsed<Of<K>>>();
  const parse = (object: KubeObject): Parsed<Of<K>> => {
    const before = known.get(object);
    if (before) return before;
    const parsed = parseObject(kind, object) as Parsed<Of<K>>;
    known.set(object, parsed);
    return parsed;
  };
  const fitting = (object: KubeObject): Of<K>[] => {
    const parsed = parse(object);
    return parsed.ok ? [parsed.value] : [];
  };
  return {
    informer,
    find: (key) => {
      const object = informer.find(key);
      if (!object) return undefined;
      const parsed = parse(object);
      if (parsed.ok) return parsed.value;
      const problems = parsed.problems.map(({ path, message }) => `${path}: ${message}`).join("; ");
      throw new StalledError("InvalidSpec", `${kind.kind} ${keyOf(object.metadata)}: ${problems}`);
    },
    list: () => informer.list().flatMap(fitting),
    addIndex: (index, indexOf) => informer.addIndex(index, (object) => fitting(object).flatMap(indexOf)),
    byIndex: (index, value) => informer.byIndex(index, value).flatMap(fitting),
    patchStatus: async (resource, status, signal) => {
      if (sameJson(resource.status, status)) return resource;
      const patch = {
        metadata: { resourceVersion: resource.metadata.resourceVersion },
        status: mergePatch(resource.status as object, status),
      };
      const ref = refOf({ apiVersion: resource.apiVersion, kind: resource.kind, metadata: resource.metadata });
      const stored = await kube.patch(ref, patch, { fieldManager: managers.status, subresource: "status" }, signal);
      const parsed = parse(stored);
      if (!parsed.ok) throw new Error(`status of ${keyOf(resource.metadata)} was stored in a form that does not fit its schema`);
      return parsed.value;
    },
  };
}
