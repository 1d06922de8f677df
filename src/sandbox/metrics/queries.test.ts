import { systemClock } from "../../lib/clock.ts";
import { silentLogger } from "../../lib/log.ts";
import { querySuite } from "../../../test/conformance/queries.ts";
import { startTestCluster } from "../../../test/sandbox-cluster.ts";
import { startEmbedded } from "./embedded.ts";

querySuite("the sandbox's gateway and metrics", async () => {
  const cluster = await startTestCluster();
  const { kube, gateway, signal } = cluster;
  const scrape = { targets: () => [gateway.metricsUrl], scrapeIntervalMs: 1_000, clock: systemClock, log: silentLogger, signal };
  const metrics = await startEmbedded(scrape);
  return {
    kube,
    gatewayUrl: gateway.url,
    prometheusUrl: metrics.url,
    parentRef: { name: "web", namespace: "public" },
    close: async () => {
      await metrics.close();
      await cluster.close();
    },
  };
});
