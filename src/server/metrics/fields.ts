import type { KubeObject } from "../../api/object.ts";
import { isRecord } from "../../lib/json.ts";

/** The value at a path below an object, `undefined` where there is none. Cheap: it is called for every object at every scrape. */
export function valueAt(root: unknown, ...path: readonly string[]): unknown {
  let value = root;
  for (const field of path) value = isRecord(value) ? value[field] : undefined;
  return value;
}

/** The text there, `undefined` for anything else. */
export function textAt(root: unknown, ...path: readonly string[]): string | undefined {
  const value = valueAt(root, ...path);
  return typeof value === "string" ? value : undefined;
}

/** The number there, `undefined` for anything else. */
export function numberAt(root: unknown, ...path: readonly string[]): number | undefined {
  const value = valueAt(root, ...path);
  return typeof value === "number" ? value : undefined;
}

/** The list there, empty for anything else. */
export function listAt(root: unknown, ...path: readonly string[]): readonly unknown[] {
  const value = valueAt(root, ...path);
  return Array.isArray(value) ? value : [];
}

/** The time there (RFC 3339) in seconds since the Unix epoch. */
export function secondsAt(root: unknown, ...path: readonly string[]): number | undefined {
  const atMs = Date.parse(textAt(root, ...path) ?? "");
  return Number.isNaN(atMs) ? undefined : atMs / 1_000;
}

/** Status and reason of one of the object's conditions. */
export function conditionOf(object: KubeObject, type: string): { status?: string; reason?: string } | undefined {
  return listAt(object["status"], "conditions").find((condition) => isRecord(condition) && condition["type"] === type) as
    | { status?: string; reason?: string }
    | undefined;
}
