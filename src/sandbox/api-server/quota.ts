import type { KubeObject } from "../../api/object.ts";
import { isDeepStrictEqual } from "node:util";
import { quantity } from "../quantity.ts";
import { forbidden } from "./api-error.ts";
import type { Cluster } from "./objects.ts";
import { recordAt, recordsAt, scalarText, textAt } from "./read-fields.ts";
import type { Draft, ResourceType } from "./resource-type.ts";

/** What a ResourceQuota can limit here: how many pods, and what they request. Quotas with scopes, and other resources, limit nothing. */
const limitable = new Set(["pods", "count/pods", "cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"]);

/** How much of a resource one pod takes. */
function takes(pod: Draft | KubeObject, resource: string): number {
  if (resource === "pods" || resource === "count/pods") return 1;
  const [kind, name = kind] = resource.split(".");
  const list = kind === "limits" ? "limits" : "requests";
  const asked = recordsAt(pod, "spec", "containers").map((container) => scalarText(recordAt(container, "resources", list)[name ?? ""]));
  return asked.reduce((sum, text) => sum + quantity(text), 0);
}

function podsIn({ store, registry }: Cluster, namespace: string | undefined): KubeObject[] {
  const pods = registry.ofKind("v1", "Pod");
  if (!pods) return [];
  return store.list(pods, namespace).filter((pod) => !["Succeeded", "Failed"].includes(textAt(pod, "status", "phase")));
}

function quotasIn({ store, registry }: Cluster, namespace: string | undefined): KubeObject[] {
  const quotas = registry.ofKind("v1", "ResourceQuota");
  if (!quotas || namespace === undefined) return [];
  return store.list(quotas, namespace).filter((quota) => recordsAt(quota, "spec", "scopes").length === 0);
}

function hardLimits(quota: KubeObject): [string, unknown][] {
  return Object.entries(recordAt(quota, "spec", "hard")).filter(([resource]) => limitable.has(resource));
}

/** Throws 403 when a new pod does not fit into what a quota of its namespace leaves. Other kinds are not limited here. */
export function refuseOverQuota(cluster: Cluster, type: ResourceType, object: Draft): void {
  if (type.kind !== "Pod" || type.group !== "") return;
  const { namespace, name } = object.metadata;
  for (const quota of quotasIn(cluster, namespace)) {
    const pods = podsIn(cluster, namespace);
    const over = hardLimits(quota)
      .map(([resource, limit]) => ({ resource, limit, used: sumOf(pods, resource), asked: takes(object, resource) }))
      .filter(({ limit, used, asked }) => asked > 0 && used + asked > quantity(scalarText(limit)));
    if (over.length === 0) continue;
    const list = (value: (entry: (typeof over)[number]) => unknown): string =>
      over.map((entry) => `${entry.resource}=${scalarText(value(entry))}`).join(",");
    const counts = `requested: ${list(({ asked }) => asked)}, used: ${list(({ used }) => used)}, limited: ${list(({ limit }) => limit)}`;
    throw forbidden(type, name, `exceeded quota: ${quota.metadata.name}, ${counts}`);
  }
}

function sumOf(pods: readonly KubeObject[], resource: string): number {
  return pods.reduce((sum, pod) => sum + takes(pod, resource), 0);
}

/** Keeps the status of every quota at what is used. Returns the way to stop. */
export function startQuotaStatus(cluster: Cluster): () => void {
  const { store, registry } = cluster;
  return store.subscribe(({ object: { kind, apiVersion, metadata } }) => {
    const quotas = registry.ofKind("v1", "ResourceQuota");
    if (!quotas || apiVersion !== "v1" || (kind !== "Pod" && kind !== "ResourceQuota")) return;
    for (const quota of quotasIn(cluster, metadata.namespace)) {
      const pods = podsIn(cluster, metadata.namespace);
      const used = Object.fromEntries(hardLimits(quota).map(([resource]) => [resource, String(sumOf(pods, resource))]));
      const status = { hard: recordAt(quota, "spec", "hard"), used };
      if (!isDeepStrictEqual(recordAt(quota, "status"), status)) store.put(quotas, { ...quota, status });
    }
  });
}
