import type { IncomingMessage } from "node:http";
import { isMap, isScalar, isSeq, parseDocument } from "yaml";
import { ApiError, badRequest } from "./api-error.ts";

/** The largest body that is read, as the real server's. */
const maxBytes = 3 * 1024 * 1024;

/** A request's body: its value, and the fields that it says twice. */
export interface Body {
  readonly value: unknown;
  /** Paths such as `spec.replicas`. */
  readonly duplicates: readonly string[];
}

/** Reads the whole body; 413 when it is too large. */
export async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    const bytes = chunk as Buffer;
    size += bytes.length;
    if (size > maxBytes) throw new ApiError(413, "RequestEntityTooLarge", `Request entity too large: limit is ${maxBytes}`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** Parses a body by its content type. Throws 400 for text that is neither, 415 for protobuf. */
export function parseBody(text: string, contentType: string): Body {
  if (contentType.includes("protobuf") || contentType.includes("cbor")) {
    throw new ApiError(
      415,
      "UnsupportedMediaType",
      `the body of the request was in an unknown format - accepted media types include: application/json, application/yaml`,
    );
  }
  if (text.trim() === "") return { value: undefined, duplicates: [] };
  if (contentType.includes("yaml") && !text.trimStart().startsWith("{")) return parseYaml(text);
  try {
    return { value: JSON.parse(text), duplicates: duplicateKeys(text) };
  } catch (error) {
    throw badRequest(
      `the object provided is unrecognized (must be of type json): ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

function parseYaml(text: string): Body {
  const document = parseDocument(text, { version: "1.1", uniqueKeys: false, merge: true });
  const [error] = document.errors;
  if (error) throw badRequest(`error decoding YAML: error converting YAML to JSON: yaml: ${error.message}`);
  const duplicates: string[] = [];
  collectYamlDuplicates(document.contents, "", duplicates);
  return { value: document.toJS({ maxAliasCount: 100 }), duplicates };
}

function collectYamlDuplicates(node: unknown, path: string, found: string[]): void {
  if (isSeq(node)) node.items.forEach((item, index) => collectYamlDuplicates(item, `${path}[${index}]`, found));
  if (!isMap(node)) return;
  const seen = new Set<string>();
  for (const { key, value } of node.items) {
    const name = String(isScalar(key) ? key.value : key);
    const here = path === "" ? name : `${path}.${name}`;
    if (seen.has(name)) found.push(here);
    seen.add(name);
    collectYamlDuplicates(value, here, found);
  }
}

interface Level {
  readonly path: string;
  /** Missing in an array. */
  readonly keys?: Set<string>;
  index: number;
  field: string;
}

/** Which keys valid JSON text says twice. `JSON.parse` keeps the last one without a word. */
function duplicateKeys(text: string): string[] {
  const found: string[] = [];
  const stack: Level[] = [];
  let word = "";
  const onToken: Record<string, (top: Level | undefined) => void> = {
    "{": (top) => void stack.push({ path: top ? pathIn(top) : "", keys: new Set<string>(), index: 0, field: "" }),
    "[": (top) => void stack.push({ path: top ? pathIn(top) : "", index: 0, field: "" }),
    "}": () => void stack.pop(),
    "]": () => void stack.pop(),
    ",": (top) => top && (top.index += 1),
    ":": (top) => top && noteKey(top, JSON.parse(word) as string, found),
  };
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]/g)) {
    if (token.startsWith('"')) word = token;
    else onToken[token]?.(stack.at(-1));
  }
  return found;
}

function noteKey(level: Level, field: string, found: string[]): void {
  level.field = field;
  if (level.keys?.has(field)) found.push(pathIn(level));
  level.keys?.add(field);
}

function pathIn({ path, keys, index, field }: Level): string {
  if (!keys) return `${path}[${index}]`;
  return path === "" ? field : `${path}.${field}`;
}
