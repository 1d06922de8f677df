import { gatewaySuite } from "../../conformance/gateway.ts";
import { querySuite } from "../../conformance/queries.ts";
import { addresses } from "../../../hack/control-plane/layout.ts";
import { factsHere, shopOnCluster } from "./subject.ts";

const parentRef = { name: "public", namespace: "gateway" };

gatewaySuite("Contour and Envoy", async () => ({
  ...(await shopOnCluster()),
  url: factsHere().gateway,
  metricsUrl: `http://${addresses.envoyMetrics}/stats/prometheus`,
  parentRef,
  controllerName: "projectcontour.io/gateway-controller",
  // Nobody serves Ingresses of class nginx here.
  ingress: false,
}));

querySuite("Envoy and Prometheus", async () => ({
  ...(await shopOnCluster()),
  gatewayUrl: factsHere().gateway,
  prometheusUrl: factsHere().prometheus,
  parentRef,
}));
