import { z } from "zod";
import { isRecord } from "../lib/json.ts";

/** A structural schema as CustomResourceDefinitions hold it. */
export type Schema = { [keyword: string]: unknown };

/** Keywords that may stand in a structural schema. Anything else is a build error, so that a new zod cannot leak a new keyword. */
const allowed = new Set([
  "type",
  "properties",
  "required",
  "items",
  "additionalProperties",
  "enum",
  "default",
  "description",
  "minimum",
  "maximum",
  "exclusiveMinimum",
  "exclusiveMaximum",
  "minLength",
  "maxLength",
  "pattern",
  "minItems",
  "maxItems",
  "minProperties",
  "maxProperties",
  "multipleOf",
  "format",
  "nullable",
]);

/**
 * The structural schema of what users may write, from a zod schema: defaults, bounds, descriptions and `x-kubernetes-*`
 * metadata are carried over. Throws, naming the path, for what a CustomResourceDefinition cannot say.
 */
export function structuralSchema(schema: z.ZodType): Schema {
  const json = z.toJSONSchema(schema, { target: "openapi-3.0", io: "input", unrepresentable: "any", reused: "inline", cycles: "throw" });
  const { $schema: _, ...root } = json as Schema;
  return convert(root, "");
}

function convert(source: Schema, path: string): Schema {
  if (source["x-kubernetes-int-or-string"] === true) return intOrString(source);
  const extensions = Object.entries(source).filter(([keyword]) => keyword.startsWith("x-kubernetes-"));
  if (isAnything(source)) return { ...pick(source, ["description"]), "x-kubernetes-preserve-unknown-fields": true };
  refuseUnknownKeywords(source, path);
  const out: Schema = { ...pick(source, [...allowed]), ...Object.fromEntries(extensions) };
  if (out["type"] === "integer") boundInteger(out);
  if (isRecord(source["properties"])) {
    out["properties"] = Object.fromEntries(
      Object.entries(source["properties"]).map(([name, inner]) => [name, convert(inner as Schema, `${path}.${name}`)]),
    );
    delete out["additionalProperties"]; // the API server prunes; structural schemas may not forbid
  } else if (isRecord(source["additionalProperties"])) {
    Object.assign(out, mapOf(source["additionalProperties"], `${path}[*]`));
  }
  if (isRecord(source["items"])) out["items"] = convert(source["items"], `${path}[]`);
  return out;
}

function mapOf(values: Schema, path: string): Schema {
  return isAnything(values)
    ? { additionalProperties: undefined, "x-kubernetes-preserve-unknown-fields": true }
    : { additionalProperties: convert(values, path) };
}

function intOrString(source: Schema): Schema {
  return {
    ...pick(source, ["description", "default"]),
    anyOf: [{ type: "integer" }, { type: "string" }],
    "x-kubernetes-int-or-string": true,
  };
}

/** zod's `any` and `unknown`: no type, and nothing that narrows it. */
function isAnything(source: Schema): boolean {
  const narrowing = Object.keys(source).filter((keyword) => keyword !== "description" && !keyword.startsWith("x-kubernetes-"));
  return narrowing.length === 0;
}

function boundInteger(out: Schema): void {
  const int32 = { minimum: -2_147_483_648, maximum: 2_147_483_647 };
  const isInt32 =
    out["format"] === "int32" ||
    (Number(out["minimum"] ?? -Infinity) >= int32.minimum && Number(out["maximum"] ?? Infinity) <= int32.maximum);
  out["format"] = isInt32 ? "int32" : "int64";
  // zod writes the bounds of the number type itself; the format says that already.
  if (out["minimum"] === Number.MIN_SAFE_INTEGER || out["minimum"] === int32.minimum) delete out["minimum"];
  if (out["maximum"] === Number.MAX_SAFE_INTEGER || out["maximum"] === int32.maximum) delete out["maximum"];
}

function refuseUnknownKeywords(source: Schema, path: string): void {
  const unknown = Object.keys(source).filter((keyword) => !allowed.has(keyword) && !keyword.startsWith("x-kubernetes-"));
  if (unknown.length > 0) throw new Error(`${path || "the root"}: a CustomResourceDefinition cannot say ${unknown.join(", ")}`);
}

function pick(source: Schema, keywords: readonly string[]): Schema {
  return Object.fromEntries(keywords.filter((keyword) => source[keyword] !== undefined).map((keyword) => [keyword, source[keyword]]));
}
