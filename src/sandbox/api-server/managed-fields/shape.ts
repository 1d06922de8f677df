import { isRecord } from "../../../lib/json.ts";
import { fieldSchema, type Schema } from "../schema.ts";

/** How a value is owned: as a whole (scalar, atomic), field by field (map) or item by item (list). */
export type Shape = "leaf" | "map" | "list";

/** The shape of a value under its schema. Without one, objects are owned field by field and lists as a whole. */
export function shapeOf(value: unknown, schema: Schema | undefined): Shape {
  if (isRecord(value)) return schema?.["x-kubernetes-map-type"] === "atomic" ? "leaf" : "map";
  if (!Array.isArray(value)) return "leaf";
  const listType = schema?.["x-kubernetes-list-type"];
  return listType === "map" || listType === "set" ? "list" : "leaf";
}

/** Whether this field is one that the schema names, not a key of a free map. */
export function isNamedField(schema: Schema | undefined, element: string): boolean {
  return element.startsWith("f:") && schema?.properties !== undefined && Object.hasOwn(schema.properties, element.slice(2));
}

/** The schema of what a path element leads to. */
export function schemaAt(schema: Schema | undefined, element: string): Schema | undefined {
  return element.startsWith("f:") ? fieldSchema(schema, element.slice(2)) : schema?.items;
}

/**
 * The path element of one item of a keyed list or a set. Keys that the item leaves out have their schema's default.
 * `undefined` when a key is missing and has none.
 */
export function itemElement(item: unknown, list: Schema): string | undefined {
  if (list["x-kubernetes-list-type"] === "set") return `v:${JSON.stringify(item)}`;
  if (!isRecord(item)) return undefined;
  const keys = [...(list["x-kubernetes-list-map-keys"] ?? [])].sort();
  const values = keys.map((key): [string, unknown] => [key, item[key] ?? list.items?.properties?.[key]?.default]);
  const present = values.filter(([, value]) => value !== undefined && value !== null);
  return present.length === 0 ? undefined : `k:${JSON.stringify(Object.fromEntries(present))}`;
}

/** One item of a list with its path element. */
export interface Entry {
  readonly element: string;
  readonly value: unknown;
}

/** The items of a keyed list or set; those without a key are left out. */
export function entriesOf(list: readonly unknown[], schema: Schema | undefined): Entry[] {
  if (schema === undefined) return [];
  return list.flatMap((value) => {
    const element = itemElement(value, schema);
    return element === undefined ? [] : [{ element, value }];
  });
}

/** What is below a value of shape map or list: path element and value. */
export function childrenOf(value: unknown, schema: Schema | undefined): Entry[] {
  if (Array.isArray(value)) return entriesOf(value, schema);
  if (!isRecord(value)) return [];
  return Object.entries(value).map(([field, inner]) => ({ element: `f:${field}`, value: inner }));
}
