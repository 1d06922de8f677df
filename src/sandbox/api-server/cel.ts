import { Environment } from "@marcbachmann/cel-js";
import { isRecord } from "../../lib/json.ts";
import { messageOf } from "../../lib/errors.ts";
import type { FieldError } from "./api-error.ts";
import { registerKubernetesFunctions } from "./cel-functions.ts";
import { fieldSchema, type Schema, type ValidationRule } from "./schema.ts";

/** A rule that this server cannot evaluate: a write it would judge is refused, and it is listed here. */
export interface UnevaluatedRule {
  readonly rule: string;
  readonly reason: string;
}

/** The CEL rules of one CRD version. */
export interface CompiledRules {
  /** Whether there are any. */
  readonly any: boolean;
  readonly unevaluated: readonly UnevaluatedRule[];
  /**
   * Fields that break a rule, outermost first.
   * @param before the stored object; rules with `oldSelf` count only when there is one
   */
  errors(value: unknown, before: unknown, root: { schema: Schema; path: string }): FieldError[];
}

interface Program {
  readonly usesOld: boolean;
  /** True, false, or a sentence why it could not be evaluated. */
  run(self: unknown, oldSelf: unknown): boolean | string;
  message(self: unknown, oldSelf: unknown): string;
}

/** Compiles every rule below a schema node. Never throws: what does not compile is listed in `unevaluated`. */
export function compileRules(schema: Schema): CompiledRules {
  const environment = registerKubernetesFunctions(
    new Environment({ enableOptionalTypes: true, homogeneousAggregateLiterals: false })
      .registerVariable("self", "dyn")
      .registerVariable("oldSelf", "dyn"),
  );
  const unevaluated: UnevaluatedRule[] = [];
  const programs = new Map<ValidationRule, Program>();
  for (const rule of rulesIn(schema)) programs.set(rule, compile(environment, rule, unevaluated));
  return {
    any: programs.size > 0,
    unevaluated,
    errors: (value, before, root) => (programs.size === 0 ? [] : check({ value, before }, root.schema, root.path, programs)),
  };
}

function* rulesIn(schema: Schema): Generator<ValidationRule> {
  yield* schema["x-kubernetes-validations"] ?? [];
  for (const child of Object.values(schema.properties ?? {})) yield* rulesIn(child);
  if (schema.items) yield* rulesIn(schema.items);
  if (typeof schema.additionalProperties === "object") yield* rulesIn(schema.additionalProperties);
}

function compile(environment: Environment, rule: ValidationRule, unevaluated: UnevaluatedRule[]): Program {
  const usesOld = /\boldSelf\b/.test(rule.rule);
  const fallback = (): string => rule.message ?? `failed rule: ${rule.rule}`;
  try {
    const program = environment.parse(rule.rule);
    const checked = program.check();
    if (!checked.valid) throw new Error(checked.error ? checked.error.message : "it does not type-check");
    const message = rule.messageExpression === undefined ? undefined : environment.parse(rule.messageExpression);
    return {
      usesOld,
      run: (self, oldSelf) => evaluate(() => program({ self, oldSelf }), rule.rule),
      message: (self, oldSelf) => (message === undefined ? fallback() : textOr(() => message({ self, oldSelf }), fallback())),
    };
  } catch (error) {
    const reason = firstLine(messageOf(error));
    unevaluated.push({ rule: rule.rule, reason });
    return { usesOld, run: () => `rule cannot be evaluated by this server: ${rule.rule}: ${reason}`, message: fallback };
  }
}

function evaluate(run: () => unknown, rule: string): boolean | string {
  try {
    const result = run();
    return typeof result === "boolean" ? result : `rule is not a boolean: ${rule}`;
  } catch (error) {
    return `rule evaluation error: ${rule}: ${firstLine(messageOf(error))}`;
  }
}

function textOr(run: () => unknown, fallback: string): string {
  try {
    const text = run();
    return typeof text === "string" && text.trim() !== "" ? text : fallback;
  } catch {
    return fallback;
  }
}

function firstLine(text: string): string {
  return text.split("\n")[0] ?? text;
}

interface Versions {
  readonly value: unknown;
  readonly before: unknown;
}

function check(versions: Versions, schema: Schema, path: string, programs: ReadonlyMap<ValidationRule, Program>): FieldError[] {
  const { value, before } = versions;
  if (value === undefined || value === null) return [];
  const own = (schema["x-kubernetes-validations"] ?? []).flatMap((rule) =>
    broken(rule, versions, { schema, path, program: programs.get(rule) }),
  );
  const below = isRecord(value)
    ? Object.entries(value).flatMap(([field, inner]) => {
        const child = fieldSchema(schema, field);
        const at = schema.properties?.[field] ? `${path}${path === "" ? "" : "."}${field}` : `${path}[${field}]`;
        return child ? check({ value: inner, before: isRecord(before) ? before[field] : undefined }, child, at, programs) : [];
      })
    : listItems(versions, schema, path, programs);
  return [...own, ...below];
}

function listItems(
  { value, before }: Versions,
  schema: Schema,
  path: string,
  programs: ReadonlyMap<ValidationRule, Program>,
): FieldError[] {
  const { items } = schema;
  if (!Array.isArray(value) || !items) return [];
  return value.flatMap((item: unknown, index) =>
    check({ value: item, before: counterpart(item, before, schema) }, items, `${path}[${index}]`, programs),
  );
}

/** The old item with the same keys. Items of other lists have no history. */
function counterpart(item: unknown, before: unknown, schema: Schema): unknown {
  const keys = schema["x-kubernetes-list-map-keys"];
  if (schema["x-kubernetes-list-type"] !== "map" || !keys || !Array.isArray(before) || !isRecord(item)) return undefined;
  return before.find((old: unknown) => isRecord(old) && keys.every((key) => old[key] === item[key]));
}

function broken(
  rule: ValidationRule,
  { value, before }: Versions,
  at: { schema: Schema; path: string; program: Program | undefined },
): FieldError[] {
  const { schema, path, program } = at;
  if (program === undefined || (program.usesOld && before === undefined && rule.optionalOldSelf !== true)) return [];
  const self = toCel(value, schema);
  const oldSelf = toCel(before, schema);
  const result = program.run(self, oldSelf);
  if (result === true) return [];
  const field = `${path}${rule.fieldPath ?? ""}`;
  if (result !== false) return [{ reason: "FieldValueInvalid", field, why: `Invalid value: ${result}` }];
  const reason = rule.reason ?? "FieldValueInvalid";
  return [{ reason, field, why: sentences[reason](shownIn(value), program.message(self, oldSelf)) }];
}

/** Objects and lists are not repeated in what is said of them. */
function shownIn(value: unknown): string {
  return typeof value === "object" ? "" : `: ${JSON.stringify(value)}`;
}

const sentences: Readonly<Record<NonNullable<ValidationRule["reason"]>, (shown: string, message: string) => string>> = {
  FieldValueInvalid: (shown, message) => `Invalid value${shown}: ${message}`,
  FieldValueForbidden: (_, message) => `Forbidden: ${message}`,
  FieldValueRequired: (_, message) => `Required value: ${message}`,
  FieldValueDuplicate: (shown) => `Duplicate value${shown}`,
};

/** JSON as CEL sees it: integers are CEL's int (a JavaScript number would be a double), dates are timestamps. */
function toCel(value: unknown, schema: Schema | undefined): unknown {
  if (typeof value === "number") return schema?.type !== "number" && Number.isInteger(value) ? BigInt(value) : value;
  if (typeof value === "string" && schema?.format === "date-time") return new Date(value);
  if (Array.isArray(value)) return value.map((item) => toCel(item, schema?.items));
  if (isRecord(value))
    return Object.fromEntries(Object.entries(value).map(([field, inner]) => [field, toCel(inner, fieldSchema(schema, field))]));
  return value;
}
