import { groupOf, keyOf, type ObjectRef } from "../api/object.ts";

/** Kinds in the order in which they are applied within a stage; all others come after these and before webhooks. */
const kindOrder = [
  "CustomResourceDefinition",
  "Namespace",
  "ClusterRole",
  "ClusterClass",
  "RuntimeClass",
  "PriorityClass",
  "StorageClass",
  "VolumeSnapshotClass",
  "IngressClass",
  "GatewayClass",
  "ClusterRoleBinding",
  "ResourceQuota",
  "ServiceAccount",
  "Role",
  "RoleBinding",
  "ConfigMap",
  "Secret",
  "Service",
  "LimitRange",
  "Deployment",
  "StatefulSet",
  "CronJob",
  "PodDisruptionBudget",
];
const lastKinds = ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

/** Stages are applied one after the other: 0 what others need to exist at all, 1 classes, 2 the rest. */
export const stages = [0, 1, 2] as const;
export type Stage = (typeof stages)[number];

/** In which stage an object is applied. */
export function stageOf({ kind }: { readonly kind: string }): Stage {
  if (kind === "CustomResourceDefinition" || kind === "Namespace" || kind === "ClusterRole") return 0;
  return kind.endsWith("Class") ? 1 : 2;
}

/** Sorts references into the order of apply; the reverse is the order of deletion. */
export function compareRefs(a: ObjectRef, b: ObjectRef): number {
  return stageOf(a) - stageOf(b) || rankOf(a) - rankOf(b) || compareText(textOf(a), textOf(b));
}

function rankOf({ kind }: ObjectRef): number {
  const rank = kindOrder.indexOf(kind);
  if (rank >= 0) return rank;
  return kindOrder.length + 1 + lastKinds.indexOf(kind);
}

function textOf(ref: ObjectRef): string {
  return `${groupOf(ref.apiVersion)}/${ref.kind}/${keyOf(ref)}`;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
