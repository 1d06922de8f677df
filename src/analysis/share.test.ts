import { describe, expect, test } from "vitest";
import { defaultRules } from "../../test/builders.ts";
import { dispersionOf } from "./dispersion.ts";
import { addToGuard, isAnomalous, logGuardOf, newGuard, upperRate } from "./guard.ts";
import { addScrape, guardLimit, logEvidence, newShare, noPast, type Scrape, splitMismatch, withoutStable } from "./share.ts";
import { addComparison, type Comparison, logEvidenceOf, newStream, restart, type Stream } from "./stream.ts";

type Counts = readonly [canaryRequests: number, canaryErrors: number, stableRequests: number, stableErrors: number];
const tolerance = { ratio: 1.25, absolute: 1e-4, dispersion: 1 };

function comparison([canaryRequests, canaryErrors, stableRequests, stableErrors]: Counts): Comparison {
  return { canary: { requests: canaryRequests, bad: canaryErrors }, stable: { requests: stableRequests, bad: stableErrors } };
}

/** The `at`th scrape of fifteen seconds, without latency. */
function scrapeOf(at: number, counts: Counts, more: Partial<Scrape> = {}): Scrape {
  return { fromMs: (at - 1) * 15_000, atMs: at * 15_000, errors: comparison(counts), slow: [], ...more };
}

function after(scrapes: readonly (Counts | "restart")[], dispersion = 1): { stream: Stream; trail: number[] } {
  const stream = newStream();
  const trail: number[] = [];
  for (const scrape of scrapes) {
    if (scrape === "restart") restart(stream);
    else {
      addComparison(stream, comparison(scrape), { ...tolerance, dispersion });
      trail.push(logEvidenceOf(stream));
    }
  }
  return { stream, trail };
}

describe("golden values of analysis §9", () => {
  test.each<[string, readonly (Counts | "restart")[], number, readonly number[]]>([
    ["nine of eleven errors on a tenth of the traffic", [[150, 9, 1350, 2]], 1, [11.015707]],
    ["the same in clumps of 2.5", [[150, 9, 1350, 2]], 2.5, [3.443404]],
    ["no error on the canary, twice", [[150, 0, 1350, 1], [150, 0, 1350, 2]], 1, [-0.874922, -1.247495]],
    ["no request on the canary", [[0, 0, 1500, 2]], 1, [-0.510826]],
    ["total failure", [[15, 15, 135, 0]], 1, [28.121276]],
    ["three scrapes over two steps", [[150, 3, 1350, 1], [150, 4, 1350, 2], "restart", [300, 9, 1200, 1]], 1, [2.301126, 6.46433, 15.621224]],
  ])("%s", (_, scrapes, dispersion, want) => {
    const { trail } = after(scrapes, dispersion);
    for (const [index, value] of want.entries()) expect(trail[index]).toBeCloseTo(value, 6);
  });

  test.each<[string, number, number, number]>([
    ["3 of 3 failed", 3, 3, 11.975003],
    ["2 of 2 failed", 2, 2, 7.553762],
    ["none of 100 failed", 100, 0, -2.067747],
  ])("the guard at 1 %%: %s", (_, requests, bad, want) => {
    const guard = newGuard();
    addToGuard(guard, { requests, bad }, { limit: 0.01, dispersion: 1 });
    expect(logGuardOf(guard)).toBeCloseTo(want, 6);
  });
});

describe("properties of a stream", () => {
  const seen: readonly Counts[] = [[150, 3, 1350, 1], [0, 0, 800, 4], [70, 0, 900, 2], [400, 9, 600, 9]];

  test.each(seen.map((counts, index) => [index, counts] as const))("one more canary error in scrape %i never lowers the evidence, one more of stable's never raises it", (index, [nc, xc, ns, xs]) => {
    const with_ = (counts: Counts) => logEvidenceOf(after(seen.map((each, at) => (at === index ? counts : each))).stream);
    const before = with_([nc, xc, ns, xs]);
    expect(with_([nc, xc + 1, ns, xs])).toBeGreaterThanOrEqual(before);
    expect(with_([nc, xc, ns, xs + 1])).toBeLessThanOrEqual(before);
  });

  test("a scrape without a request on one side changes nothing", () => {
    const { stream } = after(seen);
    const before = [...stream];
    for (const empty of [[0, 0, 1500, 2], [12, 12, 0, 0], [0, 0, 0, 0]] as const) addComparison(stream, comparison(empty), tolerance);
    expect(stream).toEqual(before);
  });

  test("one scrape cut in two of the same share says the same", () => {
    const whole = after([[300, 9, 2700, 7]]).stream;
    const halves = after([[100, 2, 900, 6], [200, 7, 1800, 1]]).stream;
    for (const [index, capital] of halves.entries()) expect(capital).toBeCloseTo(whole[index]!, 9);
  });

  test.each<[string, Counts]>([
    ["all bad", [1e6, 1e6, 9e6, 0]],
    ["all good", [1e6, 0, 9e6, 9e6]],
  ])("a million requests in each of a thousand scrapes stay finite: %s", (_, counts) => {
    expect(Number.isFinite(logEvidenceOf(after(Array.from({ length: 1_000 }, () => counts)).stream))).toBe(true);
  });

  test("more than six copies are never started: there is no capital left for them", () => {
    const { stream } = after(Array.from({ length: 9 }, () => "restart" as const));
    expect(logEvidenceOf(stream)).toBeCloseTo(0, 12);
    expect(stream).toHaveLength(48);
  });

  test.each([0.05, 0.2, 0.5, 0.9])("no bet gains on average while the canary is no worse than tolerated, at a share of %d", (share) => {
    // Poisson counts: E[exp(gain)] = exp(N_c p_c (a·b−1) + N_s p_s (b−1) − δ N_c (a·b−1)), read off the two slopes of a bet.
    for (const stableRate of [0.0001, 0.01, 0.3]) {
      const canaryRate = 1.25 * stableRate + tolerance.absolute;
      const requests = { canary: 1_000 * share, stable: 1_000 * (1 - share) };
      const gains = (xc: number, xs: number) => after([[requests.canary, xc, requests.stable, xs]]).stream;
      const [none, canary, stable] = [gains(0, 0), gains(1, 0), gains(0, 1)];
      for (const [index, nothing] of none.entries()) {
        const start = newStream()[index]!;
        const mean =
          requests.canary * canaryRate * (Math.exp(canary[index]! - nothing) - 1) +
          requests.stable * stableRate * (Math.exp(stable[index]! - nothing) - 1) +
          (nothing - start);
        expect(mean).toBeLessThanOrEqual(1e-9);
      }
    }
  });
});

describe("the guard", () => {
  const past = { tally: { requests: 36_000, bad: 36 }, dispersion: 1, measured: true };
  const guardAfter = (...scrapes: readonly Counts[]) => {
    const state = newShare(past, { bounds: 0, atMs: 0 });
    for (const [index, counts] of scrapes.entries()) addScrape(state, scrapeOf(index + 1, counts), { ...defaultRules, warmupMs: 0 });
    return { state, log: logGuardOf(state.guard) };
  };

  test("three failed requests of three are enough", () => {
    const { state } = guardAfter([3, 3, 27, 0]);
    expect(logEvidence(state)).toBeGreaterThan(Math.log(20));
  });

  test("bets nothing while stable fails more than its last hour explains", () => {
    expect(guardAfter([3, 3, 270, 20]).log).toBeCloseTo(0, 12);
    expect(guardAfter([3, 3, 270, 20]).state.stableAnomalous).toBe(true);
  });

  test("nor in the two minutes after that, but then again", () => {
    const calm: Counts = [3, 3, 27, 0];
    const incident: Counts = [0, 0, 270, 20];
    expect(guardAfter(incident, calm).log).toBeCloseTo(0, 12);
    const nothing: Counts = [0, 0, 27, 0];
    expect(guardAfter(incident, ...Array.from({ length: 7 }, () => nothing), calm).log).toBeGreaterThan(5);
  });

  test("without an hour of history bets against the SLO alone, and not while stable misses it too", () => {
    const first = newShare(noPast, { bounds: 0, atMs: 0 });
    addScrape(first, scrapeOf(1, [5, 5, 0, 0]), { ...defaultRules, warmupMs: 0 });
    expect(logEvidence(first)).toBeGreaterThan(Math.log(20));
    const shared = newShare(noPast, { bounds: 0, atMs: 0 });
    addScrape(shared, scrapeOf(1, [5, 5, 45, 45]), { ...defaultRules, warmupMs: 0 });
    expect(logEvidence(shared)).toBeLessThan(0);
  });

  test("what was seen before is passed over, and a state read back from JSON goes on exactly", () => {
    const bounds = 3;
    const slow = [[20, 60], [9, 20], [2, 4]].map(([canary = 0, stable = 0]) => comparison([100, canary, 900, stable]));
    const scrapes = Array.from({ length: 12 }, (_, index) => scrapeOf(index + 1, [100, index % 3, 900, index % 2], { slow, weight: 10 }));
    const [straight, stored] = [newShare(past, { bounds, atMs: 0 }), newShare(past, { bounds, atMs: 0 })];
    for (const each of scrapes) addScrape(straight, each, defaultRules);
    for (const each of scrapes.slice(0, 7)) addScrape(stored, each, defaultRules);
    const back = JSON.parse(JSON.stringify(stored)) as typeof stored;
    for (const each of scrapes) addScrape(back, each, defaultRules);
    expect(back).toEqual(straight);
    expect(numbersIn(back)).toBeLessThan(300);
  });
});

function numbersIn(value: unknown): number {
  if (typeof value === "number") return 1;
  return typeof value === "object" && value !== null ? Object.values(value).reduce<number>((sum, inner) => sum + numbersIn(inner), 0) : 0;
}

describe("what the guard allows", () => {
  test.each<[string, number, number, number]>([
    ["(X + 2√(X+1) + 1) / N", 1_000, 3, (3 + 2 * 2 + 1) / 1_000],
    ["of many", 100_000, 99, (99 + 2 * 10 + 1) / 100_000],
    ["of none", 300, 0, 3 / 300],
    ["all that may be, where nothing was seen", 0, 0, 1],
  ])("the upper bound of a rate is %s", (_, requests, bad, want) => {
    expect(upperRate({ requests, bad })).toBeCloseTo(want, 12);
  });

  test.each<[string, number, { slo: number; ratio: number }, number]>([
    ["1 − SLO while stable is better", 24, { slo: 0.99, ratio: 1.25 }, 0.01],
    ["ρ times stable's upper bound and δ more while it is worse", 24, { slo: 0.999, ratio: 1.25 }, 1.25 * 0.0035 + 0.0001],
    ["of both the past and the rollout", 24, { slo: 0.999, ratio: 2 }, 2 * 0.0035 + 0.0001],
  ])("the limit is %s", (_, bad, rules, want) => {
    const state = newShare({ tally: { requests: 7_000, bad: bad - 4 }, dispersion: 1, measured: true }, { bounds: 0, atMs: 0 });
    addScrape(state, scrapeOf(1, [10, 10, 3_000, 4]), { ...defaultRules, ...rules });
    expect(guardLimit(state, { ...defaultRules, ...rules })).toBeCloseTo(want, 12);
  });

  test("the limit is never all there is, however little was seen of stable", () => {
    const state = newShare({ tally: { requests: 3, bad: 1 }, dispersion: 1, measured: true }, { bounds: 0, atMs: 0 });
    expect(guardLimit(state, defaultRules)).toBe(0.99);
  });

  test("the limit is 1 − SLO where stable was never seen", () => {
    expect(guardLimit(newShare(noPast, { bounds: 0, atMs: 0 }), { ...defaultRules, slo: 0.95 })).toBeCloseTo(0.05, 12);
  });

  // μ + 2√(φ̂μ) + 1
  test.each<[string, number, number, number]>([
    ["one by one", 400, 1, 4 + 4 + 1],
    ["in clumps of four", 400, 4, 4 + 8 + 1],
    ["of more requests", 1_600, 1, 16 + 8 + 1],
    ["without a request", 0, 1, 1],
  ])("stable's errors are an anomaly beyond what its rate explains: %s", (_, requests, dispersion, most) => {
    expect(isAnomalous({ requests, bad: most }, { rate: 0.01, dispersion })).toBe(false);
    expect(isAnomalous({ requests, bad: most + 0.001 }, { rate: 0.01, dispersion })).toBe(true);
  });
});

describe("the warm-up", () => {
  const run = (badUntil: number, counts: Counts, scrapes = 6) => {
    const state = newShare({ tally: { requests: 360_000, bad: 360 }, dispersion: 1, measured: true }, { bounds: 0, atMs: 0 });
    for (let at = 1; at <= scrapes; at++) addScrape(state, scrapeOf(at, at <= badUntil ? counts : [100, 0, 900, 1]), defaultRules);
    return logEvidence(state);
  };

  test("a cold start's errors say nothing in its first minute", () => {
    expect(run(4, [100, 10, 900, 1])).toBeLessThan(0);
  });

  test("the same errors after it do", () => {
    expect(run(5, [100, 10, 900, 1])).toBeGreaterThan(Math.log(20));
  });

  test("total failure does at once", () => {
    expect(run(1, [100, 100, 900, 1], 1)).toBeGreaterThan(Math.log(20));
  });
});

describe("traffic that is not split as it was set", () => {
  const after10 = (canary: number, stable: number) => {
    const state = newShare(noPast, { bounds: 0, atMs: 0 });
    for (let at = 1; at <= 10; at++) addScrape(state, scrapeOf(at, [canary, 0, stable, 0], { weight: 10 }), defaultRules);
    return splitMismatch(state);
  };

  test.each<[string, number, number, "more" | "less" | undefined]>([
    ["as it was set", 15, 135, undefined],
    ["within a quarter of it", 18, 132, undefined],
    ["a third of what it should be", 5, 145, "less"],
    ["nothing at all arrives", 0, 150, "less"],
    ["twice of what it should be", 30, 120, "more"],
  ])("%s", (_, canary, stable, want) => {
    expect(after10(canary, stable)).toBe(want);
  });
});

describe("φ̂", () => {
  const block = (...pods: readonly (readonly [number, number])[]) => pods.map(([requests, bad]) => ({ requests, bad }));

  test.each<[string, Parameters<typeof dispersionOf>[0], number]>([
    ["nothing known", [], 1.25],
    ["one pod tells nothing", [block([1_000, 30])], 1.25],
    ["pods in step with each other", Array.from({ length: 12 }, () => block([1_000, 10], [1_000, 10])), 1],
    ["clumps that hit one pod at a time", Array.from({ length: 12 }, (_, at) => block([1_000, at % 2 ? 20 : 0], [1_000, at % 2 ? 0 : 20])), (12 * 200 + 25) / (12 * 10 + 20)],
    ["a busy hour that all share is none", [block([100, 1], [100, 1]), block([10_000, 100], [10_000, 100])], 1],
    ["blocks without requests are passed over", [block([0, 0], [0, 0])], 1.25],
  ])("%s", (_, blocks, want) => {
    expect(dispersionOf(blocks)).toBeCloseTo(want, 9);
  });
});

test("without stable a scrape has the canary's requests alone, also those of each bound of latency", () => {
  const [mine, none] = [{ requests: 10, bad: 1 }, { requests: 0, bad: 0 }];
  const both = { canary: mine, stable: { requests: 90, bad: 2 } };
  const alone = { canary: mine, stable: none };
  const time = { fromMs: 0, atMs: 15_000, weight: 10 };
  expect(withoutStable({ ...time, errors: both, slow: [both, both] })).toEqual({ ...time, errors: alone, slow: [alone, alone] });
});
