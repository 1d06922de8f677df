import { keyOf } from "../../api/object.ts";
import type { KubeObject } from "../../api/object.ts";
import type { EndpointSlice, Service } from "../kinds.ts";
import { realPorts } from "../node/addresses.ts";

/** One ready pod behind a Service's port. */
interface Endpoint {
  /** `http://host:port`, where it really listens. */
  readonly origin: string;
}

/** A Service's port, named by number or by name. */
export interface BackendPort {
  readonly namespace: string;
  readonly name: string;
  readonly port: number | string;
}

/** What backends resolve to. */
export interface Backends {
  /** The Service's port as its manifest has it; `undefined`: there is no such Service or port. */
  find(backend: BackendPort): { readonly number: number } | undefined;
  /** Ready endpoints, in a stable order. */
  endpoints(backend: BackendPort): readonly Endpoint[];
}

/** Resolves Services by their EndpointSlices. Pure. */
export function resolveBackends(
  services: readonly Service[],
  slices: readonly EndpointSlice[],
  pods: (key: string) => KubeObject | undefined,
): Backends {
  const byKey = new Map(services.map((service) => [keyOf(service.metadata), service]));
  const ofService = Map.groupBy(slices, ({ metadata }) => `${metadata.namespace}/${metadata.labels?.["kubernetes.io/service-name"]}`);
  const portOf = ({ namespace, name, port }: BackendPort) =>
    byKey
      .get(`${namespace}/${name}`)
      ?.spec.ports.find((candidate) => (typeof port === "number" ? candidate.port === port : candidate.name === port));
  return {
    find: (backend) => {
      const port = portOf(backend);
      return port && { number: port.port };
    },
    endpoints: (backend) => {
      const port = portOf(backend);
      if (!port) return [];
      const inSlices = ofService.get(`${backend.namespace}/${backend.name}`) ?? [];
      const origins = inSlices.flatMap((slice) => originsOf(slice, port.name ?? "", pods));
      return [...new Set(origins)].sort().map((origin) => ({ origin }));
    },
  };
}

function originsOf(
  { metadata, endpoints, ports }: EndpointSlice,
  portName: string,
  pods: (key: string) => KubeObject | undefined,
): string[] {
  const port = ports.find(({ name }) => (name ?? "") === portName)?.port;
  if (port === undefined) return [];
  return endpoints
    .filter(({ conditions }) => conditions?.ready !== false)
    .flatMap(({ addresses, targetRef }) => {
      const pod = targetRef?.kind === "Pod" ? pods(keyOf({ namespace: metadata.namespace, name: targetRef.name })) : undefined;
      const real = realPorts(pod?.metadata.annotations).get(port);
      return real === undefined ? addresses.map((address) => `http://${address}:${port}`) : [`http://127.0.0.1:${real}`];
    });
}
