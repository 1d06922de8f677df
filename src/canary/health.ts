import type { KubeObject } from "../api/object.ts";
import { isRecord, sameJson } from "../lib/json.ts";
import { z } from "zod";
import type { Health, NotReady } from "./decide.ts";
import { podTrouble } from "./pods.ts";
import { templateOf } from "./revision.ts";
import { conditions } from "./conditions.ts";

const deployment = z.object({
  metadata: z.object({ generation: z.number().optional() }),
  spec: z.object({ replicas: z.number().default(1) }),
  status: z
    .object({
      observedGeneration: z.number().default(0),
      replicas: z.number().default(0),
      updatedReplicas: z.number().default(0),
      availableReplicas: z.number().default(0),
      conditions,
    })
    .prefault({}),
});
type Deployment = z.infer<typeof deployment>;

/** A Deployment with everything that belongs to it, and what is asked of it. */
export interface Workload {
  readonly deployment: KubeObject | undefined;
  /** ReplicaSets that it controls. */
  readonly replicaSets: readonly KubeObject[];
  /** Pods that these control. */
  readonly pods: readonly KubeObject[];
  /** Percent of updated pods that must be available; at least one pod always. */
  readonly threshold: number;
  /** Pods that it is known to need. An autoscaler's wish for more does not make it unready; missing: as many as it says. */
  readonly expected?: number | undefined;
  /**
   * How long it may be unavailable before it counts as stuck, and how long it was seen so, for one of the clocks may be wrong.
   * Missing: the caller has a deadline of its own.
   */
  readonly patience?: { readonly deadlineMs: number; readonly unreadyMs: number } | undefined;
  readonly nowMs: number;
}

/** Whether at least one pod is available, of whatever revision. */
export function serves(workload: KubeObject | undefined): boolean {
  const read = deployment.safeParse(workload);
  return read.success && read.data.status.availableReplicas > 0;
}

/** Whether it serves what it should: also when its replicas were changed a moment ago, by an autoscaler for instance. */
export function stands(health: Health): boolean {
  return health.state === "ready" || health.reason === "RolloutUnobserved";
}

/** Whether a Deployment serves with the template it has now, and if not, whether that speaks against its revision. */
export function healthOf(workload: Workload): Health {
  const read = deployment.safeParse(workload.deployment);
  if (!workload.deployment || !read.success)
    return { state: "progressing", reason: "DeploymentMissing", message: "the Deployment does not exist", commitsFault: false };
  const live = read.data;
  if (live.status.observedGeneration < (live.metadata.generation ?? 0)) return unobserved(live, workload);
  if (live.spec.replicas === 0) return waiting("ScaledToZero", "the Deployment has no replicas yet");
  const trouble = podTrouble(podsOfTemplate(workload.deployment, workload)) ?? replicaTrouble(live);
  // A pod that will not mend itself is no candidate, however many others run.
  if (trouble?.state === "stuck") return trouble;
  const shortfall = missing(live, workload);
  return shortfall === undefined ? { state: "ready" } : notReady(live, { trouble, shortfall, workload });
}

/**
 * The status is of an earlier spec. When that was in order it is no reason to take traffic away from pods that serve; what it
 * says of deadlines is not to be believed.
 */
function unobserved(live: Deployment, workload: Workload): Health {
  const pods = workload.deployment ? podsOfTemplate(workload.deployment, workload) : [];
  const inOrder = !podTrouble(pods) && missing(live, workload) === undefined;
  const message = "the Deployment's last change has not been taken up yet";
  // Whoever takes it up is the cluster's own: that they are late says nothing about the commit.
  return { state: "progressing", reason: inOrder ? "RolloutUnobserved" : "PodsNotReady", message, commitsFault: false };
}

function waiting(reason: string, message: string): Health {
  return { state: "progressing", reason, message, commitsFault: true };
}

/** What is still missing, in one sentence without numbers that change; `undefined`: nothing. */
function missing({ spec, status }: Deployment, { threshold, expected = spec.replicas }: Workload): string | undefined {
  const needed = Math.min(spec.replicas, Math.max(1, expected));
  if (status.updatedReplicas < needed) return "not all pods are of the current template yet";
  if (status.replicas > status.updatedReplicas) return "pods of the previous template still run";
  if (status.availableReplicas < Math.max(1, Math.floor((needed * threshold) / 100))) return "too few pods are available";
  return undefined;
}

function notReady(
  { status }: Deployment,
  { trouble, shortfall, workload }: { trouble: Health | undefined; shortfall: string; workload: Workload },
): Health {
  const why: NotReady = trouble && trouble.state !== "ready" ? trouble : { reason: "PodsNotReady", message: shortfall, commitsFault: true };
  const { reason, message, commitsFault } = why;
  const exceeded = status.conditions.some(
    (condition) => condition.type === "Progressing" && condition.reason === "ProgressDeadlineExceeded",
  );
  if (exceeded) return { state: "stuck", reason: "ProgressDeadlineExceeded", message, commitsFault };
  const tooLong = isTooLong(status, workload);
  return { state: tooLong ? "stuck" : "progressing", reason: tooLong ? "ReadinessLost" : reason, message, commitsFault };
}

function isTooLong({ conditions: all }: Deployment["status"], { patience, nowMs }: Workload): boolean {
  const lost = all.find(({ type, status }) => type === "Available" && status === "False");
  if (lost?.lastTransitionTime === undefined || patience === undefined) return false;
  const { deadlineMs, unreadyMs } = patience;
  return Date.parse(lost.lastTransitionTime) + deadlineMs <= nowMs && unreadyMs >= deadlineMs;
}

/** Pods that could not even be created: quota, admission. */
function replicaTrouble({ status }: Deployment): Health | undefined {
  const failure = status.conditions.find(({ type, status: is }) => type === "ReplicaFailure" && is === "True");
  if (!failure) return undefined;
  const quota = /exceeded quota/.test(failure.message);
  return { state: "progressing", reason: quota ? "QuotaExceeded" : "PodsNotCreated", message: `pods cannot be created: ${failure.message}`, commitsFault: false };
}

/** The pods of the current template alone: those of an earlier revision say nothing about this one. */
function podsOfTemplate(live: KubeObject, { replicaSets, pods }: Workload): readonly KubeObject[] {
  const current = replicaSets.find((replicaSet) => sameJson(withoutHash(templateOf(replicaSet)), withoutHash(templateOf(live))));
  return current ? pods.filter(({ metadata }) => metadata.ownerReferences?.some(({ uid }) => uid === current.metadata.uid)) : [];
}

/** The template without what the Deployment controller adds to a ReplicaSet's. */
function withoutHash(template: Record<string, unknown>): Record<string, unknown> {
  const metadata = isRecord(template["metadata"]) ? template["metadata"] : {};
  const labels = isRecord(metadata["labels"]) ? metadata["labels"] : {};
  const { "pod-template-hash": _hash, ...kept } = labels;
  const { creationTimestamp: _created, ...rest } = metadata;
  return { ...template, metadata: { ...rest, labels: kept } };
}
