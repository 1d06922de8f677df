import type { BackendPort } from "./endpoints.ts";
import type { Ingress, IngressBackend } from "./kinds.ts";
import type { RequestHead } from "./request.ts";
import { cookieOf, headerOf, hostFit } from "./request.ts";

const prefix = "nginx.ingress.kubernetes.io/";

/** The rule of a canary Ingress, as its annotations have it. */
interface CanaryRule {
  readonly header: string | undefined;
  readonly headerValue: string | undefined;
  readonly headerPattern: string | undefined;
  readonly cookie: string | undefined;
  readonly weight: number;
  readonly weightTotal: number;
}

/** One path of a host. */
export interface Location {
  readonly host: string;
  readonly path: string;
  readonly pathType: string;
  /** Namespace and name of the main Ingress, also for requests that its canary serves. */
  readonly namespace: string;
  readonly ingress: string;
  readonly backend: BackendPort;
  readonly canary: { readonly backend: BackendPort; readonly rule: CanaryRule } | undefined;
}

/** Finds the location for a request, as nginx does. */
export type IngressTable = (head: RequestHead) => Location | undefined;

/** Compiles the Ingresses of a class with ingress-nginx's canary annotations. Pure. */
export function ingressTable(ingresses: readonly Ingress[]): IngressTable {
  const byAge = [...ingresses].sort((a, b) => (ageOf(a) < ageOf(b) ? -1 : 1));
  const paths = byAge.flatMap(pathsOf);
  const main = paths.filter(({ rule }) => !rule);
  const locations = main.map(({ ingress, host, path, pathType, backend }): Location => {
    // Only one canary applies to a path; the oldest wins.
    const canary = paths.find((other) => other.rule && other.host === host && other.path === path && sameNamespace(other.ingress, ingress));
    const { name, namespace = "" } = ingress.metadata;
    const alternative = canary?.rule && { backend: canary.backend, rule: canary.rule };
    return { host, path, pathType, namespace, ingress: name, backend, canary: alternative };
  });
  const byHost = Map.groupBy(locations, ({ host }) => host);
  return (head) => {
    const hosts = [...byHost.keys()].flatMap((host) => {
      const fit = hostFit(host, head.host);
      return fit === undefined ? [] : [{ host, fit }];
    });
    const [best] = hosts.sort((a, b) => b.fit - a.fit);
    const fitting = (best && byHost.get(best.host)?.filter((location) => pathMatches(location, head.path))) ?? [];
    return fitting.find(({ pathType }) => pathType === "Exact") ?? fitting.reduce<Location | undefined>(longer, undefined);
  };
}

/**
 * Whether a request goes to the canary: header, then cookie, then weight.
 * @param drawn whether the weight's draw fell on the canary; only asked when nothing else decides
 */
export function takesCanary(rule: CanaryRule, head: RequestHead, drawn: () => boolean): boolean {
  return byHeader(rule, head) ?? byCookie(rule, head) ?? drawn();
}

function byHeader({ header, headerValue, headerPattern }: CanaryRule, head: RequestHead): boolean | undefined {
  const value = header === undefined ? undefined : headerOf(head, header);
  if (value === undefined) return undefined;
  if (headerValue !== undefined && headerValue !== "") return value === headerValue ? true : undefined;
  if (headerPattern !== undefined && headerPattern !== "") return patternMatches(headerPattern, value) ? true : undefined;
  return always(value);
}

function byCookie({ cookie }: CanaryRule, head: RequestHead): boolean | undefined {
  return cookie === undefined ? undefined : always(cookieOf(head, cookie));
}

function always(value: string | undefined): boolean | undefined {
  return value === "always" ? true : value === "never" ? false : undefined;
}

function patternMatches(pattern: string, value: string): boolean {
  try {
    return new RegExp(pattern).test(value);
  } catch {
    // Documented: a pattern that cannot be used does not match.
    return false;
  }
}

interface Path {
  readonly ingress: Ingress;
  readonly host: string;
  readonly path: string;
  readonly pathType: string;
  readonly backend: BackendPort;
  readonly rule: CanaryRule | undefined;
}

function pathsOf(ingress: Ingress): Path[] {
  const { spec } = ingress;
  const rule = canaryRule(ingress);
  const inRules = spec.rules.flatMap(({ host, http }) =>
    (http?.paths ?? []).map(({ path, pathType, backend }) => ({ host, path, pathType, backend })),
  );
  const fallback = spec.defaultBackend ? [{ host: "", path: "/", pathType: "Prefix", backend: spec.defaultBackend }] : [];
  return [...inRules, ...fallback].flatMap(({ backend, ...where }) => {
    const port = backendPort(ingress, backend);
    return port ? [{ ...where, ingress, backend: port, rule }] : [];
  });
}

function backendPort({ metadata }: Ingress, { service }: IngressBackend): BackendPort | undefined {
  const port = service?.port.number ?? service?.port.name;
  return service && port !== undefined ? { namespace: metadata.namespace ?? "", name: service.name, port } : undefined;
}

/** The canary rule of an Ingress; `undefined`: it is a main one. */
export function canaryRule({ metadata }: Ingress): CanaryRule | undefined {
  const note = (name: string): string | undefined => metadata.annotations?.[prefix + name];
  if (note("canary") !== "true") return undefined;
  const total = whole(note("canary-weight-total"), 100);
  return {
    header: note("canary-by-header"),
    headerValue: note("canary-by-header-value"),
    headerPattern: note("canary-by-header-pattern"),
    cookie: note("canary-by-cookie"),
    weight: Math.min(whole(note("canary-weight"), 0), Math.max(total, 100)),
    // As ingress-nginx has it: a total can only be raised.
    weightTotal: Math.max(total, 100),
  };
}

function whole(text: string | undefined, fallback: number): number {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : fallback;
}

function pathMatches({ path, pathType }: Location, requested: string): boolean {
  if (pathType === "Exact") return requested === path;
  if (pathType !== "Prefix") return requested.startsWith(path);
  const bare = path.replace(/\/+$/, "");
  return requested === bare || requested.startsWith(`${bare}/`);
}

function longer(best: Location | undefined, next: Location): Location {
  return best && best.path.length >= next.path.length ? best : next;
}

function ageOf({ metadata }: Ingress): string {
  return `${metadata.creationTimestamp ?? ""} ${metadata.namespace}/${metadata.name}`;
}

function sameNamespace(a: Ingress, b: Ingress): boolean {
  return a.metadata.namespace === b.metadata.namespace;
}
