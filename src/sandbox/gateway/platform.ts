import type { KubeObject } from "../../api/object.ts";

const group = "gateway.networking.k8s.io/v1";

/** A Gateway that routes of all namespaces attach to, its class and its namespace. */
export function gatewayObjects({ namespace, name }: { namespace: string; name: string }): KubeObject[] {
  const listener = { name: "http", port: 80, protocol: "HTTP", allowedRoutes: { namespaces: { from: "All" } } };
  return [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
    {
      apiVersion: group,
      kind: "GatewayClass",
      metadata: { name: "contour" },
      spec: { controllerName: "projectcontour.io/gateway-controller" },
    },
    { apiVersion: group, kind: "Gateway", metadata: { name, namespace }, spec: { gatewayClassName: "contour", listeners: [listener] } },
  ];
}

/** What a platform team has made before the first route or Ingress comes. */
export function platformObjects(): KubeObject[] {
  return [
    ...gatewayObjects({ namespace: "gateway", name: "public" }),
    { apiVersion: "networking.k8s.io/v1", kind: "IngressClass", metadata: { name: "nginx" }, spec: { controller: "k8s.io/ingress-nginx" } },
  ];
}
