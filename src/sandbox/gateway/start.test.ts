import { gatewaySuite } from "../../../test/conformance/gateway.ts";
import { startTestCluster } from "../../../test/sandbox-cluster.ts";

gatewaySuite("the sandbox's gateway", async () => {
  const cluster = await startTestCluster();
  const { kube, gateway } = cluster;
  return {
    kube,
    url: gateway.url,
    metricsUrl: gateway.metricsUrl,
    parentRef: { name: "web", namespace: "public" },
    controllerName: "projectcontour.io/gateway-controller",
    ingress: true,
    close: async () => await cluster.close(),
  };
});
