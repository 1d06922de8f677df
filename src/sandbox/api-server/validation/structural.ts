import { isDeepStrictEqual } from "node:util";
import { isRecord } from "../../../lib/json.ts";
import { duplicate, type FieldError, invalidValue, required, unsupported } from "../api-error.ts";
import { fieldSchema, type Schema } from "../schema.ts";
import { itemElement } from "../managed-fields/shape.ts";

/** What of an object does not fit its CRD's schema, in the real server's words. */
export function structuralErrors(value: unknown, schema: Schema, path: string): FieldError[] {
  if (value === null && schema.nullable === true) return [];
  const notAllowed =
    schema.enum && !schema.enum.some((allowed) => isDeepStrictEqual(allowed, value)) ? [unsupported(path, value, schema.enum)] : [];
  const typeErrors = wrongType(value, schema, path);
  if (typeErrors.length > 0) return [...typeErrors, ...notAllowed];
  return [
    ...notAllowed,
    ...(typeof value === "string" ? stringErrors(value, schema, path).slice(0, 1) : []),
    ...(typeof value === "number" ? numberErrors(value, schema, path) : []),
    ...(Array.isArray(value) ? listErrors(value, schema, path) : []),
    ...(isRecord(value) ? objectErrors(value, schema, path) : []),
    ...junctorErrors(value, schema, path),
  ];
}

const typeTests: Readonly<Record<string, (value: unknown) => boolean>> = {
  string: (value) => typeof value === "string",
  boolean: (value) => typeof value === "boolean",
  integer: (value) => Number.isInteger(value),
  number: (value) => typeof value === "number",
  array: Array.isArray,
  object: isRecord,
};

function wrongType(value: unknown, schema: Schema, path: string): FieldError[] {
  if (schema["x-kubernetes-int-or-string"] === true) {
    return Number.isInteger(value) || typeof value === "string" ? [] : [typeError(path, "integer,string", value)];
  }
  const { type = "", format } = schema;
  const test = typeTests[type];
  if (test === undefined || test(value)) return [];
  if (type !== "integer" || typeof value !== "number" || format === undefined) return [typeError(path, type, value)];
  return [{ reason: "FieldValueTypeInvalid", field: path, why: `Invalid value: "float64": ${path} in body must be of type ${format}: "float64"` }, outsideFormat(path, format)];
}

/** Of integers, the real server names the field in the text alone. */
function outsideFormat(path: string, format: string): FieldError {
  return { reason: "FieldValueInvalid", field: "<nil>", why: `Invalid value: "": Checked value must be of type integer with format ${format} in ${path}` };
}

function typeError(field: string, type: string, value: unknown): FieldError {
  const found = typeName(value);
  return { reason: "FieldValueTypeInvalid", field, why: `Invalid value: "${found}": ${field} in body must be of type ${type}: "${found}"` };
}

function typeName(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value;
}

function inBody(path: string, value: unknown, rule: string): FieldError {
  return invalidValue(path, value, `${path} in body ${rule}`);
}

/** What is wrong with a text; the real server says only the first. */
function stringErrors(value: string, schema: Schema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const { maxLength, minLength, pattern, format } = schema;
  const length = Array.from(value).length;
  if (maxLength !== undefined && length > maxLength)
    errors.push({ reason: "FieldValueTooLong", field: path, why: `Too long: may not be more than ${maxLength} bytes` });
  if (minLength !== undefined && length < minLength) errors.push(inBody(path, value, `should be at least ${minLength} chars long`));
  if (pattern !== undefined && !new RegExp(pattern, "u").test(value)) errors.push(inBody(path, value, `should match '${pattern}'`));
  if (format !== undefined && !fitsFormat(value, format))
    errors.push(inBody(path, value, `must be of type ${format}: ${JSON.stringify(value)}`));
  return errors;
}

/** Only the formats that a CRD is likely to rely on; others say nothing, as in Kubernetes. */
function fitsFormat(value: string, format: string): boolean {
  if (format === "date-time")
    return /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/.test(value) && !Number.isNaN(Date.parse(value));
  if (format === "uuid") return /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i.test(value);
  return true;
}

function numberErrors(value: number, schema: Schema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const { minimum = -Infinity, maximum = Infinity, multipleOf } = schema;
  const orEqual = (exclusive: boolean | undefined): string => (exclusive === true ? "" : "or equal to ");
  const tooSmall = schema.exclusiveMinimum === true ? value <= minimum : value < minimum;
  const tooLarge = schema.exclusiveMaximum === true ? value >= maximum : value > maximum;
  if (exceedsInt32(value, schema)) errors.push(outsideFormat(path, "int32"));
  if (tooSmall) errors.push(inBody(path, value, `should be greater than ${orEqual(schema.exclusiveMinimum)}${minimum}`));
  if (tooLarge) errors.push(inBody(path, value, `should be less than ${orEqual(schema.exclusiveMaximum)}${maximum}`));
  if (multipleOf !== undefined && value % multipleOf !== 0) errors.push(inBody(path, value, `should be a multiple of ${multipleOf}`));
  return errors;
}

function exceedsInt32(value: number, { type, format }: Schema): boolean {
  return type === "integer" && format === "int32" && (value < -(2 ** 31) || value >= 2 ** 31);
}

function tooMany(field: string, count: number, limit: number): FieldError {
  return { reason: "FieldValueTooMany", field, why: `Too many: ${count}: must have at most ${limit} items` };
}

function listErrors(value: readonly unknown[], schema: Schema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (schema.maxItems !== undefined && value.length > schema.maxItems) errors.push(tooMany(path, value.length, schema.maxItems));
  if (schema.minItems !== undefined && value.length < schema.minItems)
    errors.push(inBody(path, value.length, `should have at least ${schema.minItems} items`));
  const { items } = schema;
  if (items) errors.push(...value.flatMap((item, index) => structuralErrors(item, items, `${path}[${index}]`)));
  return [...errors, ...duplicateItems(value, schema, path)];
}

/** Two items of a keyed list or a set that are the same. */
function duplicateItems(value: readonly unknown[], schema: Schema, path: string): FieldError[] {
  const listType = schema["x-kubernetes-list-type"];
  if (listType !== "map" && listType !== "set") return [];
  const seen = new Set<string>();
  return value.flatMap((item, index) => {
    const element = itemElement(item, schema);
    if (element === undefined) return [];
    const again = seen.has(element);
    seen.add(element);
    return again ? [duplicate(`${path}[${index}]`, JSON.parse(element.slice(2)))] : [];
  });
}

function objectErrors(value: Record<string, unknown>, schema: Schema, path: string): FieldError[] {
  const count = Object.keys(value).length;
  const errors = (schema.required ?? []).filter((field) => value[field] === undefined).map((field) => required(join(path, field)));
  if (schema.maxProperties !== undefined && count > schema.maxProperties) errors.push(tooMany(path, count, schema.maxProperties));
  if (schema.minProperties !== undefined && count < schema.minProperties)
    errors.push(inBody(path, count, `should have at least ${schema.minProperties} properties`));
  for (const [field, inner] of Object.entries(value)) {
    const child = fieldSchema(schema, field);
    if (child) errors.push(...structuralErrors(inner, child, join(path, field)));
  }
  return errors;
}

function join(path: string, field: string): string {
  return path === "" ? field : `${path}.${field}`;
}

function junctorErrors(value: unknown, { allOf, anyOf, oneOf, not, ...rest }: Schema, path: string): FieldError[] {
  const valid = (schema: Schema): boolean => structuralErrors(value, schema, path).length === 0;
  const errors = (allOf ?? []).flatMap((schema) => structuralErrors(value, schema, path));
  if (anyOf && rest["x-kubernetes-int-or-string"] !== true && !anyOf.some(valid))
    errors.push(junctor(path, "must validate at least one schema (anyOf)"));
  if (oneOf) {
    const count = oneOf.filter(valid).length;
    if (count !== 1)
      errors.push(junctor(path, `must validate one and only one schema (oneOf). Found ${count === 0 ? "none" : count} valid`));
  }
  if (not && valid(not)) errors.push(junctor(path, "must not validate the schema (not)"));
  return errors;
}

function junctor(path: string, rule: string): FieldError {
  return invalidValue(path === "" ? "<nil>" : path, "", `${JSON.stringify(path === "" ? "<nil>" : path)} ${rule}`);
}
