import { apiVersion } from "../../api/meta.ts";
import { keyOf, type KubeObject } from "../../api/object.ts";
import type { Watched } from "../../kube/controller.ts";
import type { Change, Informer, Informers } from "../../kube/kube.ts";
import { isRecord } from "../../lib/json.ts";
import { kindsRead, labelKey, revertKey } from "./cluster.ts";

const uses = "canary: uses";

/** What a Canary must hear of, beside its own edits. Call once, at wiring: defines an index. */
export function canaryWatches(informers: Informers): Watched[] {
  const canaries = informers.of({ apiVersion, kind: "Canary" });
  canaries.addIndex(uses, usedBy);
  const users = (kind: string, { namespace, name }: KubeObject["metadata"]): string[] => canaries.byIndex(uses, `${kind}/${keyOf({ namespace, name })}`).map(({ metadata }) => keyOf(metadata));
  const byUse = (object: KubeObject): string[] => [...users(object.kind, object.metadata), ...labelKey(object.metadata)];
  const deployments = informers.of(kindsRead.deployment);
  const replicaSets = informers.of(kindsRead.replicaSet);
  const throughOwner = (owners: Informer, next: (owner: KubeObject) => string[]) => ({ metadata }: KubeObject): string[] => {
    const owner = metadata.ownerReferences?.find(({ controller }) => controller);
    const found = owner && owners.find(keyOf({ namespace: metadata.namespace, name: owner.name }));
    return found ? next(found) : [];
  };
  const byDeployment = throughOwner(deployments, byUse);
  const urgent = new Set<string>(["Deployment", "Pod"]);
  const watched = (informer: Informer, keysOf: (object: KubeObject) => string[]): Watched => ({
    informer,
    keysOf: (change) => keysBoth(change, keysOf),
    priority: urgent.has(informer.kind.kind) ? "now" : "normal",
  });
  const { service, ConfigMap, Secret, autoscaler, httpRoute, ingress, revert, record } = kindsRead;
  return [
    watched(deployments, byUse),
    watched(informers.of(kindsRead.pod), throughOwner(replicaSets, byDeployment)),
    ...[service, ConfigMap, Secret, autoscaler, httpRoute, ingress, record].map((kind) => watched(informers.of(kind), byUse)),
    watched(informers.of(revert), revertKey),
  ];
}

/** Keys by the object as it was and as it is: a label may have gone. */
function keysBoth({ before, after }: Change, keysOf: (object: KubeObject) => string[]): string[] {
  return [...new Set([before, after].flatMap((object) => (object ? keysOf(object) : [])))];
}

/** `Kind/namespace/name` of everything that a Canary, as stored, refers to. */
function usedBy(canary: KubeObject): string[] {
  const { namespace } = canary.metadata;
  const spec = isRecord(canary["spec"]) ? canary["spec"] : {};
  const status = isRecord(canary["status"]) ? canary["status"] : {};
  const target = nameIn(spec["targetRef"]);
  const service = nameIn(spec["service"]) ?? target;
  const configs = isRecord(status["trackedConfigs"]) ? Object.keys(status["trackedConfigs"]) : [];
  const named: [string, string | undefined][] = [
    ["Deployment", target],
    ["Service", service],
    ["HTTPRoute", service],
    ["Ingress", nameIn(spec["ingressRef"])],
    ["HorizontalPodAutoscaler", nameIn(spec["autoscalerRef"])],
    ...configs.map((key): [string, string] => [key.slice(0, key.indexOf("/")), key.slice(key.indexOf("/") + 1)]),
  ];
  return named.flatMap(([kind, name]) => (name === undefined ? [] : [`${kind}/${keyOf({ namespace, name })}`]));
}

function nameIn(ref: unknown): string | undefined {
  return isRecord(ref) && typeof ref["name"] === "string" ? ref["name"] : undefined;
}
