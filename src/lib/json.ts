import { createHash } from "node:crypto";

/** Anything JSON can say. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** JSON text with sorted keys and without `undefined`: equal values give equal texts, whoever built them. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (!isRecord(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
  });
}

/** SHA-256 of {@link canonicalJson}, as lower-case hex. */
export function hashJson(value: unknown): string {
  return createHash("sha256").update(canonicalJson(value)).digest("hex");
}

/** Whether two values say the same in JSON, whatever the order of their keys. */
export function sameJson(a: unknown, b: unknown): boolean {
  return a === b || canonicalJson(a) === canonicalJson(b);
}

/** Whether the value is an object with named fields: not `null`, not an array. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The JSON merge patch (RFC 7386) that turns `before` into `after`: fields that are gone become `null`, at every depth. */
export function mergePatch(before: object, after: object): Record<string, unknown> {
  const old = new Map(Object.entries(before));
  const patch: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(after)) {
    const was = old.get(field);
    if (value !== undefined) patch[field] = isRecord(value) && isRecord(was) ? mergePatch(was, value) : value;
  }
  for (const field of old.keys()) if (patch[field] === undefined) patch[field] = null;
  return patch;
}
