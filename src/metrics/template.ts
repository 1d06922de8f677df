import type { Version } from "../api/proxies.ts";
import { StalledError } from "../lib/errors.ts";

/** Names that a query's variables stand for, with the meaning they have in Flagger. */
export interface TemplateNames {
  /** The Canary. */
  readonly name: string;
  readonly namespace: string;
  /** The workload of `targetRef`. */
  readonly target: string;
  /** The apex Service. */
  readonly service: string;
  /** The Ingress of `ingressRef`, else the target's name. */
  readonly ingress: string;
  /** The target's name: no router of ours has a route object of the user's. */
  readonly route: string;
}

/** A query with variables. */
export interface QueryTemplate {
  /** How messages call it, e.g. `MetricTemplate shop/error-rate`. */
  readonly label: string;
  readonly query: string;
}

/** What the variables of one rendering say. */
interface TemplateInput {
  readonly names: TemplateNames;
  /** A PromQL duration, e.g. `60s`. */
  readonly interval: string;
  /** `templateVariables` of the metric. */
  readonly variables: Readonly<Record<string, string>>;
  readonly side: Version;
}

interface Placeholder {
  readonly expression: string;
  /** Quote of the string literal it stands in, {@link comment} in a comment, else empty. */
  readonly quote: string;
  /** Whether `-canary` or `-primary` follows at once. */
  readonly suffix: "-canary" | "-primary" | "";
}

type Piece = string | Placeholder;

const comment = "#";
const plainName = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;
// Outside of a string: a number, a name, a duration or a list of those. Anything else could change the query's structure.
const plainValue = /^[\w:.+-]+([ \t]*,[ \t]*[\w:.+-]+)*$/;

/**
 * The query to send. For the canary every variable has Flagger's meaning. For the primary the same query is pointed at the
 * primary's objects: `{{ target }}` becomes `<target>-primary`, and `{{ service }}-canary`, `{{ target }}-canary` the names
 * with `-primary`; what already says `-primary` stays.
 * Throws StalledError for an unknown variable, and for a value that would change the structure of the query.
 */
export function renderTemplate(template: QueryTemplate, input: TemplateInput): string {
  return piecesOf(template)
    .map((piece) => (typeof piece === "string" ? piece : valueOf(template, piece, input)))
    .join("");
}

/** Whether the query measures something else for the primary than for the canary, so that the two can be compared. */
export function tellsSidesApart(template: QueryTemplate): boolean {
  return piecesOf(template).some(
    (piece) => typeof piece !== "string" && (isBareTarget(piece) || (pointsAtSide(piece) && piece.suffix === "-canary")),
  );
}

/** Whether the query looks back by `{{ interval }}`. One that does not has a window of its own, which nothing can shorten. */
export function usesInterval(template: QueryTemplate): boolean {
  return piecesOf(template).some((piece) => typeof piece !== "string" && piece.expression === "interval");
}

function isBareTarget({ expression, suffix }: Placeholder): boolean {
  return expression === "target" && suffix === "";
}

function pointsAtSide({ expression }: Placeholder): boolean {
  return expression === "target" || expression === "service" || expression === "name";
}

function valueOf(template: QueryTemplate, piece: Placeholder, input: TemplateInput): string {
  const { names, side } = input;
  if (side === "primary" && isBareTarget(piece)) return `${nameOf(template, "target", names.target)}-primary`;
  const value = rawValue(template, piece, input);
  if (piece.suffix === "") return value;
  return side === "primary" && pointsAtSide(piece) ? `${value}-primary` : `${value}${piece.suffix}`;
}

function variableKey({ expression }: Placeholder): string | undefined {
  return /^variables\.([\w-]+)$/.exec(expression)?.[1];
}

function rawValue(template: QueryTemplate, piece: Placeholder, { names, interval, variables }: TemplateInput): string {
  const { expression } = piece;
  if (expression === "interval") return interval;
  if (isNameField(expression)) return nameOf(template, expression, names[expression]);
  const key = variableKey(piece);
  const value = key !== undefined && Object.hasOwn(variables, key) ? variables[key] : undefined;
  if (key === undefined || value === undefined) throw unknownVariable(template, expression, Object.keys(variables));
  return checkedValue(template, key, value, piece.quote);
}

const nameFields = ["name", "namespace", "target", "service", "ingress", "route"] as const;

function isNameField(expression: string): expression is (typeof nameFields)[number] {
  return nameFields.some((field) => field === expression);
}

function nameOf({ label }: QueryTemplate, field: string, value: string): string {
  if (plainName.test(value)) return value;
  throw new StalledError("InvalidQuery", `${label}: {{ ${field} }} is "${value}", which is not the name of a Kubernetes object`);
}

function checkedValue({ label }: QueryTemplate, key: string, value: string, quote: string): string {
  if (quote === "" || quote === comment) {
    if (plainValue.test(value)) return value;
    throw new StalledError(
      "InvalidQuery",
      `${label}: templateVariables.${key} stands outside of a string and must be a number, name or duration, or a comma-separated list`,
    );
  }
  if (staysInside(value, quote)) return value;
  throw new StalledError(
    "InvalidQuery",
    `${label}: templateVariables.${key} would end the string it stands in; escape ${quote} and \\ with a backslash, and use no line break`,
  );
}

// The value is taken as it is, with its own escapes, as Flagger does; so it must not contain what ends the literal.
function staysInside(value: string, quote: string): boolean {
  if (quote === "`") return !value.includes("`");
  const withoutEscapes = value.replaceAll(/\\[^\n]/g, "");
  return !withoutEscapes.includes(quote) && !withoutEscapes.includes("\\") && !withoutEscapes.includes("\n");
}

function unknownVariable({ label }: QueryTemplate, expression: string, keys: readonly string[]): StalledError {
  const known = [...nameFields, "interval", ...keys.toSorted().map((key) => `variables.${key}`)];
  return new StalledError("InvalidQuery", `${label}: unknown variable {{ ${expression} }}; known are ${known.join(", ")}`);
}

// One pass: a string literal's start or end, a comment, or a placeholder with Go's optional trim markers.
function piecesOf({ label, query }: QueryTemplate): Piece[] {
  const pieces: Piece[] = [];
  let quote = "";
  let text = "";
  for (let at = 0; at < query.length;) {
    const placeholder = query.startsWith("{{", at) ? placeholderAt(query, at, quote) : undefined;
    if (placeholder) {
      pieces.push(placeholder.trimLeft ? text.trimEnd() : text, placeholder.piece);
      text = "";
      at = placeholder.end;
    } else if (query.startsWith("{{", at)) {
      throw new StalledError("InvalidQuery", `${label}: {{ at character ${at + 1} is not closed by }}`);
    } else {
      const token = tokenAt(query, at, quote);
      quote = token.quote;
      text += token.text;
      at += token.text.length;
    }
  }
  return [...pieces, text];
}

function placeholderAt(query: string, at: number, quote: string): { piece: Placeholder; end: number; trimLeft: boolean } | undefined {
  const match = /^\{\{(-(?=\s))?\s*((?:(?!\}\}|\{\{)[\s\S])*?)\s*(?:(?<=\s)(-))?\}\}/.exec(query.slice(at));
  if (!match) return undefined;
  const [whole, trimLeft, expression = "", trimRight] = match;
  let end = at + whole.length;
  if (trimRight !== undefined) end += /^\s*/.exec(query.slice(end))?.[0].length ?? 0;
  const suffix = /^-(?:canary|primary)(?![a-z0-9])/.exec(query.slice(end))?.[0];
  const piece: Placeholder = { expression, quote, suffix: suffix === "-canary" || suffix === "-primary" ? suffix : "" };
  return { piece, end: end + piece.suffix.length, trimLeft: trimLeft !== undefined };
}

const opening = new Set(['"', "'", "`", comment]);

function tokenAt(query: string, at: number, quote: string): { text: string; quote: string } {
  const char = query.charAt(at);
  if (quote === "") return { text: char, quote: opening.has(char) ? char : "" };
  if (quote === comment) return { text: char, quote: char === "\n" ? "" : comment };
  // An escape takes the next character with it, whatever it is: `\{{` is no variable, for its value would be escaped too.
  if (char === "\\" && quote !== "`") return { text: query.slice(at, at + 2), quote };
  return { text: char, quote: char === quote ? "" : quote };
}
