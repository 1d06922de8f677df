import type { KubeObject } from "../api/object.ts";
import { isRecord } from "../lib/json.ts";
import { KubeError, type WatchEvent } from "./kube.ts";

/** No object is larger: etcd refuses requests above 1.5 MiB by default, and JSON may double them. */
const maxLineBytes = 16 * 1024 * 1024;
const objectEvents = new Set(["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]);

/**
 * The events of a watch, one JSON object a line. Half a line at the end is dropped: the connection broke within it, and
 * whoever resumes gets it again. Throws KubeError MalformedWatch for a line that is no event.
 */
export async function* watchEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<WatchEvent> {
  for await (const line of linesOf(body)) {
    if (line.trim() !== "") yield parseEvent(line);
  }
}

async function* linesOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  // Parts of the line that has not ended yet; joined once, as a line may come in hundreds of chunks.
  let parts: string[] = [];
  let length = 0;
  for await (const chunk of body) {
    const pieces = decoder.decode(chunk, { stream: true }).split("\n");
    const open = pieces.pop() ?? "";
    for (const piece of pieces) {
      yield parts.join("") + piece;
      parts = [];
      length = 0;
    }
    parts.push(open);
    length += open.length;
    if (length > maxLineBytes) throw new KubeError(0, "MalformedWatch", `a watch sent a line of more than ${maxLineBytes} bytes`);
  }
}

function parseEvent(line: string): WatchEvent {
  const event = parseJson(line);
  const { type, object } = isRecord(event) ? event : {};
  if (typeof type === "string" && isRecord(object)) {
    if (type === "ERROR") return { type, status: object };
    if (objectEvents.has(type) && isRecord(object["metadata"])) return { type, object: object as unknown as KubeObject } as WatchEvent;
  }
  throw new KubeError(0, "MalformedWatch", `a watch sent a line that is no event: "${line.slice(0, 60)}"`);
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch {
    return undefined;
  }
}
