import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders } from "node:http";
import type { HeaderChange } from "./kinds.ts";

/** Headers that concern one connection only. */
const hopByHop = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "proxy-connection",
  "expect",
]);

/** A request's headers as the pod gets them: the client's host, where it came from, and what the filters change. */
export function forwardedHeaders(request: IncomingMessage, changes: readonly HeaderChange[]): IncomingHttpHeaders {
  const client = request.socket.remoteAddress ?? "";
  const before = request.headers["x-forwarded-for"];
  const own = { "x-forwarded-for": before === undefined ? client : `${String(before)}, ${client}`, "x-forwarded-proto": "http" };
  return changes.reduce(changed, { ...endToEnd(request.headers), ...own });
}

/** An answer's headers as the client gets them. */
export function answeredHeaders(headers: IncomingHttpHeaders, changes: readonly HeaderChange[]): OutgoingHttpHeaders {
  return changes.reduce(changed, endToEnd(headers));
}

function endToEnd(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !hopByHop.has(name)));
}

function changed(headers: IncomingHttpHeaders, { set, add, remove }: HeaderChange): IncomingHttpHeaders {
  const next = new Map(Object.entries(headers));
  for (const { name, value } of set) next.set(name.toLowerCase(), value);
  for (const { name, value } of add) {
    const before = next.get(name.toLowerCase());
    next.set(name.toLowerCase(), before === undefined ? value : [before, value].flat());
  }
  for (const name of remove) next.delete(name.toLowerCase());
  return Object.fromEntries(next);
}
