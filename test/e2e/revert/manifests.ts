/** A Deployment as people write it. */
export function deployment(
  name: string,
  tag: string,
  {
    env = [],
    envFrom = "",
    annotations = "",
    args = "",
  }: { env?: readonly string[]; envFrom?: string; annotations?: string; args?: string } = {},
): string {
  return `apiVersion: apps/v1
kind: Deployment
metadata:
  name: ${name}
spec:
  replicas: 2
  selector:
    matchLabels: { app: ${name} }
  template:
    metadata:
      labels: { app: ${name} }${annotations === "" ? "" : `\n      annotations: ${annotations}`}
    spec:
      containers:
        - name: app
          image: acme/${name}:${tag}${args === "" ? "" : `\n          args: ${args}`}
          ports:
            - containerPort: 8080${envFrom === "" ? "" : `\n          envFrom: ${envFrom}`}${env.length === 0 ? "" : `\n          env:\n${env.map((line) => `            - ${line}`).join("\n")}`}
`;
}

/** A Canary for it. */
export function canaryOf(name: string, { revert = "{ strategy: PullRequest }", min = 99 }: { revert?: string; min?: number } = {}): string {
  return `apiVersion: serin.dev/v1beta1
kind: Canary
metadata:
  name: ${name}
spec:
  targetRef: { kind: Deployment, name: ${name} }
  provider: gatewayapi:v1
  service:
    port: 80
    gatewayRefs: [{ name: public, namespace: gateway }]
  analysis:
    interval: 1m
    stepWeight: 20
    maxWeight: 60
    metrics:
      - name: request-success-rate
        thresholdRange: { min: ${min} }
  revert: ${revert}
`;
}

/** The files of a shop with one workload. */
export function shopFiles(tag: string, options: Parameters<typeof canaryOf>[1] = {}): Record<string, string> {
  return { "apps/shop.yaml": deployment("shop", tag), "apps/canary.yaml": canaryOf("shop", options) };
}
