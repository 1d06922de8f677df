import type { CanaryStatus } from "../api/canary.ts";
import { findCondition, isoSeconds, nextConditions, type Outcome } from "../api/conditions.ts";
import type { Condition } from "../api/meta.ts";
import type { Check, Decision, Phase, Seen } from "./decide.ts";
import { isNotable, wordsOf } from "./share-look.ts";

/** What the status takes over from the observation, beside what {@link Seen} decides by. */
export interface Facts {
  readonly seen: Seen;
  /** metadata.generation of the Canary. */
  readonly generation: number;
  /** Value of the annotation serin.dev/requestedAt. */
  readonly requestedAt: string | undefined;
  /** Commit that last changed the target. */
  readonly commit: string | undefined;
  /** Checksum of each config of the target, by kind/name. */
  readonly configs: Readonly<Record<string, string>>;
  /** Replicas of the target now, or what they should be where it has none. */
  readonly targetReplicas: number;
  /** Replicas that Git says by now; `undefined`: nothing, or an autoscaler decides. */
  readonly replicasInGit?: number | undefined;
}

type Change = Partial<CanaryStatus>;

/** The status that says what is to be done. The same decision twice changes nothing that matters. */
export function nextStatus(status: CanaryStatus, decision: Decision, facts: Facts): CanaryStatus {
  const measured = { ...status, ...measurement(status, facts.seen) };
  const changed = { ...measured, ...changeOf(measured, decision, facts) };
  const moved = changed.phase === status.phase ? changed : { ...changed, lastTransitionTime: isoSeconds(facts.seen.nowMs) };
  const at = { generation: facts.generation, nowMs: facts.seen.nowMs };
  return {
    ...moved,
    observedGeneration: facts.generation,
    ...(facts.replicasInGit === undefined || moved.targetReplicas === undefined ? {} : { targetReplicas: facts.replicasInGit }),
    ...(facts.requestedAt === undefined ? {} : { lastHandledReconcileAt: facts.requestedAt }),
    conditions: nextConditions(status.conditions, outcomeOf(moved, decision, findCondition(status.conditions, "Ready")), at),
  };
}

/** What a check leaves behind. A check takes its interval like a step, whatever it gave. */
function measurement(status: CanaryStatus, { check, share, nowMs }: Seen): Change {
  const said: Change = share?.kind === "verdict" && share.acts ? { verdict: share.verdict } : {};
  if (!check) return said;
  const { verdict, failedChecks, checks } = check;
  if (check.onlyShown) return { ...said, checks: [...checks] };
  const now = new Date(nowMs).toISOString();
  return { verdict, failedChecks, checks: [...checks], silence: silenceOf(status, check, now), steppedAt: now };
}

/** Since when nothing is known, for the same reason; a check that says something ends it. */
function silenceOf({ silence }: CanaryStatus, { silence: kind }: Check, now: string): CanaryStatus["silence"] {
  return kind && { kind, since: silence?.kind === kind ? silence.since : now };
}

function changeOf(status: CanaryStatus, decision: Decision, facts: Facts): Change {
  // The table holds one function per decision; the compiler cannot see that the key picks the fitting one.
  const change = changes[decision.do] as (status: CanaryStatus, facts: At, decision: Decision) => Change;
  return change(status, { ...facts, now: new Date(facts.seen.nowMs).toISOString() }, decision);
}

interface At extends Facts {
  /** RFC 3339 with milliseconds. */
  readonly now: string;
}

const changes: { [D in Decision["do"]]: (status: CanaryStatus, facts: At, decision: Extract<Decision, { do: D }>) => Change } = {
  hold: ({ phase = "Initializing" }) => ({ phase }),
  initialise: (_, facts) => ({
    phase: "Initializing",
    canaryWeight: 0,
    ...tracked(facts),
    promotedRevision: facts.seen.revision,
    promotedCommit: facts.commit,
    targetReplicas: facts.targetReplicas,
  }),
  takeOver: (_, { now }) => ({ phase: "Initialized", canaryWeight: 0, steppedAt: now }),
  await: (_, facts, { phase }) =>
    phase === "Waiting" ? { phase, ...freshRun, ...tracked(facts), steppedAt: facts.now } : { phase, steppedAt: facts.now },
  start: ({ targetReplicas }, facts) => ({
    phase: "Progressing",
    ...freshRun,
    ...tracked(facts),
    startedAt: facts.now,
    // A weighted run takes its first step as soon as it is ready; a blue/green one begins with a check.
    steppedAt: undefined,
    targetReplicas: targetReplicas ?? facts.targetReplicas,
  }),
  shift: (status, { now }, { weight, lost }) => ({
    phase: afterShift(status, weight),
    canaryWeight: weight,
    steppedAt: now,
    ...(lost ? { failedChecks: (status.failedChecks ?? 0) + 1 } : {}),
    ...(weight > 0 && status.firstTrafficAt === undefined ? { firstTrafficAt: now } : {}),
  }),
  count: ({ iterations = 0 }, { now }) => ({ iterations: iterations + 1, steppedAt: now }),
  promote: (_, { now }) => ({ phase: "Promoting", steppedAt: now }),
  handBack: ({ trackedRevision, trackedCommit }, { now }) => ({
    phase: "Finalising",
    canaryWeight: 0,
    promotedRevision: trackedRevision,
    promotedCommit: trackedCommit,
    steppedAt: now,
  }),
  // What was refused once and is promoted after all is refused no more.
  finish: ({ trackedRevision, refused }) => ({
    phase: "Succeeded",
    ...(refused === undefined ? {} : { refused: refused.filter(({ revision }) => revision === undefined || revision !== trackedRevision) }),
  }),
  cancel: (status, facts) => ({ ...atRest(status, facts), steppedAt: facts.now }),
  // What the target's commit says now may be the failed one, of which a Revert held a part back.
  settle: (status, facts) => atRest(status, { ...facts, commit: undefined }),
  rollBack: ({ canaryWeight = 0 }, { seen, now }, { reason, message, weight, commitsFault }) => ({
    phase: "Failed",
    canaryWeight: weight,
    failure: { reason, message, failedAt: isoSeconds(seen.nowMs), weight: canaryWeight, propose: commitsFault },
    revertRef: undefined,
    steppedAt: now,
  }),
  terminate: (_, { now }) => ({ phase: "Terminating", canaryWeight: 0, steppedAt: now }),
  release: () => ({}),
};

/** Back at the promoted revision, as if the run had not been. */
function atRest({ promotedRevision, promotedCommit }: CanaryStatus, { commit = promotedCommit, seen }: Facts): Change {
  const promoted = seen.revision === promotedRevision ? commit : promotedCommit;
  return { phase: "Initialized", ...freshRun, trackedRevision: promotedRevision, trackedCommit: promoted, promotedCommit: promoted };
}

/** Nothing measured for one revision counts for another. */
const freshRun = {
  canaryWeight: 0,
  failedChecks: 0,
  iterations: 0,
  verdict: undefined,
  checks: undefined,
  evidence: undefined,
  silence: undefined,
  failure: undefined,
  revertRef: undefined,
  firstTrafficAt: undefined,
} satisfies Change;

function tracked({ seen, commit, configs }: Facts): Change {
  return { trackedRevision: seen.revision, trackedCommit: commit, trackedConfigs: { ...configs } };
}

/** A canary that lost its traffic while a hook held its promotion climbs again. */
function afterShift({ phase, canaryWeight = 0 }: CanaryStatus, weight: number): Phase | undefined {
  return phase === "WaitingPromotion" && weight < canaryWeight ? "Progressing" : phase;
}

const running: Outcome = { ready: "Unknown", state: "reconciling", reason: "Progressing", message: "the new revision is analysed" };

/** What Ready says in each phase when nothing is in the way. */
const outcomes: Record<Phase, Outcome> = {
  Initializing: { ready: "Unknown", state: "reconciling", reason: "Initializing", message: "the primary is made from the target" },
  Initialized: { ready: "True", state: "done", reason: "Initialized", message: "the primary runs what the target says" },
  Waiting: { ...running, reason: "Waiting", message: "a confirm-rollout hook has not agreed yet" },
  Progressing: running,
  WaitingPromotion: { ...running, reason: "WaitingPromotion", message: "a confirm-promotion hook has not agreed yet" },
  Promoting: { ...running, reason: "Promoting", message: "the analysed revision is copied to the primary" },
  Finalising: { ...running, reason: "Finalising", message: "traffic is back on the primary, the canary ends" },
  Succeeded: { ready: "True", state: "done", reason: "Succeeded", message: "the new revision was promoted" },
  Failed: { ready: "False", state: "done", reason: "Failed", message: "the new revision failed; the primary has all traffic" },
  Terminating: { ready: "False", state: "reconciling", reason: "Terminating", message: "the target gets its pods and traffic back" },
};

/** Holds that are the ordinary course of things and not worth a word in the conditions. */
const ordinary = new Set([
  "UpToDate",
  "CanaryEnding",
  "StepNotDue",
  "EvidenceNotDue",
  "EvidenceBegins",
  "WarmingUp",
  "NotEnoughEvidence",
  "MinDuration",
  "CheckNotDue",
  "Draining",
  "RevisionFailed",
  "ChangeHeld",
  "GateClosed",
]);

/** Holds that do not end by themselves. */
const needsSomebody = new Set(["TargetMissing", "PrimaryFailed"]);

function outcomeOf(status: CanaryStatus, decision: Decision, before: Condition | undefined): Outcome {
  const { phase = "Initializing", failure } = status;
  const usual = outcomes[phase];
  if (phase === "Failed" && failure) return { ...usual, reason: failure.reason, message: failure.message };
  if (decision.do === "await") return { ...usual, message: decision.message };
  if (decision.do !== "hold") return usual;
  if (ordinary.has(decision.reason)) return asBefore(status, usual, before);
  const outcome = { ...usual, reason: decision.reason, message: decision.message };
  return needsSomebody.has(decision.reason) ? { ...outcome, ready: "False", state: "reconciling" } : outcome;
}

/** Between two steps the last word stands, so that it does not flicker. */
function asBefore(status: CanaryStatus, usual: Outcome, before: Condition | undefined): Outcome {
  const { phase, evidence } = status;
  const waits = phase === "Waiting" || phase === "WaitingPromotion";
  if (waits && before?.reason === phase) return { ...usual, message: before.message };
  if (evidence?.acts && isNotable(evidence.reason)) return { ...usual, reason: evidence.reason, message: wordsOf(evidence) };
  return evidence?.acts ? usual : asLastChecked(status, usual);
}

function asLastChecked({ phase, verdict, checks }: CanaryStatus, usual: Outcome): Outcome {
  if (phase === "Progressing" && verdict !== undefined && verdict !== "pass") {
    const message = (checks ?? []).filter((check) => check.verdict === verdict).map((check) => check.message).join("; ");
    return { ...usual, reason: verdict === "fail" ? "CheckFailed" : "CheckInconclusive", message };
  }
  return usual;
}
