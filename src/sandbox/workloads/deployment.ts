import type { KubeObject } from "../../api/object.ts";
import { controllerReference, refOf } from "../../api/object.ts";
import { hashJson, sameJson } from "../../lib/json.ts";
import type { Deployment, PodTemplate, ReplicaSet } from "../kinds.ts";
import { kinds } from "../kinds.ts";
import type { ProgressEvent } from "./deployment-status.ts";
import { deploymentStatus, msUntilDeadline } from "./deployment-status.ts";
import type { Rollout, Sizes } from "./rollout.ts";
import { annotations, margins, rollingNewSize, rollingOldSizes, scaledSizes, wantedReplicas } from "./rollout.ts";
import type { Plan, Write } from "./writes.ts";
import { changes, statusWrites } from "./writes.ts";

/** What a Deployment's controller sees. */
export interface ObservedDeployment {
  readonly deployment: Deployment;
  /** The ReplicaSets it controls. */
  readonly sets: readonly ReplicaSet[];
  /** Pods of these sets that have not ended, by the set's uid; terminating ones count. */
  readonly livePods: ReadonlyMap<string, number>;
  readonly nowMs: number;
}

const hashLabel = "pod-template-hash";

/** ReplicaSets to create, resize and clean up, and the status. Pure; one step, the next follows from its effects. */
export function planDeployment(observed: ObservedDeployment): Plan {
  const { deployment, nowMs } = observed;
  const rollout = rolloutOf(observed);
  const step = deployment.metadata.deletionTimestamp === undefined ? nextStep(rollout, observed) : { writes: [], event: undefined };
  const status = statusWrites(deployment, deploymentStatus(rollout, step.event, nowMs));
  const dueMs = msUntilDeadline(deployment, nowMs);
  return { writes: [...step.writes, ...status], againAfterMs: dueMs === undefined || dueMs === 0 ? undefined : dueMs + 50 };
}

interface Step {
  readonly writes: Write[];
  readonly event: ProgressEvent;
}

/** Tells the set of the current template from the others. */
function rolloutOf({ deployment, sets }: Pick<ObservedDeployment, "deployment" | "sets">): Rollout {
  const byAge = [...sets].sort((a, b) => revisionOf(a) - revisionOf(b));
  const newSet = byAge.find(({ spec }) => sameJson(withoutHash(spec.template), withoutHash(deployment.spec.template)));
  return { deployment, newSet, oldSets: byAge.filter((set) => set !== newSet) };
}

function nextStep(rollout: Rollout, observed: ObservedDeployment): Step {
  const { deployment, newSet, oldSets } = rollout;
  if (deployment.spec.paused || isScaling(rollout)) return { writes: resize(rollout, scaledSizes(rollout)), event: undefined };
  const recreate = deployment.spec.strategy.type === "Recreate";
  const stop: Sizes = new Map(oldSets.map(({ metadata }) => [metadata.name, 0]));
  if (recreate && wantedReplicas(oldSets) > 0) return { writes: resize(rollout, stop), event: undefined };
  if (recreate && oldSets.some(({ metadata }) => (observed.livePods.get(metadata.uid ?? "") ?? 0) > 0))
    return { writes: [], event: undefined };
  if (!newSet) return createSet(rollout);
  const sizes = recreate ? new Map([[newSet.metadata.name, deployment.spec.replicas]]) : rollingSizes(rollout, newSet);
  return { writes: [...revisionWrites(rollout, newSet), ...resize(rollout, sizes), ...cleanUp(rollout)], event: undefined };
}

/** One direction at a time, as the real controller: up first, then down. */
function rollingSizes(rollout: Rollout, newSet: ReplicaSet): Sizes {
  const size = rollingNewSize(rollout);
  return size === newSet.spec.replicas ? rollingOldSizes(rollout) : new Map([[newSet.metadata.name, size]]);
}

/** Whether `spec.replicas` is another than the sets were made for. */
function isScaling({ deployment, newSet, oldSets }: Rollout): boolean {
  return [newSet, ...oldSets].some((set) => {
    const desired = set?.metadata.annotations?.[annotations.desired];
    return set !== undefined && set.spec.replicas > 0 && desired !== undefined && Number(desired) !== deployment.spec.replicas;
  });
}

function createSet(rollout: Rollout): Step {
  const { deployment } = rollout;
  const { metadata, spec } = deployment;
  const hash = templateHash(spec.template, deployment.status.collisionCount);
  const revision = nextRevision(rollout);
  const replicas = spec.strategy.type === "Recreate" ? spec.replicas : rollingNewSize(rollout);
  const labels = { ...spec.template.metadata?.labels, [hashLabel]: hash };
  const set: KubeObject = {
    ...kinds.replicaSet,
    metadata: {
      name: `${metadata.name}-${hash}`,
      ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
      labels,
      annotations: { ...copied(deployment), ...sizeAnnotations(deployment), [annotations.revision]: String(revision) },
      ownerReferences: [controllerReference({ ...kinds.deployment, metadata })],
    },
    spec: {
      replicas,
      ...(spec.minReadySeconds > 0 ? { minReadySeconds: spec.minReadySeconds } : {}),
      selector: { ...spec.selector, matchLabels: { ...spec.selector.matchLabels, [hashLabel]: hash } },
      template: { ...spec.template, metadata: { ...spec.template.metadata, labels } },
    },
  };
  return { writes: [{ do: "create", object: set }, ...announce(deployment, revision)], event: { did: "created", set: set.metadata.name } };
}

/** A template that comes back takes the next revision, so that `kubectl rollout history` tells the order of events. */
function revisionWrites(rollout: Rollout, newSet: ReplicaSet): Write[] {
  const current = revisionOf(newSet);
  const next = nextRevision(rollout);
  if (current >= next) return announce(rollout.deployment, current);
  const history = newSet.metadata.annotations?.[annotations.history];
  const past = current > 0 ? { [annotations.history]: history === undefined ? String(current) : `${history},${current}` } : {};
  const patch = { metadata: { annotations: { [annotations.revision]: String(next), ...past } } };
  return [{ do: "patch", ref: refOf({ ...kinds.replicaSet, metadata: newSet.metadata }), patch }, ...announce(rollout.deployment, next)];
}

function announce(deployment: Deployment, revision: number): Write[] {
  if (deployment.metadata.annotations?.[annotations.revision] === String(revision)) return [];
  const patch = { metadata: { annotations: { [annotations.revision]: String(revision) } } };
  return [{ do: "patch", ref: refOf({ ...kinds.deployment, metadata: deployment.metadata }), patch }];
}

function resize({ deployment, newSet, oldSets }: Rollout, sizes: Sizes): Write[] {
  return [...(newSet ? [newSet] : []), ...oldSets].flatMap((set): Write[] => {
    const replicas = sizes.get(set.metadata.name) ?? set.spec.replicas;
    const spec = replicas === set.spec.replicas ? {} : { spec: { replicas } };
    const notes =
      replicas > 0 || spec.spec
        ? changes(set.metadata.annotations ?? {}, { ...set.metadata.annotations, ...sizeAnnotations(deployment) })
        : {};
    const patch = { ...spec, ...(Object.keys(notes).length > 0 ? { metadata: { annotations: notes } } : {}) };
    return Object.keys(patch).length === 0 ? [] : [{ do: "patch", ref: refOf({ ...kinds.replicaSet, metadata: set.metadata }), patch }];
  });
}

/** Deletes what `revisionHistoryLimit` does not keep, once a rollout is complete. */
function cleanUp({ deployment, newSet, oldSets }: Rollout): Write[] {
  const { spec } = deployment;
  if (newSet?.status.availableReplicas !== spec.replicas && spec.replicas > 0) return [];
  const idle = oldSets.filter(
    ({ spec: { replicas }, status, metadata }) => replicas === 0 && status.replicas === 0 && metadata.deletionTimestamp === undefined,
  );
  return idle.slice(0, Math.max(0, oldSets.length - spec.revisionHistoryLimit)).map((set) => ({
    do: "delete",
    ref: refOf({ ...kinds.replicaSet, metadata: set.metadata }),
    uid: set.metadata.uid,
  }));
}

function nextRevision({ oldSets }: Rollout): number {
  return Math.max(0, ...oldSets.map(revisionOf)) + 1;
}

function revisionOf({ metadata }: ReplicaSet): number {
  return Number(metadata.annotations?.[annotations.revision] ?? 0);
}

function sizeAnnotations(deployment: Deployment): Record<string, string> {
  const { replicas } = deployment.spec;
  return { [annotations.desired]: String(replicas), [annotations.max]: String(replicas + margins(deployment).surge) };
}

const notCopied = new Set<string>(["kubectl.kubernetes.io/last-applied-configuration", ...Object.values(annotations)]);

function copied({ metadata }: Deployment): Record<string, string> {
  return Object.fromEntries(Object.entries(metadata.annotations ?? {}).filter(([name]) => !notCopied.has(name)));
}

function withoutHash(template: PodTemplate): object {
  const labels = Object.entries(template.metadata?.labels ?? {}).filter(([name]) => name !== hashLabel);
  return { annotations: template.metadata?.annotations ?? {}, labels: Object.fromEntries(labels), spec: template.spec };
}

/** Letters that make no words, as in the names that Kubernetes makes up. */
export const nameAlphabet = "bcdfghjklmnpqrstvwxz2456789";

function templateHash(template: PodTemplate, collisions = 0): string {
  const digest = hashJson([withoutHash(template), collisions]);
  return Array.from(
    { length: 10 },
    (_, at) => nameAlphabet[Number.parseInt(digest.slice(at * 2, at * 2 + 2), 16) % nameAlphabet.length],
  ).join("");
}
