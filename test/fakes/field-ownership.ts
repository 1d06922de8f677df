import type { KubeObject, ManagedFields } from "../../src/api/object.ts";
import { KubeError } from "../../src/kube/kube.ts";
import { isRecord } from "../../src/lib/json.ts";
import { type FieldSet, intersection, isEmpty, itself, minus, pathsOf, union, whole } from "./field-set.ts";

/** Who writes, and to which part of the object. */
export interface Writer {
  readonly manager: string;
  readonly operation: "Apply" | "Update";
  /** Missing: the object itself. */
  readonly subresource?: string | undefined;
  /** RFC 3339, whole seconds. */
  readonly time: string;
}

/** Lists that belong to their writers item by item, and the keys of their items. All others belong to one writer as a whole. */
const keyedLists: Readonly<Record<string, readonly string[]>> = {
  containers: ["name"],
  initContainers: ["name"],
  env: ["name"],
  volumes: ["name"],
  metrics: ["name"],
  conditions: ["type"],
  ownerReferences: ["uid"],
};
/** Ports have keys of their own in Services and in containers. */
const portKeys: readonly (readonly string[])[] = [["port", "protocol"], ["containerPort", "protocol"]];
const keyDefaults: Readonly<Record<string, unknown>> = { protocol: "TCP" };

/** Server-side apply: the config laid over the live object, without what its manager gave up. Throws KubeError Conflict unless forced. */
export function applied(live: KubeObject | undefined, config: KubeObject, writer: Writer, force: boolean): KubeObject {
  const before = live ? bodyOf(live) : {};
  const body = bodyOf(config);
  const mine = fieldsOf(body, "");
  const entries = live?.metadata.managedFields ?? [];
  const others = entries.filter((entry) => !isOf(entry, writer));
  const given = setOf(entries.find((entry) => isOf(entry, writer)));
  const kept = others.map(setOf).reduce(union, mine);
  const merged = without(merge(before, body, ""), minus(given, kept), "");
  const changes = changedFields(before, merged, "");
  if (!force) refuseConflicts(others, changes);
  return owned(config, live, merged, [...yielded(others, changes), entryOf(config, writer, mine)]);
}

/** An ordinary write: what it changed is its manager's from now on, what it removed is nobody's. */
export function updated(live: KubeObject | undefined, next: KubeObject, writer: Writer): KubeObject {
  const entries = live?.metadata.managedFields ?? [];
  // Only an explicit list of owners replaces the one that is there.
  if (live && next.metadata.managedFields !== live.metadata.managedFields) return next;
  const changes = changedFields(live ? bodyOf(live) : {}, bodyOf(next), "");
  if (isEmpty(changes)) return next;
  const others = entries.filter((entry) => !isOf(entry, writer));
  const mine = union(setOf(entries.find((entry) => isOf(entry, writer))), changes);
  const present = intersection(mine, fieldsOf(bodyOf(next), ""));
  return owned(next, next, bodyOf(next), [...yielded(others, changes), entryOf(next, writer, present)]);
}

/** The object as ownership sees it: without identity and what only the server writes. */
function bodyOf(object: KubeObject): Record<string, unknown> {
  const { apiVersion: _, kind: __, metadata, ...body } = object;
  const { labels, annotations, finalizers, ownerReferences } = metadata;
  const said = Object.entries({ labels, annotations, finalizers, ownerReferences }).filter(([, value]) => value !== undefined);
  return said.length > 0 ? { ...body, metadata: Object.fromEntries(said) } : body;
}

function owned(identity: KubeObject, live: KubeObject | undefined, body: Record<string, unknown>, entries: ManagedFields[]): KubeObject {
  const { apiVersion, kind, metadata } = identity;
  const { labels: _, annotations: __, finalizers: ___, ownerReferences: ____, ...head } = live?.metadata ?? metadata;
  const { resourceVersion = head.resourceVersion } = metadata;
  const { metadata: named = {}, ...rest } = body as { metadata?: object };
  const managedFields = entries.filter(({ fieldsV1 = {} }) => !isEmpty(fieldsV1 as FieldSet)).sort(byOperationTimeName);
  return {
    ...rest,
    apiVersion,
    kind,
    metadata: { ...head, ...named, ...(resourceVersion === undefined ? {} : { resourceVersion }), managedFields } as KubeObject["metadata"],
  };
}

function byOperationTimeName(a: ManagedFields, b: ManagedFields): number {
  const text = ({ operation, time, manager, subresource }: ManagedFields): string => `${operation} ${time} ${manager} ${subresource ?? ""}`;
  return text(a) < text(b) ? -1 : 1;
}

function isOf(entry: ManagedFields, { manager, operation, subresource }: Writer): boolean {
  return entry.manager === manager && entry.operation === operation && entry.subresource === subresource;
}

function setOf(entry: ManagedFields | undefined): FieldSet {
  return (entry?.fieldsV1 ?? {}) as FieldSet;
}

function entryOf({ apiVersion }: KubeObject, { manager, operation, subresource, time }: Writer, fields: FieldSet): ManagedFields {
  const part = subresource === undefined ? {} : { subresource };
  return { manager, operation, apiVersion, time, fieldsType: "FieldsV1", fieldsV1: fields as Record<string, unknown>, ...part };
}

function refuseConflicts(others: readonly ManagedFields[], changes: FieldSet): void {
  const conflicts = others.flatMap((entry) => {
    const fields = pathsOf(intersection(setOf(entry), changes), "");
    return fields.map((field) => ({ manager: entry.manager ?? "", field }));
  });
  if (conflicts.length === 0) return;
  const causes = conflicts.map(({ manager, field }) => ({ reason: "FieldManagerConflict", message: `conflict with "${manager}"`, field }));
  throw new KubeError(409, "Conflict", `Apply failed with ${conflicts.length} conflicts`, causes);
}

function yielded(entries: readonly ManagedFields[], changes: FieldSet): ManagedFields[] {
  return entries.map((entry) => ({ ...entry, fieldsV1: minus(setOf(entry), changes) as Record<string, unknown> }));
}

/** The step that names an item of a keyed list; `undefined`: the list is one value. */
function keysOf(field: string, list: readonly unknown[]): readonly string[] | undefined {
  const [first] = list;
  if (!isRecord(first)) return undefined;
  if (field === "ports") return portKeys.find(([key = ""]) => first[key] !== undefined);
  const keys = keyedLists[field];
  return keys?.every((key) => first[key] !== undefined) ? keys : undefined;
}

function stepOf(item: unknown, keys: readonly string[]): string {
  const record = isRecord(item) ? item : {};
  return `k:${JSON.stringify(Object.fromEntries(keys.map((key) => [key, record[key] ?? keyDefaults[key]])))}`;
}

/** All fields that a value sets. */
function fieldsOf(value: unknown, field: string): FieldSet {
  if (isRecord(value)) {
    const set: Record<string, FieldSet> = {};
    for (const [name, inner] of Object.entries(value)) if (inner !== undefined) set[`f:${name}`] = fieldsOf(inner, name);
    return set;
  }
  const keys = Array.isArray(value) ? keysOf(field, value) : undefined;
  if (!keys) return whole;
  return Object.fromEntries((value as unknown[]).map((item) => [stepOf(item, keys), { [itself]: whole, ...fieldsOf(item, "") }]));
}

/** The live value with a config laid over it: its leaves win, the rest stays. */
function merge(live: unknown, config: unknown, field: string): unknown {
  if (isRecord(config)) {
    const merged: Record<string, unknown> = isRecord(live) ? { ...live } : {};
    for (const [name, inner] of Object.entries(config)) if (inner !== undefined) merged[name] = merge(merged[name], inner, name);
    return merged;
  }
  const keys = Array.isArray(config) ? keysOf(field, config) : undefined;
  if (!keys || !Array.isArray(config) || !Array.isArray(live)) return config;
  const old = new Map(live.map((item: unknown) => [stepOf(item, keys), item]));
  const fresh = config.map((item: unknown) => {
    const step = stepOf(item, keys);
    const was = old.get(step);
    old.delete(step);
    return was === undefined ? item : merge(was, item, "");
  });
  return [...fresh, ...old.values()];
}

/** The value without these fields. A struct or list of which nothing is left goes too. */
function without(value: unknown, gone: FieldSet, field: string): Record<string, unknown> {
  return (isEmpty(gone) ? value : removed(value, gone, field)) as Record<string, unknown>;
}

function removed(value: unknown, gone: FieldSet, field: string): unknown {
  if (isRecord(value)) return removedFields(value, gone, field);
  const keys = Array.isArray(value) ? keysOf(field, value) : undefined;
  return keys ? removedItems(value as unknown[], gone, keys) : value;
}

function removedFields(value: Record<string, unknown>, gone: FieldSet, field: string): unknown {
  const kept: Record<string, unknown> = {};
  for (const [name, inner] of Object.entries(value)) {
    const below = gone[`f:${name}`];
    const left = below === undefined ? inner : isEmpty(below) ? undefined : removed(inner, below, name);
    if (left !== undefined) kept[name] = left;
  }
  return Object.keys(kept).length > 0 || field === "" ? kept : undefined;
}

function removedItems(list: readonly unknown[], gone: FieldSet, keys: readonly string[]): unknown {
  const left = list.flatMap((item) => {
    const below = gone[stepOf(item, keys)];
    if (below === undefined) return [item];
    return below[itself] === undefined ? [removed(item, below, "")] : [];
  });
  return left.length > 0 ? left : undefined;
}

/** Where two values differ, as a set of fields. */
function changedFields(before: unknown, after: unknown, field: string): FieldSet {
  const set = differing(before, after, field);
  return set ?? whole;
}

/** `undefined`: the same. */
function differing(before: unknown, after: unknown, field: string): FieldSet | undefined {
  if (before === after) return undefined;
  if (canBe(before, isRecord) && canBe(after, isRecord)) return differingRecords(before ?? {}, after ?? {});
  return canBe(before, Array.isArray) && canBe(after, Array.isArray) ? differingLists(before ?? [], after ?? [], field) : whole;
}

/** Absent is nothing of anything. */
function canBe<T>(value: unknown, is: (value: unknown) => value is T): value is T | undefined {
  return value === undefined || is(value);
}

function differingLists(before: readonly unknown[], after: readonly unknown[], field: string): FieldSet | undefined {
  const keys = keysOf(field, before.length > 0 ? before : after);
  if (keys) return differingItems(before, after, keys);
  return sameList(before, after) ? undefined : whole;
}

function differingRecords(before: Record<string, unknown>, after: Record<string, unknown>): FieldSet | undefined {
  const set: Record<string, FieldSet> = {};
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const below = differing(before[name], after[name], name);
    if (below) set[`f:${name}`] = below;
  }
  return isEmpty(set) ? undefined : set;
}

function differingItems(before: readonly unknown[], after: readonly unknown[], keys: readonly string[]): FieldSet | undefined {
  const old = new Map(before.map((item) => [stepOf(item, keys), item]));
  const fresh = new Map(after.map((item) => [stepOf(item, keys), item]));
  const set: Record<string, FieldSet> = {};
  for (const step of new Set([...old.keys(), ...fresh.keys()])) {
    const [was, is] = [old.get(step), fresh.get(step)];
    const below = differing(was, is, "");
    if (below) set[step] = was === undefined || is === undefined ? { [itself]: whole, ...below } : below;
  }
  return isEmpty(set) ? undefined : set;
}

function sameList(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((item, index) => sameValue(item, b[index]));
}

/** Whether two values are equal; a field that is `undefined` is none. */
export function sameValue(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) return Array.isArray(b) && sameList(a, b);
  if (!isRecord(a) || !isRecord(b)) return false;
  for (const name in a) if (!sameValue(a[name], b[name])) return false;
  return isCovered(b, a);
}

function isCovered(fields: Record<string, unknown>, by: Record<string, unknown>): boolean {
  for (const name in fields) if (fields[name] !== undefined && by[name] === undefined) return false;
  return true;
}

/** Whether two objects say the same; who owns what, but not since when, counts too. */
export function sameObject(a: KubeObject, b: KubeObject): boolean {
  const timeless = ({ metadata, ...body }: KubeObject): unknown => {
    const { managedFields = [], resourceVersion: _, ...head } = metadata;
    return [body, head, managedFields.map(({ time: __, ...entry }) => entry)];
  };
  return sameValue(timeless(a), timeless(b));
}
