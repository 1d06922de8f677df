import {
  addScrape,
  holdLevel,
  isWarmingUp,
  logEvidence,
  newShare,
  type Past,
  restartShare,
  type Scrape,
  type ShareRules,
  type ShareState,
} from "./share.ts";
import type { Comparison, Tally } from "./stream.ts";

/** One step of a rollout, for people: what was seen while the canary had this weight. */
export interface StepRecord {
  /** 0 for the first step. */
  readonly number: number;
  /** Percent of traffic. */
  readonly weight: number;
  readonly fromMs: number;
  readonly canary: Tally;
  readonly stable: Tally;
  /** For each bound of latency what it was compared by: scrapes after the warm-up in which both versions had requests. */
  readonly slow: readonly BothTallies[];
  /** ln E at its end, so far. */
  logEvidence: number;
  /** The most it ever was in this step. */
  peak: number;
}

/** Requests of both versions over the same time; they grow. */
interface BothTallies {
  readonly canary: Tally;
  readonly stable: Tally;
}

/** A rollout under judgement: the evidence, and what the steps need to know. JSON. */
export interface RunState {
  readonly share: ShareState;
  /** Bounds of latency that are watched, in milliseconds, ascending; up to three. */
  readonly boundsMs: readonly number[];
  /** When the canary was first given traffic. */
  startedMs: number;
  /** The newest ones; never empty. */
  readonly steps: StepRecord[];
  /** Since the step began. */
  scrapesInStep: number;
  /** In a row, in which the canary had no request although it had weight. */
  silentScrapes: number;
  /** Requests that it should have had in these, going by stable's. */
  missedRequests: number;
  /** When the canary last had a request, or was given traffic. */
  lastRequestMs: number;
  /** Since when the traffic is known to be split as the step says; missing: since the step began. */
  routedMs?: number | undefined;
  /** For how long in all the evidence has been reason to wait. */
  heldMs: number;
  /** The most that ln E ever was. */
  peak: number;
}

/** More than any adaptive rollout takes; of a longer one the oldest are forgotten. */
const maxSteps = 40;

/** What a rollout begins with. */
export interface RunStart {
  readonly past: Past;
  readonly boundsMs: readonly number[];
  /** Percent of traffic of the first step. */
  readonly weight: number;
  readonly atMs: number;
}

/** A rollout whose canary is given its first traffic now. */
export function startRun({ past, boundsMs, weight, atMs }: RunStart): RunState {
  const share = newShare(past, { bounds: boundsMs.length, atMs });
  const evidence = logEvidence(share);
  return {
    share,
    boundsMs,
    startedMs: atMs,
    steps: [stepRecord(0, { weight, atMs, logEvidence: evidence, bounds: boundsMs.length })],
    scrapesInStep: 0,
    silentScrapes: 0,
    missedRequests: 0,
    lastRequestMs: atMs,
    heldMs: 0,
    peak: evidence,
  };
}

interface StepBegin {
  readonly weight: number;
  readonly atMs: number;
  readonly logEvidence: number;
  readonly bounds: number;
}

function stepRecord(number: number, { weight, atMs, logEvidence: now, bounds }: StepBegin): StepRecord {
  const tallies = (): BothTallies => ({ canary: { requests: 0, bad: 0 }, stable: { requests: 0, bad: 0 } });
  return { number, weight, fromMs: atMs, ...tallies(), slow: Array.from({ length: bounds }, tallies), logEvidence: now, peak: now };
}

/** The step that runs. */
export function currentStep({ steps }: RunState): StepRecord {
  const last = steps.at(-1);
  if (!last) throw new Error("a run has at least one step");
  return last;
}

/** Learns from one scrape, in place. One that was seen before changes nothing. */
export function observeScrape(run: RunState, scrape: Scrape, rules: ShareRules): void {
  if (scrape.atMs <= run.share.throughMs) return;
  const sinceMs = scrape.atMs - run.share.throughMs;
  addScrape(run.share, scrape, rules);
  const evidence = logEvidence(run.share);
  const step = currentStep(run);
  const { canary, stable } = scrape.errors;
  add(step, scrape.errors);
  if (!isWarmingUp(run.share, rules)) addSlow(step, scrape.slow);
  step.logEvidence = evidence;
  step.peak = Math.max(step.peak, evidence);
  run.peak = Math.max(run.peak, evidence);
  run.scrapesInStep++;
  if (canary.requests > 0) run.lastRequestMs = scrape.atMs;
  if (canary.requests > 0 || step.weight === 0) endSilence(run);
  else {
    run.silentScrapes++;
    run.missedRequests += step.weight === 100 ? 0 : (stable.requests * step.weight) / (100 - step.weight);
  }
  if (evidence >= holdLevel(rules)) run.heldMs += sinceMs;
}

function add(sum: BothTallies, { canary, stable }: Comparison): void {
  sum.canary.requests += canary.requests;
  sum.canary.bad += canary.bad;
  sum.stable.requests += stable.requests;
  sum.stable.bad += stable.bad;
}

/** The same scrapes that count as evidence, so that the sums are those that the verdict names. */
function addSlow(step: StepRecord, slow: readonly Comparison[]): void {
  for (let bound = 0; bound < step.slow.length; bound++) {
    const [sum, seen] = [step.slow[bound], slow[bound]];
    if (sum && seen && seen.canary.requests > 0 && seen.stable.requests > 0) add(sum, seen);
  }
}

/** The canary gets another weight from now on: the evidence gets one more copy that looks only ahead. */
export function takeStep(run: RunState, { weight, atMs }: { weight: number; atMs: number }): void {
  restartShare(run.share);
  if (currentStep(run).weight === 0) run.lastRequestMs = atMs;
  const begin = { weight, atMs, logEvidence: logEvidence(run.share), bounds: run.boundsMs.length };
  run.steps.push(stepRecord(currentStep(run).number + 1, begin));
  if (run.steps.length > maxSteps) run.steps.shift();
  run.scrapesInStep = 0;
  endSilence(run);
}

/** The canary's share was not routed before now: that nothing came is no silence, and a run to which nothing ever came begins now. */
export function routedOnlyNow(run: RunState, nowMs: number): void {
  run.lastRequestMs = nowMs;
  endSilence(run);
  if (run.share.canary.requests === 0) run.startedMs = nowMs;
}

function endSilence(run: RunState): void {
  run.silentScrapes = 0;
  run.missedRequests = 0;
}

/** Scrapes of the canary without a request that are still taken for chance. */
const silencePatience = 3;
/** Requests that would have come by chance in 95 of 100 cases. */
const surprising = 3;

/** Whether the canary gets no traffic: silent for three scrapes, in which requests were due or stable had none either. */
export function isSilent({ silentScrapes, missedRequests }: RunState): boolean {
  return silentScrapes >= silencePatience && (missedRequests >= surprising || missedRequests === 0);
}
