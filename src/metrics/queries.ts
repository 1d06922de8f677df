import { envoyCluster, nginxCanaryUpstream, type ProxyName, proxyNames, type Version } from "../api/proxies.ts";
import { StalledError } from "../lib/errors.ts";
import { exactly, quote } from "./promql.ts";

/** Metrics that need no query of the user's. */
export const builtinMetrics = ["request-success-rate", "request-duration"] as const;
type BuiltinMetric = (typeof builtinMetrics)[number];

/** Whether a metric of this name has a query of ours. */
export function isBuiltin(name: string): name is BuiltinMetric {
  return builtinMetrics.some((builtin) => builtin === name);
}

/** What a built-in query is about. */
export interface QueryInput {
  readonly namespace: string;
  /** Name of the workload. */
  readonly target: string;
  /** Name of the apex Service; `<service>-canary` and `<service>-primary` stand beside it. */
  readonly service: string;
  /** Name of the user's Ingress. */
  readonly ingress: string;
  /** Port of the Services. */
  readonly port: number;
  /** A PromQL duration, e.g. `60s`. */
  readonly interval: string;
  /** Which of the two versions the query measures. */
  readonly side: Version;
}

/** One kind of proxy: how its metrics tell the two versions apart. */
interface MetricSource {
  /** Prefixes of the controller names that GatewayClass and IngressClass give for it. */
  readonly controllers: readonly string[];
  /** Percent of requests not answered with 5xx. No requests: no number, neither 0 nor 100. */
  readonly "request-success-rate": (input: QueryInput) => string;
  /** 99th percentile of the response time, in milliseconds. */
  readonly "request-duration": (input: QueryInput) => string;
}

/** The built-in queries. One more proxy is one more entry here and its name in api/proxies.ts. */
export const sources = {
  // Envoy measures in milliseconds.
  contour: {
    controllers: ["projectcontour.io/"],
    "request-success-rate": (input) => successRate("envoy_cluster_upstream_rq", ofCluster(input), "envoy_response_code", input.interval),
    "request-duration": (input) => quantile99("envoy_cluster_upstream_rq_time_bucket", ofCluster(input), input.interval),
  },
  "ingress-nginx": {
    controllers: ["k8s.io/ingress-nginx"],
    "request-success-rate": (input) => successRate("nginx_ingress_controller_requests", nginxUpstream(input), "status", input.interval),
    "request-duration": (input) =>
      `1000 * ${quantile99("nginx_ingress_controller_response_duration_seconds_bucket", nginxUpstream(input), input.interval)}`,
  },
} satisfies Record<ProxyName, MetricSource>;

function ofCluster(input: QueryInput): string {
  return `envoy_cluster_name=${quote(envoyCluster(input, input.side))}`;
}

function nginxUpstream({ namespace, ingress, service, side }: QueryInput): string {
  const upstream = `${exactly(nginxCanaryUpstream({ namespace, service }))}[0-9a-z-]+`;
  const route = `namespace=${quote(namespace)},ingress=${quote(ingress)}`;
  return side === "canary" ? `${route},canary=~${quote(upstream)}` : `${route},service=${quote(service)},canary=""`;
}

// A counter without a single 2xx, or without a single 5xx, has no such series: `or vector(0)` makes it a zero. Without
// any request the divisor is empty or 0, and the result empty or NaN.
function successRate(counter: string, selector: string, codeLabel: string, interval: string): string {
  const good = `sum(rate(${counter}{${selector},${codeLabel}!~"5.."}[${interval}]))`;
  const all = `sum(rate(${counter}{${selector}}[${interval}]))`;
  return `100 * (${good} or vector(0)) / ${all}`;
}

function quantile99(buckets: string, selector: string, interval: string): string {
  return `histogram_quantile(0.99, sum by (le) (rate(${buckets}{${selector}}[${interval}])))`;
}

/** The class that says which program moves the traffic. */
interface TrafficClass {
  readonly kind: "GatewayClass" | "IngressClass";
  readonly name: string;
  /** `spec.controllerName` of a GatewayClass, `spec.controller` of an IngressClass. */
  readonly controller: string;
}

/** Whose metrics the built-in queries read. Throws StalledError for a controller whose metrics we do not know. */
export function sourceFor({ kind, name, controller }: TrafficClass): ProxyName {
  const found = proxyNames.find((source) => sources[source].controllers.some((prefix) => controller.startsWith(prefix)));
  if (found) return found;
  const known = proxyNames
    .map((source) => `${source} (${sources[source].controllers.map((prefix) => `${prefix}*`).join(", ")})`)
    .join(" and ");
  throw new StalledError(
    "MetricSourceUnknown",
    `${kind} ${name} is served by ${controller}; ${builtinMetrics.join(" and ")} are ready made for ${known}. ` +
      "Give these metrics a templateRef or a query",
  );
}
