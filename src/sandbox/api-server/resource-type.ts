import type { KubeObject } from "../../api/object.ts";
import type { FieldError } from "./api-error.ts";
import type { CompiledRules } from "./cel.ts";
import type { Schema } from "./schema.ts";

/** A cell of a table; `undefined` is shown as an empty cell. */
export type Cell = string | number | boolean | undefined;

/** A column of `kubectl get`. */
export interface Column {
  readonly name: string;
  readonly type: string;
  readonly format?: string | undefined;
  readonly description?: string | undefined;
  /** 1 shows it only with `-o wide`. */
  readonly priority: number;
  cell(object: KubeObject, nowMs: number): Cell;
}

/** Where the scale subresource finds its values, as dotted paths from the root. */
export interface ScalePaths {
  readonly spec: string;
  readonly status: string;
  /** Path of a label selector, as an object or as a string. */
  readonly selector?: string | undefined;
}

/** An object under construction: the only form that is changed in place. */
export interface Draft {
  apiVersion: string;
  kind: string;
  metadata: DraftMeta;
  [field: string]: unknown;
}
/** `metadata` of a {@link Draft}. */
export type DraftMeta = { -readonly [Field in keyof KubeObject["metadata"]]: KubeObject["metadata"][Field] } & {
  generateName?: string;
  deletionGracePeriodSeconds?: number;
};

/** What the generic server must know of one kind of Kubernetes' own beyond its schema. */
export interface Strategy {
  /** Fills in what users see filled in. Runs after the schema's own defaults. */
  defaults?(object: Draft): void;
  /** Sets what only the server may set on a new object, e.g. the first phase. */
  prepareCreate?(object: Draft): void;
  /** Keeps what a write may not change. */
  prepareUpdate?(object: Draft, old: KubeObject): void;
  validate?(object: KubeObject): FieldError[];
  validateUpdate?(object: KubeObject, old: KubeObject): FieldError[];
}

/** Everything the server knows of one version of one kind. */
export interface ResourceType {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly namespaced: boolean;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  /** Schema of the whole object, `metadata` included. */
  readonly schema: Schema;
  /** Name of the published schema, or of the one made from a CRD. */
  readonly definition: string;
  /** Defined by a CRD: pruned and validated by its schema, patched without strategic merge. */
  readonly custom: boolean;
  /** Whether status is a subresource: the main resource and it ignore each other's part. */
  readonly status: boolean;
  /** Whether `metadata.generation` is kept. */
  readonly generation: boolean;
  readonly scale?: ScalePaths | undefined;
  readonly columns: readonly Column[];
  readonly strategy: Strategy;
  /** CEL rules of the CRD. */
  readonly rules?: CompiledRules | undefined;
  /** Kinds that are only posted, never stored: Binding. */
  readonly virtual?: boolean | undefined;
}

/** `apps/v1`, or `v1` for the core group. */
export function groupVersion({ group, version }: { group: string; version: string }): string {
  return group === "" ? version : `${group}/${version}`;
}

/** What the store keeps objects under: all versions of a kind share one place. */
export function storageKey({ group, plural }: { group: string; plural: string }): string {
  return `${plural}.${group}`;
}

/** The types that are served now. CRDs come and go while the server runs. */
export interface Registry {
  all(): readonly ResourceType[];
  find(group: string, version: string, plural: string): ResourceType | undefined;
  /** The type an object says it is. */
  ofKind(apiVersion: string, kind: string): ResourceType | undefined;
  /** Adds or replaces a type. */
  add(type: ResourceType): void;
  remove(type: ResourceType): void;
}

/** An empty registry. */
export function createRegistry(): Registry {
  const types = new Map<string, ResourceType>();
  const key = (group: string, version: string, plural: string): string => `${group}/${version}/${plural}`;
  return {
    all: () => [...types.values()],
    find: (group, version, plural) => types.get(key(group, version, plural)),
    ofKind: (apiVersion, kind) =>
      [...types.values()].find((type) => type.kind === kind && groupVersion(type) === apiVersion && type.virtual !== true),
    add: (type) => void types.set(key(type.group, type.version, type.plural), type),
    remove: (type) => void types.delete(key(type.group, type.version, type.plural)),
  };
}
