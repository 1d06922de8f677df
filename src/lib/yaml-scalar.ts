import type { Json } from "./json.ts";

/** What one scalar says. `problem` is the end of a sentence that begins with the place. */
type Resolved = { readonly value: Json } | { readonly problem: string };

/** Words that are not strings, as kubectl (go-yaml 2) reads them: YAML 1.1, one-letter booleans included. */
const words = new Map<string, Json>([
  ...["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"].map((word): [string, Json] => [word, true]),
  ...["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"].map((word): [string, Json] => [word, false]),
  ...["", "~", "null", "Null", "NULL"].map((word): [string, Json] => [word, null]),
]);
const notFinite = /^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/;
const integer = /^([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]([0-7]+)|(0[0-7]*)|([1-9][0-9]*))$/;
const float = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;

/**
 * The value of a plain (unquoted) scalar. Dates and `1:30` stay strings. Numbers that JSON or a double cannot hold
 * exactly are a problem rather than another number.
 */
export function resolvePlain(text: string): Resolved {
  const word = words.get(text);
  if (word !== undefined) return { value: word };
  if (notFinite.test(text)) return { problem: `${text} has no form in JSON; put it in quotes if it is a text` };
  if (!/^[-+.0-9]/.test(text)) return { value: text };
  return resolveNumber(text);
}

function resolveNumber(text: string): Resolved {
  // go-yaml drops underscores before it looks for digits, but not in a number that begins with them.
  const plain = /^[-+]?\._/.test(text) ? text : text.replaceAll("_", "");
  const found = integer.exec(plain);
  if (found) return exactInteger(text, found);
  if (!float.test(plain)) return { value: text };
  const value = Number(plain);
  if (!Number.isFinite(value)) return { problem: `${text} is too large for a number` };
  if (/^[-+]?[0-9]+$/.test(plain) && !Number.isSafeInteger(value)) return tooLong(text);
  return { value: value === 0 ? 0 : value };
}

function exactInteger(text: string, [, sign, hex, binary, octal, oldOctal, decimal]: RegExpExecArray): Resolved {
  const digits = decimal ?? (hex !== undefined ? `0x${hex}` : binary !== undefined ? `0b${binary}` : `0o${octal ?? oldOctal ?? "0"}`);
  const magnitude = Number(BigInt(digits));
  if (!Number.isSafeInteger(magnitude)) return tooLong(text);
  return { value: sign === "-" && magnitude !== 0 ? -magnitude : magnitude };
}

function tooLong(text: string): Resolved {
  return { problem: `${text} is beyond 2^53 and would lose digits; put it in quotes if it is a text` };
}

/** The value of a scalar with an explicit tag, e.g. `!!int "3"`. Tags of one's own (`!x`) leave the text as it is. */
export function resolveTagged(tag: string, text: string): Resolved {
  const standard = /^(?:tag:yaml\.org,2002:|!!)(.*)$/.exec(tag)?.[1];
  if (standard === undefined || standard === "str" || standard === "timestamp") return { value: text };
  if (standard === "binary") return decodeBinary(text);
  const resolved = resolvePlain(text);
  if ("problem" in resolved) return resolved;
  const fits = tagsOf(resolved.value).includes(standard);
  return fits ? resolved : { problem: `"${text}" is not of the type ${standard}` };
}

function tagsOf(value: Json): string[] {
  if (typeof value === "number") return Number.isInteger(value) ? ["int", "float"] : ["float"];
  return [value === null ? "null" : typeof value === "boolean" ? "bool" : "str"];
}

function decodeBinary(text: string): Resolved {
  try {
    return { value: new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(text, "base64")) };
  } catch {
    return { problem: "!!binary content that is not UTF-8 has no form in JSON; use binaryData with a quoted base64 text" };
  }
}
