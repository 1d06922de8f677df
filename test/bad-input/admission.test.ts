import { createKube } from "../../src/kube/client.ts";
import { loadKubeConfig, serverAt } from "../../src/kube/kubeconfig.ts";
import { startApiServer } from "../../src/sandbox/api-server/api-server.ts";
import { admissionSuite } from "./admission.ts";

admissionSuite("the sandbox's API server", async () => {
  const server = await startApiServer();
  const kube = createKube(serverAt(server.url));
  return {
    kube,
    stop: async () => {
      await kube.close();
      await server.close();
    },
  };
});

// A real cluster, when one is named: CONFORMANCE_KUBECONFIG=~/.kube/config vitest run test/bad-input/admission.test.ts
const cluster = process.env["CONFORMANCE_KUBECONFIG"];
if (cluster) {
  admissionSuite("a real cluster", async () => {
    const kube = createKube(await loadKubeConfig({ path: cluster }));
    return { kube, stop: () => kube.close() };
  });
}
