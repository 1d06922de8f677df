/** Content of files by path; `null` deletes one. */
export type Files = Readonly<Record<string, string | null>>;

/** What a service runs, as its Deployment says it. */
export interface ServiceOptions {
  /** Of the image `serin.dev/shop`; what a tag does stands in src/sandbox/node/scenario-images.ts. Default: 1. */
  readonly tag?: string;
  readonly replicas?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** A ConfigMap whose data become variables. */
  readonly settings?: string;
  readonly nodeSelector?: Readonly<Record<string, string>>;
  /** A comment at the image. */
  readonly comment?: string;
  /** Seconds for which a pod that shall end still answers. */
  readonly preStopSeconds?: number;
}

/** A Deployment as people write it. */
export function deployment(name: string, options: ServiceOptions = {}): string {
  const { tag = "1", replicas = 1, env = {}, settings, nodeSelector, comment, preStopSeconds } = options;
  const variables = Object.entries(env).map(([key, value]) => `\n            - { name: ${key}, value: "${value}" }`);
  return `apiVersion: apps/v1
kind: Deployment
metadata:
  name: ${name}
spec:
  replicas: ${replicas}
  selector:
    matchLabels: { app: ${name} }
  template:
    metadata:
      labels: { app: ${name} }
    spec:${nodeSelector ? `\n      nodeSelector: ${JSON.stringify(nodeSelector)}` : ""}
      containers:
        - name: app${comment ? `\n          # ${comment}` : ""}
          image: serin.dev/shop:${tag}
          ports:
            - { name: http, containerPort: 8080 }${settings ? `\n          envFrom: [{ configMapRef: { name: ${settings} } }]` : ""}${variables.length > 0 ? `\n          env:${variables.join("")}` : ""}
          readinessProbe:
            httpGet: { path: /readyz, port: http }
            periodSeconds: 1
            timeoutSeconds: 10
            failureThreshold: 1
${preStopSeconds === undefined ? "" : `          lifecycle: { preStop: { sleep: { seconds: ${preStopSeconds} } } }\n`}`;
}

/** How a service's Canary differs from what every scenario has. */
export interface CanaryOptions {
  readonly provider?: "gatewayapi:v1" | "nginx";
  readonly strategy?: "PullRequest" | "Push" | "None";
  readonly scope?: "Canary" | "Commit";
  /** Percent of traffic that each step adds, judged by thresholds. Default: 30. */
  readonly stepWeight?: number;
  /** Judged by its share of the bad requests, and its steps too: all that its `analysis` says. */
  readonly byShare?: Readonly<Record<string, unknown>>;
  /** Where its metrics are read. Default: where the controller reads them. */
  readonly metricsServer?: string;
  readonly progressDeadlineSeconds?: number;
  readonly revertOnDeletion?: boolean;
  /** Whether an HorizontalPodAutoscaler of the service's name scales it. */
  readonly autoscaled?: boolean;
}

/** A Canary: unless said otherwise two steps of a second or more, each earned by a success rate and a duration measured at the gateway. */
export function canary(name: string, host: string, options: CanaryOptions = {}): string {
  const { strategy = "PullRequest", scope = "Canary", progressDeadlineSeconds = 90, byShare, metricsServer } = options;
  return `apiVersion: serin.dev/v1beta1
kind: Canary
metadata:
  name: ${name}
spec:
  targetRef: { kind: Deployment, name: ${name} }
  progressDeadlineSeconds: ${progressDeadlineSeconds}
${options.revertOnDeletion ? "  revertOnDeletion: true\n" : ""}${options.autoscaled ? autoscalerRef(name) : ""}${metricsServer ? `  metricsServer: ${metricsServer}\n` : ""}${routing(name, host, options)}
${byShare ? `  analysis: ${JSON.stringify(byShare)}\n` : byThresholds(options)}  revert: { strategy: ${strategy}, scope: ${scope} }
`;
}

function byThresholds({ stepWeight = 30 }: CanaryOptions): string {
  return `  analysis:
    interval: 1s
    threshold: 2
    stepWeight: ${stepWeight}
    maxWeight: 60
    metrics:
      - name: request-success-rate
        interval: 20s
        thresholdRange: { min: 99 }
      - name: request-duration
        interval: 20s
        thresholdRange: { max: 1000 }
`;
}

function autoscalerRef(name: string): string {
  return `  autoscalerRef: { kind: HorizontalPodAutoscaler, name: ${name} }\n`;
}

function routing(name: string, host: string, { provider = "gatewayapi:v1" }: CanaryOptions): string {
  const service = "  service:\n    port: 80\n    targetPort: http";
  if (provider === "nginx") return `  provider: nginx\n  ingressRef: { name: ${name} }\n${service}`;
  return `  provider: ${provider}\n${service}\n    hosts: [${host}]\n    gatewayRefs: [{ name: public, namespace: gateway }]`;
}

/** An Ingress that sends a host's requests to the service. */
export function ingress(name: string, host: string): string {
  return `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: ${name}
spec:
  ingressClassName: nginx
  rules:
    - host: ${host}
      http:
        paths:
          - { path: /, pathType: Prefix, backend: { service: { name: ${name}, port: { number: 80 } } } }
`;
}

/** An autoscaler that leaves the replicas alone between one and ten. */
export function autoscaler(name: string): string {
  return `apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: ${name}
spec:
  scaleTargetRef: { apiVersion: apps/v1, kind: Deployment, name: ${name} }
  minReplicas: 1
  maxReplicas: 10
  metrics: [{ type: Resource, resource: { name: cpu, target: { type: Utilization, averageUtilization: 80 } } }]
`;
}

/** A ConfigMap. */
export function configMap(name: string, data: Readonly<Record<string, string>>): string {
  const lines = Object.entries(data).map(([key, value]) => `\n  ${key}: "${value}"`);
  return `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\ndata:${lines.join("")}\n`;
}

/** A Service that sends to the pods of the Deployment of its name, as it stands beside one that has no Canary. */
export function service(name: string): string {
  return `apiVersion: v1
kind: Service
metadata:
  name: ${name}
spec:
  selector: { app: ${name} }
  ports: [{ name: http, port: 80, targetPort: http }]
`;
}

/** A route of a team's own, which sends a host's requests to a Service. */
export function httpRoute(name: string, host: string, to: string): string {
  return `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: ${name}
spec:
  parentRefs: [{ name: public, namespace: gateway }]
  hostnames: [${host}]
  rules:
    - backendRefs: [{ name: ${to}, port: 80 }]
`;
}
