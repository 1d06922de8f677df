import { isRecord } from "../../src/lib/json.ts";
import type { Schema } from "../../src/sandbox/api-server/schema.ts";

type Extreme = "short" | "long" | "small" | "large" | "few" | "many";
/** One thing that is wrong with one field. */
export interface WrongValue {
  /** For the test's name: what is wrong. */
  readonly fault: "type" | "enum" | "null" | "pattern" | "twice" | "missing" | "unknown" | `too ${Extreme}`;
  /** The field that the answer must name, e.g. `spec.analysis.metrics[0].name`. */
  readonly path: string;
  /** The part of the object below the root with the fault in it. */
  readonly value: unknown;
  /** What the answer must say, besides the path, so that a person knows what would be right. */
  readonly says: string;
}

type Step = string | number;
interface Field {
  readonly schema: Schema;
  readonly steps: readonly Step[];
}

/**
 * Every way to be wrong that the schema knows of, one at a time, in an otherwise valid value: what is missing on the way to
 * a field is filled in with the least that is valid. A new field of a schema is so covered by itself.
 * @param root first part of the paths, `spec` or `status`
 * @param valid a valid value of the schema
 */
export function wrongValues(schema: Schema, root: string, valid: unknown): WrongValue[] {
  return fieldsOf({ schema, steps: [] }).flatMap((field) => faultsOf(field, { schema, root, valid }));
}

function fieldsOf(field: Field): Field[] {
  const { schema, steps } = field;
  const below = Object.entries(schema.properties ?? {}).map(([name, inner]): Field => ({ schema: inner, steps: [...steps, name] }));
  if (schema.items) below.push({ schema: schema.items, steps: [...steps, 0] });
  if (isRecord(schema.additionalProperties)) below.push({ schema: schema.additionalProperties, steps: [...steps, "key"] });
  return [field, ...below.flatMap(fieldsOf)];
}

interface Whole {
  readonly schema: Schema;
  readonly root: string;
  readonly valid: unknown;
}

/** A wrong value of one field, before it is put into the whole. */
type Fault = Pick<WrongValue, "fault" | "says"> & { readonly wrong: unknown; readonly at?: Step };

function faultsOf({ schema, steps }: Field, whole: Whole): WrongValue[] {
  const built = (wrong: unknown): unknown => put(whole.valid, whole.schema, steps, wrong);
  const faults = [...typeFaults(schema), ...textFaults(schema), ...numberFaults(schema), ...listFaults(schema)];
  const wrongs = faults.map(({ fault, says, wrong, at }): WrongValue => {
    const path = pathOf(whole.root, at === undefined ? steps : [...steps, at]);
    return { fault, says, path, value: built(wrong) };
  });
  return [...wrongs, ...objectFaults({ schema, steps }, whole)];
}

function typeFaults(schema: Schema): Fault[] {
  if (schema["x-kubernetes-int-or-string"]) return [{ fault: "type", wrong: true, says: "integer,string" }];
  if (schema.type === undefined) return [];
  const says = schema.type;
  const wrong = { string: 12, integer: "text", number: "text", boolean: "yes", array: "text", object: "text" }[schema.type];
  const wrongs: Fault[] = [{ fault: "type", wrong, says }];
  if (schema.type === "integer") wrongs.push({ fault: "type", wrong: 1.5, says });
  // Of a field with a default it means the default.
  if (schema.default === undefined && schema.nullable !== true) wrongs.push({ fault: "null", wrong: null, says });
  return wrongs;
}

function textFaults({ type, enum: allowed, pattern, minLength, maxLength }: Schema): Fault[] {
  if (type !== "string") return [];
  const faults: Fault[] = [];
  const list = allowed?.map((value) => JSON.stringify(value)).join(", ");
  if (list !== undefined) faults.push({ fault: "enum", wrong: "no-such-word", says: `supported values: ${list}` });
  if (pattern !== undefined) faults.push({ fault: "pattern", wrong: "not @ such a thing\n", says: `should match '${pattern}'` });
  if (minLength) faults.push({ fault: "too short", wrong: "", says: `should be at least ${minLength} chars long` });
  if (maxLength) faults.push({ fault: "too long", wrong: "a".repeat(maxLength + 1), says: `may not be more than ${maxLength}` });
  return faults;
}

function numberFaults({ type, minimum, maximum, format }: Schema): Fault[] {
  if (type !== "integer" && type !== "number") return [];
  const faults: Fault[] = [];
  if (minimum !== undefined) faults.push({ fault: "too small", wrong: minimum - 1, says: `should be greater than or equal to ${minimum}` });
  if (maximum !== undefined) faults.push({ fault: "too large", wrong: maximum + 1, says: `should be less than or equal to ${maximum}` });
  if (maximum === undefined && format === "int32") faults.push({ fault: "too large", wrong: 2 ** 31, says: "int32" });
  return faults;
}

function listFaults(schema: Schema): Fault[] {
  const { type, items, minItems, maxItems } = schema;
  if (type !== "array" || !items) return [];
  const faults: Fault[] = [];
  const one = least(items);
  const many = (length: number): unknown[] => Array.from({ length }, (_, index) => distinct(one, schema, index));
  if (minItems) faults.push({ fault: "too few", wrong: [], says: `should have at least ${minItems} items` });
  if (maxItems) faults.push({ fault: "too many", wrong: many(maxItems + 1), says: `must have at most ${maxItems} items` });
  if (schema["x-kubernetes-list-type"] === "map") faults.push({ fault: "twice", wrong: [one, one], says: "Duplicate value", at: 1 });
  return faults;
}

/** Items of a keyed list, told apart by their key. */
function distinct(item: unknown, schema: Schema, index: number): unknown {
  const [key] = schema["x-kubernetes-list-map-keys"] ?? [];
  return key === undefined || !isRecord(item) ? item : { ...item, [key]: `${String(item[key])}${index}` };
}

function objectFaults({ schema, steps }: Field, { schema: whole, root, valid }: Whole): WrongValue[] {
  if (!schema.properties) return [];
  const here = (change: (object: Record<string, unknown>) => void): unknown => {
    const base = put(valid, whole, steps, undefined);
    change(read(base, steps) as Record<string, unknown>);
    return base;
  };
  const missing = (schema.required ?? []).map((name): WrongValue => ({
    fault: "missing",
    path: pathOf(root, [...steps, name]),
    says: "Required value",
    value: here((object) => delete object[name]),
  }));
  const strange = here((object) => (object["unheardOf"] = 1));
  const path = pathOf(root, [...steps, "unheardOf"]);
  return [...missing, { fault: "unknown", path, says: "field not declared in schema", value: strange }];
}

/** A copy of the value with `wrong` at these steps; `undefined` leaves the least valid there. */
function put(value: unknown, schema: Schema, [step, ...rest]: readonly Step[], wrong: unknown): unknown {
  if (step === undefined) return wrong === undefined ? structuredClone(value ?? least(schema)) : wrong;
  const inner = innerOf(schema, step);
  const base = value ?? least(schema);
  if (typeof step === "number") {
    const list = Array.isArray(base) ? base : [];
    return [put(list[0], inner, rest, wrong), ...list.slice(1)];
  }
  const object = isRecord(base) ? base : {};
  return { ...structuredClone(object), [step]: put(object[step], inner, rest, wrong) };
}

function innerOf(schema: Schema, step: Step): Schema {
  const inner = typeof step === "number" ? schema.items : (schema.properties?.[step] ?? schema.additionalProperties);
  if (!isRecord(inner)) throw new Error(`the schema has nothing at ${step}`);
  return inner;
}

function read(value: unknown, steps: readonly Step[]): unknown {
  return steps.reduce<unknown>((at, step) => (at as Record<Step, unknown>)[step], value);
}

const texts = ["a", "1m", "https://a.example", "a".repeat(40), "apps/v1"];

const leastOfType: Readonly<Record<string, (schema: Schema) => unknown>> = {
  object: ({ required = [], properties = {} }) => Object.fromEntries(required.map((name) => [name, least(properties[name] ?? {})])),
  array: ({ minItems = 0, items = {} }) => Array.from({ length: minItems }, () => least(items)),
  integer: ({ minimum = 1 }) => minimum,
  number: ({ minimum = 1 }) => minimum,
  boolean: () => true,
  string: textFor,
};

/** The least value that the schema takes. Throws for a text whose pattern none of the examples fits: add one above. */
export function least(schema: Schema): unknown {
  if (schema.enum) return schema.enum[0];
  if (schema["x-kubernetes-int-or-string"]) return 1;
  return leastOfType[schema.type ?? ""]?.(schema) ?? {};
}

function textFor({ pattern, minLength = 0 }: Schema): string {
  const found = texts.find((text) => text.length >= minLength && (pattern === undefined || new RegExp(pattern, "u").test(text)));
  if (found === undefined) throw new Error(`test/bad-input/wrong-values.ts knows no text that matches ${pattern}; add one`);
  return found;
}

/** `spec.metrics[0].name`, as the API server writes it. */
function pathOf(root: string, steps: readonly Step[]): string {
  return steps.reduce<string>((path, step) => (typeof step === "number" ? `${path}[${step}]` : `${path}.${step}`), root);
}
