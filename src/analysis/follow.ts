import type { ShareStatus, ShareStep } from "../api/share-evidence.ts";
import { nextReadMs, readSamples, type Samples, startReading } from "./reading.ts";
import { currentStep, observeScrape, routedOnlyNow, type RunState, startRun, type StepRecord, takeStep } from "./run.ts";
import { type Past, type Scrape, type ShareRules, withoutStable } from "./share.ts";
import { type SourceName, sources, type Subject } from "./sources.ts";
import { promotionBound } from "./steps.ts";
import { store, type Stored } from "./stored.ts";
import type { Reason, ShareVerdict } from "./verdict.ts";

/** What is known before the canary's first traffic. */
export interface Start {
  readonly past: Past;
  readonly boundsMs: readonly number[];
  readonly source: SourceName;
  /** Time between two scrapes; `undefined`: not known yet. */
  readonly scrapeMs: number | undefined;
  /** How far the server's clock is ahead of ours. */
  readonly aheadMs?: number | undefined;
  /** Percent of traffic that the canary gets now. */
  readonly weight: number;
  /** By the server's clock. */
  readonly atMs: number;
}

/** Begins to follow a rollout whose canary gets traffic from now on. */
export function beginFollowing({ source, scrapeMs, aheadMs, ...start }: Start): Stored {
  const ahead = aheadMs === undefined ? {} : { aheadMs };
  return { run: startRun(start), reading: startReading(start.atMs, scrapeMs), source, ...ahead };
}

/** Whom the samples are about, and by which rules they are judged. */
export interface Following {
  readonly subject: Subject;
  readonly rules: ShareRules;
  /** `none`: the primary's requests are not looked at. */
  readonly baseline: "primary" | "none";
  /** When the routes were found to split the traffic otherwise than the step says; missing: they do as it says. */
  readonly unroutedMs?: number | undefined;
}

/** The same rollout after the samples of one poll; what was in them before changes nothing. Pure. */
export function follow(stored: Stored, samples: Samples, { subject, rules, baseline, unroutedMs }: Following): Stored {
  const run = structuredClone(stored.run);
  if (unroutedMs !== undefined) run.routedMs = unroutedMs;
  const { boundsMs } = run;
  const { scrapes, state } = readSamples(stored.reading, samples, { source: sources[stored.source], subject, boundsMs });
  for (const scrape of scrapes) observeScrape(run, baseline === "none" ? withoutStable(scrape) : weighted(scrape, run), rules);
  if (unroutedMs !== undefined) routedOnlyNow(run, unroutedMs);
  return { ...stored, run, reading: state };
}

/** The same rollout with another weight from now on. Pure. */
export function stepped(stored: Stored, step: { readonly weight: number; readonly atMs: number }): Stored {
  const run = structuredClone(stored.run);
  takeStep(run, step);
  return { ...stored, run };
}

/** A scrape says something of the split only when the weight stood for all of its time, and the routes said so. */
function weighted(scrape: Scrape, run: RunState): Scrape {
  const { fromMs, weight } = currentStep(run);
  const sinceMs = Math.max(fromMs, run.routedMs ?? fromMs);
  return scrape.fromMs >= sinceMs && weight > 0 && weight < 100 ? { ...scrape, weight } : scrape;
}

/** Weight to begin with again after all traffic was taken away. */
export function firstWeightOf({ run }: Stored): number | undefined {
  return run.steps.find(({ weight }) => weight > 0)?.weight;
}

/** More says no more, and JSON has no infinity. */
const mostEvidence = 1e9;

/** What the status says of a rollout that is followed. `acts`: whether the verdict decides, or is only shown. `nowMs`: by our clock. */
export function reportOf(stored: Stored, verdict: ShareVerdict, { acts, nowMs }: { acts: boolean; nowMs: number }): ShareStatus {
  const { aheadMs = 0 } = stored;
  return {
    ...evidenceOf(stored.run, verdict, acts),
    source: stored.source,
    readAt: new Date(nowMs).toISOString(),
    nextReadAt: new Date(nextReadMs(stored.reading, nowMs + aheadMs) - aheadMs).toISOString(),
    state: store(stored),
  };
}

/** What is to be said of the evidence, wherever and whenever it was read. */
export type RunEvidence = Omit<ShareStatus, "source" | "readAt" | "nextReadAt" | "state">;

/** The evidence of a run for people and programs. `acts`: as of {@link reportOf}. */
export function evidenceOf(run: RunState, verdict: ShareVerdict, acts: boolean): RunEvidence {
  const { numbers, reason, message } = verdict;
  const { power } = numbers;
  const slowerThanMilliseconds = slowerThan(run, verdict);
  return {
    acts,
    verdict: verdict.verdict,
    reason,
    message,
    evidence: shown(numbers.evidence),
    peak: shown(numbers.peak),
    limit: shown(numbers.limit),
    ...againstIn(verdict),
    ...(slowerThanMilliseconds === undefined ? {} : { slowerThanMilliseconds }),
    dispersion: shown(numbers.dispersion),
    dispersionMeasured: numbers.measured,
    baseline: shown(power.baseline * 100),
    baselineOf: { ...power.baselineOf },
    ...(power.visibleRate === undefined ? {} : { visible: shown(power.visibleRate * 100) }),
    needed: power.needed.map((each) => ({ ...each })),
    steps: stepsShown(run, slowerThanMilliseconds),
  };
}

/** The same report of a rollout that has got another weight since. */
export function reportStepped(report: ShareStatus, stored: Stored): ShareStatus {
  return { ...report, steps: stepsShown(stored.run, report.slowerThanMilliseconds), state: store(stored) };
}

const speakers = { errors: "errors", guard: "slo", slow: "latency" } as const;
const doubtful: ReadonlySet<string> = new Set<Reason>(["EvidenceAgainst", "Suspicious"]);

function againstIn({ reason, numbers }: ShareVerdict): Pick<ShareStatus, "against"> {
  return doubtful.has(reason) ? { against: speakers[numbers.counted.speaker] } : {};
}

/** The bound of latency that speaks against the canary; while none does, the one that its promotion rests on. */
function slowerThan({ boundsMs }: RunState, verdict: ShareVerdict): number | undefined {
  return againstIn(verdict).against === "latency" ? verdict.numbers.counted.boundMs : boundsMs[promotionBound(boundsMs.length)];
}

function stepsShown({ steps, boundsMs }: RunState, slowerThanMs: number | undefined): ShareStep[] {
  const bound = slowerThanMs === undefined ? -1 : boundsMs.indexOf(slowerThanMs);
  return steps.map((step) => stepShown(step, step.slow[bound]));
}

function stepShown(step: StepRecord, slow: StepRecord["slow"][number] | undefined): ShareStep {
  const { weight, fromMs, canary, stable, logEvidence, peak } = step;
  const compared = slow && slow.canary.requests > 0 ? { slow: { canary: { ...slow.canary }, stable: { ...slow.stable } } } : {};
  return {
    weight,
    from: new Date(fromMs).toISOString(),
    canary: { ...canary },
    stable: { ...stable },
    ...compared,
    evidence: shown(Math.min(Math.exp(logEvidence), mostEvidence)),
    peak: shown(Math.min(Math.exp(peak), mostEvidence)),
  };
}

/** Four digits that count. */
function shown(value: number): number {
  return Number(value.toPrecision(4));
}
