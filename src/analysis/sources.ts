import { type ApexService, envoyCluster, nginxCanaryUpstream, proxyNames } from "../api/proxies.ts";
import type { Matcher, RawSeries, Selector } from "../lib/series.ts";

/** Which of the two versions a series is about. */
export type Side = "canary" | "stable";

/** What a source is asked about. */
export interface Subject extends ApexService {
  /** Name of the workload; `<target>-primary` runs stable. */
  readonly target: string;
  /** Port of the Services. */
  readonly port: number;
  /** Name of the user's Ingress, where there is one. */
  readonly ingress?: string | undefined;
}

type Labels = RawSeries["labels"];

/** Where a proxy's or a program's own metrics count requests, and how they tell the two versions apart. */
export interface Source {
  /** Counters of finished requests by status code; the selectors are tried in this order until one has series. */
  readonly requests: (subject: Subject) => readonly Selector[];
  /** Classic or native histograms of their time; tried in this order as well. */
  readonly latency: (subject: Subject) => readonly Selector[];
  /** What is there in every scrape, traffic or not: how silence is told from blindness. Of no {@link side}: that somebody runs. */
  readonly alive: (subject: Subject) => readonly Selector[];
  /** Milliseconds in one unit of the histogram's bounds. */
  readonly unitMs: number;
  /** `undefined`: a series of somebody else. */
  readonly side: (labels: Labels, subject: Subject) => Side | undefined;
  /** Whether the status code is a server's failure; `undefined`: there is none, and the series cannot be used. */
  readonly isBad: (labels: Labels) => boolean | undefined;
  /** The stable pod that a series is of; `undefined` where a proxy counts for all of them. */
  readonly pod: (labels: Labels) => string | undefined;
}

/** Sources by name. */
export const sourceNames = [
  ...proxyNames,
  "http_requests_total",
  "http_request_duration_seconds",
  "http_server_request_duration_seconds",
  "http_server_requests_seconds",
] as const;
export type SourceName = (typeof sourceNames)[number];

/** Those of the programs themselves, in the order in which they are looked for where no proxy's metrics are known. */
export const programSources = sourceNames.slice(proxyNames.length);

/**
 * Where requests are counted. A proxy is better than the programs themselves: a pod that has died counts nothing.
 *
 * | source | counter of requests | canary; stable | failed |
 * |---|---|---|---|
 * | contour | `envoy_cluster_upstream_rq` | cluster `<namespace>_<service>-canary_<port>`; `-primary` | `envoy_response_code` 5xx |
 * | ingress-nginx | `nginx_ingress_controller_requests` | `canary` names the canary's upstream; empty | `status` 5xx |
 * | programs | `http_requests_total`, or the count of a histogram | pods of the target; of `<target>-primary` | `code`, `status`, … 5xx |
 *
 * Programs' histograms are `http_request_duration_seconds`, `http_server_request_duration_seconds` (OpenTelemetry) and
 * `http_server_requests_seconds` (Micrometer).
 */
export const sources: Readonly<Record<SourceName, Source>> = {
  contour: {
    requests: (subject) => [envoy("envoy_cluster_upstream_rq", subject)],
    latency: (subject) => histogram("envoy_cluster_upstream_rq_time", (metric) => envoy(metric, subject)),
    // Before the clusters' first request some gateways know nothing of them; that they run can be seen all the same.
    alive: (subject) => [envoy("envoy_cluster_upstream_rq_total", subject), { metric: "envoy_server_live", matchers: [] }],
    unitMs: 1,
    side: ({ envoy_cluster_name: cluster }, subject) =>
      cluster === envoyCluster(subject, "canary") ? "canary" : cluster === envoyCluster(subject, "primary") ? "stable" : undefined,
    isBad: ({ envoy_response_code: code }) => isServerError(code),
    pod: () => undefined,
  },
  "ingress-nginx": {
    requests: (subject) => [nginx("nginx_ingress_controller_requests", subject)],
    latency: (subject) => histogram("nginx_ingress_controller_response_duration_seconds", (metric) => nginx(metric, subject)),
    alive: () => [{ metric: "nginx_ingress_controller_config_last_reload_successful", matchers: [] }],
    unitMs: 1_000,
    side: nginxSide,
    isBad: ({ status }) => isServerError(status),
    pod: () => undefined,
  },
  http_requests_total: program("http_requests_total", "http_request_duration_seconds"),
  http_request_duration_seconds: program("http_request_duration_seconds_count", "http_request_duration_seconds"),
  http_server_request_duration_seconds: program("http_server_request_duration_seconds_count", "http_server_request_duration_seconds"),
  http_server_requests_seconds: program("http_server_requests_seconds_count", "http_server_requests_seconds"),
};

/** Classic buckets, else a native histogram of the name itself. */
function histogram(name: string, selectorOf: (metric: string) => Selector): readonly Selector[] {
  return [selectorOf(`${name}_bucket`), selectorOf(name)];
}

function isServerError(code: string | undefined): boolean | undefined {
  return code === undefined || code === "" ? undefined : code.startsWith("5");
}

function envoy(metric: string, subject: Subject): Selector {
  const oneOf = [envoyCluster(subject, "canary"), envoyCluster(subject, "primary")];
  return { metric, matchers: [{ label: "envoy_cluster_name", oneOf }] };
}

function nginx(metric: string, { namespace, ingress = "" }: Subject): Selector {
  return {
    metric,
    matchers: [
      { label: "namespace", oneOf: [namespace] },
      { label: "ingress", oneOf: [ingress] },
    ],
  };
}

function nginxSide({ canary = "", service }: Labels, subject: Subject): Side | undefined {
  if (canary === "") return service === subject.service ? "stable" : undefined;
  return canary.startsWith(nginxCanaryUpstream(subject)) ? "canary" : undefined;
}

/** Names that scrape configurations give the labels of a pod: an operator's monitors, and those of older annotations. */
const podLabels: readonly { readonly namespace: string; readonly pod: string }[] = [
  { namespace: "namespace", pod: "pod" },
  { namespace: "kubernetes_namespace", pod: "kubernetes_pod_name" },
];

const codeLabels: readonly string[] = ["code", "status", "status_code", "http_response_status_code", "http_status_code"];

function program(requests: string, latency: string): Source {
  const spelt = (metric: string, { namespace, target }: Subject) =>
    podLabels.map(({ namespace: namespaceLabel, pod }): Selector => {
      const matchers: Matcher[] = [
        { label: namespaceLabel, oneOf: [namespace] },
        { label: pod, startsWith: `${target}-` },
      ];
      return { metric, matchers };
    });
  // A program that offers nothing but a native histogram counts its requests there.
  const native = requests.endsWith("_count") ? [latency] : [];
  return {
    requests: (subject) => [requests, ...native].flatMap((metric) => spelt(metric, subject)),
    latency: (subject) => [`${latency}_bucket`, latency].flatMap((metric) => spelt(metric, subject)),
    alive: (subject) => spelt("up", subject),
    unitMs: 1_000,
    side: (labels, { target }) => sideOfPod(podOf(labels), target),
    isBad: (labels) => isServerError(codeLabels.map((label) => labels[label]).find((code) => code !== undefined && code !== "")),
    pod: podOf,
  };
}

function podOf(labels: Labels): string | undefined {
  return podLabels.map(({ pod }) => labels[pod]).find((pod) => pod !== undefined);
}

/** The end of a Deployment's pod: hash of its template, and five letters. */
const generated = /^[0-9a-z]+-[0-9a-z]+$/;

function sideOfPod(pod: string | undefined, target: string): Side | undefined {
  const suffix = (prefix: string) => (pod?.startsWith(prefix) === true && generated.test(pod.slice(prefix.length)) ? pod : undefined);
  if (suffix(`${target}-primary-`) !== undefined) return "stable";
  return suffix(`${target}-`) === undefined ? undefined : "canary";
}
