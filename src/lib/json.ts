import { hash } from "node:crypto";

/** Anything JSON can say. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** JSON text with sorted keys and without `undefined`: equal values give equal texts, whoever built them. */
export function canonicalJson(value: unknown): string {
  return textOf(value) ?? "null";
}

/** `undefined` for what JSON leaves out. By hand, because most of the program's time would go into a replacer's copies. */
function textOf(value: unknown): string | undefined {
  if (Array.isArray(value)) return `[${value.map((item) => textOf(item) ?? "null").join(",")}]`;
  return isRecord(value) && !("toJSON" in value) ? recordText(value) : JSON.stringify(value);
}

/** Names that objects keep in the order of numbers, whatever the order in which they are given. */
const indexName = /^(?:0|[1-9][0-9]{0,9})$/;

function recordText(record: Readonly<Record<string, unknown>>): string {
  const names = Object.keys(record).sort();
  const inOrder = names.some((name) => indexName.test(name)) ? Object.keys(Object.fromEntries(names.map((name) => [name, true]))) : names;
  let text = "";
  for (const name of inOrder) {
    const inner = textOf(record[name]);
    if (inner !== undefined) text += `${text === "" ? "" : ","}${JSON.stringify(name)}:${inner}`;
  }
  return `{${text}}`;
}

/** SHA-256 of {@link canonicalJson}, as lower-case hex. */
export function hashJson(value: unknown): string {
  return hash("sha256", canonicalJson(value));
}

/** Whether two values say the same in JSON, whatever the order of their keys. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, index) => sameItem(item, b[index]));
  if (isRecord(a) && isRecord(b)) return sameFields(a, b);
  return textOf(a) === textOf(b);
}

/** In a list `undefined` is `null`. */
function sameItem(a: unknown, b: unknown): boolean {
  return sameJson(a ?? null, b ?? null);
}

function sameFields(a: Readonly<Record<string, unknown>>, b: Readonly<Record<string, unknown>>): boolean {
  if ("toJSON" in a || "toJSON" in b) return textOf(a) === textOf(b);
  return Object.keys(a).every((name) => sameJson(a[name], b[name])) && Object.keys(b).every((name) => b[name] === undefined || name in a);
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
