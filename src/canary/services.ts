import type { Canary } from "../api/canary.ts";
import type { KubeObject } from "../api/object.ts";
import { owned, unowned } from "./owned.ts";
import type { Selectors } from "./selector.ts";

/** Name of the apex Service. */
export function apexName({ spec }: Canary): string {
  return spec.service.name ?? spec.targetRef.name;
}

/** `<apex>-primary` and `<apex>-canary`: what the route splits traffic between. */
export function sideServices(canary: Canary, selectors: Selectors): KubeObject[] {
  return [
    {
      ...owned(canary, { apiVersion: "v1", kind: "Service", name: `${apexName(canary)}-primary` }),
      spec: serviceSpec(canary, selectors.primary),
    },
    {
      ...owned(canary, { apiVersion: "v1", kind: "Service", name: `${apexName(canary)}-canary` }),
      spec: serviceSpec(canary, selectors.target),
    },
  ];
}

/** Whom the apex Service selects, and whether it is the user's own and outlives the Canary. */
export interface Apex {
  readonly side: "primary" | "target";
  /** A Service of this name that is not ours was there before, or the Canary is about to go: the Service is not its property. */
  readonly outlives: boolean;
}

/** The apex Service: what users in the cluster call. Of an adopted one only `selector` and `ports` are ours. */
export function apexService(canary: Canary, selectors: Selectors, { side, outlives }: Apex): KubeObject {
  const ref = { apiVersion: "v1", kind: "Service", name: apexName(canary) };
  return { ...(outlives ? unowned(canary, ref) : owned(canary, ref)), spec: serviceSpec(canary, selectors[side]) };
}

// No type: ClusterIP is the default, and an adopted Service keeps its own.
function serviceSpec({ spec: { service } }: Canary, selector: Readonly<Record<string, string>>): Record<string, unknown> {
  const { port, portName: name, targetPort = port } = service;
  return { selector, ports: [{ name, port, protocol: "TCP", targetPort }] };
}
