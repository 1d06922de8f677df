import type { KindRef } from "../api/object.ts";
import type { Discovery } from "./discovery.ts";
import type { ApiResource } from "./kube.ts";
import type { Transport } from "./transport.ts";

/** What the parts of the client share. */
export interface ClientParts {
  readonly transport: Transport;
  readonly discovery: Discovery;
  /** Throws KubeError NotFound for a kind that is not served. */
  resource(kind: KindRef, signal: AbortSignal): Promise<ApiResource>;
}
