import { Counter, Histogram, type Registry } from "prom-client";
import type { KubeObject } from "../../api/object.ts";
import { secondsAt, textAt } from "./fields.ts";

/** A change of an object; `before` is missing for a new one, `after` for one that is gone. */
export interface ObjectChange {
  readonly before?: KubeObject | undefined;
  readonly after?: KubeObject | undefined;
}

/** What is counted when it happens: told by what an object said before and says now. */
interface ChangeMetrics {
  take(kind: string, change: ObjectChange): void;
  /** So many objects of a Sync were put back to what Git says. */
  corrected(sync: { namespace: string; name: string }, count: number): void;
  /** Drops what was counted for single objects: another replica follows them now. */
  forget(): void;
}

/** Registers what is counted of changes. */
export function changeMetrics(registry: Registry): ChangeMetrics {
  const corrections = new Counter({
    name: "serin_sync_drift_corrections_total",
    help: "Objects that were put back to what Git says, after they had been changed or deleted in the cluster.",
    labelNames: ["namespace", "name"],
    registers: [registry],
  });
  const handlers: Readonly<Record<string, (change: ObjectChange) => void>> = {
    Canary: canaryChanges(registry),
    Revert: revertChanges(registry),
    Sync: ({ before, after }) => {
      const { namespace = "", name = "" } = (after ?? before)?.metadata ?? {};
      if (!after) corrections.remove({ namespace, name });
      else if (!before) corrections.inc({ namespace, name }, 0); // so that the first one is an increase
    },
  };
  return {
    take: (kind, change) => handlers[kind]?.(change),
    corrected: ({ namespace, name }, count) => {
      if (count > 0) corrections.inc({ namespace, name }, count);
    },
    forget: () => corrections.reset(),
  };
}

const rolloutResults = ["promoted", "failed", "cancelled", "restarted"] as const;
type RolloutResult = (typeof rolloutResults)[number];
/** Seconds that a release may take: half a minute to a day. */
const rolloutBuckets = [30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400];

function canaryChanges(registry: Registry): (change: ObjectChange) => void {
  const registers = [registry];
  const rollouts = new Counter({
    name: "serin_canary_rollouts_total",
    help: "Releases that ended: promoted, failed, cancelled (the promoted version came back), restarted (a newer version took its place).",
    labelNames: ["result"],
    registers,
  });
  const durations = new Histogram({
    name: "serin_canary_rollout_duration_seconds",
    help: "Time from the start of a release to its end.",
    labelNames: ["result"],
    buckets: rolloutBuckets,
    registers,
  });
  for (const result of rolloutResults) rollouts.inc({ result }, 0);
  return ({ before, after }) => {
    const result = before && after && resultOf(before, after);
    if (!result) return;
    rollouts.inc({ result });
    const [from, to] = [secondsAt(before["status"], "startedAt"), secondsAt(after["status"], endField[result])];
    if (from !== undefined && to !== undefined) durations.observe({ result }, Math.max(0, to - from));
  };
}

const endField = {
  promoted: "lastTransitionTime",
  failed: "lastTransitionTime",
  cancelled: "lastTransitionTime",
  restarted: "startedAt",
} as const satisfies Record<RolloutResult, string>;

const running = new Set(["Progressing", "WaitingPromotion", "Promoting", "Finalising"]);
const endings: Readonly<Record<string, RolloutResult>> = { Succeeded: "promoted", Failed: "failed", Initialized: "cancelled" };

/** How a release ended with this change, `undefined` when none did. */
function resultOf(before: KubeObject, after: KubeObject): RolloutResult | undefined {
  if (!running.has(textAt(before["status"], "phase") ?? "")) return undefined;
  const phase = textAt(after["status"], "phase") ?? "";
  if (phase !== "Progressing") return endings[phase];
  return textAt(before["status"], "startedAt") === textAt(after["status"], "startedAt") ? undefined : "restarted";
}

const endedPhases = ["Merged", "Declined", "Superseded"] as const;

function revertChanges(registry: Registry): (change: ObjectChange) => void {
  const registers = [registry];
  const proposals = new Counter({
    name: "serin_revert_proposals_total",
    help: "Reverts that were proposed in Git: by a pull request, or by a push to the followed branch.",
    registers,
  });
  const ended = new Counter({ name: "serin_revert_ended_total", help: "Reverts that ended, by how.", labelNames: ["phase"], registers });
  for (const phase of endedPhases) ended.inc({ phase }, 0);
  return ({ before, after }) => {
    const phase = textAt(after?.["status"], "phase");
    if (!before || phase === undefined || phase === textAt(before["status"], "phase")) return;
    if (phase === "Proposed") proposals.inc();
    if (endedPhases.some((end) => end === phase)) ended.inc({ phase });
  };
}
