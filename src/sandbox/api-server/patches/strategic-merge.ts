import { isDeepStrictEqual } from "node:util";
import { isRecord } from "../../../lib/json.ts";
import { fieldSchema, type Schema } from "../schema.ts";

const orderDirective = "$setElementOrder/";
const deleteDirective = "$deleteFromPrimitiveList/";

/**
 * Applies a strategic merge patch, as `kubectl apply`, `edit` and `rollout restart` send it: lists whose schema names a
 * merge key are merged item by item, the directives `$patch`, `$retainKeys`, `$deleteFromPrimitiveList` and `$setElementOrder` are obeyed.
 */
export function strategicMerge(target: unknown, patch: unknown, schema: Schema | undefined): unknown {
  if (isRecord(patch)) return mergeObject(isRecord(target) ? target : {}, patch, schema);
  if (Array.isArray(patch)) return mergeList(Array.isArray(target) ? target : [], patch, schema);
  return patch;
}

function mergeObject(target: Record<string, unknown>, patch: Record<string, unknown>, schema: Schema | undefined): unknown {
  const { $patch: directive, $retainKeys: retain, ...fields } = patch;
  if (directive === "replace") return fields;
  if (directive === "delete") return {};
  const result: Record<string, unknown> = { ...target };
  if (Array.isArray(retain)) for (const field of Object.keys(result)) if (!retain.includes(field)) delete result[field];
  for (const [field, value] of Object.entries(fields)) mergeField(result, field, value, schema);
  reorder(result, fields, schema);
  return result;
}

function mergeField(result: Record<string, unknown>, field: string, value: unknown, schema: Schema | undefined): void {
  if (field.startsWith(orderDirective)) return;
  if (field.startsWith(deleteDirective)) {
    const name = field.slice(deleteDirective.length);
    const gone = Array.isArray(value) ? value : [];
    if (Array.isArray(result[name])) result[name] = result[name].filter((item) => !gone.includes(item));
    return;
  }
  if (value === null) delete result[field];
  else result[field] = strategicMerge(result[field], value, fieldSchema(schema, field));
}

function mergeList(target: readonly unknown[], patch: readonly unknown[], schema: Schema | undefined): unknown[] {
  if (patch.some((item) => isRecord(item) && item["$patch"] === "replace"))
    return patch.filter((item) => !(isRecord(item) && "$patch" in item));
  if (!schema?.["x-kubernetes-patch-strategy"]?.includes("merge")) return [...patch];
  const key = schema["x-kubernetes-patch-merge-key"];
  if (key === undefined) return [...target, ...patch.filter((item) => !target.some((old) => isDeepStrictEqual(old, item)))];
  const result = [...target];
  for (const item of patch) if (isRecord(item)) mergeItem(result, item, key, schema.items);
  return result;
}

function mergeItem(result: unknown[], item: Record<string, unknown>, key: string, schema: Schema | undefined): void {
  const index = result.findIndex((old) => isRecord(old) && old[key] === item[key]);
  if (item["$patch"] === "delete") {
    if (index >= 0) result.splice(index, 1);
  } else if (index >= 0) result[index] = strategicMerge(result[index], item, schema);
  else result.push(strategicMerge({}, item, schema));
}

/** Items named by `$setElementOrder/field` come in that order; others keep their place at the end. */
function reorder(result: Record<string, unknown>, fields: Record<string, unknown>, schema: Schema | undefined): void {
  for (const [directive, wanted] of Object.entries(fields)) {
    const field = directive.slice(orderDirective.length);
    const list = result[field];
    if (!directive.startsWith(orderDirective) || !Array.isArray(wanted) || !Array.isArray(list)) continue;
    const key = fieldSchema(schema, field)?.["x-kubernetes-patch-merge-key"];
    const identity = (item: unknown): unknown => (key !== undefined && isRecord(item) ? item[key] : item);
    const order = wanted.map(identity);
    const rank = (item: unknown): number => {
      const index = order.indexOf(identity(item));
      return index < 0 ? order.length : index;
    };
    result[field] = list.toSorted((a, b) => rank(a) - rank(b));
  }
}
