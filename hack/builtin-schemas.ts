// Writes src/sandbox/api-server/builtin-schemas.json anew from what a real API server publishes of its kinds; needed once per
// Kubernetes version. Takes the documents of /openapi/v3 as files: node hack/builtin-schemas.ts core.json apps.json …
import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";

type Node = { [keyword: string]: unknown };

const rootsByGroup: Readonly<Record<string, readonly string[]>> = {
  "core.v1": [
    "Namespace",
    "Node",
    "Pod",
    "Service",
    "Endpoints",
    "ConfigMap",
    "Secret",
    "ServiceAccount",
    "Event",
    "PersistentVolumeClaim",
    "ResourceQuota",
    "LimitRange",
    "Binding",
  ],
  "apps.v1": ["Deployment", "ReplicaSet", "DaemonSet", "StatefulSet", "ControllerRevision"],
  "batch.v1": ["Job", "CronJob"],
  "autoscaling.v2": ["HorizontalPodAutoscaler"],
  "policy.v1": ["PodDisruptionBudget"],
  "networking.v1": ["Ingress", "IngressClass", "NetworkPolicy"],
  "discovery.v1": ["EndpointSlice"],
  "coordination.v1": ["Lease"],
  "rbac.v1": ["Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"],
};
const roots = Object.entries(rootsByGroup).flatMap(([group, kinds]) => kinds.map((kind) => `io.k8s.api.${group}.${kind}`));
const crd = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition";

/** What is kept of a schema: structure, defaults and how lists and maps are owned. Descriptions would be nine tenths of the file. */
const kept = new Set(["type", "format", "required", "default", "enum", "nullable"]);
const keptExtension = /^x-kubernetes-(list-type|list-map-keys|map-type|patch-strategy|patch-merge-key)$/;

const published: Record<string, Node> = {};
for (const file of process.argv.slice(2)) {
  const document = JSON.parse(readFileSync(file, "utf8")) as { components: { schemas: Record<string, Node> } };
  Object.assign(published, document.components.schemas);
}

const found = new Map<string, Node>();

/** The definition behind a reference, taken along the first time; returns its name without the common prefix. */
function take(reference: string): string {
  const name = reference.slice(reference.lastIndexOf("/") + 1);
  const short = name.replace(/^io\.k8s\./, "");
  const definition = published[name];
  if (definition === undefined) throw new Error(`${name} is in none of the documents`);
  if (!found.has(short)) {
    found.set(short, {});
    found.set(short, reduced(definition));
  }
  return short;
}

function reduced(node: Node): Node {
  const [first] = (node["allOf"] as { $ref: string }[] | undefined) ?? [];
  const reference = (node["$ref"] as string | undefined) ?? first?.$ref;
  const own = Object.fromEntries(Object.entries(node).filter(([keyword]) => kept.has(keyword) || keptExtension.test(keyword)));
  if (reference !== undefined) return { $ref: take(reference), ...own };
  if (node["oneOf"] !== undefined) return { "x-kubernetes-int-or-string": true };
  const { properties, items, additionalProperties } = node as {
    properties?: Record<string, Node>;
    items?: Node;
    additionalProperties?: Node | boolean;
  };
  if (properties) own["properties"] = Object.fromEntries(Object.entries(properties).map(([field, child]) => [field, reduced(child)]));
  if (items) own["items"] = reduced(items);
  if (additionalProperties !== undefined)
    own["additionalProperties"] = typeof additionalProperties === "object" ? reduced(additionalProperties) : additionalProperties;
  return own;
}

for (const name of [...roots, crd]) take(name);
const lines = [...found]
  .sort(([a], [b]) => (a < b ? -1 : 1))
  .map(([name, definition]) => `${JSON.stringify(name)}:${JSON.stringify(definition)}`);
writeFileSync(resolve(import.meta.dirname, "../src/sandbox/api-server/builtin-schemas.json"), `{\n${lines.join(",\n")}\n}\n`);
