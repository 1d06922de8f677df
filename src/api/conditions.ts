import type { Condition } from "./meta.ts";

/** How a reconcile went, in the words of kstatus. */
export interface Outcome {
  readonly ready: Condition["status"];
  /** CamelCase. */
  readonly reason: string;
  /** For people; no times, no counters. */
  readonly message: string;
  /** `done`: nothing is under way. `reconciling`: it goes on by itself. `stalled`: a person must act. */
  readonly state: "done" | "reconciling" | "stalled";
}

/**
 * The next conditions: Ready always, Reconciling and Stalled only while True, all others as they were.
 * `lastTransitionTime` moves only when a condition's status does, so that the same outcome twice changes nothing.
 */
export function nextConditions(
  before: readonly Condition[] | undefined,
  outcome: Outcome,
  at: { generation: number; nowMs: number },
): Condition[] {
  const { reason, message } = outcome;
  const wanted = [{ type: "Ready", status: outcome.ready, reason, message }];
  if (outcome.state === "reconciling") wanted.push({ type: "Reconciling", status: "True", reason, message });
  if (outcome.state === "stalled") wanted.push({ type: "Stalled", status: "True", reason, message });
  const own = new Set(["Ready", "Reconciling", "Stalled"]);
  const others = (before ?? []).filter(({ type }) => !own.has(type));
  return [
    ...wanted.reduce<Condition[]>(
      (conditions, next) => setCondition(conditions, next, at),
      (before ?? []).filter(({ type }) => wanted.some((next) => next.type === type)),
    ),
    ...others,
  ];
}

/** The conditions with this one replaced or added; its transition time is kept when its status is. */
export function setCondition(
  conditions: readonly Condition[] | undefined,
  next: Pick<Condition, "type" | "status" | "reason" | "message">,
  { generation, nowMs }: { generation: number; nowMs: number },
): Condition[] {
  const before = conditions?.find(({ type }) => type === next.type);
  const lastTransitionTime = before?.status === next.status ? before.lastTransitionTime : isoSeconds(nowMs);
  const condition: Condition = { ...next, lastTransitionTime, observedGeneration: generation };
  if (!before) return [...(conditions ?? []), condition];
  return (conditions ?? []).map((old) => (old.type === next.type ? condition : old));
}

/** The condition of this type, if there is one. */
export function findCondition(conditions: readonly Condition[] | undefined, type: string): Condition | undefined {
  return conditions?.find((condition) => condition.type === type);
}

/** RFC 3339 in whole seconds, as metav1.Time is written. */
export function isoSeconds(atMs: number): string {
  return new Date(atMs).toISOString().replace(/\.\d{3}Z$/, "Z");
}
