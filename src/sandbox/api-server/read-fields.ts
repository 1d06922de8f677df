import { isRecord } from "../../lib/json.ts";

/** A value by its path of fields; `undefined` when anything on the way is missing. */
export function valueAt(root: unknown, ...path: string[]): unknown {
  return path.reduce<unknown>((node, field) => (isRecord(node) ? node[field] : undefined), root);
}

/** The object there, or an empty one. */
export function recordAt(root: unknown, ...path: string[]): Record<string, unknown> {
  const value = valueAt(root, ...path);
  return isRecord(value) ? value : {};
}

/** The objects in the list there. */
export function recordsAt(root: unknown, ...path: string[]): Record<string, unknown>[] {
  const value = valueAt(root, ...path);
  return Array.isArray(value) ? value.filter(isRecord) : [];
}

/** The text there, or the empty string. */
export function textAt(root: unknown, ...path: string[]): string {
  const value = valueAt(root, ...path);
  return typeof value === "string" ? value : "";
}

/** A scalar as text; the empty string for anything else. */
export function scalarText(value: unknown): string {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? String(value) : "";
}

/** The number there, or 0. */
export function numberAt(root: unknown, ...path: string[]): number {
  const value = valueAt(root, ...path);
  return typeof value === "number" ? value : 0;
}

/** Sets a field that is missing. */
export function fill(object: Record<string, unknown>, defaults: Readonly<Record<string, unknown>>): void {
  for (const [field, value] of Object.entries(defaults)) object[field] ??= structuredClone(value);
}
