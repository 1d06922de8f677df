import { type Labels, labelsOf } from "./labels.ts";

/** One line of an exposition. */
interface ExposedSample {
  readonly labels: Labels;
  readonly value: number;
  /** Only where the line gives one. */
  readonly timeMs?: number;
}

const metricName = /[a-zA-Z_:][\w:]*/y;
const labelPair = /\s*([a-zA-Z_]\w*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(,?)/y;
const rest = /^\s+(\S+)(?:\s+(-?\d+(?:\.\d+)?))?\s*(?:#.*)?$/;
const words: Record<string, number> = { "+Inf": Infinity, Inf: Infinity, "-Inf": -Infinity, NaN };

/** Reads Prometheus' text format. Throws naming the line that cannot be read. */
export function parseExposition(text: string): ExposedSample[] {
  const samples: ExposedSample[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    const trimmed = line.trim();
    if (trimmed === "" || trimmed.startsWith("#")) continue;
    const sample = parseLine(trimmed);
    if (!sample) throw new Error(`line ${index + 1} is not in Prometheus' text format: ${trimmed.slice(0, 80)}`);
    samples.push(sample);
  }
  return samples;
}

function parseLine(line: string): ExposedSample | undefined {
  const name = matchAt(metricName, line, 0)?.[0];
  if (name === undefined) return undefined;
  const braces = line.charAt(name.length) === "{" ? parseLabels(line, name.length + 1) : { pairs: [], end: name.length };
  if (!braces) return undefined;
  const [, number, time] = rest.exec(line.slice(braces.end)) ?? [];
  const value = numberOf(number);
  if (value === undefined) return undefined;
  const labels = labelsOf([["__name__", name], ...braces.pairs]);
  return { labels, value, ...(time === undefined ? {} : { timeMs: Number(time) }) };
}

function numberOf(text: string | undefined): number | undefined {
  const value = words[text ?? ""] ?? Number(text);
  return Number.isNaN(value) && text !== "NaN" ? undefined : value;
}

function parseLabels(line: string, start: number): { pairs: [string, string][]; end: number } | undefined {
  const pairs: [string, string][] = [];
  let at = start;
  for (;;) {
    const close = /\s*\}/y;
    if (matchAt(close, line, at)) return { pairs, end: close.lastIndex };
    const pair = matchAt(labelPair, line, at);
    if (!pair) return undefined;
    const [whole, label = "", value = "", comma] = pair;
    pairs.push([label, unescape(value)]);
    at += whole.length;
    if (comma === "" && line.charAt(at) !== "}") return undefined;
  }
}

function unescape(value: string): string {
  return value.replaceAll(/\\(.)/g, (_whole, char: string) => (char === "n" ? "\n" : char));
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text) ?? undefined;
}
