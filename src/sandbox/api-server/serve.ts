import type { IncomingMessage, ServerResponse } from "node:http";
import type { Logger } from "../../lib/log.ts";
import { ApiError, forbidden, methodNotAllowed, statusOf } from "./api-error.ts";
import { aggregatedDiscovery, coreVersions, groupAnswer, groupList, resourceList, version } from "./discovery.ts";
import { type Answer, answer, type PodLog } from "./handlers.ts";
import type { Cluster } from "./objects.ts";
import { openApiDocument, openApiIndex } from "./openapi.ts";
import { answerForm, type Target, targetOf, type Verb } from "./request.ts";
import { requestSelector } from "./selectors.ts";
import { metadataOf, tableOf } from "./tables.ts";
import { serveWatch, type WatchRequest } from "./watch.ts";

/** What a request asks for, for those who count or refuse. */
export interface RequestInfo {
  readonly user: string;
  readonly verb: Verb;
  readonly group: string;
  /** Plural, with the subresource: `deployments` or `deployments/status`. */
  readonly resource: string;
  /** Missing for cluster-scoped objects and lists of all namespaces. */
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly dryRun: boolean;
}

/** Whether a user may do this. `resource` is the plural with the subresource, e.g. `deployments/status`. */
export type Authorize = (user: string, verb: Verb, resource: string, namespace: string | undefined) => boolean;

/** What all requests share. */
export interface ServerContext {
  readonly cluster: Cluster;
  readonly closing: AbortSignal;
  readonly authorize: Authorize | undefined;
  readonly onRequest: ((request: RequestInfo) => void) | undefined;
  readonly podLog: PodLog | undefined;
  readonly log: Logger;
}

/** Answers one request. Never rejects: what goes wrong becomes a Status object. */
export async function handleRequest(context: ServerContext, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    await route(context, request, response);
  } catch (error) {
    fail(context.log, response, error);
  }
}

async function route(context: ServerContext, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { url = "/", method = "GET", headers } = request;
  const parsed = new URL(url, "http://127.0.0.1");
  const fixed = method === "GET" ? fixedAnswer(context.cluster, parsed, headers.accept ?? "") : undefined;
  if (fixed) return send(response, fixed);
  const target = targetOf(context.cluster.registry, method, parsed);
  if (target === undefined) return send(response, { code: 404, body: "404 page not found\n" });
  permit(context, request, target, parsed.searchParams);
  if (target.verb === "watch") return watch(context, { target, url: parsed, accept: headers.accept }, response);
  if (target.type.virtual === true && target.verb !== "create") throw methodNotAllowed();
  const { cluster, podLog } = context;
  send(response, await answer({ cluster, target, request, query: parsed.searchParams, podLog }));
}

function fail(log: Logger, response: ServerResponse, error: unknown): void {
  const known = error instanceof ApiError;
  if (!known) log.error({ err: error }, "request failed in the sandbox's API server");
  const shown = known
    ? error
    : new ApiError(500, "InternalError", `Internal error occurred: ${error instanceof Error ? error.message : String(error)}`);
  if (response.headersSent) response.end();
  else send(response, { code: shown.code, body: statusOf(shown) });
}

function send(response: ServerResponse, { code, body, warnings = [] }: Answer): void {
  const isText = typeof body === "string";
  const text = isText ? body : `${JSON.stringify(body)}\n`;
  const headers: Record<string, string | string[]> = { "content-type": contentTypeOf(body), "cache-control": "no-cache, private" };
  if (warnings.length > 0) headers["warning"] = warnings.map((warning) => `299 - ${JSON.stringify(warning)}`);
  response.writeHead(code, headers);
  response.end(text);
}

function contentTypeOf(body: object | string): string {
  if (typeof body === "string") return "text/plain; charset=utf-8";
  return "kind" in body && body.kind === "APIGroupDiscoveryList"
    ? "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    : "application/json";
}

/** Discovery, documents and health: everything that is not an object. */
function fixedAnswer({ registry }: Cluster, { pathname }: URL, accept: string): Answer | undefined {
  const path = pathname.replace(/\/+$/, "");
  const aggregated = accept.includes("apidiscovery.k8s.io") && accept.includes("v=v2");
  const bodies: Record<string, () => object | string> = {
    "/healthz": () => "ok",
    "/readyz": () => "ok",
    "/livez": () => "ok",
    "/version": () => version,
    "/api": () => (aggregated ? aggregatedDiscovery(registry, true) : coreVersions()),
    "/apis": () => (aggregated ? aggregatedDiscovery(registry, false) : groupList(registry)),
    "/openapi/v3": () => openApiIndex(registry),
    // kubectl reads the old document as protobuf; no bytes are a document that says nothing.
    "/openapi/v2": () => "",
  };
  const body = bodies[path]?.();
  return body === undefined ? document(registry, path) : { code: 200, body };
}

function document(registry: Cluster["registry"], path: string): Answer | undefined {
  const openApi = /^\/openapi\/v3\/apis?\/(.+)$/.exec(path)?.[1];
  const listed = /^\/(?:apis\/([^/]+\/[^/]+)|api\/([^/]+))$/.exec(path);
  const group = /^\/apis\/([^/]+)$/.exec(path)?.[1];
  let body: object | undefined;
  if (openApi !== undefined) body = openApiDocument(registry, openApi);
  else if (listed) body = resourceList(registry, listed[1] ?? listed[2] ?? "");
  else if (group !== undefined) body = groupAnswer(registry, group);
  else return undefined;
  return body ? { code: 200, body } : { code: 404, body: "404 page not found\n" };
}

function permit({ authorize, onRequest }: ServerContext, request: IncomingMessage, target: Target, query: URLSearchParams): void {
  const { type, verb, subresource, namespace, name } = target;
  const impersonated = request.headers["impersonate-user"];
  const user = typeof impersonated === "string" ? impersonated : "system:admin";
  const resource = subresource === "" ? type.plural : `${type.plural}/${subresource}`;
  onRequest?.({ user, verb, group: type.group, resource, namespace, name, dryRun: query.getAll("dryRun").includes("All") });
  if (authorize === undefined || authorize(user, verb, resource, namespace)) return;
  const scope = namespace === undefined ? "at the cluster scope" : `in the namespace "${namespace}"`;
  throw forbidden(type, name ?? "", `User "${user}" cannot ${verb} resource "${resource}" in API group "${type.group}" ${scope}`);
}

function watch(
  { cluster, closing }: ServerContext,
  asked: { target: Target; url: URL; accept: string | undefined },
  response: ServerResponse,
): void {
  const { type, namespace, name } = asked.target;
  const query = asked.url.searchParams;
  const selects = requestSelector(query, type);
  const { as } = answerForm(asked.accept);
  let first = true;
  const shape: WatchRequest["shape"] = (object) => {
    if (as === "objects") return object;
    if (as === "metadata") return metadataOf(object);
    const headers = first;
    first = false;
    return tableOf(type, [object], {
      metadata: { resourceVersion: object.metadata.resourceVersion },
      includeObject: query.get("includeObject") ?? "Metadata",
      nowMs: cluster.clock.nowMs(),
      headers,
    });
  };
  const request: WatchRequest = {
    type,
    namespace,
    selects: name === undefined ? selects : (object) => object.metadata.name === name && selects(object),
    resourceVersion: query.get("resourceVersion") ?? "",
    bookmarks: query.get("allowWatchBookmarks") === "true" || query.get("allowWatchBookmarks") === "1",
    sendInitialEvents: query.get("sendInitialEvents") === "true",
    timeoutMs: Number(query.get("timeoutSeconds") ?? 1800) * 1000,
    shape,
  };
  serveWatch(cluster, request, response, closing);
}
