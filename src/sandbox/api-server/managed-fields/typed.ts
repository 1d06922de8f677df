import { isDeepStrictEqual } from "node:util";
import { isRecord } from "../../../lib/json.ts";
import { scalarText } from "../read-fields.ts";
import { isOpen, type Schema } from "../schema.ts";
import { type FieldSet, fieldSetBuilder, type FieldSetBuilder, type Path } from "./field-set.ts";
import { childrenOf, type Entry, entriesOf, isNamedField, type Shape, schemaAt, shapeOf } from "./shape.ts";

/** The paths a configuration sets: what its manager owns. */
export function fieldSetOf(value: unknown, schema: Schema): FieldSet {
  const set = fieldSetBuilder();
  collect(value, schema, [], set);
  return set.build();
}

function collect(value: unknown, schema: Schema | undefined, path: Path, set: FieldSetBuilder): void {
  const shape = shapeOf(value, schema);
  if (shape === "leaf") return set.add(path);
  for (const { element, value: child } of childrenOf(value, schema)) {
    const childPath = [...path, element];
    collect(child, schemaAt(schema, element), childPath, set);
    const isEmptyMap = isRecord(child) && Object.keys(child).length === 0;
    if (shape === "list" || isEmptyMap || !isNamedField(schema, element)) set.add(childPath);
  }
}

/** Which paths a change added, removed or gave another value. */
export interface Comparison {
  readonly added: FieldSet;
  readonly removed: FieldSet;
  readonly modified: FieldSet;
}

interface Builders {
  readonly added: FieldSetBuilder;
  readonly removed: FieldSetBuilder;
  readonly modified: FieldSetBuilder;
}

/** What is different between two objects of one type. `undefined` stands for absent; `null` is a value. */
export function compare(before: unknown, after: unknown, schema: Schema): Comparison {
  const builders: Builders = { added: fieldSetBuilder(), removed: fieldSetBuilder(), modified: fieldSetBuilder() };
  walk({ before, after }, schema, [], builders);
  return { added: builders.added.build(), removed: builders.removed.build(), modified: builders.modified.build() };
}

interface Pair {
  readonly before: unknown;
  readonly after: unknown;
}

function walk({ before, after }: Pair, schema: Schema | undefined, path: Path, builders: Builders): void {
  if (isDeepStrictEqual(before, after)) return;
  const shape = sharedShape(before, after, schema);
  if (shape === "leaf" || (isEmptyCollection(before) && isEmptyCollection(after))) return noteLeaf({ before, after }, path, builders);
  const old = new Map(childrenOf(before, schema).map(({ element, value }) => [element, value]));
  const fresh = new Map(childrenOf(after, schema).map(({ element, value }) => [element, value]));
  for (const element of new Set([...old.keys(), ...fresh.keys()])) {
    walk({ before: old.get(element), after: fresh.get(element) }, schemaAt(schema, element), [...path, element], builders);
  }
  if (path.length === 0) return;
  if (before === undefined) builders.added.add(path);
  else if (after === undefined) builders.removed.add(path);
}

function isEmptyCollection(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  return Array.isArray(value) ? value.length === 0 : isRecord(value) && Object.keys(value).length === 0;
}

/** The shape of whichever is there; two different shapes are replaced as a whole. */
function sharedShape(before: unknown, after: unknown, schema: Schema | undefined): Shape {
  const absent = (value: unknown): boolean => value === undefined || value === null;
  if (absent(before)) return shapeOf(after, schema);
  if (absent(after)) return shapeOf(before, schema);
  const shape = shapeOf(before, schema);
  return shape === shapeOf(after, schema) ? shape : "leaf";
}

function noteLeaf({ before, after }: Pair, path: Path, builders: Builders): void {
  if (before === undefined) builders.added.add(path);
  else if (after === undefined) builders.removed.add(path);
  else builders.modified.add(path);
}

/** The live object with a configuration laid over it: its leaves win, the rest stays. */
export function merge(live: unknown, applied: unknown, schema: Schema | undefined): unknown {
  if (applied === undefined) return live;
  const shape = shapeOf(applied, schema);
  const base = shapeOf(live, schema) === shape ? live : undefined;
  if (shape === "map" && isRecord(applied)) return mergeMaps(isRecord(base) ? base : {}, applied, schema);
  if (shape === "list" && Array.isArray(applied)) return mergeLists(Array.isArray(base) ? base : [], applied, schema);
  return applied;
}

function mergeMaps(live: Record<string, unknown>, applied: Record<string, unknown>, schema: Schema | undefined): unknown {
  const merged: Record<string, unknown> = { ...live };
  for (const [field, value] of Object.entries(applied)) merged[field] = merge(live[field], value, schemaAt(schema, `f:${field}`));
  return merged;
}

/** Applied items in their own order; items that only the live list has keep their place before the next one they share. */
function mergeLists(live: readonly unknown[], applied: readonly unknown[], schema: Schema | undefined): unknown[] {
  const old = entriesOf(live, schema);
  const fresh = entriesOf(applied, schema);
  const byElement = new Map(old.map(({ element, value }) => [element, value]));
  const wanted = new Set(fresh.map(({ element }) => element));
  const result: unknown[] = [];
  let next = 0;
  const takeLiveOnly = (): void => {
    for (let entry = old[next]; entry && !wanted.has(entry.element); entry = old[next]) {
      result.push(entry.value);
      next += 1;
    }
  };
  for (const { element, value } of fresh) {
    takeLiveOnly();
    if (byElement.has(element) && old[next]) next += 1;
    result.push(merge(byElement.get(element), value, schema?.items));
  }
  takeLiveOnly();
  return [
    ...result,
    ...old
      .slice(next)
      .filter(({ element }) => !wanted.has(element))
      .map(({ value }) => value),
  ];
}

/** The object without these paths and all that is below them. */
export function removePaths(value: unknown, remove: FieldSet, schema: Schema | undefined): unknown {
  if (shapeOf(value, schema) === "leaf") return value;
  const kept = childrenOf(value, schema)
    .filter(({ element }) => !remove.members.has(element))
    .map(({ element, value: child }): Entry => {
      const below = remove.children.get(element);
      return { element, value: below ? removePaths(child, below, schemaAt(schema, element)) : child };
    });
  if (Array.isArray(value)) return kept.map(({ value: child }) => child);
  return Object.fromEntries(kept.map(({ element, value: child }) => [element.slice(2), child]));
}

/** The set in which the named fields on the way to a member are members too: owning a leaf is owning the struct around it. */
export function withNamedParents(set: FieldSet, schema: Schema | undefined): FieldSet {
  const named = [...set.children.keys()].filter((element) => isNamedField(schema, element));
  const children = new Map([...set.children].map(([element, child]) => [element, withNamedParents(child, schemaAt(schema, element))]));
  return { members: new Set([...set.members, ...named]), children };
}

/** What is wrong with a configuration under its schema, as the real server words it: `.spec.foo: field not declared in schema`. */
export function typeProblems(value: unknown, schema: Schema | undefined, path = ""): string[] {
  if (value === null || value === undefined || schema === undefined || isOpen(schema)) return [];
  if (schema.type === "object" || schema.properties) return objectProblems(value, schema, path);
  if (schema.type === "array" || schema.items) return listProblems(value, schema, path);
  return scalarProblems(value, schema, path);
}

function objectProblems(value: unknown, schema: Schema, path: string): string[] {
  if (!isRecord(value)) return [`${path}: expected map, got ${JSON.stringify(value)}`];
  return Object.entries(value).flatMap(([field, child]) => {
    const inner = schemaAt(schema, `f:${field}`);
    return inner === undefined ? [`${path}.${field}: field not declared in schema`] : typeProblems(child, inner, `${path}.${field}`);
  });
}

function listProblems(value: unknown, schema: Schema, path: string): string[] {
  if (!Array.isArray(value)) return [`${path}: expected list, got ${JSON.stringify(value)}`];
  const keyed = schema["x-kubernetes-list-type"] === "map";
  const problems: string[] = [];
  const seen = new Set<string>();
  const entries = keyed ? entriesOf(value, schema) : [];
  if (entries.length < (keyed ? value.length : 0)) {
    problems.push(
      `${path}: element ${value.findIndex((item) => entriesOf([item], schema).length === 0)}: associative list with keys has an element that omits all key fields ${JSON.stringify(schema["x-kubernetes-list-map-keys"] ?? [])} (and doesn't have default values for any key fields)`,
    );
  }
  for (const { element } of entries) {
    if (seen.has(element)) problems.push(`${path}: duplicate entries for key [${keyText(element)}]`);
    seen.add(element);
  }
  return [...problems, ...value.flatMap((item, index) => typeProblems(item, schema.items, `${path}[${index}]`))];
}

function keyText(element: string): string {
  const keys = Object.entries(JSON.parse(element.slice(2)) as Record<string, unknown>);
  return keys.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(",");
}

function scalarProblems(value: unknown, { type }: Schema, path: string): string[] {
  if (isRecord(value) || Array.isArray(value)) return [`${path}: expected scalar, got ${goKind(value)}`];
  const names: Record<string, string> = {
    string: "string",
    boolean: "boolean",
    integer: "numeric (int or float)",
    number: "numeric (int or float)",
  };
  const wanted = { string: "string", boolean: "boolean", integer: "number", number: "number" }[type ?? ""];
  if (wanted === undefined || typeof value === wanted) return [];
  const found = wanted === "number" ? goKind(value) : `&{${scalarText(value)}}`;
  return [`${path}: expected ${names[type ?? ""] ?? "scalar"}, got ${found}`];
}

function goKind(value: unknown): string {
  if (Array.isArray(value)) return "list";
  if (isRecord(value)) return "map";
  if (typeof value === "number") return Number.isInteger(value) ? "int" : "float";
  return typeof value;
}
