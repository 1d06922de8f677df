import { methodOf, stepsOf } from "../api/analysis.ts";
import type { CanaryStatus } from "../api/canary.ts";
import type { Decision, Gate, Input } from "./decide.ts";
import { type ShareSays, wordsOf } from "./share-look.ts";
import { msUntilMinDuration, msUntilStep, nextStep } from "./steps.ts";
import { undecided } from "./undecided.ts";

/** Nothing is done, for this reason. */
export function hold(reason: string, message: string): Decision {
  return { do: "hold", reason, message };
}

/** Whether the canary has no share of the traffic. */
export function withoutTraffic({ canaryWeight }: CanaryStatus): boolean {
  return (canaryWeight ?? 0) === 0;
}

/** Whether a hook does not agree. */
export function isClosed(gate: Gate | undefined): gate is Gate {
  return gate !== undefined && !gate.open;
}

/** The normal step: what the metrics have earned. */
export function step(input: Input): Decision {
  const { gates, notRouted } = input.seen;
  const next = methodOf(input.spec.analysis) === "share" ? earnedByShare(input) : earnedByCheck(input);
  if (next.do === "promote" && isClosed(gates.promotion))
    return { do: "await", phase: "WaitingPromotion", message: gates.promotion.message };
  if (next.do === "shift" && notRouted !== undefined) return hold("RouteNotAccepted", notRouted);
  return next;
}

const notDue = hold("StepNotDue", "the next step is not due yet");

function earnedByCheck(input: Input): Decision {
  const { spec, status, seen } = input;
  // Any watch event wakes us; a step is still taken only once per interval.
  if (msUntilStep(spec, status, seen.nowMs) > 0) return notDue;
  const end = undecided(input);
  if (end.do === "promote") return unlessTooEarly(input, { do: "promote" });
  const missing = end.do === "pass" ? undefined : withoutPass(input);
  return missing ?? unlessTooEarly(input, nextStep(spec.analysis, status));
}

/** Why no step is earned. Only a weighted run's first one needs no check: there is nothing to measure yet. */
function withoutPass({ spec, status, seen: { check } }: Input): Decision | undefined {
  if (check?.verdict === "pass") return undefined;
  if (check) return hold(check.verdict === "fail" ? "CheckFailed" : "CheckInconclusive", check.message);
  const firstStep = spec.analysis.iterations === undefined && withoutTraffic(status);
  return firstStep ? undefined : hold("CheckNotDue", "the next check has not run yet");
}

function unlessTooEarly({ spec, status, seen }: Input, next: Decision): Decision {
  return next.do === "promote" && msUntilMinDuration(spec, status, seen.nowMs) > 0 ? tooEarly : next;
}

const tooEarly = hold("MinDuration", "no promotion before minDuration has passed");

const unjudged = hold("WarmingUp", "no promotion before the warm-up is over");

/** By the shares of the bad requests: steps are taken when the metrics have just been read. */
function earnedByShare(input: Input): Decision {
  const { share } = input.seen;
  if (!share) return hold("EvidenceNotDue", "the metrics are read again after the next scrape");
  if (share.kind === "blind") return hold("MetricsUnreadable", share.message);
  if (withoutTraffic(input.status)) return firstShift(input, share.firstWeight);
  return share.kind === "ready" ? hold("EvidenceBegins", "the evidence begins anew at the weight of now") : earned(input, share);
}

/** The first traffic, or the first again after it was taken away. */
function firstShift({ spec, status, seen }: Input, firstWeight: number): Decision {
  if (msUntilStep(spec, status, seen.nowMs) > 0) return notDue;
  return stepsOf(spec.analysis) === "adaptive" ? { do: "shift", weight: firstWeight } : nextStep(spec.analysis, status);
}

function earned(input: Input, share: ShareSays): Decision {
  const { spec, status, seen } = input;
  const early = msUntilStep(spec, status, seen.nowMs) > 0;
  if (share.next.do === "stay") return hold(share.reason, wordsOf(share));
  // A hook that holds the promotion is asked once per interval, as fixed steps are taken.
  if (early && (share.next.do === "advance" || status.phase === "WaitingPromotion")) return notDue;
  if (share.next.do !== "advance") return unlessTooEarly(input, share.next);
  const next = unlessTooEarly(input, nextStep(spec.analysis, status));
  return next.do === "promote" && !share.next.mayPromote ? unjudged : next;
}
