import { type Numbers, numbersOf } from "./numbers.ts";
import { isSilent, type RunState } from "./run.ts";
import type { Verdict } from "./sample.ts";
import { sentenceOf } from "./sentences.ts";
import {
  guardLimit,
  logEvidence,
  logParts,
  rollbackLevel,
  type ShareRules,
  type ShareState,
  splitMismatch,
  warmupLimit,
} from "./share.ts";
import { type Next, nextAdaptive, nextFixed, type StepRules } from "./steps.ts";

/** What a user may set beside {@link ShareRules}, as `policyOf` reads it from a spec; the schema holds the defaults of analysis §6, §7. */
export interface Policy extends StepRules {
  readonly steps: "fixed" | "adaptive";
  /** When the canary gets no requests for as long as `noDataTimeoutMs`. */
  readonly onNoData: "hold" | "fail" | "promote";
  readonly noDataTimeoutMs: number;
  /** When nothing can be measured for as long as `blindTimeoutMs`. */
  readonly onBlind: "hold" | "fail";
  readonly blindTimeoutMs: number;
  /** When the time is up and the evidence speaks neither way. */
  readonly onInconclusive: "promote" | "hold" | "fail";
}

/** The moment of judgement. */
export interface Moment {
  readonly nowMs: number;
  /** Time between two scrapes, as learnt from the samples. */
  readonly scrapeMs: number;
  /** Why the metrics could not be read just now, in words of the server; missing when they could. */
  readonly unreadable?: string | undefined;
}

/** Why a verdict may be what it is, for programs; docs/verdicts.md says of each what to do. */
export const reasons = [
  "EvidenceAgainst", // roll back: a tolerable release would not look like this
  "MetricsUnreadable", // no new sample of either version
  "NoTraffic", // the canary gets no requests
  "TrafficNotSplit", // the canary gets another share of the requests than its weight
  "TimeIsUp", // maxDuration has passed
  "Suspicious", // reason to wait, not yet to roll back
  "WarmingUp",
  "NotEnoughEvidence",
  "GoodSoFar", // the next step is earned
  "GoodEnough", // the promotion is earned
] as const;
export type Reason = (typeof reasons)[number];

/** What one look at the evidence says, and what follows from it. */
export interface Outcome {
  /** `fail` is decided; `pass` has earned what `next` says; `inconclusive` stays, unless the policy says otherwise in `next`. */
  readonly verdict: Verdict;
  readonly reason: Reason;
  readonly rollBack: boolean;
  /** Whether the release is to blame: stable was measured in the same time and did better. */
  readonly propose: boolean;
  readonly next: Next;
}

/** An outcome that can be shown. */
export interface ShareVerdict extends Outcome {
  /** One sentence for people. */
  readonly message: string;
  /** And the same for programs. */
  readonly numbers: Numbers;
}

/** All that a verdict rests on. */
export interface JudgeInput {
  readonly rules: ShareRules;
  readonly policy: Policy;
  readonly moment: Moment;
}

/** Judges a rollout as it stands, and says why. Pure. */
export function judgeShare(run: RunState, input: JudgeInput): ShareVerdict {
  const outcome = decideShare(run, input);
  const numbers = numbersOf(run, input.rules);
  return { ...outcome, message: sentenceOf(outcome, { run, numbers, ...input }), numbers };
}

/**
 * What is to be done with a rollout as it stands. The evidence comes first: once it has passed its limit nothing calls the
 * release good again. Then what keeps it from being seen, then time, then what is earned.
 */
export function decideShare(run: RunState, input: JudgeInput): Outcome {
  return against(run, input) ?? unseen(run, input) ?? earned(run, input);
}

function against(run: RunState, { rules }: JudgeInput): Outcome | undefined {
  if (run.peak < rollbackLevel(rules)) return undefined;
  return { verdict: "fail", reason: "EvidenceAgainst", rollBack: true, propose: isToBlame(run.share, rules), next: stay };
}

/**
 * Whether it is the release's fault, and not an outage that both share (design rule 3). Where errors or slowness beside stable's
 * speak, stable did better. The guard alone says that the canary is bad: there stable must have passed in the very same scrapes.
 */
function isToBlame(share: ShareState, rules: ShareRules): boolean {
  const { errors, guard, slow } = logParts(share);
  if (Math.max(errors, slow) > guard && logEvidence(share) >= rollbackLevel(rules)) return true;
  const { requests, bad } = share.besideGuard;
  return requests > 0 && bad <= Math.min(guardLimit(share, rules), warmupLimit) * requests;
}

const stay: Next = { do: "stay", why: "evidence" };
/** Times of a scrape without any sample that are still taken for chance. */
const blindPatience = 3;

function unseen(run: RunState, input: JudgeInput): Outcome | undefined {
  const { policy, moment } = input;
  const blindMs = moment.nowMs - run.share.throughMs;
  if (moment.unreadable !== undefined || blindMs > blindPatience * moment.scrapeMs)
    return ended("MetricsUnreadable", blindMs >= policy.blindTimeoutMs ? policy.onBlind : "hold");
  if (isSilent(run)) {
    const overdue = moment.nowMs - run.lastRequestMs >= policy.noDataTimeoutMs;
    return ended("NoTraffic", overdue ? policy.onNoData : "hold");
  }
  if (splitMismatch(run.share) === undefined) return undefined;
  return ended("TrafficNotSplit", isTimeUp(run, input) ? policy.onInconclusive : "hold");
}

function isTimeUp(run: RunState, { policy, moment }: JudgeInput): boolean {
  return policy.maxDurationMs !== undefined && moment.nowMs - run.startedMs >= policy.maxDurationMs;
}

/** How a rollout goes on that cannot be judged. Never with a revert in Git: nobody knows whose fault it is. */
function ended(reason: Reason, how: "hold" | "fail" | "promote"): Outcome {
  const next: Next = how === "promote" ? { do: "promote" } : stay;
  return { verdict: how === "fail" ? "fail" : "inconclusive", reason, rollBack: how === "fail", propose: false, next };
}

function earned(run: RunState, input: JudgeInput): Outcome {
  const { rules, policy, moment } = input;
  const steps = { rules, steps: policy, nowMs: moment.nowMs };
  const next = policy.steps === "fixed" ? nextFixed(run, steps) : nextAdaptive(run, steps);
  // While it warms up nothing is known that time could decide about.
  const decided = next.do === "promote" || (next.do === "stay" && (next.why === "suspicious" || next.why === "warmup"));
  if (!decided && isTimeUp(run, input)) return ended("TimeIsUp", policy.onInconclusive);
  if (next.do === "stay") return { verdict: "inconclusive", reason: waitingFor[next.why], rollBack: false, propose: false, next };
  return { verdict: "pass", reason: next.do === "promote" ? "GoodEnough" : "GoodSoFar", rollBack: false, propose: false, next };
}

const waitingFor = { warmup: "WarmingUp", suspicious: "Suspicious", soak: "NotEnoughEvidence", evidence: "NotEnoughEvidence" } as const;
