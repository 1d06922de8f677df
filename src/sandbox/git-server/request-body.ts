import type { IncomingMessage } from "node:http";
import { Refused } from "./repository.ts";

const maxBodyBytes = 1024 * 1024;

/** Reads a JSON body of at most 1 MiB. Throws {@link Refused}. */
export async function jsonBody(request: IncomingMessage): Promise<unknown> {
  const body = await textBody(request);
  try {
    return body === "" ? {} : JSON.parse(body);
  } catch {
    throw new Refused(422, "the body is not JSON");
  }
}

/** Reads a body of at most 1 MiB. Throws {@link Refused} 413. */
export async function textBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    if (!Buffer.isBuffer(chunk)) throw new TypeError("a request's body must be read as bytes");
    size += chunk.length;
    if (size <= maxBodyBytes) chunks.push(chunk);
  }
  if (size > maxBodyBytes) throw new Refused(413, "the body is longer than 1 MiB");
  return Buffer.concat(chunks).toString();
}
