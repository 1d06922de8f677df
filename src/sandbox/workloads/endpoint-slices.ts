import type { KubeObject } from "../../api/object.ts";
import { controllerReference, refOf } from "../../api/object.ts";
import { hashJson } from "../../lib/json.ts";
import type { Pod, Service } from "../kinds.ts";
import { kinds } from "../kinds.ts";
import { isReady } from "./replica-set.ts";
import type { Plan, Write } from "./writes.ts";
import { changes } from "./writes.ts";

/** What the EndpointSlice controller sees of one Service. */
interface ObservedService {
  readonly service: Service;
  /** Pods of its namespace. */
  readonly pods: readonly Pod[];
  /** The slices it owns. */
  readonly slices: readonly KubeObject[];
}

const perSlice = 100;

/** The slices of a Service with a selector; one without is left to its user. Pure. */
export function planEndpointSlices({ service, pods, slices }: ObservedService): Plan {
  if (!service.spec.selector || service.spec.type === "ExternalName") return { writes: [] };
  const selector = Object.entries(service.spec.selector);
  const chosen = pods.filter((pod) => selector.every(([name, value]) => pod.metadata.labels?.[name] === value) && hasAddress(pod));
  const wanted = slicesOf(service, chosen);
  const gone = slices.filter(({ metadata }) => !wanted.some((slice) => slice.metadata.name === metadata.name));
  const writes = wanted.flatMap((slice) => sliceWrites(slice, slices.find(({ metadata }) => metadata.name === slice.metadata.name)));
  return { writes: [...writes, ...gone.map((slice): Write => ({ do: "delete", ref: refOf(slice), uid: slice.metadata.uid }))] };
}

/** Whether these labels make a pod an endpoint of the Service. */
export function selects(service: Service, pod: KubeObject): boolean {
  const selector = Object.entries(service.spec.selector ?? {});
  return selector.length > 0 && selector.every(([name, value]) => pod.metadata.labels?.[name] === value);
}

function hasAddress({ status }: Pod): boolean {
  return status.podIP !== undefined && status.phase !== "Succeeded" && status.phase !== "Failed";
}

interface SlicePort {
  readonly name: string;
  readonly port: number;
  readonly protocol: string;
  readonly appProtocol?: string | undefined;
}

/** Pods whose named ports resolve alike share slices; each slice holds at most a hundred. */
function slicesOf(service: Service, pods: readonly Pod[]): KubeObject[] {
  const groups = new Map<string, { ports: SlicePort[]; pods: Pod[] }>();
  for (const pod of pods) {
    const ports = portsOf(service, pod);
    const key = hashJson(ports);
    groups.set(key, { ports, pods: [...(groups.get(key)?.pods ?? []), pod] });
  }
  // A Service without pods keeps one empty slice: its readers then know that there is nobody.
  if (groups.size === 0) groups.set("none", { ports: [], pods: [] });
  return [...groups].flatMap(([key, { ports, pods }]) => {
    const sorted = [...pods].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
    const chunks = Math.max(1, Math.ceil(sorted.length / perSlice));
    return Array.from({ length: chunks }, (_, at) =>
      slice(service, `${key}/${at}`, ports, sorted.slice(at * perSlice, (at + 1) * perSlice)),
    );
  });
}

function slice(service: Service, key: string, ports: readonly SlicePort[], pods: readonly Pod[]): KubeObject {
  const { name, namespace } = service.metadata;
  return {
    ...kinds.endpointSlice,
    metadata: {
      name: `${name}-${hashJson([service.metadata.uid, key]).slice(0, 5)}`,
      ...(namespace === undefined ? {} : { namespace }),
      labels: { "kubernetes.io/service-name": name, "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io" },
      ownerReferences: [controllerReference({ ...kinds.service, metadata: service.metadata })],
    },
    addressType: "IPv4",
    endpoints: pods.map((pod) => endpoint(service, pod)),
    ports: ports.map((port) => ({ ...port })),
  };
}

function endpoint(service: Service, pod: Pod): object {
  const terminating = pod.metadata.deletionTimestamp !== undefined;
  const serving = isReady(pod) || service.spec.publishNotReadyAddresses;
  const { name, namespace, uid } = pod.metadata;
  return {
    addresses: [pod.status.podIP],
    conditions: { ready: serving && (!terminating || service.spec.publishNotReadyAddresses), serving, terminating },
    ...(pod.spec.nodeName === undefined ? {} : { nodeName: pod.spec.nodeName }),
    targetRef: { kind: "Pod", namespace, name, uid },
  };
}

function portsOf(service: Service, pod: Pod): SlicePort[] {
  const containerPorts = pod.spec.containers.flatMap(({ ports }) => ports);
  return service.spec.ports.flatMap(({ name = "", port, targetPort = port, protocol, appProtocol }) => {
    const number =
      typeof targetPort === "number" ? targetPort : containerPorts.find((candidate) => candidate.name === targetPort)?.containerPort;
    return number === undefined ? [] : [{ name, port: number, protocol, ...(appProtocol === undefined ? {} : { appProtocol }) }];
  });
}

function sliceWrites(wanted: KubeObject, live: KubeObject | undefined): Write[] {
  if (!live) return [{ do: "create", object: wanted }];
  const patch = changes(
    { endpoints: live["endpoints"] ?? [], ports: live["ports"] ?? [] },
    { endpoints: wanted["endpoints"], ports: wanted["ports"] },
  );
  return Object.keys(patch).length === 0 ? [] : [{ do: "patch", ref: refOf(live), patch }];
}
