import { findCondition } from "../api/conditions.ts";
import { apiVersion as ourApiVersion, type Condition } from "../api/meta.ts";
import { describeRef, groupOf, type KubeObject } from "../api/object.ts";
import { isRecord } from "../lib/json.ts";

/** How an applied object is, as kstatus sees it. `failed`: it will not become healthy by itself. */
export type Health = { readonly state: "healthy" } | { readonly state: "progressing" | "failed"; readonly message: string };

const healthy: Health = { state: "healthy" };

/** What kinds say of themselves; all others are judged by their conditions. */
const byKind: Readonly<Record<string, (live: Live) => Health>> = {
  "apps/Deployment": deployment,
  "apps/StatefulSet": statefulSet,
  "apps/DaemonSet": daemonSet,
  "apps/ReplicaSet": replicaSet,
  "/Pod": pod,
  "batch/Job": job,
  "batch/CronJob": () => healthy,
  "/PersistentVolumeClaim": ({ status }) =>
    status["phase"] === "Bound" ? healthy : progressing(`is ${textOf(status["phase"], "not bound yet")}`),
  "/Service": service,
  "/Namespace": () => healthy,
  "/ConfigMap": () => healthy,
  "/Secret": () => healthy,
  "apiextensions.k8s.io/CustomResourceDefinition": customResourceDefinition,
};

/** Numbers and conditions of an object, read without trust. */
interface Live {
  readonly object: KubeObject;
  readonly spec: Readonly<Record<string, unknown>>;
  readonly status: Readonly<Record<string, unknown>>;
  readonly conditions: readonly Condition[];
}

/** Whether the object does what it is meant to do. @param live `undefined`: it is not there (yet) */
export function healthOf(live: KubeObject | undefined): Health {
  if (!live) return progressing("is not there");
  if (live.metadata.deletionTimestamp !== undefined) return progressing("is being deleted");
  const seen = read(live);
  const { observedGeneration } = seen.status;
  if (typeof observedGeneration === "number" && observedGeneration !== live.metadata.generation)
    return progressing("was not seen by its controller yet");
  const judge = byKind[`${groupOf(live.apiVersion)}/${live.kind}`];
  return generic(seen) ?? (judge ? judge(seen) : custom(seen));
}

/** `Deployment/shop/checkout waits for 3 replicas to be available`. */
export function describeHealth(ref: Parameters<typeof describeRef>[0], health: Exclude<Health, { state: "healthy" }>): string {
  return `${describeRef(ref)} ${health.message}`;
}

function read(object: KubeObject): Live {
  const spec = isRecord(object["spec"]) ? object["spec"] : {};
  const status = isRecord(object["status"]) ? object["status"] : {};
  const conditions = Array.isArray(status["conditions"]) ? status["conditions"].filter(isCondition) : [];
  return { object, spec, status, conditions };
}

function isCondition(value: unknown): value is Condition {
  return isRecord(value) && typeof value["type"] === "string" && typeof value["status"] === "string";
}

function generic({ conditions }: Live): Health | undefined {
  const stalled = findCondition(conditions, "Stalled");
  if (stalled?.status === "True") return failed(wordsOf(stalled, "is stalled"));
  const reconciling = findCondition(conditions, "Reconciling");
  return reconciling?.status === "True" ? progressing(wordsOf(reconciling, "is being reconciled")) : undefined;
}

function deployment({ spec, status, conditions }: Live): Health {
  const progress = findCondition(conditions, "Progressing");
  if (progress?.reason === "ProgressDeadlineExceeded") return failed(`made no progress before its deadline: ${wordsOf(progress, "")}`);
  const wanted = numberOf(spec["replicas"], 1);
  const counted = replicas(status, wanted, [
    ["replicas", "created"],
    ["updatedReplicas", "updated"],
    ["availableReplicas", "available"],
    ["readyReplicas", "ready"],
  ]);
  if (counted) return counted;
  if (numberOf(status["replicas"], 0) > wanted) return progressing("still has replicas of an earlier version");
  const failure = findCondition(conditions, "ReplicaFailure");
  if (failure?.status === "True") return progressing(wordsOf(failure, "cannot create its pods"));
  const available = findCondition(conditions, "Available");
  return available?.status === "False" ? progressing(wordsOf(available, "is not available")) : healthy;
}

function statefulSet({ spec, status }: Live): Health {
  const strategy = isRecord(spec["updateStrategy"]) ? spec["updateStrategy"] : {};
  if (strategy["type"] === "OnDelete") return healthy;
  const wanted = numberOf(spec["replicas"], 1);
  const counted = replicas(status, wanted, [["replicas", "created"], ["readyReplicas", "ready"]]);
  if (counted) return counted;
  const rolling = isRecord(strategy["rollingUpdate"]) ? strategy["rollingUpdate"] : {};
  const partition = numberOf(rolling["partition"], 0);
  if (partition > 0) return replicas(status, wanted - partition, [["updatedReplicas", "updated"]]) ?? healthy;
  return status["currentRevision"] === status["updateRevision"] ? healthy : progressing("is rolling out its newest revision");
}

function daemonSet({ status }: Live): Health {
  const wanted = numberOf(status["desiredNumberScheduled"], 0);
  if (status["desiredNumberScheduled"] === undefined) return progressing("was not scheduled yet");
  const counts: [string, string][] = [
    ["currentNumberScheduled", "scheduled"],
    ["updatedNumberScheduled", "updated"],
    ["numberAvailable", "available"],
    ["numberReady", "ready"],
  ];
  return replicas(status, wanted, counts) ?? healthy;
}

function replicaSet({ spec, status }: Live): Health {
  const counts: [string, string][] = [
    ["replicas", "created"],
    ["fullyLabeledReplicas", "labelled"],
    ["availableReplicas", "available"],
    ["readyReplicas", "ready"],
  ];
  return replicas(status, numberOf(spec["replicas"], 1), counts) ?? healthy;
}

function replicas(status: Live["status"], wanted: number, counts: readonly (readonly [field: string, word: string])[]): Health | undefined {
  const short = counts.find(([field]) => numberOf(status[field], 0) < wanted);
  return short ? progressing(`waits for ${wanted} replica${wanted === 1 ? "" : "s"} to be ${short[1]}`) : undefined;
}

function pod({ status, conditions }: Live): Health {
  if (status["phase"] === "Succeeded" || status["phase"] === "Failed") return healthy;
  const trouble = podTrouble(status);
  if (trouble?.startsWith("CrashLoopBackOff")) return failed(`keeps crashing: ${trouble}`);
  const ready = findCondition(conditions, "Ready")?.status === "True";
  return ready ? healthy : progressing(trouble ?? unscheduled(conditions) ?? "is not ready");
}

function unscheduled(conditions: readonly Condition[]): string | undefined {
  const scheduled = findCondition(conditions, "PodScheduled");
  return scheduled?.reason === "Unschedulable" ? `cannot be scheduled: ${scheduled.message}` : undefined;
}

/** Why a container of the pod does not run, in the kubelet's words; `undefined` when all run. */
export function podTrouble(status: Readonly<Record<string, unknown>>): string | undefined {
  const containers = [status["initContainerStatuses"], status["containerStatuses"]].flatMap((list) =>
    Array.isArray(list) ? list.filter(isRecord) : [],
  );
  for (const { name, state, lastState } of containers) {
    const waiting = isRecord(state) && isRecord(state["waiting"]) ? state["waiting"] : undefined;
    if (!waiting || waiting["reason"] === "ContainerCreating" || waiting["reason"] === "PodInitializing") continue;
    const ended =
      isRecord(lastState) && isRecord(lastState["terminated"]) ? ` (exit code ${String(lastState["terminated"]["exitCode"])})` : "";
    const words = typeof waiting["message"] === "string" ? `: ${waiting["message"]}` : "";
    return `${textOf(waiting["reason"], "Waiting")} in container ${textOf(name, "?")}${ended}${words}`;
  }
  return undefined;
}

function job({ spec, conditions }: Live): Health {
  const isTrue = (type: string): boolean => findCondition(conditions, type)?.status === "True";
  if (spec["suspend"] === true || isTrue("Complete")) return healthy;
  const failure = findCondition(conditions, "Failed");
  return failure?.status === "True" ? failed(wordsOf(failure, "failed")) : progressing("has not completed");
}

function service({ spec, status }: Live): Health {
  if (spec["type"] !== "LoadBalancer") return healthy;
  const balancer = isRecord(status["loadBalancer"]) ? status["loadBalancer"] : {};
  return spec["clusterIP"] === undefined && balancer["ingress"] === undefined ? progressing("has no address yet") : healthy;
}

function customResourceDefinition({ conditions }: Live): Health {
  const names = findCondition(conditions, "NamesAccepted");
  if (names?.status === "False") return failed(wordsOf(names, "has names that are taken"));
  return findCondition(conditions, "Established")?.status === "True" ? healthy : progressing("is not established yet");
}

function custom({ object, conditions, status }: Live): Health {
  const ready = findCondition(conditions, "Ready");
  if (ready) return ready.status === "True" ? healthy : progressing(wordsOf(ready, "is not ready"));
  // Our own kinds always answer: silence means that nobody has looked yet.
  const silent = object.apiVersion === ourApiVersion && object.kind !== "MetricTemplate" && status["observedGeneration"] === undefined;
  return silent ? progressing("was not seen by its controller yet") : healthy;
}

function wordsOf({ reason, message }: Condition, otherwise: string): string {
  return [reason, message].filter((part) => typeof part === "string" && part !== "").join(": ") || otherwise;
}

function progressing(message: string): Health {
  return { state: "progressing", message };
}

function failed(message: string): Health {
  return { state: "failed", message };
}

function numberOf(value: unknown, otherwise: number): number {
  return typeof value === "number" ? value : otherwise;
}

function textOf(value: unknown, otherwise: string): string {
  return typeof value === "string" && value !== "" ? value : otherwise;
}
