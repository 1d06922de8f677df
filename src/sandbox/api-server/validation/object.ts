import type { KubeObject } from "../../../api/object.ts";
import { isRecord } from "../../../lib/json.ts";
import type { FieldError } from "../api-error.ts";
import { crdErrors } from "../crds.ts";
import { nameRuleOf } from "../kinds/builtin-kinds.ts";
import type { Draft, ResourceType } from "../resource-type.ts";
import type { Schema } from "../schema.ts";
import { metadataErrors } from "./names.ts";
import { structuralErrors } from "./structural.ts";

/** What is wrong with an object as it would be stored; `before`: as it was. */
export function errorsOf(type: ResourceType, object: Draft, before: KubeObject | undefined, subresource = ""): FieldError[] {
  const own = before === undefined ? metadataErrors(object.metadata, nameRuleOf(type)) : metadataErrors(object.metadata, () => undefined);
  if (type.custom) return [...own, ...customErrors(type, object, before, subresource)];
  // The status of a built-in kind is written by controllers, whose words are taken as they are.
  return subresource === "status" ? own : [...own, ...builtinErrors(type, object, before)];
}

function builtinErrors({ kind, strategy }: ResourceType, object: Draft, before: KubeObject | undefined): FieldError[] {
  const errors = [...(kind === "CustomResourceDefinition" ? crdErrors(object) : []), ...(strategy.validate?.(object) ?? [])];
  return before ? [...errors, ...(strategy.validateUpdate?.(object, before) ?? [])] : errors;
}

const unchecked: FieldError = {
  reason: "FieldValueInvalid",
  field: "<nil>",
  why: "Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation",
};

function customErrors(type: ResourceType, object: Draft, before: KubeObject | undefined, subresource: string): FieldError[] {
  const { schema, value } = subresource === "status" ? statusPart(type, object) : { schema: withoutMetadata(type), value: object };
  const found = structuralErrors(withoutUndefined(value), schema, "");
  const errors = subresource === "status" ? found.map(belowStatus) : found;
  if (type.rules?.any !== true) return errors;
  if (errors.some(({ reason }) => blocking.has(reason))) return [...errors, unchecked];
  return [...errors, ...type.rules.errors(value, before, { schema: subresource === "status" ? schema : type.schema, path: "" })];
}

/** Mistakes after which the real server does not look at rules any more. */
const blocking = new Set<FieldError["reason"]>([
  "FieldValueNotSupported",
  "FieldValueRequired",
  "FieldValueTooLong",
  "FieldValueTooMany",
  "FieldValueTypeInvalid",
]);

/** A write to status is judged by the status' schema alone. */
function statusPart({ schema }: ResourceType, object: Draft): { schema: Schema; value: Record<string, unknown> } {
  return { schema: { type: "object", properties: { status: schema.properties?.["status"] ?? {} } }, value: { status: object["status"] } };
}

/** Metadata is checked by rules of its own. */
function withoutMetadata({ schema }: ResourceType): Schema {
  return { ...schema, properties: { ...schema.properties, metadata: {} } };
}

/** In the real server's words paths in the text are relative to the subresource. */
function belowStatus({ reason, field, why }: FieldError): FieldError {
  const text = why.replace(": status.", ": ").replace(": status in body", ":  in body").replace(" in status.", " in ");
  return { reason, field: field === "<nil>" ? "status" : field, why: text };
}

function withoutUndefined(value: unknown): unknown {
  return isRecord(value) ? Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== undefined)) : value;
}
