import type { IncomingMessage, OutgoingHttpHeaders, RequestListener, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { seedOf, weightedDraw } from "../draw.ts";
import { backendProblem } from "./attach.ts";
import type { BackendPort, Backends } from "./endpoints.ts";
import { forwardedHeaders, answeredHeaders } from "./headers.ts";
import type { IngressTable, Location } from "./ingress-table.ts";
import { takesCanary } from "./ingress-table.ts";
import type { HeaderChange } from "./kinds.ts";
import type { RequestHead } from "./request.ts";
import { requestHead } from "./request.ts";
import type { RouteTable, RouteTarget } from "./route-table.ts";
import { headerChanges } from "./route-table.ts";
import type { Statistics } from "./statistics.ts";
import type { Outcome, Upstreams } from "./upstream.ts";
import { bodyOf } from "./upstream.ts";

/** Where requests go now. */
export interface Routing {
  readonly route: RouteTable;
  readonly ingress: IngressTable;
  readonly backends: Backends;
}

/** What the proxy needs. */
interface ProxyParts {
  /** The newest routing; asked for every request. */
  readonly routing: () => Routing;
  readonly upstreams: Upstreams;
  readonly statistics: Statistics;
  readonly nowMs: () => number;
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly head: RequestHead;
}

/** Sends each request where HTTPRoutes say, else where Ingresses say, else answers 404. */
export function proxy(parts: ProxyParts): RequestListener {
  const choose = createChooser();
  return (request, response) => {
    const head = requestHead(request.method ?? "GET", request.url ?? "/", request.headers);
    const exchange = { request, response, head };
    const { route, ingress, backends } = parts.routing();
    const target = route(head);
    const location = target ? undefined : ingress(head);
    const served = target
      ? serveRoute(parts, { ...exchange, target, backends, choose })
      : location
        ? serveIngress(parts, { ...exchange, location, backends, choose })
        : refuse(response, 404, "no route for this host and path");
    // Whatever went wrong, the client must not wait for ever.
    served.catch(() => response.destroy());
  };
}

/** Draws that go on from request to request: by weight among backends, in turn among endpoints. */
interface Chooser {
  byWeight(id: string, weights: readonly number[]): number;
  inTurn(backend: BackendPort, backends: Backends): string[];
}

function createChooser(): Chooser {
  const draws = new Map<string, { weights: string; next: () => number }>();
  const turns = new Map<string, number>();
  return {
    byWeight: (id, weights) => {
      const key = weights.join(",");
      const known = draws.get(id);
      const draw = known?.weights === key ? known : { weights: key, next: weightedDraw(weights, seedOf(id + key)) };
      draws.set(id, draw);
      return draw.next();
    },
    inTurn: (backend, backends) => {
      const origins = backends.endpoints(backend).map(({ origin }) => origin);
      const key = `${backend.namespace}/${backend.name}/${backend.port}`;
      const turn = turns.get(key) ?? 0;
      turns.set(key, turn + 1);
      const first = origins.length === 0 ? 0 : turn % origins.length;
      return [...origins.slice(first), ...origins.slice(0, first)];
    },
  };
}

type RouteExchange = Exchange & { readonly target: RouteTarget; readonly backends: Backends; readonly choose: Chooser };

async function serveRoute(parts: ProxyParts, exchange: RouteExchange): Promise<void> {
  const { target, backends, choose, response } = exchange;
  const backend = target.backends[choose.byWeight(target.id, target.backends.map(({ weight }) => weight))];
  if (!backend) return await refuse(response, 500, "no backend of this rule has a weight");
  const problem = backendProblem(backend, target.namespace, backends);
  if (problem || backend.port === undefined) return await refuse(response, 500, problem?.message ?? "the backend has no port");
  const port = { namespace: target.namespace, name: backend.name, port: backend.port };
  const own = headerChanges(backend.filters);
  const sent = await send(parts, exchange, {
    origins: choose.inTurn(port, backends),
    requestHeaders: [...target.requestHeaders, ...own.requestHeaders],
    responseHeaders: [...target.responseHeaders, ...own.responseHeaders],
    timeoutMs: target.timeoutMs,
    failed: 503,
  });
  if (sent) parts.statistics.envoy(`${port.namespace}_${port.name}_${port.port}`, sent.status, sent.upstreamMs);
}

type IngressExchange = Exchange & { readonly location: Location; readonly backends: Backends; readonly choose: Chooser };

async function serveIngress(parts: ProxyParts, exchange: IngressExchange): Promise<void> {
  const { location, backends, choose, head } = exchange;
  const startedMs = parts.nowMs();
  const canary = chosenCanary(exchange);
  const sent = await send(parts, exchange, {
    origins: choose.inTurn(canary ?? location.backend, backends),
    requestHeaders: [],
    responseHeaders: [],
    timeoutMs: 60_000,
    failed: 502,
  });
  if (!sent) return;
  parts.statistics.nginx({
    namespace: location.namespace,
    ingress: location.ingress,
    service: location.backend.name,
    canary: canary ? `${canary.namespace}-${canary.name}-${canary.port}` : "",
    path: location.path,
    method: head.method,
    host: location.host === "" ? "_" : location.host,
    status: sent.status,
    upstreamSeconds: sent.upstreamMs === undefined ? undefined : sent.upstreamMs / 1_000,
    totalSeconds: (parts.nowMs() - startedMs) / 1_000,
  });
}

/** The canary's backend when this request is for it. As in ingress-nginx, a canary without pods gets nothing. */
function chosenCanary({ location, backends, choose, head }: IngressExchange): BackendPort | undefined {
  const { canary } = location;
  if (!canary || backends.endpoints(canary.backend).length === 0) return undefined;
  const { weight, weightTotal } = canary.rule;
  const id = `${location.namespace}/${location.ingress}${location.host}${location.path}`;
  const drawn = (): boolean => choose.byWeight(id, [weightTotal - weight, weight]) === 1;
  return takesCanary(canary.rule, head, drawn) ? canary.backend : undefined;
}

interface Plan {
  readonly origins: readonly string[];
  readonly requestHeaders: readonly HeaderChange[];
  readonly responseHeaders: readonly HeaderChange[];
  readonly timeoutMs: number | undefined;
  /** Status of a request that no pod has answered. */
  readonly failed: number;
}

interface Sent {
  readonly status: number;
  /** Until the pod's answer had ended; `undefined`: none answered. */
  readonly upstreamMs: number | undefined;
}

/** @returns `undefined` when the client went away first */
async function send({ upstreams, nowMs }: ProxyParts, { request, response }: Exchange, plan: Plan): Promise<Sent | undefined> {
  const gone = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) gone.abort();
  });
  const startedMs = nowMs();
  const body = await bodyOf(request);
  const outcome = await upstreams.send(plan.origins, {
    method: request.method ?? "GET",
    path: request.url ?? "/",
    headers: forwardedHeaders(request, plan.requestHeaders),
    body,
    timeoutMs: plan.timeoutMs,
    signal: gone.signal,
  });
  if (outcome.ok) return await relay(outcome, response, plan.responseHeaders, () => nowMs() - startedMs);
  if (outcome.why === "gone") return undefined;
  const status = outcome.why === "timeout" ? 504 : outcome.why === "noEndpoint" ? 503 : plan.failed;
  await refuse(response, status, `no pod answered: ${outcome.why}`);
  return { status, upstreamMs: undefined };
}

async function relay(
  { answer }: Outcome & { ok: true },
  response: ServerResponse,
  changes: readonly HeaderChange[],
  elapsedMs: () => number,
): Promise<Sent | undefined> {
  const headers: OutgoingHttpHeaders = answeredHeaders(answer.headers, changes);
  response.writeHead(answer.statusCode, headers);
  try {
    await pipeline(answer.body, response);
  } catch {
    // Cut on either side: the status line is out already, so the connection is all that can tell.
    response.destroy();
    return undefined;
  }
  return { status: answer.statusCode, upstreamMs: elapsedMs() };
}

function refuse(response: ServerResponse, status: number, why: string): Promise<void> {
  response.writeHead(status, { "content-type": "text/plain" });
  response.end(`${why}\n`);
  return Promise.resolve();
}
