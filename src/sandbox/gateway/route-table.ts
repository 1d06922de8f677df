import { durationPattern, parseDurationMs } from "../../lib/duration.ts";
import type { BackendRef, Filter, HeaderChange, HttpRoute, RouteMatch, RouteRule, TextMatch } from "./kinds.ts";
import type { RequestHead } from "./request.ts";
import { headerOf, hostFit } from "./request.ts";

/** A route with the hostnames that its parents let it serve. */
export interface AttachedRoute {
  readonly route: HttpRoute;
  /** Effective hostnames; the empty string: any. */
  readonly hostnames: readonly string[];
}

/** One way to a rule: a hostname and one of the rule's matches. */
interface Entry {
  readonly hostname: string;
  readonly match: RouteMatch;
  readonly rank: readonly (number | string)[];
  readonly target: RouteTarget;
}

/** A rule that a request has matched. */
export interface RouteTarget {
  /** Names the rule: `namespace/route/index`. */
  readonly id: string;
  readonly namespace: string;
  readonly backends: readonly BackendRef[];
  readonly requestHeaders: readonly HeaderChange[];
  readonly responseHeaders: readonly HeaderChange[];
  /** Limit for the whole request; `undefined`: none. */
  readonly timeoutMs: number | undefined;
}

/** Finds the rule for a request by the precedence that Gateway API prescribes. */
export type RouteTable = (head: RequestHead) => RouteTarget | undefined;

const anyPath: RouteMatch = { path: { type: "PathPrefix", value: "/" }, headers: [], queryParams: [] };

/** Compiles attached routes. Pure. */
export function routeTable(attached: readonly AttachedRoute[]): RouteTable {
  const entries = attached.flatMap(entriesOf).sort((a, b) => compareRanks(a.rank, b.rank));
  const byHost = Map.groupBy(entries, ({ hostname }) => hostname);
  return (head) => {
    const hosts = [...byHost.keys()].flatMap((hostname) => {
      const fit = hostFit(hostname, head.host);
      return fit === undefined ? [] : [{ hostname, fit }];
    });
    // Like a virtual host: only the most specific name's rules are asked.
    const [best] = hosts.sort((a, b) => b.fit - a.fit);
    return best && byHost.get(best.hostname)?.find(({ match }) => matches(match, head))?.target;
  };
}

function entriesOf({ route, hostnames }: AttachedRoute): Entry[] {
  const { metadata, spec } = route;
  const created = metadata.creationTimestamp ?? "";
  return spec.rules.flatMap((rule, index) => {
    const target = targetOf(route, rule, index);
    const ways = rule.matches && rule.matches.length > 0 ? rule.matches : [anyPath];
    return hostnames.flatMap((hostname) =>
      ways.map((match): Entry => ({
        hostname,
        match,
        target,
        rank: [...rankOf(match), created, `${metadata.namespace}/${metadata.name}`, index],
      })),
    );
  });
}

const pathRank = new Map([["Exact", 0], ["RegularExpression", 1], ["PathPrefix", 2]]);

/** Smaller goes first: exact paths, longer paths, a method, more headers, more query parameters. */
function rankOf({ path, method, headers, queryParams }: RouteMatch): number[] {
  return [pathRank.get(path.type) ?? 3, -path.value.length, method === undefined ? 1 : 0, -headers.length, -queryParams.length];
}

function compareRanks(a: readonly (number | string)[], b: readonly (number | string)[]): number {
  const at = a.findIndex((value, index) => value !== b[index]);
  const [left, right] = [a[at], b[at]];
  return at < 0 || left === undefined || right === undefined ? 0 : left < right ? -1 : 1;
}

function targetOf({ metadata }: HttpRoute, rule: RouteRule, index: number): RouteTarget {
  const texts = [rule.timeouts?.request, rule.timeouts?.backendRequest].filter((text) => text !== undefined && durationPattern.test(text));
  const limits = texts.map((text) => parseDurationMs(text ?? ""));
  // Zero means no limit.
  const set = limits.filter((limit) => limit > 0);
  return {
    id: `${metadata.namespace}/${metadata.name}/${index}`,
    namespace: metadata.namespace ?? "",
    backends: rule.backendRefs,
    ...headerChanges(rule.filters),
    timeoutMs: set.length > 0 ? Math.min(...set) : undefined,
  };
}

/** What the filters do to the headers of request and response. */
export function headerChanges(filters: readonly Filter[]): Pick<RouteTarget, "requestHeaders" | "responseHeaders"> {
  return {
    requestHeaders: filters.flatMap(({ requestHeaderModifier }) => requestHeaderModifier ?? []),
    responseHeaders: filters.flatMap(({ responseHeaderModifier }) => responseHeaderModifier ?? []),
  };
}

function matches({ path, method, headers, queryParams }: RouteMatch, head: RequestHead): boolean {
  return (
    pathMatches(path, head.path) &&
    (method === undefined || method === head.method) &&
    headers.every((wanted) => textMatches(wanted, headerOf(head, wanted.name))) &&
    queryParams.every((wanted) => textMatches(wanted, head.query.get(wanted.name) ?? undefined))
  );
}

function pathMatches({ type, value }: RouteMatch["path"], path: string): boolean {
  if (type === "Exact") return path === value;
  if (type === "RegularExpression") return wholly(value)?.test(path) === true;
  const prefix = value.replace(/\/+$/, "");
  return path === prefix || path.startsWith(`${prefix}/`);
}

function textMatches({ type, value }: TextMatch, found: string | undefined): boolean {
  if (found === undefined) return false;
  return type === "RegularExpression" ? wholly(value)?.test(found) === true : found === value;
}

/** The pattern as Envoy takes it, for the whole text; `undefined` when it is none. */
export function wholly(pattern: string): RegExp | undefined {
  try {
    return new RegExp(`^(?:${pattern})$`);
  } catch {
    return undefined;
  }
}
