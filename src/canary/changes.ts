import { groupOf, type KubeObject } from "../api/object.ts";
import { isRecord, sameJson } from "../lib/json.ts";
import { podTrouble } from "./pods.ts";

/** Annotations that controllers of the cluster keep for themselves. */
const bookkeeping = ["deployment.kubernetes.io/revision"];

/** What of an object's status a Canary looks at. Of other kinds none of it. */
const lookedAt: Readonly<Record<string, (object: KubeObject) => unknown>> = {
  "apps/Deployment": ({ status }) =>
    isRecord(status) ? [counts.map((count) => status[count] ?? 0), conditions(status["conditions"])] : [],
  "gateway.networking.k8s.io/HTTPRoute": ({ status }) => status,
  "serin.dev/Revert": ({ status }) => (isRecord(status) ? [status["phase"], status["endedAt"]] : []),
};

const counts = ["observedGeneration", "replicas", "updatedReplicas", "availableReplicas"];

/**
 * Whether a change may make a difference to a Canary. A rollout of ten pods is some hundred changes of which a dozen
 * matter: of a pod only what speaks against its revision, for how many serve is said by its Deployment.
 */
export function matters(before: KubeObject | undefined, after: KubeObject | undefined): boolean {
  const object = after ?? before;
  if (object?.apiVersion === "v1" && object.kind === "Pod") return !sameJson(troubleOf(before), troubleOf(after));
  if (!before || !after || before.metadata.uid !== after.metadata.uid) return true;
  return !sameJson(essence(before), essence(after));
}

function troubleOf(pod: KubeObject | undefined): unknown {
  return (pod && podTrouble([pod])) ?? null;
}

function essence(object: KubeObject): unknown {
  const { status: _status, metadata, ...rest } = object;
  const look = lookedAt[`${groupOf(object.apiVersion)}/${object.kind}`];
  const { resourceVersion: _version, managedFields: _fields, annotations = {}, ...head } = metadata;
  const kept = Object.fromEntries(Object.entries(annotations).filter(([name]) => !bookkeeping.includes(name)));
  return [rest, head, kept, look?.(object)];
}

/** Without the time of the last word: it is new with every heartbeat. */
function conditions(list: unknown): unknown[] {
  return Array.isArray(list) ? list.filter(isRecord).map(({ lastUpdateTime: _time, ...condition }) => condition) : [];
}
