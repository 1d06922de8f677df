import { type Cluster, type WriteOptions } from "./objects.ts";
import { createObject } from "./writes.ts";

const namespaces = ["default", "kube-system", "kube-public", "kube-node-lease"];

/** Creates what every cluster has from its first second on. */
export function seedCluster(cluster: Cluster): void {
  const options: WriteOptions = { manager: "kube-apiserver", dryRun: false, validation: "Strict", subresource: "" };
  const create = (kind: string, namespace: string | undefined, value: object): void => {
    const type = cluster.registry.ofKind("v1", kind);
    if (type === undefined) throw new Error(`${kind} is not served`);
    createObject(cluster, type, namespace, { body: { value: { apiVersion: "v1", kind, ...value }, duplicates: [] }, options });
  };
  for (const name of namespaces) create("Namespace", undefined, { metadata: { name } });
  const labels = { component: "apiserver", provider: "kubernetes" };
  const spec = { clusterIP: "10.96.0.1", ports: [{ name: "https", port: 443, protocol: "TCP", targetPort: 443 }] };
  create("Service", "default", { metadata: { name: "kubernetes", labels }, spec });
}
