import { describeRef, type KubeObject, refOf } from "../../api/object.ts";
import { podTrouble } from "../../gitops/health.ts";
import type { Kube } from "../../kube/kube.ts";
import { isRecord } from "../../lib/json.ts";

const workloads = new Set(["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job"]);

/** Why the pods of a workload do not run, e.g. `Pod/shop/web-1: ImagePullBackOff in container app`; `undefined` when nothing is known. */
export async function podCause(kube: Kube, workload: KubeObject | undefined, signal: AbortSignal): Promise<string | undefined> {
  if (!workload || !workloads.has(workload.kind)) return undefined;
  const selector =
    isRecord(workload["spec"]) && isRecord(workload["spec"]["selector"]) ? workload["spec"]["selector"]["matchLabels"] : undefined;
  if (!isRecord(selector)) return undefined;
  const labelSelector = Object.entries(selector).map(([key, value]) => `${key}=${String(value)}`).join(",");
  const pods = await kube.list({ apiVersion: "v1", kind: "Pod" }, { namespace: workload.metadata.namespace, labelSelector }, signal);
  for (const pod of pods) {
    const trouble = isRecord(pod["status"]) ? podTrouble(pod["status"]) : undefined;
    if (trouble !== undefined) return `${describeRef(refOf(pod))}: ${trouble}`;
  }
  return undefined;
}
