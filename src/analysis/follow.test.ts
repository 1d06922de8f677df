import { describe, expect, test } from "vitest";
import { defaultPolicy, defaultRules } from "../../test/builders.ts";
import { analysis, type Analysis } from "../api/analysis.ts";
import type { RawSeries } from "../lib/series.ts";
import { beginFollowing, firstWeightOf, follow, reportOf, reportStepped, stepped } from "./follow.ts";
import type { Samples } from "./reading.ts";
import { observeScrape } from "./run.ts";
import { policyOf, rulesOf } from "./settings.ts";
import type { Subject } from "./sources.ts";
import { restore, store, type Stored } from "./stored.ts";
import { judgeShare } from "./verdict.ts";
import { noPast, type Scrape } from "./share.ts";

const scrapeMs = 15_000;
const subject: Subject = { namespace: "shop", target: "checkout", service: "checkout", port: 80 };
const rules = { ...defaultRules, warmupMs: 0 };

/** Envoy's counters of one side, by the end of so many scrapes; each with so many requests and failures. */
function counters(side: "canary" | "primary", perScrape: { good: number; bad: number }, scrapes: number): RawSeries[] {
  const points = (each: number) => Array.from({ length: scrapes + 1 }, (_, at) => ({ atMs: at * scrapeMs, value: 100 + at * each }));
  const labels = { job: "envoy", instance: "10.0.0.9:8002", envoy_cluster_name: `shop_checkout-${side}_80` };
  return [
    { labels: { ...labels, envoy_response_code: "200" }, points: points(perScrape.good) },
    { labels: { ...labels, envoy_response_code: "503" }, points: points(perScrape.bad) },
  ];
}

function samples(canary: { good: number; bad: number }, scrapes: number): Samples {
  const primary = counters("primary", { good: 900, bad: 1 }, scrapes);
  return { requests: [...counters("canary", canary, scrapes), ...primary], latency: [], alive: [] };
}

const begun = (): Stored => beginFollowing({ past: noPast, boundsMs: [], source: "contour", scrapeMs: undefined, weight: 10, atMs: 0 });
const following = { subject, rules, baseline: "primary" } as const;

describe("a rollout that is followed", () => {
  test("learns each scrape once, however often it is read", () => {
    const once = follow(begun(), samples({ good: 95, bad: 5 }, 3), following);
    const often = [1, 1, 2, 3, 3].reduce((stored, at) => follow(stored, samples({ good: 95, bad: 5 }, at), following), begun());
    expect(often.run).toEqual(once.run);
    expect(once.run.share.canary).toEqual({ requests: 300, bad: 15 });
  });

  test("does not change what it is given", () => {
    const before = begun();
    const text = JSON.stringify(before);
    follow(before, samples({ good: 95, bad: 5 }, 3), following);
    stepped(before, { weight: 20, atMs: 1 });
    expect(JSON.stringify(before)).toBe(text);
  });

  test("after a restart goes on from its report", () => {
    const before = follow(begun(), samples({ good: 95, bad: 5 }, 3), following);
    const moment = { nowMs: 3 * scrapeMs, scrapeMs };
    const report = reportOf(before, judgeShare(before.run, { rules, policy: defaultPolicy, moment }), { acts: true, nowMs: moment.nowMs });
    expect(restore(report.state)).toEqual(before);
    expect(report).toMatchObject({ acts: true, verdict: "fail", reason: "EvidenceAgainst", limit: 20, source: "contour" });
    expect(report.steps).toMatchObject([{ weight: 10, canary: { requests: 300, bad: 15 }, stable: { requests: 2_703, bad: 3 } }]);
    expect(report.evidence).toBeGreaterThan(20);
    expect(report.steps[0]?.evidence).toBe(report.evidence);
    expect(Date.parse(report.nextReadAt)).toBe(4 * scrapeMs + 1_000);
  });

  describe("is reported", () => {
    const good = { canary: { requests: 100, bad: 0 }, stable: { requests: 900, bad: 1 } };
    const slower = (canary: number, stable: number) => ({ canary: { requests: 80, bad: canary }, stable: { requests: 800, bad: stable } });
    /** Six scrapes of two steps, of which the first four are the warm-up. */
    const reported = (scrape: Pick<Scrape, "errors" | "slow">, past = noPast) => {
      const warm = { ...defaultRules, warmupMs: 60_000 };
      let stored = beginFollowing({ past, boundsMs: [100, 250, 500], source: "contour", scrapeMs, weight: 10, atMs: 0 });
      for (let at = 1; at <= 6; at += 1) {
        if (at === 4) stored = stepped(stored, { weight: 20, atMs: 3 * scrapeMs });
        observeScrape(stored.run, { fromMs: (at - 1) * scrapeMs, atMs: at * scrapeMs, ...scrape }, warm);
      }
      const verdict = judgeShare(stored.run, { rules: warm, policy: defaultPolicy, moment: { nowMs: 6 * scrapeMs, scrapeMs } });
      const report = reportOf(stored, verdict, { acts: true, nowMs: 6 * scrapeMs });
      return { report, stepped: reportStepped(report, stepped(stored, { weight: 0, atMs: 6 * scrapeMs })) };
    };

    test("with the slow requests of each step behind the warm-up, of the bound that decides", () => {
      const { report, stepped: later } = reported({ errors: good, slow: [slower(30, 250), slower(40, 80), slower(1, 8)] });
      expect(report).toMatchObject({ verdict: "fail", against: "latency", slowerThanMilliseconds: 250 });
      expect(report.steps[0]).not.toHaveProperty("slow");
      expect(report.steps[1]?.slow).toEqual({ canary: { requests: 160, bad: 80 }, stable: { requests: 1_600, bad: 160 } });
      expect(later.steps.map(({ slow }) => slow)).toEqual([...report.steps.map(({ slow }) => slow), undefined]);
    });

    test("but not those of scrapes in which one of the two had no requests", () => {
      const alone = { canary: { requests: 80, bad: 30 }, stable: { requests: 0, bad: 0 } };
      expect(reported({ errors: good, slow: [alone, alone, alone] }).report.steps[1]).not.toHaveProperty("slow");
    });

    test("and while nothing speaks against it of the bound that its promotion rests on", () => {
      const { report } = reported({ errors: good, slow: [slower(26, 250), slower(8, 80), slower(1, 8)] });
      expect(report).not.toHaveProperty("against");
      expect(report).toMatchObject({ slowerThanMilliseconds: 250, steps: [{}, { slow: { canary: { requests: 160, bad: 16 } } }] });
    });

    test.each<[string, Scrape["errors"], string]>([
      ["errors beside the primary's", { canary: { requests: 100, bad: 9 }, stable: { requests: 900, bad: 9 } }, "errors"],
      ["errors beside the SLO", { canary: { requests: 1, bad: 1 }, stable: { requests: 9, bad: 0 } }, "slo"],
    ])("with what decides: %s", (_, errors, against) => {
      expect(reported({ errors, slow: [] }).report).toMatchObject({ verdict: "fail", against });
    });

    test("with the requests that the primary's rate is estimated from, also none", () => {
      const hour = { ...noPast, tally: { requests: 36_000, bad: 36 } };
      expect(reported({ errors: good, slow: [] }, hour).report.baselineOf).toEqual({ requests: 41_400, bad: 42 });
      const alone = { ...good, stable: { requests: 0, bad: 0 } };
      expect(reported({ errors: alone, slow: [] }).report).toMatchObject({ baseline: 1, baselineOf: { requests: 0, bad: 0 } });
    });

    test("with the most that the evidence was in each step", () => {
      const stored = begun();
      const scrape = (at: number, bad: number) => {
        const errors = { ...good, canary: { requests: 100, bad } };
        observeScrape(stored.run, { fromMs: (at - 1) * scrapeMs, atMs: at * scrapeMs, errors, slow: [] }, rules);
      };
      scrape(1, 4);
      for (let at = 2; at <= 12; at += 1) scrape(at, 0);
      const verdict = judgeShare(stored.run, { rules, policy: defaultPolicy, moment: { nowMs: 12 * scrapeMs, scrapeMs } });
      const [step] = reportOf(stored, verdict, { acts: true, nowMs: 12 * scrapeMs }).steps;
      expect(step?.evidence).toBeLessThan(1);
      expect(step?.peak).toBeGreaterThan(4);
    });
  });

  test("what is beyond all doubt is reported as a number all the same", () => {
    const sure = follow(begun(), samples({ good: 0, bad: 50_000 }, 3), following);
    const moment = { nowMs: 3 * scrapeMs, scrapeMs };
    const report = reportOf(sure, judgeShare(sure.run, { rules, policy: defaultPolicy, moment }), { acts: true, nowMs: moment.nowMs });
    expect([report.evidence, report.peak, report.steps[0]?.evidence]).toEqual([1e9, 1e9, 1e9]);
  });

  test("compared with nothing it is judged by the SLO alone", () => {
    const alone = follow(begun(), samples({ good: 95, bad: 5 }, 3), { ...following, baseline: "none" });
    expect(alone.run.share.stable).toEqual({ requests: 0, bad: 0 });
    const outcome = judgeShare(alone.run, { rules, policy: defaultPolicy, moment: { nowMs: 3 * scrapeMs, scrapeMs } });
    expect(outcome).toMatchObject({ verdict: "fail", propose: false });
    expect(outcome.numbers.counted.speaker).toBe("guard");
  });

  test("tells when the traffic is not split as it was set, but not by a scrape in which the weight changed", () => {
    const read = (stored: Stored) => follow(stored, samples({ good: 100, bad: 0 }, 4), following).run.share.split.more;
    expect(read(begun())).not.toEqual(begun().run.share.split.more);
    expect(read(stepped(begun(), { weight: 20, atMs: 3.5 * scrapeMs }))).toEqual(begun().run.share.split.more);
  });

  test("does not take for such a split what was read before the routes said the weight, nor forgets that when it is stored", () => {
    const samplesOf = (scrapes: number) => samples({ good: 100, bad: 0 }, scrapes);
    const unrouted = follow(begun(), samplesOf(4), { ...following, unroutedMs: 4.5 * scrapeMs });
    const later = (until: number) => follow(restore(store(unrouted))!, samplesOf(until), following).run.share.split.more;
    expect(unrouted.run.share.split.more).toEqual(begun().run.share.split.more);
    expect(later(5)).toEqual(begun().run.share.split.more);
    expect(later(7)).not.toEqual(begun().run.share.split.more);
  });

  test("begins again with the weight it began with", () => {
    expect(firstWeightOf(stepped(stepped(begun(), { weight: 50, atMs: 1 }), { weight: 0, atMs: 2 }))).toBe(10);
  });
});

describe("settings of a Canary", () => {
  const parsed = (fields: object): Analysis => analysis.parse(fields);

  test("without any are the defaults of the analysis", () => {
    const absolute = expect.closeTo(0.0001, 9) as number;
    expect(rulesOf(parsed({}))).toEqual({ alpha: 0.05, slo: 0.99, ratio: 1.25, absolute, warmupMs: 60_000 });
    expect(policyOf(parsed({}), { progressDeadlineSeconds: 600 })).toEqual({
      steps: "adaptive",
      onNoData: "hold",
      noDataTimeoutMs: 300_000,
      onBlind: "hold",
      blindTimeoutMs: 600_000,
      onInconclusive: "promote",
      minDurationMs: 0,
      maxDurationMs: 1_200_000,
    });
  });

  test("percent and durations become fractions and milliseconds", () => {
    const given = parsed({ slo: 99.9, tolerance: { ratio: 1.1, absolute: 0.5 }, warmup: "2m", alpha: 0.1 });
    expect(rulesOf(given)).toEqual({ alpha: 0.1, slo: expect.closeTo(0.999, 9) as number, ratio: 1.1, absolute: 0.005, warmupMs: 120_000 });
  });

  test("a second try of the same content spends half", () => {
    expect(rulesOf(parsed({}), 1).alpha).toBe(0.025);
  });

  test.each<[string, object, number | undefined]>([
    ["fixed steps end by themselves", { stepWeight: 10 }, undefined],
    ["fixed steps end when they are told to", { stepWeight: 10, maxDuration: "1h" }, 3_600_000],
    ["adaptive ones never before minDuration", { minDuration: "2h" }, 7_200_000],
  ])("%s", (_, fields, want) => {
    expect(policyOf(parsed(fields), { progressDeadlineSeconds: 600 }).maxDurationMs).toBe(want);
  });

  test.each<[string, object, "fixed" | "adaptive", number | undefined]>([
    ["fixed ones have no end of their own where adaptive ones are written", {}, "fixed", undefined],
    ["adaptive ones end after twenty minutes where fixed ones are written", { stepWeight: 10 }, "adaptive", 1_200_000],
    ["an end that is written counts for fixed ones", { maxDuration: "1h" }, "fixed", 3_600_000],
    ["an end that is written counts for adaptive ones", { stepWeight: 10, maxDuration: "1h" }, "adaptive", 3_600_000],
  ])("played with other steps than its own: %s", (_, fields, steps, want) => {
    expect(policyOf(parsed(fields), { progressDeadlineSeconds: 600, steps })).toMatchObject({ steps, maxDurationMs: want });
  });
});
