import { describe, expect, test } from "vitest";
import { defaultRules } from "../../test/builders.ts";
import { observeScrape, type RunState, startRun, takeStep } from "./run.ts";
import { noPast } from "./share.ts";
import { firstWeight, ladder, nextAdaptive, nextFixed, stableRate } from "./steps.ts";

const scrapeMs = 15_000;
const past = { tally: { requests: 360_000, bad: 360 }, dispersion: 1, measured: true };
const steps = { minDurationMs: 0, maxDurationMs: undefined };

type Counts = readonly [canaryRequests: number, canaryErrors: number, stableRequests: number, stableErrors: number];

/** A run at this weight that has seen these scrapes. */
function run(weight: number, ...scrapes: readonly Counts[]): RunState {
  const state = startRun({ past, boundsMs: [], weight, atMs: 0 });
  feed(state, scrapes);
  return state;
}

function feed(state: RunState, scrapes: readonly Counts[]): void {
  for (const [canaryRequests, canaryErrors, stableRequests, stableErrors] of scrapes) {
    const fromMs = state.share.throughMs;
    const canary = { requests: canaryRequests, bad: canaryErrors };
    const errors = { canary, stable: { requests: stableRequests, bad: stableErrors } };
    observeScrape(state, { fromMs, atMs: fromMs + scrapeMs, errors, slow: [] }, defaultRules);
  }
}

const times = (count: number, counts: Counts): Counts[] => Array.from({ length: count }, () => counts);
const next = (state: RunState, more = {}) =>
  nextAdaptive(state, { rules: defaultRules, steps: { ...steps, ...more }, nowMs: state.share.throughMs });

describe("the first weight brings thirty requests a scrape", () => {
  test.each<[string, number | undefined, number]>([
    ["a busy service starts with the least", 1_000, 2],
    ["100 rps", 100, 2],
    ["10 rps", 10, 20],
    ["20 rps", 20, 10],
    ["23 rps: rounded up", 23, 9],
    ["a quiet one starts with the most", 0.1, 20],
    ["no traffic at all", 0, 20],
    ["nothing known", undefined, 5],
  ])("%s", (_, rps, want) => {
    expect(firstWeight(rps, scrapeMs)).toBe(want);
  });
});

describe("adaptive steps", () => {
  test.each<[string, RunState, ReturnType<typeof nextAdaptive>]>([
    ["wait for the warm-up", run(2, ...times(4, [300, 0, 14_700, 15])), { do: "stay", why: "warmup" }],
    ["at most treble after it", run(2, ...times(5, [300, 0, 14_700, 15])), { do: "shift", weight: 5, proven: true }],
    ["go up to 30 % from 10", run(10, ...times(5, [1_500, 1, 13_500, 14])), { do: "shift", weight: 30, proven: true }],
    ["stay where too few requests came", run(2, ...times(5, [1, 0, 49, 0])), { do: "stay", why: "evidence" }],
    ["5 % needs little: a twentieth of the traffic costs little", run(2, ...times(5, [10, 0, 490, 0])), { do: "shift", weight: 5, proven: true }],
    ["after five minutes the next rung is tried all the same", run(5, ...times(20, [1, 0, 20, 0])), { do: "shift", weight: 10, proven: false }],
    ["wait while the evidence is against it", run(10, ...times(5, [150, 0, 1_350, 1]), [150, 5, 1_350, 1]), { do: "stay", why: "suspicious" }],
    ["promote from 30 % on", run(30, ...times(5, [4_500, 4, 10_500, 10])), { do: "promote" }],
    ["not below 30 %", run(20, ...times(5, [4_500, 4, 10_500, 10])), { do: "shift", weight: 50, proven: true }],
  ])("%s", (_, state, want) => {
    expect(next(state)).toEqual(want);
  });

  test("a step lasts two scrapes at least", () => {
    const state = run(2, ...times(5, [300, 0, 14_700, 15]));
    takeStep(state, { weight: 5, atMs: state.share.throughMs });
    feed(state, [[750, 0, 14_250, 15]]);
    expect(next(state)).toEqual({ do: "stay", why: "soak" });
    feed(state, [[750, 0, 14_250, 15]]);
    expect(next(state)).toEqual({ do: "shift", weight: 10, proven: true });
  });

  test("doubt holds a rollout up for five minutes in all", () => {
    const state = run(20, ...times(5, [150, 0, 1_350, 1]), [150, 5, 1_350, 1]);
    expect(next(state)).toEqual({ do: "stay", why: "suspicious" });
    state.heldMs = 5 * 60_000 + 1;
    expect(next(state)).not.toEqual({ do: "stay", why: "suspicious" });
  });

  test("doubt that has held up for so long lets the weight grow, but never promotes", () => {
    const slowerAtTheTop = (weight: number, times: number) => {
      const state = startRun({ past, boundsMs: [100, 250, 500], weight, atMs: 0 });
      for (let at = 1; at <= 6; at++) {
        const errors = { canary: { requests: 3_000, bad: 3 }, stable: { requests: 3_000, bad: 3 } };
        const bound = (rate: number, canaryTimes = 1) => ({
          canary: { requests: 3_000, bad: 3_000 * rate * canaryTimes },
          stable: { requests: 3_000, bad: 3_000 * rate },
        });
        const slow = [bound(0.3), bound(0.1), bound(0.01, times)];
        observeScrape(state, { fromMs: (at - 1) * scrapeMs, atMs: at * scrapeMs, errors, slow }, defaultRules);
      }
      state.heldMs = 5 * 60_000 + 1;
      return next(state);
    };
    expect(slowerAtTheTop(50, 1)).toEqual({ do: "promote" });
    expect(slowerAtTheTop(50, 3)).toEqual({ do: "stay", why: "evidence" });
    expect(slowerAtTheTop(20, 3)).toEqual({ do: "shift", weight: 50, proven: true });
  });

  test("minDuration delays the promotion, never the steps", () => {
    const state = run(30, ...times(5, [4_500, 4, 10_500, 10]));
    expect(next(state, { minDurationMs: 600_000 })).toEqual({ do: "shift", weight: 50, proven: true });
    expect(next(state, { minDurationMs: 75_000 })).toEqual({ do: "promote" });
  });

  test("latency alone keeps from promotion", () => {
    // Never suspicious, so that only the promotion's own rule is left.
    const rules = { ...defaultRules, alpha: 1e-300 };
    const slow = (stableRates: readonly number[], times: number) => {
      const state = startRun({ past, boundsMs: [100, 250, 500], weight: 50, atMs: 0 });
      for (let at = 1; at <= 6; at++) {
        const errors = { canary: { requests: 3_000, bad: 3 }, stable: { requests: 3_000, bad: 3 } };
        const side = (rate: number) => ({ requests: 3_000, bad: 3_000 * rate });
        const bounds = stableRates.map((rate) => ({ canary: side(times * rate), stable: side(rate) }));
        observeScrape(state, { fromMs: (at - 1) * scrapeMs, atMs: at * scrapeMs, errors, slow: bounds }, rules);
      }
      return nextAdaptive(state, { rules, steps, nowMs: 6 * scrapeMs });
    };
    expect(slow([0.3, 0.1, 0.01], 1)).toEqual({ do: "promote" });
    expect(slow([0.3, 0.1, 0.01], 1.9)).toEqual({ do: "stay", why: "evidence" });
    // Twice nothing cannot be ruled out: what counts is that hardly any more are slow.
    expect(slow([0.3, 0, 0], 1)).toEqual({ do: "promote" });
  });

  test.each<[string, number, ReturnType<typeof nextAdaptive>]>([
    ["as slow as stable is promoted", 1, { do: "promote" }],
    ["twice as slow is not", 2, { do: "stay", why: "evidence" }],
  ])("a canary that got most of its requests in a busy moment, and was %s", (_, times, want) => {
    const rules = { ...defaultRules, alpha: 1e-300 };
    const state = startRun({ past, boundsMs: [100, 250, 500], weight: 5, atMs: 0 });
    const scrape = (at: number, requests: { canary: number; stable: number }, rate: number) => {
      const both = (canaryRate: number, stableRate: number) => ({
        canary: { requests: requests.canary, bad: requests.canary * canaryRate },
        stable: { requests: requests.stable, bad: requests.stable * stableRate },
      });
      const errors = both(0.001, 0.001);
      const slow = [4, 1, 0.5].map((part) => both(times * part * rate, part * rate));
      observeScrape(state, { fromMs: (at - 1) * scrapeMs, atMs: at * scrapeMs, errors, slow }, rules);
    };
    for (let at = 1; at <= 20; at++) scrape(at, { canary: 150, stable: 2_850 }, 0.005);
    takeStep(state, { weight: 50, atMs: 20 * scrapeMs });
    for (let at = 21; at <= 30; at++) scrape(at, { canary: 1_500, stable: 1_500 }, 0.03);
    expect(nextAdaptive(state, { rules, steps, nowMs: 30 * scrapeMs })).toEqual(want);
  });

  test("every weight that it takes is on the ladder, and higher than the one before", () => {
    const seen = [2];
    const state = run(2);
    for (let scrape = 0; scrape < 40; scrape++) {
      const weight = seen.at(-1)!;
      feed(state, [[weight * 15, 0, (100 - weight) * 15, 1]]);
      const step = next(state);
      if (step.do === "promote") break;
      if (step.do !== "shift") continue;
      expect(ladder).toContain(step.weight);
      expect(step.weight).toBeGreaterThan(weight);
      seen.push(step.weight);
      takeStep(state, { weight: step.weight, atMs: state.share.throughMs });
    }
    expect(seen.length).toBeGreaterThan(3);
    expect(next(state)).toEqual({ do: "promote" });
  });
});

test("fixed steps go on once they were seen, unless the evidence is reason to wait, and say whether promotion is due", () => {
  const input = { rules: defaultRules, steps: { ...steps, minDurationMs: 120_000 }, nowMs: 90_000 };
  expect(nextFixed(run(10), input)).toEqual({ do: "stay", why: "soak" });
  expect(nextFixed(run(10, [0, 0, 1_500, 1]), input)).toEqual({ do: "stay", why: "soak" });
  expect(nextFixed(run(10, [150, 0, 1_350, 1]), input)).toEqual({ do: "advance", mayPromote: false });
  expect(nextFixed(run(10, [150, 0, 1_350, 1]), { ...input, nowMs: 120_000 })).toEqual({ do: "advance", mayPromote: false });
  const warm = times(6, [150, 0, 1_350, 1]);
  expect(nextFixed(run(10, ...warm), input)).toEqual({ do: "advance", mayPromote: false });
  expect(nextFixed(run(10, ...warm), { ...input, nowMs: 120_000 })).toEqual({ do: "advance", mayPromote: true });
  expect(nextFixed(run(10, ...times(5, [150, 0, 1_350, 1]), [150, 5, 1_350, 1]), input)).toEqual({ do: "stay", why: "suspicious" });
});

test.each<[string, number, number, number]>([
  ["is the SLO's while it was never seen", 0, 0, 0.01],
  ["is never taken for zero", 1e7, 0, 1e-5],
  ["nor for more than a half", 10, 10, 0.5],
  ["is half an error more than was seen", 999, 4, 0.0045],
])("stable's rate %s", (_, requests, bad, want) => {
  const { share } = startRun({ past: { ...noPast, tally: { requests, bad } }, boundsMs: [], weight: 5, atMs: 0 });
  expect(stableRate(share, defaultRules)).toBeCloseTo(want, 12);
});
