import { createKube } from "../../../src/kube/client.ts";
import { loadKubeConfig } from "../../../src/kube/kubeconfig.ts";
import { kubeConformance } from "../../conformance/kube.ts";
import { workloadSuite } from "../../conformance/workloads.ts";
import { factsHere, shopOnCluster } from "./subject.ts";

kubeConformance("the client on kube-apiserver", async () => {
  const kube = createKube(await loadKubeConfig({ path: factsHere().kubeconfig }));
  return { kube, checksSchema: true, stop: () => kube.close() };
});

workloadSuite("kube-controller-manager", shopOnCluster);
