import {
  type Alias,
  type Document,
  isAlias,
  isCollection,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseAllDocuments,
  type Scalar,
  type YAMLMap,
} from "yaml";
import type { Json } from "./json.ts";
import { resolvePlain, resolveTagged } from "./yaml-scalar.ts";

/** One document of a file. */
interface YamlDocument {
  readonly value: Json;
  /** Line of the file (1-based) on which its content begins. */
  readonly line: number;
}

/** One document that also knows where its fields are. */
export interface LocatedDocument extends YamlDocument {
  /** Line of the value at a path of keys and indexes, or of the nearest that is there and not brought in by an alias or `<<`. */
  readonly lineOf: (path: readonly (string | number)[]) => number;
}

/** The text is not YAML that can be read without guessing. The message names file and line. */
export class YamlError extends Error {
  readonly file: string;
  /** 1-based, counted from the start of the file. */
  readonly line: number;

  constructor(file: string, line: number, problem: string) {
    super(`${file}:${line}: ${problem}`);
    this.name = "YamlError";
    this.file = file;
    this.line = line;
  }
}

/** Aliases are expanded, so a small file can say a lot: the limit counts what comes out. */
const maxNodes = 1_000_000;
const maxDepth = 100;

/**
 * Reads all documents of a YAML or JSON file with the scalars of YAML 1.1, as kubectl does. Empty documents are left out.
 * Stricter than kubectl where it would lose something: a key given twice, an integer beyond 2^53 and a merge conflict
 * left in the file are errors. Throws {@link YamlError}.
 * @param file how messages name it
 */
export function parseYaml(content: string | Uint8Array, file: string): YamlDocument[] {
  return parseLocated(content, file).map(({ value, line }) => ({ value, line }));
}

/** As {@link parseYaml}, for messages about single fields. Holds the whole syntax tree in memory. */
export function parseLocated(content: string | Uint8Array, file: string): LocatedDocument[] {
  const text = decode(content, file);
  refuseUnreadable(text, file);
  const lines = new LineCounter();
  const documents = compose(text, file, lines);
  const reading = startReading(file, lines);
  return documents.flatMap((document) => readDocument(reading, document));
}

function decode(content: string | Uint8Array, file: string): string {
  if (typeof content === "string") return content.replace(/^\uFEFF/, "");
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(content);
  } catch {
    throw new YamlError(file, 1, "is not UTF-8 text");
  }
}

function refuseUnreadable(text: string, file: string): void {
  // A marker at the start of a line can only be what git left there: inside a block text it would be indented.
  const conflict = /^(?:<{7}|>{7})(?: .*)?$/m.exec(text);
  if (conflict) throw new YamlError(file, lineAt(text, conflict.index), `merge conflict marker "${conflict[0].slice(0, 40)}"; resolve the conflict and commit again`);
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  const control = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/.exec(text);
  if (control) throw new YamlError(file, lineAt(text, control.index), `control character 0x${control[0].charCodeAt(0).toString(16).padStart(2, "0")} is not allowed in YAML`);
}

function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}

function compose(text: string, file: string, lineCounter: LineCounter): Document.Parsed[] {
  // The failsafe schema leaves every scalar a text: what it means is decided in yaml-scalar.ts alone.
  const options = { schema: "failsafe", version: "1.1", uniqueKeys: false, prettyErrors: false, logLevel: "silent", lineCounter } as const;
  const parsed = parseAllDocuments(text, options);
  const documents = Array.isArray(parsed) ? parsed : [];
  const error = documents.flatMap(({ errors }) => errors).at(0);
  if (!error) return documents;
  const problem = error.code === "RESOURCE_EXHAUSTION" ? "is nested too deeply" : error.message;
  throw new YamlError(file, lineCounter.linePos(error.pos[0]).line, problem);
}

/** What an anchor stands for, and how many values it expands to. */
interface Anchored {
  readonly value: Json;
  readonly nodes: number;
}

/** State of reading one file: the limits count for the whole of it, anchors for one document. */
interface Reading {
  nodes: number;
  anchors: Map<string, Anchored | "open">;
  lineOf(node: unknown): number;
  fail(node: unknown, problem: string): never;
}

function startReading(file: string, lines: LineCounter): Reading {
  const lineOf = (node: unknown): number => lines.linePos(offsetOf(node)).line;
  return {
    nodes: 0,
    anchors: new Map(),
    lineOf,
    fail: (node, problem) => {
      throw new YamlError(file, lineOf(node), problem);
    },
  };
}

function readDocument(reading: Reading, { contents }: Document.Parsed): LocatedDocument[] {
  reading.anchors = new Map();
  const value = contents === null ? null : read(reading, contents, 0);
  const lineOf = (path: readonly (string | number)[]): number => lineAtPath(reading, contents, path);
  return value === null ? [] : [{ value, line: reading.lineOf(contents), lineOf }];
}

function lineAtPath(reading: Reading, root: unknown, path: readonly (string | number)[]): number {
  let node = root;
  let line = reading.lineOf(root);
  for (const step of path) {
    const pair = isMap(node) ? node.items.find(({ key }) => isScalar(key) && key.value === step) : undefined;
    const item = isSeq(node) && typeof step === "number" ? node.items[step] : undefined;
    if (!pair && item === undefined) break;
    line = reading.lineOf(pair ? pair.key : item);
    node = pair ? pair.value : item;
  }
  return line;
}

function count(reading: Reading, node: unknown, added: number): void {
  reading.nodes += added;
  if (reading.nodes > maxNodes) reading.fail(node, `expands to more than ${maxNodes} values`);
}

function read(reading: Reading, node: unknown, depth: number): Json {
  count(reading, node, 1);
  if (depth > maxDepth) reading.fail(node, "is nested too deeply");
  if (isAlias(node)) return follow(reading, node);
  const anchor = isCollection(node) || isScalar(node) ? node.anchor : undefined;
  if (anchor === undefined) return readContent(reading, node, depth);
  const before = reading.nodes;
  reading.anchors.set(anchor, "open");
  const value = readContent(reading, node, depth);
  reading.anchors.set(anchor, { value, nodes: reading.nodes - before });
  return value;
}

function follow(reading: Reading, alias: Alias): Json {
  const target = reading.anchors.get(alias.source);
  if (target === undefined) return reading.fail(alias, `unknown anchor "${alias.source}"`);
  if (target === "open") return reading.fail(alias, `anchor "${alias.source}" contains itself`);
  count(reading, alias, target.nodes);
  return target.value;
}

function readContent(reading: Reading, node: unknown, depth: number): Json {
  if (isMap(node)) return readMap(reading, node, depth);
  if (isSeq(node)) return node.items.map((item) => read(reading, item, depth + 1));
  return isScalar(node) ? readScalar(reading, node) : null;
}

function readScalar(reading: Reading, node: Scalar): Json {
  const text = typeof node.value === "string" ? node.value : "";
  const quoted = node.type !== undefined && node.type !== "PLAIN";
  const resolved = node.tag !== undefined ? resolveTagged(node.tag, text) : quoted ? { value: text } : resolvePlain(text);
  return "problem" in resolved ? reading.fail(node, resolved.problem) : resolved.value;
}

function readMap(reading: Reading, map: YAMLMap, depth: number): Json {
  const result = new Map<string, Json>();
  const seen = new Map<string, number>();
  for (const pair of map.items) {
    if (isMergeKey(pair.key)) {
      for (const [key, value] of merged(reading, pair.value, depth)) result.set(key, value);
      continue;
    }
    const key = readKey(reading, pair.key);
    const first = seen.get(key);
    if (first !== undefined) reading.fail(pair.key, `the key "${key}" stands here again, first on line ${first}`);
    seen.set(key, reading.lineOf(pair.key));
    result.set(key, read(reading, pair.value, depth + 1));
  }
  // Not by assignment: a key such as __proto__ must stay data.
  return Object.fromEntries(result);
}

function isMergeKey(key: unknown): boolean {
  return isScalar(key) && key.value === "<<" && key.type === "PLAIN";
}

function readKey(reading: Reading, key: unknown): string {
  const value = read(reading, key, maxDepth - 1);
  if (value === null) return reading.fail(key, "a key is empty");
  if (typeof value === "object") return reading.fail(key, "a key must be a text; put quotes around {{ … }}");
  return String(value);
}

/** What `<<` brings in. As in go-yaml 2 it overrides keys above it; of several mappings the first one wins. */
function merged(reading: Reading, node: unknown, depth: number): [string, Json][] {
  const value = read(reading, node, depth + 1);
  const sources = Array.isArray(value) ? value.toReversed() : [value];
  return sources.flatMap((source) =>
    isMapping(source) ? Object.entries(source) : reading.fail(node, "<< needs a mapping or a list of mappings"),
  );
}

function isMapping(value: Json): value is { [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function offsetOf(node: unknown): number {
  const range = isCollection(node) || isScalar(node) || isAlias(node) ? node.range : undefined;
  return range?.[0] ?? 0;
}
