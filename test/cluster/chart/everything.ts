import { apiVersion } from "../../../src/api/meta.ts";
import type { KubeObject } from "../../../src/api/object.ts";

const namespace = "everything";

/**
 * Objects by which the controller does all that its role allows and the pages of the docs do not ask for: every kind that a
 * Canary makes, by both routers, and one Stalled object of each kind.
 */
export function everything(): KubeObject[] {
  const at = (name: string) => ({ name, namespace });
  const labels = (name: string) => ({ app: name });
  const workload = (name: string): KubeObject => ({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: at(name),
    spec: {
      replicas: 1,
      selector: { matchLabels: labels(name) },
      template: {
        metadata: { labels: labels(name) },
        spec: {
          containers: [
            {
              name: "app",
              image: "serin.dev/idle:1",
              envFrom: [{ configMapRef: { name: `${name}-config` } }, { secretRef: { name: `${name}-secret` } }],
            },
          ],
        },
      },
    },
  });
  const configs = (name: string): KubeObject[] => [
    { apiVersion: "v1", kind: "ConfigMap", metadata: at(`${name}-config`), data: { COLOUR: "blue" } },
    { apiVersion: "v1", kind: "Secret", metadata: at(`${name}-secret`), stringData: { TOKEN: "s3cret" } },
  ];
  const canary = (name: string, spec: object): KubeObject => ({
    apiVersion,
    kind: "Canary",
    metadata: at(name),
    spec: {
      targetRef: { kind: "Deployment", name },
      revertOnDeletion: true,
      analysis: { interval: "1s", stepWeight: 50 },
      ...spec,
    },
  });
  const autoscaler: KubeObject = {
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    metadata: at("web"),
    spec: {
      scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "web" },
      minReplicas: 1,
      maxReplicas: 2,
      metrics: [{ type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 80 } } }],
    },
  };
  const ingress = (name: string): KubeObject => {
    const backend = { service: { name, port: { number: 80 } } };
    const rule = { host: `${name}.example`, http: { paths: [{ path: "/", pathType: "Prefix", backend }] } };
    const spec = { ingressClassName: "nginx", rules: [rule] };
    return { apiVersion: "networking.k8s.io/v1", kind: "Ingress", metadata: at(name), spec };
  };
  return [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
    ...["web", "api"].flatMap(configs),
    ...["web", "api"].map(workload),
    autoscaler,
    ...["web", "api"].map(ingress),
    canary("web", {
      provider: "nginx",
      service: { port: 80 },
      ingressRef: { name: "web" },
      autoscalerRef: { kind: "HorizontalPodAutoscaler", name: "web" },
    }),
    canary("api", { service: { port: 80, hosts: ["api.example"], gatewayRefs: [{ name: "public", namespace: "gateway" }] } }),
    ...stalled(at),
  ];
}

/** What makes `api` go by the other router: its HTTPRoute goes with the Canary, instead of staying to bring traffic to the target. */
export const otherRouter = { spec: { provider: "nginx", ingressRef: { name: "api" } } };

/** What waits for a person; the controller reads such an object once more before it says so. */
function stalled(at: (name: string) => { name: string; namespace: string }): KubeObject[] {
  const provider = { type: "prometheus", address: "http://prometheus.example" };
  const targetRef = { kind: "Deployment", name: "api" };
  return [
    { apiVersion, kind: "MetricTemplate", metadata: at("unreadable"), spec: { provider, query: "{{ nothing }}" } },
    {
      apiVersion,
      kind: "Canary",
      metadata: at("nowhere"),
      spec: { targetRef, service: { port: 80 }, analysis: { interval: "1s", stepWeight: 50 } },
    },
  ];
}

/** Kind and name of everything that `web` and `api` make, and that goes with them. */
export const made: readonly (readonly [string, string])[] = [
  ...["web", "api"].flatMap((name) => [
    ["Deployment", `${name}-primary`] as const,
    ["Service", `${name}-primary`] as const,
    ["Service", `${name}-canary`] as const,
    ["ConfigMap", `${name}-config-primary`] as const,
    ["Secret", `${name}-secret-primary`] as const,
  ]),
  ["HorizontalPodAutoscaler", "web-primary"],
  ["Ingress", "web-canary"],
  ["HTTPRoute", "api"],
];
