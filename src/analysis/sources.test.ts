import { expect, test } from "vitest";
import { type Side, type SourceName, sources, type Subject } from "./sources.ts";

const subject: Subject = { namespace: "shop", target: "checkout", service: "web", port: 8080, ingress: "front" };

test.each<[SourceName, Record<string, string>, Side | undefined, boolean | undefined]>([
  ["contour", { envoy_cluster_name: "shop_web-canary_8080", envoy_response_code: "503" }, "canary", true],
  ["contour", { envoy_cluster_name: "shop_web-primary_8080", envoy_response_code: "200" }, "stable", false],
  ["contour", { envoy_cluster_name: "shop_web_8080", envoy_response_code: "499" }, undefined, false],
  ["contour", { envoy_cluster_name: "other_web-canary_8080" }, undefined, undefined],
  ["ingress-nginx", { namespace: "shop", service: "web", canary: "shop-web-canary-8080", status: "500" }, "canary", true],
  ["ingress-nginx", { namespace: "shop", service: "web", canary: "shop-web-canary-http", status: "404" }, "canary", false],
  ["ingress-nginx", { namespace: "shop", service: "web", canary: "", status: "200" }, "stable", false],
  ["ingress-nginx", { namespace: "shop", service: "web", status: "200" }, "stable", false],
  ["ingress-nginx", { namespace: "shop", service: "other", canary: "", status: "200" }, undefined, false],
  ["ingress-nginx", { namespace: "shop", service: "web", canary: "shop-web-api-canary-80", status: "200" }, undefined, false],
  ["http_requests_total", { namespace: "shop", pod: "checkout-7d9f-x2k4p", code: "502" }, "canary", true],
  ["http_requests_total", { namespace: "shop", pod: "checkout-primary-7d9f-x2k4p", status: "200" }, "stable", false],
  ["http_requests_total", { namespace: "shop", pod: "checkout-api-7d9f-x2k4p", code: "200" }, undefined, false],
  ["http_requests_total", { kubernetes_namespace: "shop", kubernetes_pod_name: "checkout-7d9f-x2k4p", status_code: "500" }, "canary", true],
  ["http_requests_total", { namespace: "shop", pod: "checkout-7d9f-x2k4p" }, "canary", undefined],
  ["http_server_request_duration_seconds", { namespace: "shop", pod: "checkout-7d9f-x2k4p", http_response_status_code: "500" }, "canary", true],
])("%s %o is of the %s, failed: %s", (name, labels, ...[side, bad]) => {
  expect(sources[name].side(labels, subject)).toBe(side);
  expect(sources[name].isBad(labels)).toBe(bad);
});

test("a target whose own name ends in -primary is not taken for stable", () => {
  const { side } = sources.http_requests_total;
  const odd = { ...subject, target: "checkout-primary" };
  expect(side({ pod: "checkout-primary-7d9f-x2k4p" }, odd)).toBe("canary");
  expect(side({ pod: "checkout-primary-primary-7d9f-x2k4p" }, odd)).toBe("stable");
});

test("a proxy is asked for exactly the two versions, a program for the pods of both", () => {
  const oneOf = ["shop_web-canary_8080", "shop_web-primary_8080"];
  expect(sources.contour.requests(subject)).toEqual([
    { metric: "envoy_cluster_upstream_rq", matchers: [{ label: "envoy_cluster_name", oneOf }] },
  ]);
  const selectors = sources.http_request_duration_seconds.requests(subject);
  expect(selectors.map(({ metric, matchers }) => [metric, ...matchers.map(({ label }) => label)])).toEqual([
    ["http_request_duration_seconds_count", "namespace", "pod"],
    ["http_request_duration_seconds_count", "kubernetes_namespace", "kubernetes_pod_name"],
    ["http_request_duration_seconds", "namespace", "pod"],
    ["http_request_duration_seconds", "kubernetes_namespace", "kubernetes_pod_name"],
  ]);
  expect(sources["ingress-nginx"].latency(subject).map(({ metric }) => metric)).toEqual([
    "nginx_ingress_controller_response_duration_seconds_bucket",
    "nginx_ingress_controller_response_duration_seconds",
  ]);
});
