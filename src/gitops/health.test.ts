import { describe, expect, test } from "vitest";
import { apiVersion as ours } from "../api/meta.ts";
import type { KubeObject } from "../api/object.ts";
import { healthOf } from "./health.ts";

const object = (apiVersion: string, kind: string, spec: object, status: object | undefined): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name: "x", generation: 2 },
  spec,
  ...(status ? { status } : {}),
});
const condition = (type: string, status: string, reason = "", message = "") => ({ type, status, reason, message });
const full = { observedGeneration: 2, replicas: 2, updatedReplicas: 2, availableReplicas: 2, readyReplicas: 2 };
const deployment = (status: object) => object("apps/v1", "Deployment", { replicas: 2 }, status);
const statefulSet = (status: object, spec = {}) => object("apps/v1", "StatefulSet", { replicas: 2, ...spec }, status);
const set = { observedGeneration: 2, replicas: 2, readyReplicas: 2, currentRevision: "a", updateRevision: "a" };
const waiting = (reason: string, message?: string) => ({
  phase: "Running",
  containerStatuses: [{ name: "app", state: { waiting: { reason, message } }, lastState: { terminated: { exitCode: 1 } } }],
});

describe("healthy", () => {
  test.each<[string, KubeObject]>([
    ["Deployment with all replicas", deployment(full)],
    ["Deployment scaled to nothing", object("apps/v1", "Deployment", { replicas: 0 }, { observedGeneration: 2 })],
    ["StatefulSet at one revision", statefulSet(set)],
    ["StatefulSet updated by hand", statefulSet({ observedGeneration: 2 }, { updateStrategy: { type: "OnDelete" } })],
    ["StatefulSet updated up to its partition", statefulSet({ ...set, updatedReplicas: 1, updateRevision: "b" }, { updateStrategy: { rollingUpdate: { partition: 1 } } })],
    ["DaemonSet", object("apps/v1", "DaemonSet", {}, { observedGeneration: 2, desiredNumberScheduled: 1, currentNumberScheduled: 1, updatedNumberScheduled: 1, numberAvailable: 1, numberReady: 1 })],
    ["Pod that runs", object("v1", "Pod", {}, { phase: "Running", conditions: [condition("Ready", "True")] })],
    ["Pod that succeeded", object("v1", "Pod", {}, { phase: "Succeeded" })],
    ["Job that completed", object("batch/v1", "Job", {}, { conditions: [condition("Complete", "True")] })],
    ["Job that is suspended", object("batch/v1", "Job", { suspend: true }, {})],
    ["PVC that is bound", object("v1", "PersistentVolumeClaim", {}, { phase: "Bound" })],
    ["Service", object("v1", "Service", {}, { loadBalancer: {} })],
    ["CRD that is established", object("apiextensions.k8s.io/v1", "CustomResourceDefinition", {}, { conditions: [condition("Established", "True")] })],
    ["ConfigMap", object("v1", "ConfigMap", {}, undefined)],
    ["custom resource that is Ready", object("x.dev/v1", "X", {}, { conditions: [condition("Ready", "True")] })],
    ["custom resource that says nothing", object("x.dev/v1", "X", {}, undefined)],
    ["MetricTemplate, which has no status", object(ours, "MetricTemplate", {}, undefined)],
  ])("%s", (_, live) => {
    expect(healthOf(live)).toEqual({ state: "healthy" });
  });
});

describe("not yet, or never", () => {
  test.each<[string, KubeObject | undefined, "progressing" | "failed", RegExp]>([
    ["nothing there", undefined, "progressing", /is not there/],
    ["being deleted", { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "x", deletionTimestamp: "x" } }, "progressing", /being deleted/],
    ["an older generation observed", deployment({ ...full, observedGeneration: 1 }), "progressing", /not seen by its controller/],
    ["Reconciling", object("x.dev/v1", "X", {}, { conditions: [condition("Reconciling", "True", "Busy", "at it")] }), "progressing", /Busy: at it/],
    ["Stalled", object("x.dev/v1", "X", {}, { conditions: [condition("Stalled", "True", "No", "never")] }), "failed", /No: never/],
    ["Deployment that waits for pods", deployment({ ...full, availableReplicas: 1 }), "progressing", /waits for 2 replicas to be available/],
    ["Deployment with old pods left", deployment({ ...full, replicas: 3 }), "progressing", /earlier version/],
    ["Deployment past its deadline", deployment({ ...full, conditions: [condition("Progressing", "False", "ProgressDeadlineExceeded", "late")] }), "failed", /late/],
    ["StatefulSet between revisions", statefulSet({ ...set, updateRevision: "b" }), "progressing", /newest revision/],
    ["DaemonSet nobody looked at", object("apps/v1", "DaemonSet", {}, { observedGeneration: 2 }), "progressing", /not scheduled/],
    ["Pod in a crash loop", object("v1", "Pod", {}, waiting("CrashLoopBackOff", "back-off 10s")), "failed", /CrashLoopBackOff in container app \(exit code 1\): back-off 10s/],
    ["Pod without its image", object("v1", "Pod", {}, waiting("ImagePullBackOff")), "progressing", /ImagePullBackOff in container app/],
    ["Pod nobody has room for", object("v1", "Pod", {}, { phase: "Pending", conditions: [condition("PodScheduled", "False", "Unschedulable", "0/3 nodes")] }), "progressing", /0\/3 nodes/],
    ["Job that failed", object("batch/v1", "Job", {}, { conditions: [condition("Failed", "True", "BackoffLimitExceeded")] }), "failed", /BackoffLimitExceeded/],
    ["Job that runs", object("batch/v1", "Job", {}, {}), "progressing", /not completed/],
    ["CRD whose names are taken", object("apiextensions.k8s.io/v1", "CustomResourceDefinition", {}, { conditions: [condition("NamesAccepted", "False", "Taken")] }), "failed", /Taken/],
    ["CRD that is new", object("apiextensions.k8s.io/v1", "CustomResourceDefinition", {}, {}), "progressing", /not established/],
    ["custom resource that is not Ready", object("x.dev/v1", "X", {}, { conditions: [condition("Ready", "False", "Broken", "why")] }), "progressing", /Broken: why/],
    ["Canary nobody looked at", object(ours, "Canary", {}, undefined), "progressing", /not seen by its controller/],
  ])("%s", (_, live, state, message) => {
    expect(healthOf(live)).toEqual({ state, message: expect.stringMatching(message) });
  });
});
