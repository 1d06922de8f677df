import { isoSeconds } from "../../api/conditions.ts";
import { refOf } from "../../api/object.ts";
import { sameJson } from "../../lib/json.ts";
import type { Write } from "../workloads/writes.ts";
import { statusWrites } from "../workloads/writes.ts";
import type { Backends } from "./endpoints.ts";
import type { BackendRef, Gateway, GatewayClass, GatewayListener, HttpRoute, Ingress, ParentRef } from "./kinds.ts";
import { hostFit } from "./request.ts";
import type { AttachedRoute } from "./route-table.ts";
import { wholly } from "./route-table.ts";

/** What the gateway's controller sees. */
export interface ObservedRouting {
  readonly classes: readonly GatewayClass[];
  readonly gateways: readonly Gateway[];
  readonly routes: readonly HttpRoute[];
  readonly ingresses: readonly Ingress[];
  readonly backends: Backends;
  readonly controllerName: string;
  readonly ingressClass: string;
  readonly nowMs: number;
}

/** How one parent took a route. */
interface Attachment {
  readonly parentRef: ParentRef;
  readonly gateway: Gateway;
  readonly listeners: readonly GatewayListener[];
  readonly hostnames: readonly string[];
  readonly accepted: Verdict;
}

interface Verdict {
  readonly ok: boolean;
  readonly reason: string;
  readonly message: string;
}

/** The routes that one of our Gateways accepts, with their hostnames. Pure. */
export function attachedRoutes(observed: ObservedRouting): AttachedRoute[] {
  return observed.routes.flatMap((route) => {
    const accepted = attachmentsOf(route, observed).filter(({ accepted }) => accepted.ok);
    return accepted.length === 0 ? [] : [{ route, hostnames: [...new Set(accepted.flatMap(({ hostnames }) => hostnames))] }];
  });
}

/** The Ingresses of our class. Pure. */
export function ownIngresses({ ingresses, ingressClass }: Pick<ObservedRouting, "ingresses" | "ingressClass">): Ingress[] {
  return ingresses.filter(
    ({ spec, metadata }) => (spec.ingressClassName ?? metadata.annotations?.["kubernetes.io/ingress.class"]) === ingressClass,
  );
}

/** The statuses that tell users and controllers what the gateway does. Pure; nothing where all is said already. */
export function routingWrites(observed: ObservedRouting): Write[] {
  return [
    ...ownClasses(observed).flatMap((own) => classWrites(own, observed.nowMs)),
    ...ownGateways(observed).flatMap((own) => gatewayWrites(own, observed)),
    ...observed.routes.flatMap((route) => routeWrites(route, observed)),
    ...ownIngresses(observed).flatMap((own) => statusWrites(own, { ...own.status, loadBalancer: { ingress: [{ ip: "127.0.0.1" }] } })),
  ];
}

function ownClasses({ classes, controllerName }: ObservedRouting): GatewayClass[] {
  return classes.filter(({ spec }) => spec.controllerName === controllerName);
}

function ownGateways(observed: ObservedRouting): Gateway[] {
  const names = new Set(ownClasses(observed).map(({ metadata }) => metadata.name));
  return observed.gateways.filter(({ spec }) => names.has(spec.gatewayClassName));
}

function attachmentsOf(route: HttpRoute, observed: ObservedRouting): Attachment[] {
  const gateways = ownGateways(observed);
  return route.spec.parentRefs.flatMap((parentRef) => {
    const namespace = parentRef.namespace ?? route.metadata.namespace;
    const gateway = gateways.find(({ metadata }) => metadata.name === parentRef.name && metadata.namespace === namespace);
    return gateway && parentRef.kind === "Gateway" ? [attach(route, parentRef, gateway)] : [];
  });
}

function attach(route: HttpRoute, parentRef: ParentRef, gateway: Gateway): Attachment {
  const refuse = (reason: string, message: string): Attachment => ({
    parentRef,
    gateway,
    listeners: [],
    hostnames: [],
    accepted: { ok: false, reason, message },
  });
  const named = gateway.spec.listeners.filter(
    ({ name, port, protocol }) => protocol === "HTTP" && (parentRef.sectionName ?? name) === name && (parentRef.port ?? port) === port,
  );
  if (named.length === 0) return refuse("NoMatchingParent", "No listener of the Gateway has this name and port.");
  const open = named.filter(
    ({ allowedRoutes }) => allowedRoutes.namespaces.from === "All" || sameNamespace(route, gateway, allowedRoutes.namespaces.from),
  );
  if (open.length === 0)
    return refuse("NotAllowedByListeners", "No listener allows routes of this namespace (the sandbox reads from: Same and All).");
  const listeners = open.filter((listener) => shared(listener.hostname ?? "", route.spec.hostnames).length > 0);
  if (listeners.length === 0) return refuse("NoMatchingListenerHostname", "No hostname of the route is served by a listener.");
  const unusable = unusableField(route);
  if (unusable !== undefined) return refuse("UnsupportedValue", unusable);
  const hostnames = [...new Set(listeners.flatMap((listener) => shared(listener.hostname ?? "", route.spec.hostnames)))];
  return { parentRef, gateway, listeners, hostnames, accepted: { ok: true, reason: "Accepted", message: "Accepted HTTPRoute" } };
}

function sameNamespace(route: HttpRoute, { metadata }: Gateway, from: string): boolean {
  return from === "Same" && route.metadata.namespace === metadata.namespace;
}

/** Hostnames that listener and route have in common, each as the narrower of the two has it. */
function shared(listener: string, hostnames: readonly string[]): string[] {
  if (hostnames.length === 0) return [listener];
  return hostnames.flatMap((hostname) => {
    if (listener === "" || covers(listener, hostname)) return [hostname];
    return covers(hostname, listener) ? [listener] : [];
  });
}

function covers(wide: string, narrow: string): boolean {
  return wide === narrow || hostFit(wide, narrow.replace(/^\*\./, "any.")) !== undefined;
}

const knownFilters = new Set(["RequestHeaderModifier", "ResponseHeaderModifier"]);

function unusableField({ spec }: HttpRoute): string | undefined {
  for (const [index, { filters, backendRefs, matches }] of spec.rules.entries()) {
    const filter = [...filters, ...backendRefs.flatMap((backend) => backend.filters)].find(({ type }) => !knownFilters.has(type));
    if (filter) return `spec.rules[${index}]: the sandbox's gateway has no filter ${filter.type}`;
    const texts = (matches ?? []).flatMap(({ path, headers, queryParams }) => [path, ...headers, ...queryParams]);
    const broken = texts.find(({ type, value }) => type === "RegularExpression" && !wholly(value));
    if (broken) return `spec.rules[${index}].matches: "${broken.value}" is not a regular expression`;
  }
  return undefined;
}

/** Why a backend cannot be used; `undefined`: it can. A Service without ready pods can. */
export function backendProblem(
  { group, kind, name, namespace, port }: BackendRef,
  routeNamespace: string,
  backends: Backends,
): Verdict | undefined {
  const refuse = (reason: string, message: string): Verdict => ({ ok: false, reason, message });
  if (group !== "" || kind !== "Service") return refuse("InvalidKind", `${kind} ${name}: only Services can be backends`);
  if (namespace !== undefined && namespace !== routeNamespace) {
    return refuse("RefNotPermitted", `Service ${namespace}/${name} is in another namespace, and the sandbox's gateway reads no ReferenceGrants`);
  }
  if (port === undefined || !backends.find({ namespace: routeNamespace, name, port })) {
    return refuse("BackendNotFound", `service "${name}" with port ${port ?? "(none)"} is not found`);
  }
  return undefined;
}

function resolved({ metadata, spec }: HttpRoute, backends: Backends): Verdict {
  const problems = spec.rules.flatMap(({ backendRefs }) =>
    backendRefs.map((backend) => backendProblem(backend, metadata.namespace ?? "", backends)),
  );
  return problems.find((problem) => problem !== undefined) ?? { ok: true, reason: "ResolvedRefs", message: "References resolved" };
}

interface SeenCondition {
  readonly type: string;
  readonly status: string;
  readonly lastTransitionTime?: string | undefined;
}

interface Before {
  readonly conditions: readonly SeenCondition[];
  readonly generation: number | undefined;
  readonly nowMs: number;
}

function conditionOf(type: string, verdict: Verdict, { conditions, generation, nowMs }: Before): object {
  const status = verdict.ok ? "True" : "False";
  const old = conditions.find((condition) => condition.type === type);
  const lastTransitionTime = old?.status === status && old.lastTransitionTime !== undefined ? old.lastTransitionTime : isoSeconds(nowMs);
  return { type, status, reason: verdict.reason, message: verdict.message, observedGeneration: generation, lastTransitionTime };
}

function routeWrites(route: HttpRoute, observed: ObservedRouting): Write[] {
  const attachments = attachmentsOf(route, observed);
  const others = route.status.parents.filter(({ controllerName }) => controllerName !== observed.controllerName);
  const own = route.status.parents.filter(({ controllerName }) => controllerName === observed.controllerName);
  if (attachments.length === 0 && own.length === 0) return [];
  const { generation } = route.metadata;
  const { nowMs } = observed;
  const parents = attachments.map(({ parentRef, accepted }) => {
    const said = own.find((parent) => sameJson(parent.parentRef, parentRef))?.conditions ?? [];
    const before = { conditions: said, generation, nowMs };
    const conditions = [conditionOf("Accepted", accepted, before), conditionOf("ResolvedRefs", resolved(route, observed.backends), before)];
    return { parentRef, controllerName: observed.controllerName, conditions };
  });
  return statusWrites(route, { parents: [...others, ...parents] });
}

function classWrites(own: GatewayClass, nowMs: number): Write[] {
  const accepted = { ok: true, reason: "Accepted", message: "Valid GatewayClass" };
  const before = { conditions: own.status.conditions, generation: own.metadata.generation, nowMs };
  return statusWrites(own, { ...own.status, conditions: [conditionOf("Accepted", accepted, before)] });
}

function gatewayWrites(own: Gateway, observed: ObservedRouting): Write[] {
  const { generation } = own.metadata;
  const { nowMs } = observed;
  const attachments = observed.routes
    .flatMap((route) => attachmentsOf(route, observed))
    .filter((found) => refOf(found.gateway).name === own.metadata.name);
  const mine = attachments.filter(({ gateway, accepted }) => gateway.metadata.namespace === own.metadata.namespace && accepted.ok);
  const listeners = own.spec.listeners.map((listener) => {
    const said = own.status.listeners.find(({ name }) => name === listener.name)?.conditions ?? [];
    return {
      name: listener.name,
      supportedKinds: [{ group: "gateway.networking.k8s.io", kind: "HTTPRoute" }],
      attachedRoutes: mine.filter((attachment) => attachment.listeners.some(({ name }) => name === listener.name)).length,
      conditions: listenerVerdicts(listener).map(([type, verdict]) => conditionOf(type, verdict, { conditions: said, generation, nowMs })),
    };
  });
  const verdicts: [string, Verdict][] = [
    ["Accepted", { ok: true, reason: "Accepted", message: "Gateway is accepted" }],
    ["Programmed", { ok: true, reason: "Programmed", message: "Gateway is programmed" }],
  ];
  const conditions = verdicts.map(([type, verdict]) =>
    conditionOf(type, verdict, { conditions: own.status.conditions, generation, nowMs }),
  );
  return statusWrites(own, { addresses: [{ type: "IPAddress", value: "127.0.0.1" }], conditions, listeners });
}

function listenerVerdicts({ protocol }: GatewayListener): [string, Verdict][] {
  const http = protocol === "HTTP";
  const refused = { ok: false, reason: "UnsupportedProtocol", message: `The sandbox's gateway listens for HTTP only, not ${protocol}.` };
  return [
    ["Accepted", http ? { ok: true, reason: "Accepted", message: "Listener accepted" } : refused],
    ["Programmed", http ? { ok: true, reason: "Programmed", message: "Valid listener" } : { ...refused, reason: "Invalid" }],
    ["ResolvedRefs", { ok: true, reason: "ResolvedRefs", message: "Listener references resolved" }],
  ];
}
