import { BadQuery } from "./ast.ts";

const unitMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  y: 31_536_000_000,
};
const duration = /^(?:\d+(?:ms|[smhdwy]))+$/;

/** Milliseconds of a PromQL duration such as `1h30m`. Throws BadQuery. */
export function durationMs(text: string): number {
  if (!duration.test(text)) throw new BadQuery(`parse error: "${text}" is not a duration; write it like 30s or 5m`);
  const totalMs = [...text.matchAll(/(\d+)(ms|[smhdwy])/g)].reduce(
    (total, [, amount, unit]) => total + Number(amount) * (unitMs[unit ?? ""] ?? 0),
    0,
  );
  if (totalMs <= 0) throw new BadQuery("parse error: duration must be greater than 0");
  return totalMs;
}

/** The value of a PromQL number. Throws BadQuery. */
export function numberOf(text: string): number {
  const [, sign, digits = ""] = /^([-+]?)\s*(.*)$/s.exec(text) ?? [];
  const value = /^inf$/i.test(digits) ? Infinity : /^nan$/i.test(digits) ? Number.NaN : Number(digits.replaceAll("_", ""));
  if (Number.isNaN(value) && !/^nan$/i.test(digits)) throw new BadQuery(`parse error: "${text}" is not a number`);
  return sign === "-" ? -value : value;
}

const escapes: Readonly<Record<string, string>> = {
  n: "\n",
  t: "\t",
  r: "\r",
  a: "\u0007",
  b: "\b",
  f: "\f",
  v: "\v",
  "\\": "\\",
  '"': '"',
  "'": "'",
};

/** The text of a PromQL string literal with its quotes. Escapes as in Go; between backticks there are none. Throws BadQuery. */
export function unquote(literal: string): string {
  const inner = literal.slice(1, -1);
  if (literal.startsWith("`")) return inner;
  return inner.replaceAll(/\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|[0-7]{3}|.)/gs, (whole, escape: string) => {
    if (escape.length > 1) return String.fromCodePoint(Number.parseInt(escape.replace(/^[xu]/, ""), /^[xu]/.test(escape) ? 16 : 8));
    const char = escapes[escape];
    if (char === undefined) throw new BadQuery(`parse error: unknown escape sequence ${whole}`);
    return char;
  });
}
