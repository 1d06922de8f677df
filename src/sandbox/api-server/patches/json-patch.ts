import { isDeepStrictEqual } from "node:util";
import { isRecord } from "../../../lib/json.ts";
import { ApiError, badRequest } from "../api-error.ts";

/** Applies a JSON patch (RFC 6902). Throws 422 when it does not fit the document, 400 when it is no patch. */
export function jsonPatch(document: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch)) throw badRequest("error decoding patch: expected a list of operations");
  return patch.reduce<unknown>((current, operation) => {
    if (!isRecord(operation)) throw badRequest("error decoding patch: expected an operation");
    return applyOperation(current, operation);
  }, structuredClone(document));
}

function doesNotFit(): ApiError {
  return new ApiError(422, "Invalid", "the server rejected our request due to an error in our request", {});
}

function applyOperation(document: unknown, operation: Record<string, unknown>): unknown {
  const path = pointer(operation["path"]);
  switch (operation["op"]) {
    case "test":
      if (!isDeepStrictEqual(valueAt(document, path), operation["value"])) throw doesNotFit();
      return document;
    case "add":
      return edit(document, path, (parent, key) => insert(parent, key, operation["value"]));
    case "replace":
      if (valueAt(document, path) === undefined) throw doesNotFit();
      return edit(document, path, (parent, key) => assign(parent, key, operation["value"]));
    case "remove":
      return edit(document, path, remove);
    case "copy":
      return applyOperation(document, {
        op: "add",
        path: operation["path"],
        value: structuredClone(existing(document, operation["from"])),
      });
    case "move": {
      const value = existing(document, operation["from"]);
      return applyOperation(applyOperation(document, { op: "remove", path: operation["from"] }), {
        op: "add",
        path: operation["path"],
        value,
      });
    }
    default:
      throw badRequest(`error decoding patch: unexpected kind: ${String(operation["op"])}`);
  }
}

function existing(document: unknown, from: unknown): unknown {
  const value = valueAt(document, pointer(from));
  if (value === undefined) throw doesNotFit();
  return value;
}

function pointer(text: unknown): string[] {
  if (typeof text !== "string" || (text !== "" && !text.startsWith("/")))
    throw badRequest(`error decoding patch: bad path ${JSON.stringify(text)}`);
  return text
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function valueAt(document: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((node, part) => {
    if (Array.isArray(node)) return node[Number(part)];
    return isRecord(node) ? node[part] : undefined;
  }, document);
}

function edit(
  document: unknown,
  path: readonly string[],
  change: (parent: unknown[] | Record<string, unknown>, key: string) => void,
): unknown {
  const key = path.at(-1);
  const parent = valueAt(document, path.slice(0, -1));
  if (key === undefined || !(Array.isArray(parent) || isRecord(parent))) throw doesNotFit();
  change(parent, key);
  return document;
}

function insert(parent: unknown[] | Record<string, unknown>, key: string, value: unknown): void {
  if (!Array.isArray(parent)) {
    parent[key] = value;
    return;
  }
  const index = key === "-" ? parent.length : Number(key);
  if (!Number.isInteger(index) || index < 0 || index > parent.length) throw doesNotFit();
  parent.splice(index, 0, value);
}

function assign(parent: unknown[] | Record<string, unknown>, key: string, value: unknown): void {
  if (Array.isArray(parent)) parent[Number(key)] = value;
  else parent[key] = value;
}

function remove(parent: unknown[] | Record<string, unknown>, key: string): void {
  if (valueAt(parent, [key]) === undefined) throw doesNotFit();
  if (Array.isArray(parent)) parent.splice(Number(key), 1);
  else delete parent[key];
}
