import { type Clock, systemClock } from "../lib/clock.ts";
import { createDiscovery } from "./discovery.ts";
import { type Kube, KubeError, type KubeWatch } from "./kube.ts";
import type { KubeConnection } from "./kubeconfig.ts";
import type { RequestObserver } from "./observer.ts";
import type { ClientParts } from "./parts.ts";
import { unknownKind } from "./paths.ts";
import { readsOf, watchesOf } from "./reads.ts";
import { createTransport, defaultLimits, type HttpRequest, type TransportLimits } from "./transport.ts";
import { writesOf } from "./writes.ts";

/** What the client may be told beside where the server is. */
export interface KubeOptions {
  /**
   * Asked before every write is sent, and before it is sent again. False: it is not sent and KubeError NotLeader is
   * thrown. Pass the elector's `canWrite`; dry runs are not asked about.
   */
  readonly canWrite?: (() => boolean) | undefined;
  readonly clock?: Clock;
  readonly limits?: Partial<TransportLimits>;
  /** Told of every request. */
  readonly observer?: RequestObserver | undefined;
}

/** The whole client. */
export interface KubeClient extends Kube, KubeWatch {
  /** GET of a path that is no object, such as `/version`: its JSON. */
  raw(path: string, signal: AbortSignal): Promise<unknown>;
  /** Breaks off what is running and closes all connections. */
  close(): Promise<void>;
}

/** A client of the API server at this connection: raw JSON in and out, retries, limits. Close it when done. */
export function createKube(connection: KubeConnection, options: KubeOptions = {}): KubeClient {
  const { canWrite, clock = systemClock, limits = {}, observer } = options;
  const life = new AbortController();
  const guard = (request: HttpRequest): void => {
    if (canWrite && isWrite(request) && !canWrite()) throw new KubeError(0, "NotLeader", `${request.method} ${request.path}: not sent, another replica may lead now`);
  };
  const transport = createTransport(connection, { clock, limits: { ...defaultLimits, ...limits }, guard, observer });
  const discovery = createDiscovery(transport, clock, life.signal);
  const parts: ClientParts = {
    transport,
    discovery,
    resource: async (kind, signal) => {
      const resource = await discovery.resource(kind, signal);
      if (!resource) throw unknownKind(kind);
      return resource;
    },
  };
  return {
    ...readsOf(parts),
    ...writesOf(parts),
    ...watchesOf(parts),
    resource: (kind, signal) => discovery.resource(kind, signal),
    raw: (path, signal) => transport.json({ method: "GET", path }, signal),
    close: async () => {
      life.abort(new Error("the client was closed"));
      await transport.close();
    },
  };
}

function isWrite({ method, path }: HttpRequest): boolean {
  return method !== "GET" && !path.includes("dryRun=All");
}
