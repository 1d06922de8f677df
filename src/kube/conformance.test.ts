import { kubeConformance, widget } from "../../test/conformance/kube.ts";
import { memoryKube, resourceOf } from "../../test/fakes/memory-kube.ts";
import { startApiServer } from "../sandbox/api-server/api-server.ts";
import { createKube } from "./client.ts";
import { loadKubeConfig, serverAt } from "./kubeconfig.ts";

kubeConformance("the fake in memory", async () => {
  const builtIn: [string, string][] = [
    ["coordination.k8s.io/v1", "Lease"],
    ["v1", "Event"],
    ["v1", "ConfigMap"],
    ["apps/v1", "Deployment"],
  ];
  const resources = [resourceOf(widget.apiVersion, widget.kind), ...builtIn.map(([version, kind]) => resourceOf(version, kind))];
  return { kube: memoryKube(resources), checksSchema: false, stop: async () => {} };
});

kubeConformance("the client on the sandbox's API server", async () => {
  const server = await startApiServer();
  const kube = createKube(serverAt(server.url));
  return {
    kube,
    checksSchema: true,
    expire: () => server.compact(),
    stop: async () => {
      await kube.close();
      await server.close();
    },
  };
});

// A real cluster, when one is named: CONFORMANCE_KUBECONFIG=~/.kube/config vitest run src/kube/conformance.test.ts
const cluster = process.env["CONFORMANCE_KUBECONFIG"];
if (cluster) {
  kubeConformance("the client on a real cluster", async () => {
    const kube = createKube(await loadKubeConfig({ path: cluster }));
    return { kube, checksSchema: true, stop: () => kube.close() };
  });
}
