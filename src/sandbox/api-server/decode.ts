import { isRecord } from "../../lib/json.ts";
import { ApiError, badRequest } from "./api-error.ts";
import type { Body } from "./body.ts";
import { microTimeFormat } from "./builtin-schemas.ts";
import { scalarText } from "./read-fields.ts";
import { type Draft, groupVersion, type ResourceType } from "./resource-type.ts";
import { fieldSchema, isOpen, type Schema } from "./schema.ts";

/** What happens to fields that the kind does not have, or that are said twice. */
export type FieldValidation = "Strict" | "Warn" | "Ignore";

/** A body as an object of its kind, and what is to be said of it in Warning headers. */
export interface Decoded {
  readonly object: Draft;
  readonly warnings: readonly string[];
}

interface Walk {
  readonly custom: boolean;
  readonly keepsNulls: boolean;
  readonly unknown: string[];
  /** Called for a value that no field of a built-in kind can hold. */
  readonly mistyped: (path: string, expected: string, value: unknown) => void;
  /** Called for text that is no time. */
  readonly unreadable: (why: string) => void;
}

/**
 * Makes a body an object of this type, as Go's decoding would: unknown fields and nulls go, values of the wrong type are an error.
 * Throws 400 naming every unknown and duplicate field when `validation` is Strict.
 */
export function decodeObject(type: ResourceType, body: Body, validation: FieldValidation): Decoded {
  if (!isRecord(body.value)) throw badRequest("the object provided is unrecognized (must be of type json or yaml): expected an object");
  const { object, unknown } = conform(type, body.value);
  const twice = body.duplicates.map((path) => `duplicate field "${path}"`);
  const strange = unknown.map((path) => `unknown field "${path}"`);
  // The order in which the real server's two decoders say it.
  const problems = type.custom ? [...twice, ...strange.sort()] : [...strange, ...twice];
  if (validation === "Strict" && problems.length > 0)
    throw badRequest(`${cannotBeHandled(type)}: strict decoding error: ${problems.join(", ")}`);
  return { object, warnings: validation === "Warn" ? problems : [] };
}

/**
 * The value with only the fields that the type has, and the paths of the others. Throws 400 for an object of another kind or
 * a value of the wrong type.
 * @param keepsNulls of a custom resource, also a null that is not allowed is kept, for the schema to refuse: an apply is read so
 */
export function conform(type: ResourceType, value: Record<string, unknown>, keepsNulls = false): { object: Draft; unknown: string[] } {
  const apiVersion = groupVersion(type);
  const given = { apiVersion: scalarText(value["apiVersion"]) || apiVersion, kind: scalarText(value["kind"]) || type.kind };
  if (given.apiVersion !== apiVersion)
    throw badRequest(`the API version in the data (${given.apiVersion}) does not match the expected API version (${apiVersion})`);
  if (given.kind !== type.kind) throw badRequest(`the kind in the data (${given.kind}) does not match the expected kind (${type.kind})`);
  const unknown: string[] = [];
  const mistyped = (path: string, expected: string, found: unknown): never => {
    throw badRequest(
      `${cannotBeHandled(type)}: json: cannot unmarshal ${goName(found)} into Go struct field ${goField(type, path)} of type ${expected}`,
    );
  };
  const unreadable = (why: string): never => {
    throw badRequest(`${cannotBeHandled(type)}: ${why}`);
  };
  const walked = walk({ ...value, ...given }, type.schema, "", { custom: type.custom, keepsNulls, unknown, mistyped, unreadable });
  if (!isRecord(walked)) throw new ApiError(500, "InternalError", "decoding gave no object");
  const metadata = isRecord(walked["metadata"]) ? walked["metadata"] : {};
  return { object: { ...walked, apiVersion, kind: type.kind, metadata: metadata as Draft["metadata"] }, unknown };
}

function cannotBeHandled(type: ResourceType): string {
  return `${type.kind} in version "${type.version}" cannot be handled as a ${type.kind}`;
}

function walk(value: unknown, schema: Schema, path: string, state: Walk): unknown {
  if (Array.isArray(value)) return walkList(value, schema, path, state);
  if (isRecord(value)) return walkObject(value, schema, path, state);
  if (!inCustomPart(path, state)) checkScalar(value, schema, path, state);
  return value;
}

/** Metadata of a custom resource is as built-in as that of any other. */
function inCustomPart(path: string, { custom }: Walk): boolean {
  return custom && path !== "metadata" && !path.startsWith("metadata.");
}

function walkList(value: unknown[], schema: Schema, path: string, state: Walk): unknown {
  const { items } = schema;
  if (items === undefined) {
    if (!inCustomPart(path, state) && !isOpen(schema)) state.mistyped(path, goType(schema), value);
    return value;
  }
  return value.map((item, index) => walk(item, items, `${path}[${index}]`, state));
}

function walkObject(value: Record<string, unknown>, schema: Schema, path: string, state: Walk): unknown {
  const custom = inCustomPart(path, state);
  if (!custom && !holdsFields(schema)) state.mistyped(path, goType(schema), value);
  const kept: Record<string, unknown> = {};
  for (const [field, inner] of Object.entries(value)) {
    const here = join(path, field);
    const child = fieldSchema(schema, field);
    if (child === undefined) {
      if (isOpen(schema)) kept[field] = inner;
      else state.unknown.push(here);
      continue;
    }
    const walked = walk(inner, child, here, state);
    const isWritten = inCustomPart(here, state)
      ? isWrittenByCustom(walked, child, state)
      : isWrittenByGo(walked, child, schema.required?.includes(field) === true);
    if (isWritten) kept[field] = walked;
  }
  if (!custom) fillZeroValues(kept, schema, path, state);
  return kept;
}

function join(path: string, field: string): string {
  return path === "" ? field : `${path}.${field}`;
}

function holdsFields(schema: Schema): boolean {
  return schema.properties !== undefined || schema.additionalProperties !== undefined || isOpen(schema);
}

/** Custom resources keep what was sent; only a null where null is not allowed counts as missing. */
function isWrittenByCustom(value: unknown, { nullable, type, default: instead }: Schema, { keepsNulls }: Walk): boolean {
  return value !== null || nullable === true || type === undefined || (keepsNulls && instead === undefined);
}

/** Go writes neither nulls nor empty lists and maps of optional fields. */
function isWrittenByGo(value: unknown, child: Schema, isRequired: boolean): boolean {
  if (value === null || value === undefined) return false;
  if (isRequired) return true;
  if (Array.isArray(value)) return value.length > 0;
  return child.additionalProperties === undefined || !isRecord(value) || Object.keys(value).length > 0;
}

/** Structs that Go holds by value are always there, and so are required scalars. Other published defaults are real defaults. */
function fillZeroValues(object: Record<string, unknown>, schema: Schema, path: string, state: Walk): void {
  for (const [field, child] of Object.entries(schema.properties ?? {})) {
    if (object[field] !== undefined || child.default === undefined) continue;
    if (isRecord(child.default)) object[field] = walk({}, child, join(path, field), state);
    else if (schema.required?.includes(field) === true || Boolean(child.default)) object[field] = child.default;
  }
}

const scalarTests: Readonly<Record<string, (value: unknown) => boolean>> = {
  string: (value) => typeof value === "string",
  boolean: (value) => typeof value === "boolean",
  integer: (value) => typeof value === "number" && Number.isInteger(value),
  number: (value) => typeof value === "number",
};

function checkScalar(value: unknown, schema: Schema, path: string, state: Walk): void {
  if (value === null || value === undefined || isOpen(schema)) return;
  if (schema["x-kubernetes-int-or-string"] === true) return;
  const test = scalarTests[schema.type ?? ""];
  if (test === undefined || !test(value)) state.mistyped(path, goType(schema), value);
  if (typeof value === "string") checkText(value, schema, state);
}

function checkText(value: string, schema: Schema, state: Walk): void {
  checkTime(value, schema, state);
  if (schema.format !== "byte" || /^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(value)) return;
  const bytes = /^[A-Za-z0-9+/]*/.exec(value)?.[0].length ?? 0;
  state.unreadable(`illegal base64 data at input byte ${bytes - (bytes % 4)}`);
}

const goTimes = {
  [microTimeFormat]: { fits: /^\.\d{6}(Z|[+-]\d\d:\d\d)$/, layout: "2006-01-02T15:04:05.000000Z07:00", part: ".000000" },
  "date-time": { fits: /^(\.\d+)?(Z|[+-]\d\d:\d\d)$/, layout: "2006-01-02T15:04:05Z07:00", part: "Z07:00" },
};

/** Go reads a MicroTime only with exactly six digits after the second: clients that write three are refused, here as there. */
function checkTime(value: string, { format }: Schema, { unreadable }: Walk): void {
  if (format !== microTimeFormat && format !== "date-time") return;
  const { fits, layout, part } = goTimes[format];
  const tail = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(.*)$/.exec(value)?.[1];
  if (tail !== undefined && fits.test(tail)) return;
  unreadable(
    `parsing time ${JSON.stringify(value)} as "${layout}": cannot parse ${JSON.stringify(tail ?? value)} as "${tail === undefined ? "2006" : part}"`,
  );
}

/** Go names the struct around the field, which the schema does not; the kind's own spec is the usual one. */
function goField({ kind }: ResourceType, path: string): string {
  const [root = ""] = path.split(".");
  return `${kind}${root === "spec" || root === "status" ? root.charAt(0).toUpperCase() + root.slice(1) : ""}.${path}`;
}

function goName(value: unknown): string {
  if (Array.isArray(value)) return "array";
  if (isRecord(value)) return "object";
  if (typeof value === "number") return Number.isInteger(value) ? "number" : `number ${value}`;
  return typeof value === "boolean" ? "bool" : typeof value;
}

function goType(schema: Schema): string {
  const { type = "", format, items, additionalProperties } = schema;
  if (type === "integer") return format ?? "int64";
  if (type === "array") return `[]${goTypeOf(items)}`;
  if (additionalProperties !== undefined) return `map[string]${goTypeOf(additionalProperties)}`;
  return { number: "float64", boolean: "bool", object: "struct", string: "string" }[type] ?? "interface {}";
}

function goTypeOf(schema: Schema | boolean | undefined): string {
  return typeof schema === "object" ? goType(schema) : "interface {}";
}
