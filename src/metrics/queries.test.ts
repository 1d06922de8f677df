import { expect, test } from "vitest";
import type { Version } from "../api/proxies.ts";
import { sourceFor, sources } from "./queries.ts";

const names = { namespace: "shop", target: "web", service: "front", ingress: "edge", port: 8080, interval: "60s" };
const input = (side: Version) => ({ ...names, side });

// Their numbers are tested on real samples in sandbox/metrics/same-answers.test.ts.
test.each([
  ["contour", "canary", 'envoy_cluster_name="shop_front-canary_8080"'],
  ["contour", "primary", 'envoy_cluster_name="shop_front-primary_8080"'],
  ["ingress-nginx", "canary", 'namespace="shop",ingress="edge",canary=~"shop-front-canary-[0-9a-z-]+"'],
  ["ingress-nginx", "primary", 'namespace="shop",ingress="edge",service="front",canary=""'],
] as const)("%s tells the %s by its labels", (source, side, selector) => {
  expect(sources[source]["request-success-rate"](input(side))).toContain(`{${selector}}[60s]`);
  expect(sources[source]["request-duration"](input(side))).toContain(`{${selector}}[60s]`);
});

test("a name is a name, whatever it holds", () => {
  const odd = { ...input("canary"), namespace: 'a"b', service: "x.y" };
  expect(sources.contour["request-success-rate"](odd)).toContain('envoy_cluster_name="a\\"b_x.y-canary_8080"');
  expect(sources["ingress-nginx"]["request-duration"](odd)).toContain('canary=~"a\\"b-x\\\\.y-canary-[0-9a-z-]+"');
});

test.each([
  ["GatewayClass", "projectcontour.io/gateway-controller", "contour"],
  ["IngressClass", "k8s.io/ingress-nginx", "ingress-nginx"],
] as const)("a %s of %s is measured as %s", (kind, controller, want) => {
  expect(sourceFor({ kind, name: "public", controller })).toBe(want);
});

test("a controller whose metrics we do not know is named, with those we know", () => {
  expect(() => sourceFor({ kind: "GatewayClass", name: "eg", controller: "gateway.envoyproxy.io/gatewayclass-controller" })).toThrow(
    "GatewayClass eg is served by gateway.envoyproxy.io/gatewayclass-controller; " +
      "request-success-rate and request-duration are ready made for contour (projectcontour.io/*) and " +
      "ingress-nginx (k8s.io/ingress-nginx*). Give these metrics a templateRef or a query",
  );
});
