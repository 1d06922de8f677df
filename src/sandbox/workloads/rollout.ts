import type { Deployment, ReplicaSet } from "../kinds.ts";

/** A Deployment with the ReplicaSets it controls, told apart. */
export interface Rollout {
  readonly deployment: Deployment;
  /** The set of the current pod template; missing until it is made. */
  readonly newSet: ReplicaSet | undefined;
  /** All others, oldest first. */
  readonly oldSets: readonly ReplicaSet[];
}

/** How many replicas a set should have, by the set's name. Sets that are not named stay as they are. */
export type Sizes = ReadonlyMap<string, number>;

/** Annotations by which the controller remembers revisions and sizes. */
export const annotations = {
  revision: "deployment.kubernetes.io/revision",
  history: "deployment.kubernetes.io/revision-history",
  desired: "deployment.kubernetes.io/desired-replicas",
  max: "deployment.kubernetes.io/max-replicas",
} as const;

/** A number or a percentage of `total` as pods. */
function pods(value: number | string, total: number, round: (value: number) => number): number {
  if (typeof value === "number") return value;
  return value.endsWith("%") ? round((Number(value.slice(0, -1)) * total) / 100) : Number(value);
}

/** Pods above `spec.replicas` that a rollout may make, and pods below it that it may miss. */
export function margins({ spec: { replicas, strategy } }: Deployment): { surge: number; unavailable: number } {
  if (strategy.type === "Recreate") return { surge: 0, unavailable: 0 };
  const surge = pods(strategy.rollingUpdate.maxSurge, replicas, Math.ceil);
  const unavailable = pods(strategy.rollingUpdate.maxUnavailable, replicas, Math.floor);
  // With neither, a rollout could never move.
  return { surge, unavailable: Math.min(surge === 0 && unavailable === 0 ? 1 : unavailable, replicas) };
}

/** Replicas that these sets should have together. */
export function wantedReplicas(sets: readonly (ReplicaSet | undefined)[]): number {
  return sets.reduce((sum, set) => sum + (set?.spec.replicas ?? 0), 0);
}

function availableReplicas(sets: readonly (ReplicaSet | undefined)[]): number {
  return sets.reduce((sum, set) => sum + (set?.status.availableReplicas ?? 0), 0);
}

/** Size of the new set in a rolling update: as large as maxSurge allows beside the old ones. */
export function rollingNewSize({ deployment, newSet, oldSets }: Rollout): number {
  const { replicas } = deployment.spec;
  const now = newSet?.spec.replicas ?? 0;
  if (now >= replicas) return replicas;
  const room = replicas + margins(deployment).surge - wantedReplicas([newSet, ...oldSets]);
  return room <= 0 ? now : now + Math.min(room, replicas - now);
}

/** Sizes of the old sets in a rolling update: pods that do not serve go first, then as many as maxUnavailable allows. */
export function rollingOldSizes({ deployment, newSet, oldSets }: Rollout): Sizes {
  const all = [newSet, ...oldSets];
  const minAvailable = deployment.spec.replicas - margins(deployment).unavailable;
  const newUnavailable = wantedReplicas([newSet]) - availableReplicas([newSet]);
  const spare = wantedReplicas(all) - minAvailable - newUnavailable;
  if (spare <= 0) return new Map();
  const unhealthy = ({ spec, status }: ReplicaSet): number => Math.max(0, spec.replicas - (status.availableReplicas ?? 0));
  const healthy = take(oldSets, spare, unhealthy);
  const sizeOf = (set: ReplicaSet): number => healthy.get(set.metadata.name) ?? set.spec.replicas;
  const smaller = take(oldSets, availableReplicas(all) - minAvailable, sizeOf, sizeOf);
  return new Map([...healthy, ...smaller]);
}

/** Takes up to `amount` pods off the sets in order, from each at most what it can give. Only changed sets are named. */
function take(
  sets: readonly ReplicaSet[],
  amount: number,
  canGive: (set: ReplicaSet) => number,
  sizeOf: (set: ReplicaSet) => number = ({ spec }) => spec.replicas,
): Map<string, number> {
  let left = Math.max(0, amount);
  const sizes = new Map<string, number>();
  for (const set of sets) {
    const step = Math.min(left, canGive(set));
    if (step > 0) sizes.set(set.metadata.name, sizeOf(set) - step);
    left -= step;
  }
  return sizes;
}

/** Sizes after `spec.replicas` changed: shared among the sets in proportion, so that a rollout under way keeps its balance. */
export function scaledSizes(rollout: Rollout): Sizes {
  const { deployment, newSet, oldSets } = rollout;
  const { replicas } = deployment.spec;
  const sets = [...oldSets, ...(newSet ? [newSet] : [])];
  const active = sets.filter(({ spec }) => spec.replicas > 0);
  const single = active.length === 0 ? (newSet ?? oldSets.at(-1)) : active.length === 1 ? active[0] : undefined;
  if (single) return new Map([[single.metadata.name, replicas]]);
  if (newSet && isSaturated(deployment, newSet)) return new Map(oldSets.map(({ metadata }) => [metadata.name, 0]));
  return deployment.spec.strategy.type === "Recreate" ? new Map() : proportional(deployment, active);
}

function isSaturated({ spec }: Deployment, { metadata, spec: { replicas }, status }: ReplicaSet): boolean {
  const desired = Number(metadata.annotations?.[annotations.desired]);
  return replicas === spec.replicas && desired === spec.replicas && status.availableReplicas === spec.replicas;
}

function proportional(deployment: Deployment, active: readonly ReplicaSet[]): Sizes {
  const { replicas } = deployment.spec;
  const allowed = replicas > 0 ? replicas + margins(deployment).surge : 0;
  const change = allowed - wantedReplicas(active);
  const age = ({ metadata }: ReplicaSet): number => Date.parse(metadata.creationTimestamp ?? "");
  const larger = [...active].sort((a, b) => b.spec.replicas - a.spec.replicas || (change > 0 ? age(b) - age(a) : age(a) - age(b)));
  const sizes = new Map<string, number>();
  let done = 0;
  for (const set of larger) {
    const share = shareOf(deployment, set, change - done);
    sizes.set(set.metadata.name, set.spec.replicas + share);
    done += share;
  }
  const [first] = larger;
  if (first) sizes.set(first.metadata.name, Math.max(0, (sizes.get(first.metadata.name) ?? 0) + change - done));
  return sizes;
}

/** This set's part of a change, at most what is left of it. */
function shareOf(deployment: Deployment, set: ReplicaSet, left: number): number {
  const { replicas } = deployment.spec;
  const before = Number(set.metadata.annotations?.[annotations.max] ?? deployment.status.replicas ?? 0);
  if (left === 0 || before === 0) return 0;
  const size = replicas === 0 ? 0 : Math.round((set.spec.replicas * (replicas + margins(deployment).surge)) / before);
  const share = size - set.spec.replicas;
  return left > 0 ? Math.max(0, Math.min(share, left)) : Math.min(0, Math.max(share, left));
}
