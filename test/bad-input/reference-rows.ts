import { apiVersion } from "../../src/api/meta.ts";
import type { KubeObject } from "../../src/api/object.ts";
import { type CanaryInput, canaryInput } from "../builders.ts";

/** Where all rows play. */
export const namespace = "shop";
const gatewayApi = "gateway.networking.k8s.io/v1";
const serin = (kind: string, name: string, spec: object): KubeObject => ({ apiVersion, kind, metadata: { namespace, name }, spec });
const metricsServer = "http://prometheus.invalid";

/** A Canary of this name that is as good as it gets, but for what the row says. Its Gateway is `<name>`, of class `<name>`. */
export function canary(name: string, { service, analysis, ...rest }: CanaryInput = {}): KubeObject {
  const input = canaryInput({
    metricsServer,
    targetRef: { kind: "Deployment", name },
    service: { hosts: [`${name}.example`], gatewayRefs: [{ name }], ...service },
    ...(analysis ? { analysis } : {}),
    ...rest,
  });
  return serin("Canary", name, input);
}

const gateway = (name: string): KubeObject => ({
  apiVersion: gatewayApi,
  kind: "Gateway",
  metadata: { namespace, name },
  spec: { gatewayClassName: name, listeners: [{ name: "http", port: 80, protocol: "HTTP" }] },
});
const gatewayClass = (name: string, controllerName = "projectcontour.io/gateway-controller"): KubeObject => ({
  apiVersion: gatewayApi,
  kind: "GatewayClass",
  metadata: { name },
  spec: { controllerName },
});
const template = (name: string, query: string, provider: object = {}): KubeObject =>
  serin("MetricTemplate", name, { provider: { type: "prometheus", address: metricsServer, ...provider }, query });
const secret = (name: string): KubeObject => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { namespace, name },
  stringData: { token: "t" },
});
const ingress = (name: string, service: string): KubeObject => ({
  apiVersion: "networking.k8s.io/v1",
  kind: "Ingress",
  metadata: { namespace, name },
  spec: {
    rules: [{ http: { paths: [{ path: "/", pathType: "Prefix", backend: { service: { name: service, port: { number: 80 } } } }] } }],
  },
});
const autoscaler = (name: string): KubeObject => ({
  apiVersion: "autoscaling/v2",
  kind: "HorizontalPodAutoscaler",
  metadata: { namespace, name },
  spec: { scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name }, minReplicas: 1, maxReplicas: 3 },
});
const templated = (name: string): CanaryInput => ({
  analysis: { metrics: [{ name: "errors", templateRef: { name }, thresholdRange: { max: 1 } }] },
});
const noService = { gatewayRefs: undefined, hosts: undefined };

/** A Canary that names what is not there. */
interface Row {
  /** Objects beside the Deployment and the Canary. */
  readonly given?: readonly KubeObject[];
  readonly spec?: CanaryInput;
  readonly reason: string;
  /** What the message says: object, field, way out. */
  readonly says: readonly string[];
  /** What mends it without an edit of the Canary. */
  readonly mend: readonly KubeObject[];
}

/** By name of the Canary, its target, its Gateway and so on. */
export const rows: Readonly<Record<string, Row>> = {
  "no-template": {
    spec: templated("no-template"),
    reason: "MetricTemplateMissing",
    says: ["MetricTemplate shop/no-template", "Canary shop/no-template", "metric errors"],
    mend: [template("no-template", "vector(0)")],
  },
  "bad-template": {
    given: [template("bad-template", "vector({{ variables.limit }})")],
    spec: templated("bad-template"),
    reason: "InvalidQuery",
    says: ["MetricTemplate shop/bad-template", "{{ variables.limit }}", "known are name, namespace, target"],
    mend: [template("bad-template", "vector(0)")],
  },
  "no-secret": {
    given: [template("no-secret", "vector(0)", { secretRef: { name: "no-secret" } })],
    spec: templated("no-secret"),
    reason: "SecretUnusable",
    says: ["Secret shop/no-secret", "spec.provider.secretRef"],
    mend: [secret("no-secret")],
  },
  "no-gateway": {
    given: [gatewayClass("no-gateway")],
    reason: "GatewayMissing",
    says: ["Gateway shop/no-gateway", "spec.service.gatewayRefs", "Canary shop/no-gateway"],
    mend: [gateway("no-gateway")],
  },
  "no-class": {
    given: [gateway("no-class")],
    reason: "GatewayClassMissing",
    says: ["GatewayClass no-class", "Gateway shop/no-class"],
    mend: [gatewayClass("no-class")],
  },
  "odd-class": {
    given: [gateway("odd-class"), gatewayClass("odd-class", "example.com/unheard-of")],
    reason: "MetricSourceUnknown",
    says: ["GatewayClass odd-class", "example.com/unheard-of", "templateRef or a query"],
    mend: [{ ...gatewayClass("odd-class") }],
  },
  "no-ingress": {
    spec: { provider: "nginx", ingressRef: { name: "no-ingress" }, service: noService },
    reason: "IngressMissing",
    says: ["Ingress shop/no-ingress", "spec.ingressRef", "Canary shop/no-ingress"],
    mend: [ingress("no-ingress", "no-ingress")],
  },
  "odd-ingress": {
    given: [ingress("odd-ingress", "another")],
    spec: { provider: "nginx", ingressRef: { name: "odd-ingress" }, service: noService },
    reason: "IngressWithoutApex",
    says: ["Ingress shop/odd-ingress", "Service odd-ingress"],
    mend: [ingress("odd-ingress", "odd-ingress")],
  },
  "no-scaler": {
    given: [gateway("no-scaler"), gatewayClass("no-scaler")],
    spec: { autoscalerRef: { kind: "HorizontalPodAutoscaler", name: "no-scaler" } },
    reason: "AutoscalerMissing",
    says: ["HorizontalPodAutoscaler shop/no-scaler", "spec.autoscalerRef", "Canary shop/no-scaler"],
    mend: [autoscaler("no-scaler")],
  },
};

/** One of each kind that rows name, so that what is missing is known to be missing, and not just elsewhere. */
export const neighbours: readonly KubeObject[] = [
  gateway("other"),
  gatewayClass("other"),
  ingress("other", "other"),
  autoscaler("other"),
  template("other", "vector(0)"),
];

/** What nothing but an edit of the object itself can mend: what the row is about, the object, the reason, what the message says. */
export const edits: readonly (readonly [string, KubeObject, string, readonly string[]])[] = [
  [
    "no provider",
    canary("no-provider", { provider: undefined as never }),
    "ProviderMissing",
    ["Canary shop/no-provider", "spec.provider", "set one"],
  ],
  [
    "no metric server",
    canary("no-server", { metricsServer: undefined }),
    "MetricsServerMissing",
    ["Canary shop/no-server", "spec.metricsServer", "set one"],
  ],
  [
    "a query with an unknown variable",
    canary("bad-query", { analysis: { metrics: [{ name: "errors", query: "vector({{ what }})", thresholdRange: { max: 1 } }] } }),
    "InvalidQuery",
    ["bad-query", "{{ what }}", "known are"],
  ],
  [
    "a template with an unknown variable",
    template("unusable", "up{app='{{ what }}'}"),
    "InvalidQuery",
    ["MetricTemplate shop/unusable", "{{ what }}", "known are"],
  ],
  ["a template that is not closed", template("open", "up{{ name"), "InvalidQuery", ["MetricTemplate shop/open", "not closed"]],
];
