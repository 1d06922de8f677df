import { methodOf } from "../api/analysis.ts";
import type { CanaryPhase, CanarySpec, CanaryStatus, CheckResult } from "../api/canary.ts";
import { badByShare, failureOf } from "./failure.ts";
import { stands } from "./health.ts";
import type { ShareLook } from "./share-look.ts";
import { hold, isClosed, step, withoutTraffic } from "./step.ts";
import { drained, isOverdue, msUntilStep } from "./steps.ts";

/** Phases as Flagger names them. */
export type Phase = CanaryPhase;

/** Why a workload does not serve. */
export interface NotReady {
  /** CamelCase. */
  readonly reason: string;
  readonly message: string;
  /** Whether it speaks against the revision (a crash), not against the cluster (no room, quota, registry down). */
  readonly commitsFault: boolean;
}

/** Whether a workload serves; `stuck` will not mend itself. */
export type Health = { readonly state: "ready" } | ({ readonly state: "progressing" | "stuck" } & NotReady);

/** What a hook said. */
export interface Gate {
  readonly open: boolean;
  /** One sentence, naming the hook. */
  readonly message: string;
}

/** Answers of hooks; missing: there is no such hook, or it was not asked. */
export interface Gates {
  readonly rollout?: Gate | undefined;
  readonly promotion?: Gate | undefined;
  /** Open: a person or program wants the rollback. */
  readonly rollback?: Gate | undefined;
}

/** What the metrics said at this step, judged. */
export interface Check {
  /** The shares of the bad requests decide; this is shown beside them. */
  readonly onlyShown?: true;
  /** Why nothing is known, where all that is missing is missing for the same reason. */
  readonly silence?: "noData" | "blind" | undefined;
  readonly verdict: CheckResult["verdict"];
  readonly checks: readonly CheckResult[];
  /** Failed checks of this run, including this one. */
  readonly failedChecks: number;
  /** Whether this check decides against the release. */
  readonly rollBack: boolean;
  /** One sentence. */
  readonly message: string;
}

/** Everything a decision rests on, read at one moment. */
export interface Seen {
  readonly nowMs: number;
  /** Identity of what the target says now; `undefined`: there is no target. */
  readonly revision: string | undefined;
  readonly canary: Health;
  readonly primary: Health;
  /** How long this process has seen each of them not ready, without progress, by a clock that nobody sets; 0: it is ready. */
  readonly unreadyMs: { readonly canary: number; readonly primary: number };
  /** Whether at least one pod of the primary is available, of whatever revision. */
  readonly primaryServes: boolean;
  /** Why the gateway does not serve the live route yet; delays more traffic for the canary, never less. */
  readonly notRouted?: string | undefined;
  /** Missing: no check was due. */
  readonly check?: Check | undefined;
  /** Missing: the metrics were not read. */
  readonly share?: ShareLook | undefined;
  readonly gates: Gates;
  /** The target has no pods: those of an earlier run cannot be taken for the next one's. */
  readonly canaryGone: boolean;
  /** Since the tracked revision only configs changed: running pods do not notice. */
  readonly onlyConfigs: boolean;
  /** Everything that the tracked revision consists of is still to be had. */
  readonly complete: boolean;
  /** A Revert of this Canary keeps a failed change out of the target. */
  readonly held: boolean;
  /** A person declined the Revert of the tracked revision: it gets one more try. */
  readonly declined: boolean;
  /** The Canary is being deleted and its target must be given back first. */
  readonly deleting: boolean;
}

/** What {@link decide} needs to know. */
export interface Input {
  readonly spec: CanarySpec;
  readonly status: CanaryStatus;
  readonly seen: Seen;
}

/** The next thing to do; `status.ts` says what it makes of the status. */
export type Decision =
  | { readonly do: "hold"; readonly reason: string; readonly message: string }
  | { readonly do: "initialise" } // pin what the target runs and make the primary of it
  | { readonly do: "takeOver" } // the primary serves: Services and routes to it, target to zero
  | { readonly do: "await"; readonly phase: "Waiting" | "WaitingPromotion"; readonly message: string } // a hook holds
  | { readonly do: "start" } // scale the canary up, no traffic yet, nothing measured
  | { readonly do: "shift"; readonly weight: number; readonly lost?: true } // canary's new share, percent; lost: its pods' readiness
  | { readonly do: "count" } // blue/green: one more passed check
  | { readonly do: "promote" } // copy the analysed revision to the primary
  | { readonly do: "handBack" } // all traffic to the new primary
  | { readonly do: "finish" } // canary to zero: promoted
  | { readonly do: "cancel" } // the promoted spec is back: end quietly
  | ({ readonly do: "rollBack"; readonly weight: number } & NotReady) // weight: 0, but while no primary pod serves
  | { readonly do: "settle" } // failed, and the target is back at the promoted spec
  | { readonly do: "terminate" } // give the target its pods back
  | { readonly do: "release" }; // nothing of ours is needed any more

const onPhase: Record<Phase, (input: Input) => Decision> = {
  Initializing: initialize,
  Initialized: rest,
  Waiting: wait,
  Progressing: progress,
  WaitingPromotion: progress,
  Promoting: promote,
  Finalising: finalise,
  Succeeded: rest,
  Failed: failed,
  Terminating: terminate,
};

/**
 * What to do next with one canary. Pure: the same input always gives the same decision.
 *
 * ```
 *  Initializing ─takeOver→ Initialized ─start→ Progressing ⇄ WaitingPromotion ─promote→ Promoting ─handBack→ Finalising
 *                              │ ▲  └─await→ Waiting ─start┘      │                         │                    │
 *                              │ └── cancel, settle ──────────────┤                         │                  finish
 *                              │                                  └──── rollBack ──→ Failed ┘                    ▼
 *                              └───────────────────── start ──────────────────────────┴───────────────────── Succeeded
 *  any, when deleted with revertOnDeletion ─terminate→ Terminating ─shift 100→ release
 * ```
 */
export function decide(input: Input): Decision {
  const phase = input.status.phase ?? "Initializing";
  if (input.seen.deleting && phase !== "Terminating") return phase === "Initializing" ? { do: "release" } : { do: "terminate" };
  return onPhase[phase](input);
}

function targetMissing({ targetRef }: CanarySpec, then = "the primary serves the promoted revision"): Decision {
  return hold("TargetMissing", `${targetRef.kind} ${targetRef.name}, which spec.targetRef names, does not exist; ${then}`);
}

function initialize({ spec, status, seen }: Input): Decision {
  if (seen.revision === undefined) return targetMissing(spec, "nothing is rolled out before it does");
  // A target that is mended while its first primary cannot start is what we want to run.
  if (seen.revision !== status.promotedRevision) return { do: "initialise" };
  if (seen.primary.state === "ready") return { do: "takeOver" };
  // The target serves as before: there is nothing to take back, but somebody should look.
  const reason = seen.primary.state === "stuck" || isOverdue(spec, status, seen) ? "PrimaryFailed" : "PrimaryNotReady";
  return hold(reason, seen.primary.message);
}

function rest({ spec, status, seen }: Input): Decision {
  if (seen.revision === undefined) return targetMissing(spec);
  if (seen.revision === status.promotedRevision) return hold("UpToDate", "the primary runs what the target says");
  return begin(seen);
}

function begin({ gates, canaryGone }: Seen): Decision {
  if (!canaryGone) return hold("CanaryEnding", "the pods of the run before have to end first");
  if (isClosed(gates.rollout)) return { do: "await", phase: "Waiting", message: gates.rollout.message };
  return { do: "start" };
}

function wait({ spec, status, seen }: Input): Decision {
  if (seen.revision === undefined || seen.revision === status.promotedRevision) return { do: "cancel" };
  if (seen.revision === status.trackedRevision && msUntilStep(spec, status, seen.nowMs) > 0) return hold("GateClosed", "a confirm-rollout hook has not agreed yet");
  return begin(seen);
}

function progress(input: Input): Decision {
  const { spec, status, seen } = input;
  if (seen.revision !== status.trackedRevision) return moved(input);
  const failure = failureOf(input);
  if (failure) return { do: "rollBack", weight: 0, ...failure };
  if (seen.canary.state !== "ready") {
    if (withoutTraffic(status) || stands(seen.canary)) return hold("CanaryNotReady", seen.canary.message);
    return { do: "shift", weight: 0, ...(seen.canary.reason === "ReadinessLost" ? { lost: true } : {}) };
  }
  if (spec.skipAnalysis) return { do: "promote" };
  // A primary that only grows or moves is worth waiting for; one that is stuck needs the new revision.
  if (seen.primary.state === "progressing") return hold("PrimaryNotReady", seen.primary.message);
  return step(input);
}

/** The target is no longer what is analysed. Either way all traffic goes to the primary first. */
function moved({ status, seen }: Input): Decision {
  if (seen.revision === undefined || seen.revision === status.promotedRevision) return { do: "cancel" };
  // A new pod template rolls the pods; for new configs alone they have to go and come again.
  return { do: seen.onlyConfigs ? "cancel" : "start" };
}

function promote(input: Input): Decision {
  const { status, seen } = input;
  if (seen.revision === status.promotedRevision && seen.primaryServes) return { do: "cancel" };
  // A Secret changed before it could be copied: nobody has what was analysed any more.
  if (!seen.complete) return { do: "cancel" };
  const turned = methodOf(input.spec.analysis) === "share" ? badByShare(seen) : undefined;
  if (turned) return { do: "rollBack", weight: weightOnReturn(input), ...turned };
  if (!withoutTraffic(status) && mustLeave(input)) return { do: "shift", weight: 0 };
  if (seen.primary.state === "ready") return { do: "handBack" };
  return unpromoted(input, seen.primary);
}

/** Whether the target serves the revision that was analysed, and nothing newer. */
function canaryServes({ status, seen }: Input): boolean {
  return stands(seen.canary) && seen.revision === status.trackedRevision;
}

/** The target's pods are gone, or about to become something that nobody has looked at, and the primary can do better. */
function mustLeave(input: Input): boolean {
  return !canaryServes(input) && (input.seen.primaryServes || !stands(input.seen.canary));
}

/** The primary is not ready with the analysed revision. Traffic stays where pods are until it has some of the old one. */
function unpromoted(input: Input, primary: NotReady & { state: "progressing" | "stuck" }): Decision {
  const { spec, status, seen } = input;
  if (primary.state !== "stuck" && !isOverdue(spec, status, seen)) return hold("PrimaryNotReady", primary.message);
  return { do: "rollBack", weight: weightOnReturn(input), reason: "PromotionFailed", message: `the primary is not ready with the new revision: ${primary.message}`, commitsFault: primary.commitsFault };
}

/** Traffic goes back only to where pods serve. */
function weightOnReturn(input: Input): number {
  return input.seen.primaryServes || !canaryServes(input) ? 0 : (input.status.canaryWeight ?? 0);
}

function finalise({ status, seen }: Input): Decision {
  if (!drained(status, seen.nowMs)) return hold("Draining", "requests under way end on the canary's pods");
  return { do: "finish" };
}

function failed({ spec, status, seen }: Input): Decision {
  if (!withoutTraffic(status)) {
    if (seen.primaryServes || !stands(seen.canary)) return { do: "shift", weight: 0 };
    return hold("PrimaryNotServing", "the canary serves until the primary runs the promoted revision again");
  }
  if (seen.revision === undefined) return targetMissing(spec);
  if (seen.revision === status.promotedRevision) return seen.held ? hold("ChangeHeld", "a Revert keeps the failed change out of the target") : { do: "settle" };
  if (seen.revision !== status.trackedRevision || (seen.declined && !seen.held)) return begin(seen);
  return hold("RevisionFailed", "this revision has failed; another one will be analysed");
}

function terminate({ status, seen }: Input): Decision {
  if (seen.revision === undefined) return { do: "release" };
  if (status.canaryWeight !== 100)
    return seen.canary.state === "ready" ? { do: "shift", weight: 100 } : hold("TargetNotReady", seen.canary.message);
  return drained(status, seen.nowMs) ? { do: "release" } : hold("Draining", "requests under way end on the primary's pods");
}
