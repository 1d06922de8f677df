import { isoSeconds } from "../../api/conditions.ts";
import type { KubeObject } from "../../api/object.ts";
import { controllerReference } from "../../api/object.ts";
import type { Pod, ReplicaSet } from "../kinds.ts";
import { kinds } from "../kinds.ts";
import type { Plan, Write } from "./writes.ts";
import { statusWrites } from "./writes.ts";

/** What a ReplicaSet's controller sees. */
interface ObservedReplicaSet {
  readonly set: ReplicaSet;
  /** The pods it controls. */
  readonly pods: readonly Pod[];
  readonly nowMs: number;
  /** A fresh end of a pod's name, e.g. `x7k2p`. */
  readonly suffix: () => string;
  /** Why the API server refused the last new pod; missing: it did not. */
  readonly failure?: string | undefined;
}

/** Pods to create or delete, and the status. Pure but for `suffix`. */
export function planReplicaSet(observed: ObservedReplicaSet): Plan {
  const { set, nowMs } = observed;
  const active = observed.pods.filter(isActive);
  const writes = set.metadata.deletionTimestamp === undefined ? podWrites(observed, active) : [];
  return { writes: [...writes, ...statusWrites(set, setStatus(observed, active))], againAfterMs: msUntilAvailable(set, active, nowMs) };
}

function podWrites({ set, suffix }: ObservedReplicaSet, active: readonly Pod[]): Write[] {
  const missing = set.spec.replicas - active.length;
  if (missing > 0) return Array.from({ length: missing }, () => ({ do: "create", object: newPod(set, suffix()) }));
  const ref = (pod: Pod) => ({ ...kinds.pod, namespace: pod.metadata.namespace, name: pod.metadata.name });
  return [...active].sort(goesFirst).slice(0, -missing).map((pod) => ({ do: "delete", ref: ref(pod), uid: pod.metadata.uid }));
}

function newPod(set: ReplicaSet, suffix: string): KubeObject {
  const { metadata, spec } = set.spec.template;
  return {
    ...kinds.pod,
    metadata: {
      name: `${set.metadata.name}-${suffix}`,
      ...(set.metadata.namespace === undefined ? {} : { namespace: set.metadata.namespace }),
      ...(metadata?.labels ? { labels: metadata.labels } : {}),
      ...(metadata?.annotations ? { annotations: metadata.annotations } : {}),
      ownerReferences: [controllerReference({ ...kinds.replicaSet, metadata: set.metadata })],
    },
    spec,
  };
}

function setStatus({ set, nowMs, failure }: ObservedReplicaSet, active: readonly Pod[]): object {
  const labels = Object.entries(set.spec.template.metadata?.labels ?? {});
  const labelled = active.filter((pod) => labels.every(([name, value]) => pod.metadata.labels?.[name] === value)).length;
  const ready = active.filter(isReady).length;
  const available = active.filter((pod) => isAvailable(pod, set.spec.minReadySeconds, nowMs)).length;
  return {
    ...set.status,
    observedGeneration: set.metadata.generation,
    replicas: active.length,
    fullyLabeledReplicas: labelled || undefined,
    readyReplicas: ready || undefined,
    availableReplicas: available || undefined,
    conditions: failureCondition(set, failure, nowMs),
  };
}

function failureCondition(set: ReplicaSet, failure: string | undefined, nowMs: number): object[] | undefined {
  const others = (set.status.conditions ?? []).filter(({ type }) => type !== "ReplicaFailure");
  const before = set.status.conditions?.find(({ type }) => type === "ReplicaFailure");
  if (failure === undefined) return others.length > 0 ? others : undefined;
  const lastTransitionTime = before?.lastTransitionTime ?? isoSeconds(nowMs);
  return [...others, { type: "ReplicaFailure", status: "True", reason: "FailedCreate", message: failure, lastTransitionTime }];
}

/** Whether a pod counts: not ended, not on its way out. */
export function isActive({ metadata, status }: Pod): boolean {
  return metadata.deletionTimestamp === undefined && status.phase !== "Succeeded" && status.phase !== "Failed";
}

/** Whether the pod's Ready condition is True. */
export function isReady({ status }: Pod): boolean {
  return status.conditions.some(({ type, status }) => type === "Ready" && status === "True");
}

function readySinceMs(pod: Pod): number {
  const since = pod.status.conditions.find(({ type }) => type === "Ready")?.lastTransitionTime;
  return since === undefined ? 0 : Date.parse(since);
}

function isAvailable(pod: Pod, minReadySeconds: number, nowMs: number): boolean {
  return isReady(pod) && (minReadySeconds === 0 || readySinceMs(pod) + minReadySeconds * 1_000 <= nowMs);
}

function msUntilAvailable({ spec }: ReplicaSet, active: readonly Pod[], nowMs: number): number | undefined {
  const waiting = active.filter((pod) => isReady(pod) && !isAvailable(pod, spec.minReadySeconds, nowMs));
  if (waiting.length === 0) return undefined;
  return Math.min(...waiting.map((pod) => readySinceMs(pod) + spec.minReadySeconds * 1_000 - nowMs));
}

const phaseRank = new Map([["Pending", 0], ["Unknown", 1], ["Running", 2]]);

/** Order of deletion as kube-controller-manager has it: first those that serve nobody, then the youngest. */
function goesFirst(a: Pod, b: Pod): number {
  const ranks = (pod: Pod): number[] => [
    pod.spec.nodeName === undefined ? 0 : 1,
    phaseRank.get(pod.status.phase ?? "Pending") ?? 0,
    isReady(pod) ? 1 : 0,
    Number(pod.metadata.annotations?.["controller.kubernetes.io/pod-deletion-cost"] ?? 0),
    -readySinceMs(pod),
    -Math.max(0, ...pod.status.containerStatuses.map(({ restartCount }) => restartCount)),
    -Date.parse(pod.metadata.creationTimestamp ?? ""),
  ];
  const [left, right] = [ranks(a), ranks(b)];
  const differing = left.findIndex((rank, at) => rank !== right[at]);
  return differing < 0 ? 0 : (left[differing] ?? 0) - (right[differing] ?? 0);
}
