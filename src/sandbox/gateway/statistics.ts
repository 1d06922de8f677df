import { Counter, Gauge, Histogram, Registry } from "prom-client";

/** What is known of one request that an Ingress has served. */
interface IngressSample {
  readonly namespace: string;
  readonly ingress: string;
  readonly service: string;
  /** Upstream name of the canary that served it; empty: the main backend did. */
  readonly canary: string;
  readonly path: string;
  readonly method: string;
  readonly host: string;
  readonly status: number;
  /** Seconds until the upstream had answered; `undefined`: none was asked. */
  readonly upstreamSeconds: number | undefined;
  readonly totalSeconds: number;
}

/** Counts requests under the names that Envoy and ingress-nginx use. */
export interface Statistics {
  /** @param tookMs `undefined`: no upstream has answered */
  envoy(cluster: string, status: number, tookMs: number | undefined): void;
  nginx(sample: IngressSample): void;
  /** The Prometheus text format. */
  text(): Promise<string>;
}

const envoyBucketsMs = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000, 3_600_000,
];
const nginxBucketsSeconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const nginxLabels = ["status", "method", "path", "namespace", "ingress", "service", "canary", "host"];
const controllerLabels = { controller_class: "k8s.io/ingress-nginx", controller_namespace: "ingress-nginx", controller_pod: "sandbox" };

/** Empty statistics. */
export function createStatistics(): Statistics {
  const registers = [new Registry()];
  const help = "Number of upstream requests";
  const cluster = "envoy_cluster_name";
  const requests = new Counter({ name: "envoy_cluster_upstream_rq", help, labelNames: ["envoy_response_code", cluster], registers });
  const classes = new Counter({
    name: "envoy_cluster_upstream_rq_xx",
    help,
    labelNames: ["envoy_response_code_class", cluster],
    registers,
  });
  const total = new Counter({ name: "envoy_cluster_upstream_rq_total", help, labelNames: [cluster], registers });
  const time = new Histogram({
    name: "envoy_cluster_upstream_rq_time",
    help: "Upstream request time, ms",
    labelNames: [cluster],
    buckets: envoyBucketsMs,
    registers,
  });
  new Gauge({ name: "envoy_server_live", help: "1 if the server is not currently draining, 0 otherwise", registers }).set(1);
  const labelNames = [...nginxLabels, ...Object.keys(controllerLabels)];
  const nginxRequests = new Counter({
    name: "nginx_ingress_controller_requests",
    help: "The total number of client requests",
    labelNames,
    registers,
  });
  const histogram = (name: string, text: string) =>
    new Histogram({ name, help: text, labelNames, buckets: nginxBucketsSeconds, registers });
  const response = histogram(
    "nginx_ingress_controller_response_duration_seconds",
    "The time spent on receiving the response from the upstream server",
  );
  const request = histogram("nginx_ingress_controller_request_duration_seconds", "The request processing time in seconds");
  return {
    envoy: (name, status, tookMs) => {
      const labels = { [cluster]: name };
      requests.inc({ ...labels, envoy_response_code: String(status) });
      classes.inc({ ...labels, envoy_response_code_class: String(Math.floor(status / 100)) });
      total.inc(labels);
      if (tookMs !== undefined) time.observe(labels, Math.round(tookMs));
    },
    nginx: ({ upstreamSeconds, totalSeconds, status, ...sample }) => {
      const labels = { ...controllerLabels, ...sample, status: String(status) };
      nginxRequests.inc(labels);
      if (upstreamSeconds !== undefined) response.observe(labels, upstreamSeconds);
      request.observe(labels, totalSeconds);
    },
    text: async () => await (registers[0]?.metrics() ?? Promise.resolve("")),
  };
}
