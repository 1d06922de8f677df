import { isoSeconds } from "../../api/conditions.ts";
import type { KubeObject } from "../../api/object.ts";
import { isRecord } from "../../lib/json.ts";
import type { Pod } from "../kinds.ts";
import { quantity } from "../quantity.ts";
import type { Plan } from "./writes.ts";
import { statusWrites } from "./writes.ts";

/**
 * Binds a pod to the first Ready node, by name, that its nodeSelector fits and that is large enough for what it requests; else
 * says Unschedulable as kube-scheduler does. What other pods take, taints and affinity are not looked at. Pure.
 */
export function planScheduling({ pod, nodes, nowMs }: { pod: Pod; nodes: readonly KubeObject[]; nowMs: number }): Plan {
  const { name, namespace, deletionTimestamp } = pod.metadata;
  if (pod.spec.nodeName !== undefined || deletionTimestamp !== undefined) return { writes: [] };
  const fitting = nodes.filter((node) => isUsable(node) && fits(pod, node) && lacking(pod, node).length === 0);
  const [node] = fitting.map(({ metadata }) => metadata.name).sort();
  if (node === undefined)
    return { writes: statusWrites(pod, { ...pod.status, phase: "Pending", conditions: [unschedulable(pod, nodes, nowMs)] }) };
  const binding = {
    apiVersion: "v1",
    kind: "Binding",
    metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
    target: { apiVersion: "v1", kind: "Node", name: node },
  };
  return { writes: [{ do: "create", object: binding }] };
}

function fits({ spec }: Pod, { metadata }: KubeObject): boolean {
  return Object.entries(spec.nodeSelector ?? {}).every(([name, value]) => metadata.labels?.[name] === value);
}

/** Which of cpu and memory the pod requests more of than the node has at all. */
function lacking({ spec }: Pod, { status }: KubeObject): string[] {
  const room = isRecord(status) && isRecord(status["allocatable"]) ? status["allocatable"] : {};
  const requested = (name: string): number =>
    spec.containers.reduce((sum, { resources }) => sum + quantity(String(resources?.requests?.[name] ?? "0")), 0);
  return ["cpu", "memory"].filter((name) => typeof room[name] === "string" && requested(name) > quantity(room[name]));
}

function isUsable({ spec, status }: KubeObject): boolean {
  const cordoned = isRecord(spec) && spec["unschedulable"] === true;
  const conditions = isRecord(status) && Array.isArray(status["conditions"]) ? status["conditions"] : [];
  return (
    !cordoned && conditions.some((condition) => isRecord(condition) && condition["type"] === "Ready" && condition["status"] === "True")
  );
}

function unschedulable(pod: Pod, nodes: readonly KubeObject[], nowMs: number): object {
  const before = pod.status.conditions.find(({ type }) => type === "PodScheduled");
  const count = `0/${nodes.length} nodes are available`;
  const cordoned = nodes.filter((node) => !isUsable(node)).length;
  const usable = nodes.filter(isUsable);
  const misfits = usable.filter((node) => !fits(pod, node)).length;
  const small = usable.filter((node) => fits(pod, node)).flatMap((node) => lacking(pod, node));
  const reasons = [
    ...["cpu", "memory"].flatMap((name) => {
      const count = small.filter((lacked) => lacked === name).length;
      return count > 0 ? [`${count} Insufficient ${name}`] : [];
    }),
    ...(misfits > 0 ? [`${misfits} node(s) didn't match Pod's node affinity/selector`] : []),
    ...(cordoned > 0 ? [`${cordoned} node(s) were unschedulable`] : []),
  ];
  const message = nodes.length === 0 ? "no nodes available to schedule pods" : `${count}: ${reasons.join(", ")}.`;
  const lastTransitionTime = before?.status === "False" ? before.lastTransitionTime : isoSeconds(nowMs);
  return { type: "PodScheduled", status: "False", reason: "Unschedulable", message, lastTransitionTime };
}
