import { keyOf, type KubeObject } from "../api/object.ts";
import { isRecord } from "../lib/json.ts";

/** Kinds that send traffic to Services. */
export const routeKinds = [
  { apiVersion: "gateway.networking.k8s.io/v1", kind: "HTTPRoute" },
  { apiVersion: "networking.k8s.io/v1", kind: "Ingress" },
] as const;

/** Services that get traffic by this route, as `namespace/name`. Backends of weight 0 get none. */
export function backendsOf(route: KubeObject): string[] {
  const namespace = route.metadata.namespace;
  const name = (found: unknown, own = namespace): string[] => (typeof found === "string" ? [keyOf({ namespace: own, name: found })] : []);
  const spec = isRecord(route["spec"]) ? route["spec"] : {};
  if (route.kind === "HTTPRoute") {
    return records(spec["rules"]).flatMap((rule) => records(rule["backendRefs"])).flatMap((backend) => {
      const other = typeof backend["namespace"] === "string" ? backend["namespace"] : namespace;
      return (backend["kind"] ?? "Service") === "Service" && backend["weight"] !== 0 ? name(backend["name"], other) : [];
    });
  }
  const paths = records(spec["rules"]).flatMap(({ http }) => (isRecord(http) ? records(http["paths"]) : []));
  const backends = [spec["defaultBackend"], ...paths.map(({ backend }) => backend)].filter(isRecord);
  return backends.flatMap(({ service }) => (isRecord(service) ? name(service["name"]) : []));
}

/** Whether both routes take requests for the same host at the same gateway. */
export function takesSameRequests(a: KubeObject, b: KubeObject): boolean {
  if (a.kind !== b.kind) return false;
  const [hostsA, hostsB] = [hostsOf(a), hostsOf(b)];
  const sameHost = (hostsA.length === 0 && hostsB.length === 0) || hostsA.some((host) => hostsB.includes(host));
  return sameHost && (a.kind !== "HTTPRoute" || parentsOf(a).some((parent) => parentsOf(b).includes(parent)));
}

function hostsOf({ kind, spec }: KubeObject): string[] {
  if (!isRecord(spec)) return [];
  const found = kind === "HTTPRoute" ? spec["hostnames"] : records(spec["rules"]).map(({ host }) => host);
  return Array.isArray(found) ? found.filter((host) => typeof host === "string") : [];
}

function parentsOf({ spec, metadata }: KubeObject): string[] {
  const parents = isRecord(spec) ? records(spec["parentRefs"]) : [];
  return parents.map(({ namespace, name }) => `${typeof namespace === "string" ? namespace : (metadata.namespace ?? "")}/${String(name)}`);
}

function records(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.filter(isRecord) : [];
}

