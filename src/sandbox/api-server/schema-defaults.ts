import { isRecord } from "../../lib/json.ts";
import { fieldSchema, type Schema } from "./schema.ts";

/** Fills in what a schema's own defaults say, at every depth, as the server does for custom resources. */
export function applyDefaults(value: unknown, schema: Schema): unknown {
  if (Array.isArray(value)) {
    const { items } = schema;
    return items ? value.map((item) => applyDefaults(item, items)) : value;
  }
  return isRecord(value) ? fillObject(value, schema) : value;
}

function fillObject(value: Record<string, unknown>, schema: Schema): Record<string, unknown> {
  const filled: Record<string, unknown> = {};
  for (const [field, inner] of Object.entries(value)) {
    const child = fieldSchema(schema, field);
    filled[field] = child ? applyDefaults(inner, child) : inner;
  }
  for (const [field, child] of Object.entries(schema.properties ?? {})) {
    if (filled[field] === undefined && child.default !== undefined) filled[field] = applyDefaults(structuredClone(child.default), child);
  }
  return filled;
}
