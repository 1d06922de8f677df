import { describe, expect, test } from "vitest";
import { defaultPolicy, defaultRules } from "../../test/builders.ts";
import { analysis, type Analysis } from "../api/analysis.ts";
import type { RawSeries } from "../lib/series.ts";
import { beginFollowing, firstWeightOf, follow, reportOf, stepped } from "./follow.ts";
import type { Samples } from "./reading.ts";
import { policyOf, rulesOf } from "./settings.ts";
import type { Subject } from "./sources.ts";
import { restore, store, type Stored } from "./stored.ts";
import { judgeShare } from "./verdict.ts";
import { noPast } from "./share.ts";

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
