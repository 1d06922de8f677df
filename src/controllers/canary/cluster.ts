import type { Canary } from "../../api/canary.ts";
import { apiVersion, names } from "../../api/meta.ts";
import { groupOf, type KindRef, keyOf, type KubeObject, type ObjectRef } from "../../api/object.ts";
import type { ConfigKind } from "../../canary/configs.ts";
import { recordKind } from "../../canary/history.ts";
import type { Informer, Informers } from "../../kube/kube.ts";
import { isRecord } from "../../lib/json.ts";
import { createOwnWrites, type OwnWrites } from "../own-writes.ts";

/** Kinds that a Canary reads, by the words used here. */
export const kindsRead = {
  deployment: { apiVersion: "apps/v1", kind: "Deployment" },
  replicaSet: { apiVersion: "apps/v1", kind: "ReplicaSet" },
  pod: { apiVersion: "v1", kind: "Pod" },
  service: { apiVersion: "v1", kind: "Service" },
  ConfigMap: { apiVersion: "v1", kind: "ConfigMap" },
  Secret: { apiVersion: "v1", kind: "Secret" },
  autoscaler: { apiVersion: "autoscaling/v2", kind: "HorizontalPodAutoscaler" },
  httpRoute: { apiVersion: "gateway.networking.k8s.io/v1", kind: "HTTPRoute" },
  ingress: { apiVersion: "networking.k8s.io/v1", kind: "Ingress" },
  record: recordKind,
  revert: { apiVersion, kind: "Revert" },
} as const satisfies Record<string, KindRef>;

/** Kinds of the platform that a Canary reads: they are in no namespace, or in one that is not the Canary's. */
export const platformKinds = {
  gateway: { apiVersion: "gateway.networking.k8s.io/v1", kind: "Gateway" },
  gatewayClass: { apiVersion: "gateway.networking.k8s.io/v1", kind: "GatewayClass" },
  ingressClass: { apiVersion: "networking.k8s.io/v1", kind: "IngressClass" },
} as const satisfies Record<string, KindRef>;

const ownerIndex = "canary: controller";
const canaryIndex = "canary: label";

/** What the shared copies of the cluster say about one Canary's namespace. */
export interface Cluster {
  /** Resolves when all that is read here is known. */
  whenSynced(signal: AbortSignal): Promise<void>;
  /** The live object, from the shared copy, or as it was written last where that is newer. */
  find(ref: ObjectRef): KubeObject | undefined;
  /** Remembers what the API server returned for a write: until the watch has it, the copy is older than the cluster. */
  wrote(stored: KubeObject): void;
  config(kind: ConfigKind, namespace: string | undefined, name: string): KubeObject | undefined;
  /** Objects of this kind that are controlled by this one. */
  controlledBy(kind: "replicaSet" | "pod", owner: KubeObject): KubeObject[];
  /** Objects of this kind that carry the Canary's label; Reverts that name it. */
  labelled(kind: "record" | "ConfigMap" | "Secret" | "revert", canary: Canary): KubeObject[];
}

/** Reads by the shared informers; starts those that a Canary needs. Call once, at wiring. */
export function clusterOf(informers: Informers): Cluster {
  const copies = new Map<string, Informer>(Object.values(kindsRead).map((kind) => [keyOfKind(kind), informers.of(kind)]));
  const written = new Map<string, OwnWrites<KubeObject>>();
  for (const [kind, informer] of copies) {
    const own = createOwnWrites<KubeObject>();
    written.set(kind, own);
    // Also forgets what nobody asks for again.
    informer.onChange(({ key, after }) => void own.newest(key, after));
  }
  const copy = (kind: KindRef): Informer => copies.get(keyOfKind(kind)) ?? informers.of(kind);
  for (const kind of ["replicaSet", "pod"] as const) {
    copy(kindsRead[kind]).addIndex(ownerIndex, ({ metadata }) =>
      (metadata.ownerReferences ?? []).filter(({ controller }) => controller).map(({ uid }) => uid),
    );
  }
  for (const kind of ["record", "ConfigMap", "Secret"] as const)
    copy(kindsRead[kind]).addIndex(canaryIndex, ({ metadata }) => labelKey(metadata));
  copy(kindsRead.revert).addIndex(canaryIndex, revertKey);
  return {
    whenSynced: async (signal) => void (await Promise.all([...copies.values()].map((each) => each.whenSynced(signal)))),
    find: (ref) => {
      const [key, seen] = [keyOf(ref), copy(ref).find(keyOf(ref))];
      const own = written.get(keyOfKind(ref));
      return own ? own.newest(key, seen) : seen;
    },
    wrote: (stored) => written.get(keyOfKind(stored))?.wrote(stored),
    config: (kind, namespace, name) => copy(kindsRead[kind]).find(keyOf({ namespace, name })),
    controlledBy: (kind, { metadata }) => (metadata.uid === undefined ? [] : copy(kindsRead[kind]).byIndex(ownerIndex, metadata.uid)),
    labelled: (kind, { metadata }) => copy(kindsRead[kind]).byIndex(canaryIndex, keyOf(metadata)),
  };
}

/** The keys of the Canary that an object's label names: one or none. */
export function labelKey({ namespace, labels }: KubeObject["metadata"]): string[] {
  const name = labels?.[names.canary];
  return name === undefined ? [] : [keyOf({ namespace, name })];
}

/** The keys of the Canary that a Revert names: one or none. */
export function revertKey({ metadata, spec }: KubeObject): string[] {
  const ref = isRecord(spec) ? spec["canaryRef"] : undefined;
  return isRecord(ref) && typeof ref["name"] === "string" ? [keyOf({ namespace: metadata.namespace, name: ref["name"] })] : [];
}

function keyOfKind({ apiVersion: version, kind }: KindRef): string {
  return `${groupOf(version)}/${kind}`;
}
