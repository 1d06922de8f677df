import type { RequestListener, Server } from "node:http";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { z } from "zod";
import type { KindRef, KubeObject } from "../../api/object.ts";
import { keyOf } from "../../api/object.ts";
import type { Informers, Kube } from "../../kube/kube.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Logger } from "../../lib/log.ts";
import { endpointSlice, fieldManager, kinds, service } from "../kinds.ts";
import { startLoop } from "../loop.ts";
import type { Write } from "../workloads/writes.ts";
import type { ObservedRouting } from "./attach.ts";
import { attachedRoutes, ownIngresses, routingWrites } from "./attach.ts";
import { resolveBackends } from "./endpoints.ts";
import { ingressTable } from "./ingress-table.ts";
import { gateway, gatewayClass, httpRoute, ingress } from "./kinds.ts";
import { proxy } from "./proxy.ts";
import type { Routing } from "./proxy.ts";
import { routeTable } from "./route-table.ts";
import type { Statistics } from "./statistics.ts";
import { createStatistics } from "./statistics.ts";
import { createUpstreams } from "./upstream.ts";

/** What a gateway needs. */
interface GatewayOptions {
  readonly kube: Kube;
  readonly informers: Informers;
  /** Port of 127.0.0.1 for requests; 0 or missing: any free one. */
  readonly port?: number;
  /** Port of 127.0.0.1 for `/stats/prometheus`; 0 or missing: any free one. */
  readonly metricsPort?: number;
  /** GatewayClasses with this controller are ours. Missing: Contour's. */
  readonly controllerName?: string;
  /** Ingresses of this class are ours. Missing: `nginx`. */
  readonly ingressClass?: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** A running gateway. */
export interface SandboxGateway {
  /** Base address for requests, e.g. `http://127.0.0.1:41234`. */
  readonly url: string;
  /** Address of the metrics, in the Prometheus text format. */
  readonly metricsUrl: string;
  readonly stats: Statistics;
  /** Finishes what is in flight and stops. Also done when the signal aborts. */
  close(): Promise<void>;
}

const watched: readonly KindRef[] = [
  kinds.gatewayClass,
  kinds.gateway,
  kinds.httpRoute,
  kinds.ingress,
  kinds.service,
  kinds.endpointSlice,
  kinds.pod,
];

/**
 * A reverse proxy that obeys HTTPRoutes and nginx's canary annotations, and says in their statuses what it does.
 * Resolves when it serves.
 */
export async function startGateway(options: GatewayOptions): Promise<SandboxGateway> {
  const { informers, clock, signal } = options;
  await Promise.all(watched.map((kind) => informers.of(kind).whenSynced(signal)));
  const [stats, upstreams] = [createStatistics(), createUpstreams()];
  const stopped = new AbortController();
  const loop = startLoop({
    name: "gateway",
    reconcile: async (_key, within) => await writeAll(options.kube, routingWrites(observe(options)), within),
    clock,
    log: options.log,
    signal: AbortSignal.any([signal, stopped.signal]),
  });
  let current: Routing | undefined;
  const unwatch = watched.map((kind) =>
    informers.of(kind).onChange(() => {
      current = undefined;
      loop.add("all");
    }),
  );
  const routing = (): Routing => {
    if (current) return current;
    const observed = observe(options);
    current = { route: routeTable(attachedRoutes(observed)), ingress: ingressTable(ownIngresses(observed)), backends: observed.backends };
    upstreams.keep(observed.origins);
    return current;
  };
  const nowMs = (): number => performance.now();
  const server = await serve(proxy({ routing, upstreams, statistics: stats, nowMs }), options.port ?? 0);
  const metrics = await serve(metricsHandler(stats), options.metricsPort ?? 0).catch(async (error: unknown) => {
    await closed(server);
    throw error;
  });
  const close = async (): Promise<void> => {
    for (const stop of unwatch) stop();
    stopped.abort();
    await Promise.all([closed(server), closed(metrics), loop.ended]);
    await upstreams.close();
  };
  signal.addEventListener("abort", () => void close(), { once: true });
  return { url: urlOf(server), metricsUrl: `${urlOf(metrics)}/stats/prometheus`, stats, close };
}

/** Everything that routing depends on, read from the informers. */
function observe(options: GatewayOptions): ObservedRouting & { readonly origins: ReadonlySet<string> } {
  const { informers, clock, log } = options;
  const read = <Schema extends z.ZodType>(kind: KindRef, schema: Schema): z.infer<Schema>[] =>
    informers
      .of(kind)
      .list()
      .flatMap((object) => {
        const parsed = schema.safeParse(object);
        if (!parsed.success)
          log.warn({ kind: kind.kind, object: keyOf(object.metadata), problem: parsed.error.message }, "gateway cannot read this object");
        return parsed.success ? [parsed.data] : [];
      });
  const pods = (key: string): KubeObject | undefined => informers.of(kinds.pod).find(key);
  const services = read(kinds.service, service);
  const backends = resolveBackends(services, read(kinds.endpointSlice, endpointSlice), pods);
  const ports = services.flatMap(({ metadata, spec }) =>
    spec.ports.map(({ port }) => ({ namespace: metadata.namespace ?? "", name: metadata.name, port })),
  );
  return {
    classes: read(kinds.gatewayClass, gatewayClass),
    gateways: read(kinds.gateway, gateway),
    routes: read(kinds.httpRoute, httpRoute),
    ingresses: read(kinds.ingress, ingress),
    backends,
    origins: new Set(ports.flatMap((port) => backends.endpoints(port).map(({ origin }) => origin))),
    controllerName: options.controllerName ?? "projectcontour.io/gateway-controller",
    ingressClass: options.ingressClass ?? "nginx",
    nowMs: clock.nowMs(),
  };
}

async function writeAll(kube: Kube, writes: readonly Write[], signal: AbortSignal): Promise<undefined> {
  for (const write of writes) {
    if (write.do === "patch") await kube.patch(write.ref, write.patch, { fieldManager, subresource: write.subresource }, signal);
  }
}

function metricsHandler(stats: Statistics): RequestListener {
  return (request, response) => {
    if (request.url !== "/stats/prometheus" && request.url !== "/metrics") {
      response.writeHead(404).end("metrics are at /stats/prometheus\n");
      return;
    }
    stats.text().then(
      (text) => response.writeHead(200, { "content-type": "text/plain; version=0.0.4" }).end(text),
      () => response.destroy(),
    );
  };
}

async function serve(handler: RequestListener, port: number): Promise<Server> {
  const server = createServer(handler);
  server.keepAliveTimeout = 65_000;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  return server;
}

function urlOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function closed(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
  });
}
