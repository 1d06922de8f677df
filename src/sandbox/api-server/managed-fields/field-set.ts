import { isRecord } from "../../../lib/json.ts";

/**
 * A set of paths into an object, as `fieldsV1` holds it. Path elements are written as there: `f:name` for a field,
 * `k:{"name":"app"}` for an item of a keyed list, `v:"x"` for an item of a set.
 */
export interface FieldSet {
  readonly members: ReadonlySet<string>;
  readonly children: ReadonlyMap<string, FieldSet>;
}

/** A path: its elements from the root. */
export type Path = readonly string[];

/** The set of no fields. */
export const emptySet: FieldSet = { members: new Set(), children: new Map() };

/** Whether the set holds no path. */
export function isEmpty(set: FieldSet): boolean {
  return set.members.size === 0 && set.children.size === 0;
}

/** Collects paths; the only way a set is built from single paths. */
export interface FieldSetBuilder {
  add(path: Path): void;
  build(): FieldSet;
}

interface MutableSet {
  members: Set<string>;
  children: Map<string, MutableSet>;
}

/** An empty builder. */
export function fieldSetBuilder(): FieldSetBuilder {
  const root: MutableSet = { members: new Set(), children: new Map() };
  return {
    add: (path) => {
      let node = root;
      for (const element of path.slice(0, -1)) {
        const child = node.children.get(element) ?? { members: new Set(), children: new Map() };
        node.children.set(element, child);
        node = child;
      }
      const last = path.at(-1);
      if (last !== undefined) node.members.add(last);
    },
    build: () => root,
  };
}

/** Paths of `a` or `b`. */
export function union(a: FieldSet, b: FieldSet): FieldSet {
  const children = new Map(a.children);
  for (const [element, child] of b.children) {
    const other = children.get(element);
    children.set(element, other ? union(other, child) : child);
  }
  return { members: new Set([...a.members, ...b.members]), children };
}

/** Paths of `a` that are not in `b`. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  const children = new Map<string, FieldSet>();
  for (const [element, child] of a.children) {
    const other = b.children.get(element);
    const rest = other ? difference(child, other) : child;
    if (!isEmpty(rest)) children.set(element, rest);
  }
  return { members: new Set([...a.members].filter((element) => !b.members.has(element))), children };
}

/** Paths of both `a` and `b`. */
export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  const children = new Map<string, FieldSet>();
  for (const [element, child] of a.children) {
    const other = b.children.get(element);
    const both = other ? intersection(child, other) : emptySet;
    if (!isEmpty(both)) children.set(element, both);
  }
  return { members: new Set([...a.members].filter((element) => b.members.has(element))), children };
}

/** The set without the named top-level or second-level fields and all below them, e.g. `["f:status"]`. */
export function without(set: FieldSet, path: Path): FieldSet {
  const [first, ...rest] = path;
  if (first === undefined) return emptySet;
  const children = new Map(set.children);
  const members = new Set(set.members);
  if (rest.length === 0) {
    members.delete(first);
    children.delete(first);
    return { members, children };
  }
  const child = children.get(first);
  if (child) {
    const left = without(child, rest);
    if (isEmpty(left)) children.delete(first);
    else children.set(first, left);
  }
  return { members, children };
}

/** Only the named top-level field and what is below it. */
export function only(set: FieldSet, element: string): FieldSet {
  const child = set.children.get(element);
  return { members: new Set(set.members.has(element) ? [element] : []), children: new Map(child ? [[element, child]] : []) };
}

/** All paths, parents before children. */
export function* pathsOf(set: FieldSet, prefix: Path = []): Generator<Path> {
  const elements = [...new Set([...set.members, ...set.children.keys()])].sort();
  for (const element of elements) {
    const path = [...prefix, element];
    if (set.members.has(element)) yield path;
    const child = set.children.get(element);
    if (child) yield* pathsOf(child, path);
  }
}

/** Reads `fieldsV1`. Anything that is not an object reads as the empty set. */
export function parseFieldSet(fieldsV1: unknown): FieldSet {
  if (!isRecord(fieldsV1)) return emptySet;
  const members = new Set<string>();
  const children = new Map<string, FieldSet>();
  for (const [element, inner] of Object.entries(fieldsV1)) {
    if (element === "." || !isRecord(inner)) continue;
    const child = parseFieldSet(inner);
    if (Object.keys(inner).length === 0 || Object.hasOwn(inner, ".")) members.add(element);
    if (!isEmpty(child)) children.set(element, child);
  }
  return { members, children };
}

/** Writes `fieldsV1`, keys sorted. */
export function encodeFieldSet(set: FieldSet): Record<string, unknown> {
  const encoded: Record<string, unknown> = {};
  for (const element of [...new Set([...set.members, ...set.children.keys()])].sort()) {
    const child = set.children.get(element);
    encoded[element] = { ...(child && set.members.has(element) && { ".": {} }), ...(child && encodeFieldSet(child)) };
  }
  return encoded;
}

/** `.spec.containers[name="app"].image`: how messages show a path. */
export function pathText(path: Path): string {
  return path.map(elementText).join("");
}

function elementText(element: string): string {
  const text = element.slice(2);
  if (element.startsWith("f:")) return `.${text}`;
  if (element.startsWith("v:")) return `[=${text}]`;
  const keys = Object.entries(JSON.parse(text) as Record<string, unknown>);
  return `[${keys.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(",")}]`;
}
