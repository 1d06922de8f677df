import type { IncomingHttpHeaders } from "node:http";

/** What routing looks at in a request. */
export interface RequestHead {
  readonly method: string;
  /** Lower case, without port. */
  readonly host: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
}

/** Takes a request's first lines apart. */
export function requestHead(method: string, target: string, headers: IncomingHttpHeaders): RequestHead {
  const [path = "/", query = ""] = target.split("?", 2);
  const host = (headers.host ?? "").toLowerCase().replace(/:\d+$/, "");
  return { method, host, path, query: new URLSearchParams(query), headers };
}

/** A header's value; several are joined as HTTP says. */
export function headerOf({ headers }: RequestHead, name: string): string | undefined {
  const value = headers[name.toLowerCase()];
  return Array.isArray(value) ? value.join(",") : value;
}

/** A cookie's value. */
export function cookieOf(head: RequestHead, name: string): string | undefined {
  const pairs = (headerOf(head, "cookie") ?? "").split(";").map((pair) => pair.trim());
  return pairs.find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1);
}

/** How specifically a pattern (`shop.example.com`, `*.example.com`, or nothing for any) fits a host; `undefined`: it does not. */
export function hostFit(pattern: string, host: string): number | undefined {
  if (pattern === "" || pattern === "*") return 0;
  const wanted = pattern.toLowerCase();
  if (!wanted.startsWith("*.")) return wanted === host ? 1_000 + wanted.length : undefined;
  return host.endsWith(wanted.slice(1)) && host.length > wanted.length - 1 ? wanted.length : undefined;
}
