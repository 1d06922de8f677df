import { isoSeconds } from "../../api/conditions.ts";
import type { ObjectRef } from "../../api/object.ts";
import type { Autoscaler, StatusCondition } from "../kinds.ts";
import type { Plan, Write } from "./writes.ts";
import { statusWrites } from "./writes.ts";

/** What the autoscaler's controller sees. */
interface ObservedAutoscaler {
  readonly autoscaler: Autoscaler;
  /** Replicas of the target; `undefined`: there is no such target. */
  readonly target: { readonly wanted: number; readonly current: number } | undefined;
  readonly nowMs: number;
}

type Bare = Pick<StatusCondition, "type" | "status" | "reason" | "message">;

/**
 * Keeps the target between minReplicas and maxReplicas and says so. The sandbox measures no CPU or memory, so between
 * the bounds nothing scales and ScalingActive is False, as in a cluster without a metrics server. Pure.
 */
export function planAutoscaler({ autoscaler, target, nowMs }: ObservedAutoscaler): Plan {
  const { minReplicas, maxReplicas, scaleTargetRef } = autoscaler.spec;
  const conditions = (bare: readonly Bare[]): object[] => stamp(autoscaler.status.conditions ?? [], bare, nowMs);
  const status = (fields: object): Write[] =>
    statusWrites(autoscaler, { ...autoscaler.status, observedGeneration: autoscaler.metadata.generation, ...fields });
  if (!target) return { writes: status({ conditions: conditions([missing(scaleTargetRef)]) }) };
  const able: Bare = { type: "AbleToScale", status: "True", reason: "SucceededGetScale", message: "the HPA controller was able to get the target's current scale" };
  if (target.wanted === 0 && minReplicas > 0) {
    return { writes: status({ currentReplicas: target.current, desiredReplicas: 0, conditions: conditions([able, disabled]) }) };
  }
  const desired = Math.min(Math.max(target.wanted, minReplicas), maxReplicas);
  const ref: ObjectRef = { ...scaleTargetRef, namespace: autoscaler.metadata.namespace };
  const scale: Write[] =
    desired === target.wanted ? [] : [{ do: "patch", ref, patch: { spec: { replicas: desired } }, subresource: "scale" }];
  const next =
    desired === target.wanted ? [able, unmeasured] : [{ ...able, reason: "SucceededRescale", message: rescaled(desired) }, unmeasured];
  return { writes: [...scale, ...status({ currentReplicas: target.current, desiredReplicas: desired, conditions: conditions(next) })] };
}

const disabled: Bare = {
  type: "ScalingActive",
  status: "False",
  reason: "ScalingDisabled",
  message: "scaling is disabled since the replica count of the target is zero",
};

const unmeasured: Bare = {
  type: "ScalingActive",
  status: "False",
  reason: "FailedGetResourceMetric",
  message: "the HPA was unable to compute the replica count: the sandbox serves no resource metrics",
};

function missing({ kind, name }: { kind: string; name: string }): Bare {
  return { type: "AbleToScale", status: "False", reason: "FailedGetScale", message: `the HPA controller was unable to get the target's current scale: ${kind} "${name}" not found` };
}

function rescaled(desired: number): string {
  return `the HPA controller was able to update the target scale to ${desired}`;
}

function stamp(before: readonly StatusCondition[], next: readonly Bare[], nowMs: number): object[] {
  return next.map((bare) => {
    const old = before.find(({ type }) => type === bare.type);
    return { ...bare, lastTransitionTime: old?.status === bare.status ? old.lastTransitionTime : isoSeconds(nowMs) };
  });
}
