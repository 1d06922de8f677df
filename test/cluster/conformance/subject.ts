import { readFacts } from "../../../hack/control-plane/facts.ts";
import { createKube, type KubeClient } from "../../../src/kube/client.ts";
import { loadKubeConfig } from "../../../src/kube/kubeconfig.ts";

/** Where everything of the control plane is. Throws outside of one. */
export function factsHere() {
  const facts = readFacts(process.env);
  if (!facts) throw new Error("this suite runs inside the control plane: npm run cluster -- npx vitest run --config vitest.cluster.config.ts");
  return facts;
}

/** A client on the real API server, and the namespace `shop`, empty. */
export async function shopOnCluster(): Promise<{ kube: KubeClient; close(): Promise<void> }> {
  const signal = AbortSignal.timeout(120_000);
  const kube = createKube(await loadKubeConfig({ path: factsHere().kubeconfig }));
  const namespaces = ["shop", "shop-quota"].map((name) => ({ apiVersion: "v1", kind: "Namespace", name }));
  const isThere = async (): Promise<boolean> => (await Promise.all(namespaces.map((one) => kube.find(one, signal)))).some(Boolean);
  const clear = async (): Promise<void> => {
    for (const namespace of namespaces) await kube.delete(namespace, {}, signal);
    while (await isThere()) await new Promise((resolve) => setTimeout(resolve, 100));
  };
  await clear();
  await kube.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } }, { fieldManager: "test" }, signal);
  return {
    kube,
    close: async () => {
      await clear();
      await kube.close();
    },
  };
}
