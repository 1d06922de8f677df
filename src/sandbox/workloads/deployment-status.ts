import { isoSeconds } from "../../api/conditions.ts";
import type { Deployment, ReplicaSet, StatusCondition } from "../kinds.ts";
import type { Rollout } from "./rollout.ts";
import { margins, wantedReplicas } from "./rollout.ts";

/** The Deployment's next status in the words of kube-controller-manager. Pure. */
export function deploymentStatus(rollout: Rollout, event: ProgressEvent, nowMs: number): object {
  const { deployment, newSet, oldSets } = rollout;
  const counts = countsOf(rollout);
  const available = availableCondition(deployment, counts.availableReplicas);
  const progress = progressCondition(rollout, counts, event, nowMs);
  const failure = [newSet, ...oldSets].flatMap((set) => set?.status.conditions ?? []).find(({ type }) => type === "ReplicaFailure");
  const next = [available, ...(progress ? [progress] : []), ...(failure ? [failureOf(failure)] : [])];
  return {
    ...deployment.status,
    observedGeneration: deployment.metadata.generation,
    ...Object.fromEntries(Object.entries(counts).map(([field, value]) => [field, value || undefined])),
    conditions: stamp(deployment.status.conditions ?? [], next, nowMs),
  };
}

/** What the controller is about to do, where a condition says so. */
export type ProgressEvent = { did: "created"; set: string } | undefined;

type Bare = Pick<StatusCondition, "type" | "status" | "reason" | "message"> & { readonly touched?: boolean };
type Counts = ReturnType<typeof countsOf>;

function countsOf({ deployment, newSet, oldSets }: Rollout) {
  const all = [...oldSets, ...(newSet ? [newSet] : [])];
  const sum = (of: (set: ReplicaSet) => number | undefined): number => all.reduce((total, set) => total + (of(set) ?? 0), 0);
  const availableReplicas = sum(({ status }) => status.availableReplicas);
  return {
    replicas: sum(({ status }) => status.replicas),
    updatedReplicas: newSet?.status.replicas ?? 0,
    readyReplicas: sum(({ status }) => status.readyReplicas),
    availableReplicas,
    unavailableReplicas: Math.max(0, (all.length > 0 ? wantedReplicas(all) : deployment.spec.replicas) - availableReplicas),
  };
}

function availableCondition(deployment: Deployment, available: number): Bare {
  if (available >= deployment.spec.replicas - margins(deployment).unavailable) {
    return { type: "Available", status: "True", reason: "MinimumReplicasAvailable", message: "Deployment has minimum availability." };
  }
  return { type: "Available", status: "False", reason: "MinimumReplicasUnavailable", message: "Deployment does not have minimum availability." };
}

function failureOf({ status, reason, message }: StatusCondition): Bare {
  return { type: "ReplicaFailure", status, reason, message };
}

function progressing(status: string, reason: string, message: string, touched = false): Bare {
  return { type: "Progressing", status, reason, message, touched };
}

/** What was just done or asked for goes before what the counts say. */
function progressCondition(rollout: Rollout, counts: Counts, event: ProgressEvent, nowMs: number): Bare | undefined {
  const before = rollout.deployment.status.conditions?.find(({ type }) => type === "Progressing");
  if (event?.did === "created") return progressing("True", "NewReplicaSetCreated", `Created new replica set "${event.set}"`, true);
  if (rollout.deployment.spec.paused) return pausedCondition(before);
  if (!before) return foundCondition(rollout) ?? countedCondition(rollout, counts, nowMs);
  if (before.reason === "DeploymentPaused") return progressing("Unknown", "DeploymentResumed", "Deployment is resumed", true);
  return isSettled(before, counts) ? before : (countedCondition(rollout, counts, nowMs) ?? before);
}

/** Once complete, scaling and lost pods do not make it a rollout again; only a set of another template does. */
function isSettled({ reason }: StatusCondition, { replicas, updatedReplicas }: Counts): boolean {
  return reason === "NewReplicaSetAvailable" && replicas === updatedReplicas;
}

function foundCondition({ newSet }: Rollout): Bare | undefined {
  return newSet && progressing("True", "FoundNewReplicaSet", `Found new replica set "${newSet.metadata.name}"`, true);
}

/** Done, moving or too late; `undefined`: none of these. */
function countedCondition({ deployment, newSet }: Rollout, counts: Counts, nowMs: number): Bare | undefined {
  const subject = newSet ? `ReplicaSet "${newSet.metadata.name}"` : `Deployment "${deployment.metadata.name}"`;
  if (isComplete(deployment, counts)) return progressing("True", "NewReplicaSetAvailable", `${subject} has successfully progressed.`);
  if (hasMoved(deployment, counts)) return progressing("True", "ReplicaSetUpdated", `${subject} is progressing.`, true);
  if (msUntilDeadline(deployment, nowMs) === 0)
    return progressing("False", "ProgressDeadlineExceeded", `${subject} has timed out progressing.`);
  return undefined;
}

function pausedCondition(before: StatusCondition | undefined): Bare {
  if (before?.reason === "ProgressDeadlineExceeded") return before;
  return { type: "Progressing", status: "Unknown", reason: "DeploymentPaused", message: "Deployment is paused" };
}

/** Whether every pod is of the current template, available, and the status speaks of the current spec. */
function isComplete({ spec }: Deployment, { replicas, updatedReplicas, availableReplicas }: Counts): boolean {
  return updatedReplicas === spec.replicas && replicas === spec.replicas && availableReplicas === spec.replicas;
}

function hasMoved({ status }: Deployment, counts: Counts): boolean {
  const oldBefore = (status.replicas ?? 0) - (status.updatedReplicas ?? 0);
  return (
    counts.updatedReplicas > (status.updatedReplicas ?? 0) ||
    counts.replicas - counts.updatedReplicas < oldBefore ||
    counts.readyReplicas > (status.readyReplicas ?? 0) ||
    counts.availableReplicas > (status.availableReplicas ?? 0)
  );
}

/** Time until the rollout counts as stuck; 0 when it does, `undefined` when nothing is under way. */
export function msUntilDeadline({ spec, status }: Deployment, nowMs: number): number | undefined {
  const before = status.conditions?.find(({ type }) => type === "Progressing");
  if (!before || spec.paused || before.reason === "NewReplicaSetAvailable") return undefined;
  if (before.reason === "ProgressDeadlineExceeded") return 0;
  return Math.max(0, Date.parse(before.lastUpdateTime ?? "") + spec.progressDeadlineSeconds * 1_000 - nowMs);
}

/** Times move only where a condition did: `touched` ones always move their update time. */
function stamp(before: readonly StatusCondition[], next: readonly Bare[], nowMs: number): object[] {
  const now = isoSeconds(nowMs);
  return next.map(({ touched, ...bare }) => {
    const old = before.find(({ type }) => type === bare.type);
    const { type, status, reason, message } = bare;
    if (old?.status === status && old.reason === reason && touched !== true) return old;
    const lastTransitionTime = old?.status === status ? old.lastTransitionTime : now;
    return { type, status, lastUpdateTime: now, lastTransitionTime, reason, message };
  });
}
