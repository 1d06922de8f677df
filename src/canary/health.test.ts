import { expect, test } from "vitest";
import { aDeployment } from "../../test/builders.ts";
import type { KubeObject } from "../api/object.ts";
import type { Health } from "./decide.ts";
import { healthOf, type Workload } from "./health.ts";
import { templateOf } from "./revision.ts";

const nowMs = Date.parse("2026-11-21T12:00:00Z");
const ready = { observedGeneration: 1, replicas: 2, updatedReplicas: 2, availableReplicas: 2 };

function deployment(status: Record<string, unknown> = {}, spec: Record<string, unknown> = {}): KubeObject {
  return { ...aDeployment("shop:2", spec), status: { ...ready, ...status } };
}

/** The ReplicaSet of an image, with the label that the Deployment controller adds. */
function replicaSet(image: string, uid: string): KubeObject {
  const template = templateOf(aDeployment(image)) as { metadata: { labels: object } };
  return {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: { name: uid, uid },
    spec: { template: { ...template, metadata: { labels: { ...template.metadata.labels, "pod-template-hash": uid } } } },
  };
}

const owned = (uid: string) => [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: uid, uid, controller: true }];

function pod(status: Record<string, unknown>, replicaSetUid = "current"): KubeObject {
  return { apiVersion: "v1", kind: "Pod", metadata: { name: "pod", ownerReferences: owned(replicaSetUid) }, status };
}

const waiting = (reason: string, message = "") => ({ containerStatuses: [{ name: "app", state: { waiting: { reason, message } } }] });
const condition = (type: string, status: string, reason: string, message = "") => ({
  conditions: [{ type, status, reason, message, lastTransitionTime: "2026-11-21T11:00:00Z" }],
});

function health(live: KubeObject | undefined, { pods = [], ...rest }: Partial<Workload> = {}): Health {
  return healthOf({
    deployment: live,
    replicaSets: [replicaSet("shop:1", "old"), replicaSet("shop:2", "current")],
    pods,
    threshold: 100,
    nowMs,
    ...rest,
  });
}

const unready = { availableReplicas: 1 };
const unreadySince = (at: string) => ({
  conditions: [{ type: "Ready", status: "False", reason: "ContainersNotReady", lastTransitionTime: `2026-11-21T${at}Z` }],
  containerStatuses: [{ name: "app", state: { running: { startedAt: "2026-11-21T11:00:05Z" } } }],
});
const noSuchImage =
  'rpc error: code = NotFound desc = failed to pull and unpack image "x/shop:9": failed to resolve reference "x/shop:9": x/shop:9: not found';

test.each<[string, Health, Partial<Exclude<Health, { state: "ready" }>> | { state: "ready" }]>([
  ["is ready when all updated pods are available", health(deployment()), { state: "ready" }],
  ["is missing", health(undefined), { state: "progressing", reason: "DeploymentMissing" }],
  ["was changed and the change not taken up", health(deployment({ observedGeneration: 0 })), { state: "progressing", reason: "RolloutUnobserved", commitsFault: false }],
  ["was changed while it was not in order", health(deployment({ ...unready, observedGeneration: 0 })), { state: "progressing", reason: "PodsNotReady", commitsFault: false }],
  [
    "was changed after its deadline",
    health(deployment({ ...unready, ...condition("Progressing", "False", "ProgressDeadlineExceeded"), observedGeneration: 0 })),
    { state: "progressing" },
  ],
  ["is scaled to zero", health(deployment({}, { replicas: 0 })), { state: "progressing", reason: "ScaledToZero" }],
  ["still has pods of another template", health(deployment({ replicas: 3 })), { state: "progressing", reason: "PodsNotReady" }],
  ["has too few pods", health(deployment(unready)), { state: "progressing", reason: "PodsNotReady", commitsFault: true }],
  ["needs only a share of them", health(deployment(unready), { threshold: 50 }), { state: "ready" }],
  ["always needs one", health(deployment({ availableReplicas: 0 }), { threshold: 1 }), { state: "progressing" }],
  ["is not unready because its autoscaler wants more", health(deployment({}, { replicas: 5 }), { expected: 2 }), { state: "ready" }],
  ["crashes", health(deployment(unready), { pods: [pod(waiting("CrashLoopBackOff"))] }), { state: "stuck", reason: "CanaryCrashed", commitsFault: true }],
  ["does not care for pods of an earlier template that crash", health(deployment(), { pods: [pod(waiting("CrashLoopBackOff"), "old")] }), { state: "ready" }],
  ["gets ready for the first time", health(deployment(unready), { pods: [pod(unreadySince("11:00:04"))] }), { state: "progressing", reason: "PodsNotReady" }],
  ["was ready and is not any more", health(deployment(unready), { pods: [pod(unreadySince("11:00:09"))] }), { state: "progressing", reason: "ReadinessLost", commitsFault: true }],
  ["runs an image that does not exist", health(deployment(unready), { pods: [pod(waiting("ErrImagePull", noSuchImage))] }), { state: "stuck", reason: "ImageNotFound", commitsFault: true }],
  ["runs an image with an invalid name", health(deployment(unready), { pods: [pod(waiting("InvalidImageName"))] }), { state: "stuck", reason: "ImageNotFound" }],
  ["cannot reach the registry", health(deployment(unready), { pods: [pod(waiting("ErrImagePull", "dial tcp: lookup registry.example: no such host"))] }), { state: "progressing", reason: "ImagePullFailed", commitsFault: false }],
  ["may not pull", health(deployment(unready), { pods: [pod(waiting("ErrImagePull", "pull access denied, repository does not exist or may require authorization"))] }), { state: "progressing", commitsFault: false }],
  ["cannot say why it does not pull", health(deployment(unready), { pods: [pod(waiting("ImagePullBackOff", "Back-off pulling image"))] }), { state: "progressing", commitsFault: false }],
  ["has no room", health(deployment(unready), { pods: [pod(condition("PodScheduled", "False", "Unschedulable", "0/3 nodes are available"))] }), { state: "progressing", reason: "Unschedulable", commitsFault: false }],
  ["lost its node", health(deployment(unready), { pods: [pod({ phase: "Failed", reason: "NodeLost" })] }), { state: "progressing", reason: "NodeLost", commitsFault: false }],
  ["is refused by a quota", health(deployment({ ...unready, ...condition("ReplicaFailure", "True", "FailedCreate", 'pods "x" is forbidden: exceeded quota: small') })), { state: "progressing", reason: "QuotaExceeded", commitsFault: false }],
  ["says itself that it takes too long", health(deployment({ ...unready, ...condition("Progressing", "False", "ProgressDeadlineExceeded") })), { state: "stuck", reason: "ProgressDeadlineExceeded", commitsFault: true }],
  ["has been unavailable for too long", health(deployment({ ...unready, ...condition("Available", "False", "MinimumReplicasUnavailable") }), { patience: { deadlineMs: 600_000, unreadyMs: 600_000 } }), { state: "stuck", reason: "ReadinessLost" }],
  ["has been unavailable for a moment, however late it is by the clock", health(deployment({ ...unready, ...condition("Available", "False", "MinimumReplicasUnavailable") }), { patience: { deadlineMs: 600_000, unreadyMs: 20_000 } }), { state: "progressing" }],
])("a workload that %s", (_, is, want) => {
  expect(is).toMatchObject(want);
});
