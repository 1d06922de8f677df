import { Ajv, type ValidateFunction } from "ajv";
import { z } from "zod";
import { isRecord } from "../../src/lib/json.ts";

/** One request to an API and its reply, as they went over the wire. */
export interface ApiExchange {
  readonly method: string;
  /** Below the API's own address, still percent-encoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Parsed JSON; `undefined`: none. */
  readonly body: unknown;
  readonly status: number;
  readonly reply: unknown;
}

/** What an API promises: an OpenAPI 3.0 description that exchanges are held to. For tests. */
export interface Contract {
  /** What breaks the promise, on either side; empty: nothing does. */
  violations(exchange: ApiExchange): string[];
}

const parameter = z.object({ name: z.string(), in: z.string(), required: z.boolean().optional() });
const withSchema = z.object({ content: z.record(z.string(), z.object({ schema: z.unknown() })).optional() });
const reference = z.object({ $ref: z.string() });
const operation = z.object({
  parameters: z.array(z.union([reference, parameter])).default([]),
  requestBody: withSchema.optional(),
  responses: z.record(z.string(), z.union([reference, withSchema])),
});
type Operation = z.infer<typeof operation>;

/**
 * Reads an OpenAPI 3.0 description.
 * @param otherError pointer to the schema of errors that the description does not list, e.g. a 401 on every operation
 */
export function openContract(description: object, otherError: string): Contract {
  const document = withNull(description);
  const settings = { strict: false, validateFormats: false, logger: false } as const;
  const schemas = new Ajv(settings).addSchema(document, "api");
  const parameters = new Ajv({ ...settings, coerceTypes: true }).addSchema(document, "api");
  const paths = Object.keys(z.object({ paths: z.record(z.string(), z.unknown()) }).parse(document).paths);
  const check = (pointer: string, value: unknown) => problems(compiled(schemas, pointer), value);
  return {
    violations: (exchange) => {
      const call = `${exchange.method} ${exchange.path}`;
      const template = bestTemplate(paths, exchange.path);
      const at = template === undefined ? undefined : pointerTo("paths", template, exchange.method.toLowerCase());
      const found = at === undefined ? undefined : operation.optional().parse(resolve(document, at));
      if (!found || at === undefined || template === undefined) return [`${call}: there is no such operation`];
      const parts = { exchange, at, found, document };
      const wrong = [
        ...parameterProblems(parts, { template, check: (pointer, value) => problems(wrapped(parameters, pointer), { value }) }),
        ...bodyProblems(parts, check),
        ...replyProblems(parts, otherError, check),
      ];
      return wrong.map((problem) => `${call}: ${problem}`);
    },
  };
}

type Check = (pointer: string, value: unknown) => string[];

interface Parts {
  readonly exchange: ApiExchange;
  /** Pointer to the operation. */
  readonly at: string;
  readonly found: Operation;
  readonly document: object;
}

function parameterProblems({ exchange, at, found, document }: Parts, { template, check }: { template: string; check: Check }): string[] {
  const known = found.parameters.map((entry, index) => {
    const pointer = "$ref" in entry ? entry.$ref : `${at}/parameters/${index}`;
    return { pointer, ...parameter.parse(resolve(document, pointer)) };
  });
  const values = new Map([...pathValues(template, exchange.path), ...exchange.query]);
  const unknown = [...exchange.query.keys()].filter((name) => !known.some((entry) => entry.in === "query" && entry.name === name));
  return [
    ...unknown.map((name) => `no query parameter ${name}`),
    ...known.flatMap(({ name, required, pointer }) => {
      const value = values.get(name);
      if (value === undefined) return required ? [`parameter ${name} is missing`] : [];
      return check(`${pointer}/schema`, value).map((problem) => `parameter ${name}: ${problem}`);
    }),
  ];
}

function bodyProblems({ exchange: { body }, at, found, document }: Parts, check: Check): string[] {
  if (body === undefined) return [];
  if (!found.requestBody?.content?.["application/json"]) return ["takes no JSON body"];
  const pointer = `${at}/requestBody/content/application~1json/schema`;
  const { properties } = z.object({ properties: z.record(z.string(), z.unknown()) }).parse(followed(document, pointer));
  // A description rarely forbids more fields, but a host ignores those it does not know: then our request has a typing error.
  const unknown = Object.keys(isRecord(body) ? body : {}).filter((field) => !(field in properties));
  return [...unknown.map((field) => `no field ${field} in the body`), ...check(pointer, body).map((problem) => `body${problem}`)];
}

function replyProblems({ exchange: { status, reply }, at, found, document }: Parts, otherError: string, check: Check): string[] {
  const listed = found.responses[String(status)];
  if (!listed) return status < 400 ? [`never answers ${status}`] : check(otherError, reply).map((problem) => `reply${problem}`);
  const pointer = "$ref" in listed ? listed.$ref : `${at}/responses/${status}`;
  const { content } = withSchema.parse(resolve(document, pointer));
  if (!content?.["application/json"]) return reply === undefined ? [] : [`answers ${status} without JSON`];
  return check(`${pointer}/content/application~1json/schema`, reply).map((problem) => `reply${problem}`);
}

/** The template that fits with the fewest variables: a fixed word wins over one. */
function bestTemplate(templates: readonly string[], path: string): string | undefined {
  const variables = (template: string) => template.split("{").length;
  return templates.filter((template) => pathPattern(template).test(path)).sort((a, b) => variables(a) - variables(b))[0];
}

function pathPattern(template: string): RegExp {
  return new RegExp(`^${template.replace(/[.*+?()|[\]\\^$]/g, "\\$&").replace(/\{[^}]+\}/g, "([^/]+)")}$`);
}

function pathValues(template: string, path: string): [string, string][] {
  const names = [...template.matchAll(/\{([^}]+)\}/g)].map(([, name = ""]) => name);
  const values = (pathPattern(template).exec(path) ?? []).slice(1);
  return names.map((name, index) => [name, decodeURIComponent(values[index] ?? "")]);
}

function pointerTo(...parts: readonly string[]): string {
  return `#${parts.map((part) => `/${part.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("")}`;
}

function resolve(document: object, pointer: string): unknown {
  const parts = pointer.slice(2).split("/").map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  return parts.reduce<unknown>(member, document);
}

function member(value: unknown, part: string): unknown {
  if (Array.isArray(value)) return value[Number(part)];
  return isRecord(value) ? value[part] : undefined;
}

function followed(document: object, pointer: string): unknown {
  const value = resolve(document, pointer);
  const parsed = reference.safeParse(value);
  return parsed.success ? followed(document, parsed.data.$ref) : value;
}

function compiled(ajv: Ajv, pointer: string): ValidateFunction {
  return ajv.compile({ $ref: `api${encodeURI(pointer)}` });
}

function wrapped(ajv: Ajv, pointer: string): ValidateFunction {
  return ajv.compile({ type: "object", properties: { value: { $ref: `api${encodeURI(pointer)}` } } });
}

function problems(validate: ValidateFunction, value: unknown): string[] {
  return validate(value) ? [] : (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message ?? "is wrong"}`);
}

/** JSON Schema has no `nullable`: says the same with the type "null". */
function withNull(description: object): object {
  return z.record(z.string(), z.unknown()).parse(translated(description));
}

function translated(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(translated);
  if (!isRecord(value)) return value;
  const { nullable, ...rest } = Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, translated(inner)]));
  if (nullable === undefined || typeof nullable === "object") return nullable === undefined ? rest : { ...rest, nullable };
  return nullable === true ? { anyOf: [rest, { type: "null" }] } : rest;
}
