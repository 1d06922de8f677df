import { apiVersion } from "../../src/api/meta.ts";
import type { ApiResource } from "../../src/kube/kube.ts";
import { resourceOf } from "./memory-kube.ts";

const clusterScoped = new Set(["Namespace", "GatewayClass", "IngressClass"]);
const byVersion: readonly (readonly [string, ...string[]])[] = [
  ["v1", "Namespace", "ConfigMap", "Secret", "Service", "Pod"],
  ["apps/v1", "Deployment", "ReplicaSet", "ControllerRevision"],
  ["autoscaling/v2", "HorizontalPodAutoscaler"],
  ["gateway.networking.k8s.io/v1", "HTTPRoute", "Gateway", "GatewayClass"],
  ["networking.k8s.io/v1", "Ingress", "IngressClass"],
  ["discovery.k8s.io/v1", "EndpointSlice"],
  [apiVersion, "GitRepository", "Sync", "Canary", "MetricTemplate", "Revert"],
];

/** Every kind that controllers read or write, for an API server in memory. */
export const servedKinds: readonly ApiResource[] = byVersion.flatMap(([version, ...kinds]) =>
  kinds.map((kind) => resourceOf(version, kind, !clusterScoped.has(kind))));
