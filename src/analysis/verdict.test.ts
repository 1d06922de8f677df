import { describe, expect, test } from "vitest";
import { defaultPolicy, defaultRules } from "../../test/builders.ts";
import { observeScrape, type RunState, startRun, takeStep } from "./run.ts";
import { noPast, type Past } from "./share.ts";
import type { Comparison } from "./stream.ts";
import { judgeShare, type Outcome, type Policy, type ShareVerdict } from "./verdict.ts";

const scrapeMs = 15_000;
const hour: Past = { tally: { requests: 360_000, bad: 360 }, dispersion: 1, measured: true };

type Counts = readonly [canaryRequests: number, canaryErrors: number, stableRequests: number, stableErrors: number];

function comparison([canaryRequests, canaryErrors, stableRequests, stableErrors]: Counts): Comparison {
  return { canary: { requests: canaryRequests, bad: canaryErrors }, stable: { requests: stableRequests, bad: stableErrors } };
}

interface Given {
  readonly weight?: number;
  readonly past?: Past;
  readonly scrapes?: readonly Counts[];
}

/** A run that has seen these scrapes, a quarter of a minute each. */
function aRun({ weight = 10, past = hour, scrapes = [] }: Given = {}): RunState {
  const run = startRun({ past, boundsMs: [], weight, atMs: 0 });
  feed(run, scrapes);
  return run;
}

function feed(run: RunState, scrapes: readonly Counts[]): void {
  for (const counts of scrapes) {
    const fromMs = run.share.throughMs;
    const { weight } = run.steps.at(-1)!;
    observeScrape(run, { fromMs, atMs: fromMs + scrapeMs, errors: comparison(counts), slow: [], weight }, defaultRules);
  }
}

interface When {
  readonly policy?: Partial<Policy>;
  readonly laterMs?: number;
  readonly unreadable?: string;
}

function judged(run: RunState, { policy = {}, laterMs = 0, unreadable }: When = {}): ShareVerdict {
  const moment = { nowMs: run.share.throughMs + laterMs, scrapeMs, unreadable };
  return judgeShare(run, { rules: defaultRules, policy: { ...defaultPolicy, ...policy }, moment });
}

const times = (count: number, counts: Counts): Counts[] => Array.from({ length: count }, () => counts);
const good: Counts = [150, 0, 1_350, 1];
const silent: Counts = [0, 0, 1_350, 1];
const nobody: Counts = [0, 0, 0, 0];
const hold: Partial<Outcome> = { verdict: "inconclusive", rollBack: false, propose: false, next: { do: "stay", why: "evidence" } };
const failed: Partial<Outcome> = { verdict: "fail", rollBack: true, propose: false };
const promoted: Partial<Outcome> = { verdict: "inconclusive", rollBack: false, next: { do: "promote" } };
const minutes = (count: number) => count * 60_000;

/** A run whose canary lost its traffic for ten minutes, and has been given some again for so many scrapes: none came. */
function back(scrapes: number): RunState {
  const run = aRun({ scrapes: times(6, good) });
  takeStep(run, { weight: 0, atMs: run.share.throughMs });
  feed(run, times(40, silent));
  takeStep(run, { weight: 10, atMs: run.share.throughMs });
  feed(run, times(scrapes, silent));
  return run;
}

describe("what follows", () => {
  test.each<[string, RunState, When, Partial<Outcome>]>([
    ["evidence: rolled back, and proposed", aRun({ scrapes: [...times(5, good), [150, 15, 1_350, 1]] }), {}, { verdict: "fail", reason: "EvidenceAgainst", rollBack: true, propose: true }],
    ["total failure while stable does well: rolled back, and proposed", aRun({ weight: 50, scrapes: [...times(5, [0, 0, 1, 0]), [3, 3, 1, 0]] }), {}, { verdict: "fail", reason: "EvidenceAgainst", propose: true }],
    ["an outage that stable shares, seen in one request of it: rolled back, not proposed", aRun({ weight: 50, scrapes: [...times(5, [0, 0, 1, 0]), [3, 3, 1, 1]] }), {}, { ...failed, reason: "EvidenceAgainst" }],
    ["an outage in which stable had no request: rolled back, not proposed", aRun({ weight: 50, scrapes: [...times(20, [1, 0, 1, 0]), [8, 8, 0, 0]] }), {}, { ...failed, reason: "EvidenceAgainst" }],
    ["an outage that stable shares, where its past is not known: rolled back, not proposed", aRun({ past: noPast, weight: 50, scrapes: [[6, 6, 1, 1]] }), {}, { ...failed, reason: "EvidenceAgainst" }],
    ["evidence that came and went: rolled back all the same", aRun({ scrapes: [[150, 150, 1_350, 1], ...times(20, good)] }), {}, { verdict: "fail", reason: "EvidenceAgainst", rollBack: true }],
    ["total failure with nothing to compare: rolled back, not proposed", aRun({ past: noPast, weight: 100, scrapes: [[50, 50, 0, 0]] }), {}, { ...failed, reason: "EvidenceAgainst" }],
    ["total failure of both: held up by nothing but time", aRun({ scrapes: [[150, 150, 1_350, 1_350]] }), {}, { ...hold, reason: "WarmingUp", next: { do: "stay", why: "warmup" } }],
    ["no sample for a while: held", aRun({ scrapes: times(6, good) }), { laterMs: 46_000 }, { ...hold, reason: "MetricsUnreadable" }],
    ["three scrapes late is not yet a while", aRun({ scrapes: times(6, good) }), { laterMs: 45_000 }, { verdict: "pass" }],
    ["blind for long: still held", aRun({ scrapes: times(6, good) }), { laterMs: minutes(60) }, { ...hold, reason: "MetricsUnreadable" }],
    ["blind for long, where that fails", aRun({ scrapes: times(6, good) }), { laterMs: minutes(10), policy: { onBlind: "fail" } }, { ...failed, reason: "MetricsUnreadable" }],
    ["blind for less", aRun({ scrapes: times(6, good) }), { laterMs: minutes(9), policy: { onBlind: "fail" } }, { ...hold, reason: "MetricsUnreadable" }],
    ["evidence and then blindness: rolled back", aRun({ scrapes: [[150, 150, 1_350, 1]] }), { laterMs: minutes(60) }, { verdict: "fail", reason: "EvidenceAgainst" }],
    ["no request for three scrapes", aRun({ scrapes: [good, ...times(3, silent)] }), {}, { ...hold, reason: "NoTraffic" }],
    ["nobody has any", aRun({ scrapes: times(3, nobody) }), {}, { ...hold, reason: "NoTraffic" }],
    ["none for two", aRun({ scrapes: [...times(6, good), ...times(2, silent)] }), {}, { verdict: "pass" }],
    ["three were due and none came", aRun({ scrapes: times(3, [0, 0, 9, 0]) }), {}, { ...hold, reason: "NoTraffic" }],
    ["few were due: that is chance", aRun({ scrapes: times(6, [0, 0, 3, 0]) }), {}, { ...hold, reason: "NotEnoughEvidence" }],
    ["no traffic for five minutes: still held", aRun({ scrapes: times(20, nobody) }), {}, { ...hold, reason: "NoTraffic" }],
    ["no traffic for five minutes, where that fails", aRun({ scrapes: times(20, nobody) }), { policy: { onNoData: "fail" } }, { ...failed, reason: "NoTraffic" }],
    ["no traffic for less", aRun({ scrapes: times(19, nobody) }), { policy: { onNoData: "fail" } }, { ...hold, reason: "NoTraffic" }],
    ["no traffic for five minutes, where that promotes", aRun({ scrapes: times(20, nobody) }), { policy: { onNoData: "promote" } }, { ...promoted, reason: "NoTraffic" }],
    ["no traffic for longer, but none was set: what it gets now is waited for", back(3), { policy: { onNoData: "fail" } }, { ...hold, reason: "NoTraffic" }],
    ["no traffic for five minutes since it was set again, where that fails", back(20), { policy: { onNoData: "fail" } }, { ...failed, reason: "NoTraffic" }],
    ["less traffic than was set", aRun({ scrapes: times(8, [30, 0, 1_470, 1]) }), {}, { ...hold, reason: "TrafficNotSplit" }],
    ["time is up", aRun({ scrapes: times(80, [1, 0, 9, 0]) }), {}, { ...promoted, reason: "TimeIsUp" }],
    ["time is up, where that holds", aRun({ scrapes: times(80, [1, 0, 9, 0]) }), { policy: { onInconclusive: "hold" } }, { ...hold, reason: "TimeIsUp" }],
    ["time is up, where that fails", aRun({ scrapes: times(80, [1, 0, 9, 0]) }), { policy: { onInconclusive: "fail" } }, { ...failed, reason: "TimeIsUp" }],
    ["time is up while it warms up: what nobody looked at is not let through", aRun({ scrapes: times(3, good) }), { policy: { maxDurationMs: 30_000 } }, { ...hold, reason: "WarmingUp", next: { do: "stay", why: "warmup" } }],
    ["there is no time", aRun({ scrapes: times(80, [1, 0, 9, 0]) }), { policy: { maxDurationMs: undefined } }, { verdict: "pass", reason: "GoodSoFar" }],
    ["reason to wait", aRun({ scrapes: [...times(5, good), [150, 4, 1_350, 1]] }), {}, { verdict: "inconclusive", reason: "Suspicious", rollBack: false }],
    ["a step is earned", aRun({ scrapes: times(6, [1_500, 1, 13_500, 13]) }), {}, { verdict: "pass", reason: "GoodSoFar", next: { do: "shift", weight: 30, proven: true } }],
    ["the promotion is earned", aRun({ weight: 30, scrapes: times(6, [4_500, 4, 10_500, 10]) }), {}, { verdict: "pass", reason: "GoodEnough", next: { do: "promote" } }],
    ["a fixed step is earned", aRun({ scrapes: times(6, good) }), { policy: { steps: "fixed" } }, { verdict: "pass", reason: "GoodSoFar", next: { do: "advance", mayPromote: true } }],
    ["also while it warms up, but no promotion", aRun({ scrapes: times(4, good) }), { policy: { steps: "fixed" } }, { verdict: "pass", reason: "GoodSoFar", next: { do: "advance", mayPromote: false } }],
  ])("%s", (_, run, when, want) => {
    expect(judged(run, when)).toMatchObject(want);
  });
});

describe("one sentence", () => {
  const later = (scrapes: readonly Counts[]) => {
    const run = aRun({ scrapes: times(8, [1_500, 0, 13_500, 10]) });
    takeStep(run, { weight: 30, atMs: run.share.throughMs });
    feed(run, scrapes);
    return run;
  };

  test.each<[string, ShareVerdict, string]>([
    [
      "errors since the beginning",
      judged(aRun({ scrapes: [...times(5, good), [150, 9, 1_350, 1], [150, 7, 1_350, 2]] })),
      "Of the 24 failed requests since the rollout began 16 came from the canary, which got only 10 % of the traffic; a release no worse than 1.25 times the primary would ever look this bad in fewer than 1 of 20 rollouts",
    ],
    [
      "errors that began with the last step",
      judged(later([[4_500, 60, 10_500, 10]])),
      "Of the 70 failed requests in this step 60 came from the canary, which got only 30 % of the traffic; a release no worse than 1.25 times the primary would ever look this bad in fewer than 1 of 20 rollouts",
    ],
    [
      "the guard",
      judged(aRun({ scrapes: [...times(5, [3, 0, 27, 0] as Counts), [3, 3, 27, 0]] })),
      "3 of the canary's 18 requests failed, where 1 % would be tolerated, while the primary failed none of 162; a release within that would ever look this bad in fewer than 1 of 20 rollouts",
    ],
    [
      "without knowing the clumps",
      judged(aRun({ past: { ...hour, measured: false, dispersion: 1.25 }, scrapes: [...times(5, good), [150, 25, 1_350, 1]] })),
      "Of the 31 failed requests since the rollout began 25 came from the canary, which got only 10 % of the traffic; a release no worse than 1.25 times the primary would ever look this bad in fewer than 1 of 20 rollouts (errors are assumed to come in clumps of 1.25: the primary's pods cannot be told apart here)",
    ],
    ["no traffic", judged(aRun({ scrapes: times(3, nobody) })), "The canary gets no requests although 10 % of the traffic is set for it"],
    [
      "a dead Prometheus in its own words",
      judged(aRun(), { laterMs: 60_000, unreadable: "http://prometheus:9090 cannot be reached" }),
      "Nothing can be seen of either version: http://prometheus:9090 cannot be reached",
    ],
    ["no samples", judged(aRun(), { laterMs: 60_000 }), "Nothing can be seen of either version: there is no new sample of their requests"],
    [
      "less traffic",
      judged(aRun({ scrapes: times(8, [30, 0, 1_470, 1]) })),
      "The canary gets less of the requests than its 10 %: the metrics do not see all of its traffic, or the router does not obey",
    ],
    ["more traffic", judged(aRun({ scrapes: times(8, [450, 0, 1_050, 1]) })), "The canary gets more of the requests than its 10 %: the router does not obey"],
    ["warming up", judged(aRun({ scrapes: [good] })), "Warming up: for 60 s only failure of more than 25 % of its requests counts"],
    [
      "time that is up says what could not be seen",
      judged(aRun({ scrapes: times(80, [10, 0, 90, 0]) })),
      "The time is up: with 800 canary requests an error rate of 0.89 % or more could have been seen (9.1 times the primary's, about 0.098 %), nothing less",
    ],
    [
      "and takes no rate for measured where the primary failed nothing",
      judged(aRun({ past: noPast, scrapes: times(80, [10, 0, 90, 0]) })),
      "The time is up: with 800 canary requests an error rate of 0.55 % or more could have been seen (the primary failed none of 7200), nothing less",
    ],
    [
      "nor where nothing of the primary is known",
      judged(aRun({ past: noPast, weight: 100, scrapes: times(80, [100, 0, 0, 0]) })),
      "Within what the SLO allows; with 8000 canary requests an error rate of 1.5 % or more could have been seen (1.5 times the 1 % that the SLO allows: nothing is known of the primary), nothing less",
    ],
    [
      "nor claims to have seen anything where so little is known of the primary that any rate might be its own",
      judged(aRun({ past: { ...noPast, tally: { requests: 3, bad: 1 } }, weight: 100, scrapes: times(80, [5, 0, 0, 0]) })),
      "Within what the SLO allows; with 400 canary requests only a release that fails nearly always could have been seen",
    ],
    [
      "and when it could have seen next to nothing",
      judged(aRun({ scrapes: times(5, [0, 0, 1, 0]) }), { policy: { maxDurationMs: 75_000 } }),
      "The time is up: the canary had no request, so nothing could have been seen",
    ],
    [
      "or little more",
      judged(aRun({ scrapes: [...times(4, [0, 0, 1, 0]), [1, 0, 9, 0]] }), { policy: { maxDurationMs: 75_000 } }),
      "The time is up: with 1 canary request only a release that fails nearly always could have been seen",
    ],
    ["a step", judged(aRun({ scrapes: times(6, [1_500, 1, 13_500, 13]) })), "At 30 % even a canary as bad as is still plausible costs less than the error budget"],
    ["a step without proof", judged(aRun({ weight: 10, scrapes: times(20, [1, 0, 9, 0]) })), "10 % of the traffic proved nothing either way; only more of it can"],
    ["reason to wait", judged(aRun({ scrapes: [...times(5, good), [150, 4, 1_350, 1]] })), "Waiting: of the 10 failed requests since the rollout began 4 came from the canary, which got only 10 % of the traffic"],
  ])("%s", (_, { message }, want) => {
    expect(message).toBe(want);
  });

  test.each([true, false])("slowness names its bound, and says nothing of errors, whether their clumps are measured (%s)", (measured) => {
    const run = startRun({ past: { ...hour, measured }, boundsMs: [100, 250, 500], weight: 10, atMs: 0 });
    const slow = [comparison([150, 60, 1_350, 460]), comparison([150, 40, 1_350, 80]), comparison([150, 3, 1_350, 15])];
    for (let at = 1; at <= 8; at++)
      observeScrape(run, { fromMs: (at - 1) * scrapeMs, atMs: at * scrapeMs, errors: comparison(good), slow }, defaultRules);
    const verdict = judged(run);
    expect(verdict.message).toBe(
      "Of the 480 requests slower than 250 ms since the warm-up 160 came from the canary, which got only 10 % of the traffic; a release no worse than 1.25 times the primary would ever look this bad in fewer than 1 of 20 rollouts",
    );
    expect(verdict.numbers.counted).toMatchObject({ speaker: "slow", boundMs: 250, canary: { requests: 600, bad: 160 } });
  });
});

test("the numbers are fit for JSON, however certain it is", () => {
  const { numbers } = judged(aRun({ scrapes: times(50, [1_000_000, 1_000_000, 1_000_000, 0]) }));
  expect(numbers.evidence).toBeCloseTo(1e9, 0);
  expect(JSON.parse(JSON.stringify(numbers))).toEqual(numbers);
});

test("a long rollout remembers its newest steps, and the evidence still says which copy it is", () => {
  const run = aRun();
  for (let weight = 11; weight <= 70; weight++) {
    takeStep(run, { weight, atMs: run.share.throughMs });
    feed(run, [good]);
  }
  expect(run.steps).toHaveLength(40);
  expect(run.steps.at(-1)).toMatchObject({ number: 60, weight: 70 });
  feed(run, [[150, 150, 1_350, 1]]);
  expect(judged(run).message).toContain("since the rollout began");
});
