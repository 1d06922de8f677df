import { kubeConformance, widget } from "../../test/conformance/kube.ts";
import { memoryKube, resourceOf } from "../../test/fakes/memory-kube.ts";
import { startApiServer } from "../sandbox/api-server/api-server.ts";
import { createKube } from "./client.ts";
import { loadKubeConfig, serverAt } from "./kubeconfig.ts";

kubeConformance("the fake in memory", async () => {
  const resources = [resourceOf(widget.apiVersion, widget.kind), resourceOf("coordination.k8s.io/v1", "Lease"), resourceOf("v1", "Event")];
  return { kube: memoryKube(resources), appliesByField: false, stop: async () => {} };
});

kubeConformance("the client on the sandbox's API server", async () => {
  const server = await startApiServer();
  const kube = createKube(serverAt(server.url));
  return {
    kube,
    appliesByField: true,
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
    return { kube, appliesByField: true, stop: () => kube.close() };
  });
}
