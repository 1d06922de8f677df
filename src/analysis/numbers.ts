import { type Power, powerOf } from "./power.ts";
import { currentStep, type RunState, type StepRecord } from "./run.ts";
import { guardLimit, holdLevel, logEvidence, logParts, rollbackLevel, type ShareRules } from "./share.ts";
import { knownOfStable, stableRate } from "./steps.ts";
import { leadingCopy, logEvidenceOf, type Stream, type Tally } from "./stream.ts";

/** Which part of the evidence weighs most: errors beside stable's, errors beside the SLO, or slowness beside stable's. */
export type Speaker = "errors" | "guard" | "slow";

/** What a part of the evidence was counted from. */
export interface Counted {
  readonly speaker: Speaker;
  readonly since: "step" | "run" | "warmup";
  readonly canary: Readonly<Tally>;
  readonly stable: Readonly<Tally>;
  /** Of `slow`: requests that took longer than this are the bad ones; in milliseconds. */
  readonly boundMs?: number | undefined;
}

/** What a verdict rests on, for programs. All of it is fit for JSON. */
export interface Numbers {
  /** E as it stands, and the most it ever was; at most 1e9, because more says no more. */
  readonly evidence: number;
  readonly peak: number;
  /** E at which the release is rolled back, and from which on it waits. */
  readonly limit: number;
  readonly holdLimit: number;
  readonly counted: Counted;
  /** Rate of errors that the guard tolerates, a fraction. */
  readonly tolerated: number;
  /** φ̂ of errors, and whether it was measured between pods. */
  readonly dispersion: number;
  readonly measured: boolean;
  readonly power: Power;
}

const largestLog = Math.log(1e9);

/** The numbers of a run as it stands. */
export function numbersOf(run: RunState, rules: ShareRules): Numbers {
  const { share } = run;
  return {
    evidence: Math.exp(Math.min(logEvidence(share), largestLog)),
    peak: Math.exp(Math.min(run.peak, largestLog)),
    limit: Math.exp(rollbackLevel(rules)),
    holdLimit: Math.exp(holdLevel(rules)),
    counted: countedFor(run),
    tolerated: guardLimit(share, rules),
    dispersion: share.past.dispersion,
    measured: share.past.measured,
    power: powerNow(run, rules),
  };
}

function countedFor(run: RunState): Counted {
  const { errors, guard, slow } = logParts(run.share);
  if (slow > errors && slow > guard) return slowest(run);
  if (guard > errors) return { speaker: "guard", since: "run", canary: run.share.canary, stable: run.share.stable };
  return { speaker: "errors", ...sinceCopy(run, leadingCopy(run.share.errors)) };
}

/** A copy that began with a later step speaks of what came since; the first one of all. */
function sinceCopy({ share, steps }: RunState, copy: number): Pick<Counted, "since" | "canary" | "stable"> {
  const since = copy === 0 ? [] : steps.filter(({ number }) => number >= copy);
  if (since.length === 0) return { since: "run", canary: share.canary, stable: share.stable };
  return { since: since.length === 1 ? "step" : "run", canary: sum(since, "canary"), stable: sum(since, "stable") };
}

function sum(steps: readonly StepRecord[], side: "canary" | "stable"): Tally {
  const total: Tally = { requests: 0, bad: 0 };
  for (const step of steps) {
    total.requests += step[side].requests;
    total.bad += step[side].bad;
  }
  return total;
}

const none: Tally = { requests: 0, bad: 0 };
const silent: Stream = [];

function slowest({ share, boundsMs }: RunState): Counted {
  const evidenceAt = (index: number) => logEvidenceOf(share.slow[index] ?? silent);
  const bound = share.slow.reduce((most, _, index) => (evidenceAt(index) > evidenceAt(most) ? index : most), 0);
  return {
    speaker: "slow",
    since: "warmup",
    canary: share.slowCanary[bound] ?? none,
    stable: share.slowStable[bound] ?? none,
    boundMs: boundsMs[bound],
  };
}

/** Far below any weight; keeps a canary that got nothing from dividing by zero. */
const leastShare = 0.001;

function powerNow(run: RunState, rules: ShareRules): Power {
  const { alpha, ratio, absolute } = rules;
  const { canary, stable, past, throughMs } = run.share;
  const measured = canary.requests / Math.max(canary.requests + stable.requests, 1);
  const share = Math.min(Math.max(measured, leastShare), 1 - leastShare);
  const step = currentStep(run);
  const seconds = (throughMs - step.fromMs) / 1_000;
  const alone = stable.requests === 0 ? { guardLimit: guardLimit(run.share, rules) } : {};
  const setting = { baseline: stableRate(run.share, rules), share, alpha, ratio, absolute, dispersion: past.dispersion, ...alone };
  const canaryPerSecond = seconds > 0 ? step.canary.requests / seconds : 0;
  return powerOf(setting, { canaryRequests: canary.requests, canaryPerSecond, baselineOf: knownOfStable(run.share) });
}
