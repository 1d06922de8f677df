import { describe, expect, test, type TestContext } from "vitest";
import { restore, type Stored } from "../../../src/analysis/stored.ts";
import type { CanaryStatus } from "../../../src/api/canary.ts";
import { startFaultyProxy } from "../../faults/proxy.ts";
import { seen } from "../sight.ts";
import { stage } from "../story.ts";
import { expectNoneFailed, type Team, type TeamOptions } from "../team.ts";

/** Nothing is said of metrics, thresholds and weights. A minute of warm-up is not what scenarios wait for. */
const options: TeamOptions = { canary: { byShare: { warmup: "1s" } }, traffic: 40 };
/** Nor are the thousands of requests by which a good release shows that it keeps a small error budget. */
const lenient: TeamOptions = { ...options, canary: { byShare: { warmup: "1s", slo: 50 } } };

/** Requests of one side that the evidence of a Canary rests on. */
function counted({ evidence }: Partial<CanaryStatus>, side: "canary" | "stable" = "canary"): number {
  return (evidence?.steps ?? []).reduce((sum, step) => sum + step[side].requests, 0);
}

const answersBy = (team: Team, version: string): number => team.users("shop").snapshot().versions.get(version)?.answered ?? 0;

/** Users go on as before for a while. */
async function usersGoOn(team: Team): Promise<void> {
  const answered = (): number => team.users("shop").snapshot().answered;
  const before = answered();
  await team.until("users to go on", () => answered() > before + 80);
}

interface Seen {
  readonly reason: string;
  readonly canary: number;
  readonly stable: number;
}

/** All that the evidence of a team's Canary says from now on, in the order in which it was written. */
function trailOf(context: TestContext, team: Team): readonly Seen[] {
  const trail: Seen[] = [];
  const stop = team.place.informers.of(seen.canary).onChange(({ after }) => {
    const status = after?.metadata.namespace === team.namespace ? team.canary("shop") : {};
    if (status.evidence) trail.push({ reason: status.evidence.reason, canary: counted(status), stable: counted(status, "stable") });
  });
  context.onTestFinished(stop);
  return trail;
}

/** What a restarted controller would go on from. */
function learnt(team: Team): Stored {
  const stored = restore(team.canary("shop").evidence?.state ?? "");
  if (!stored) throw new Error("the Canary has learnt nothing that can be read");
  return stored;
}

async function proposed(team: Team): Promise<string> {
  expect(await team.rolledBack("shop")).toContain("EvidenceAgainst, the commit's fault");
  await team.held("shop", "1");
  return (await team.pullRequest("shop")).body;
}

describe("a release that is judged by its share of the bad requests", () => {
  const here = stage();

  describe.concurrent("while all parts work", () => {
    test("is promoted when it is no worse, by weights that its traffic earned", async (context) => {
      const team = await here.aTeam(context, "share-good", lenient);
      await team.releases("shop", "2");
      await team.promoted("shop", "2");
      await team.atRest("shop");
      const { evidence } = team.canary("shop");
      expect(evidence).toMatchObject({ verdict: "pass", reason: "GoodEnough" });
      const weights = evidence?.steps.map(({ weight }) => weight) ?? [];
      expect(weights.length).toBeGreaterThan(2);
      expect(weights).toEqual(weights.toSorted((a, b) => a - b));
      expectNoneFailed(team.users("shop"));
      expect(await team.pulls()).toEqual([]);
    });

    test("waits, and says so, while nobody asks it for anything", async (context) => {
      const team = await here.aTeam(context, "share-alone", { ...options, users: [] });
      const isAtRest = () => team.canary("shop").phase === "Initialized";
      await team.until("the Canary to be at rest", isAtRest);
      await team.releases("shop", "2");
      await team.until("the Canary to say that there is no traffic", () => team.canary("shop").evidence?.reason === "NoTraffic");
      expect(team.canary("shop")).toMatchObject({ phase: "Progressing", failedChecks: 0, verdict: "inconclusive" });
      await team.releases("shop", "1");
      await team.until("the Canary to be at rest again", isAtRest);
      expect(await team.pulls()).toEqual([]);
    });

    test.for([
      ["fails each time", "bad", /\n\| 5 % \| \S+ \| \d+, \d+ failed \| \d+, 0 failed \| [\d.]+[^|]* \|/],
      ["fails three times of ten", "poor", /\n\| 5 % \| \S+ \| \d+, \d+ failed \| \d+, 0 failed \| [\d.]+[^|]* \|/],
      ["is slow", "slow", /\n\| 5 % \| \S+ \| \d+, 0 failed \| \d+, 0 failed \| [1-9]\d* of \d+ \| \d+ of \d+ \| [\d.]+[^|]* \|/],
    ] as const)("is rolled back when it %s, and the pull request says how sure that is", async ([, tag, step], context) => {
      const team = await here.aTeam(context, `share-${tag}`, options);
      await team.releases("shop", tag);
      const body = await proposed(team);
      expect(body).toContain("would ever look this bad in fewer than 1 of 20 rollouts");
      expect(body).toMatch(step);
      await team.merges(await team.pullRequest("shop"));
      await team.revertIs("shop", "Merged");
    });
  });

  test("is held while Prometheus is away, goes on when it is back, and what was answered meanwhile counts", async (context) => {
    const prometheus = await startFaultyProxy(here.place.prometheus);
    context.onTestFinished(() => prometheus.close());
    const behind = (team: TeamOptions): TeamOptions => ({ ...team, canary: { ...team.canary, metricsServer: prometheus.url } });
    const [good, bad] = await Promise.all([
      here.aTeam(context, "share-blind", behind(lenient)),
      here.aTeam(context, "share-blind-bad", behind(options)),
    ]);
    await good.releases("shop", "2");
    await good.until("the first evidence", () => counted(good.canary("shop")) > 0);
    const trail = trailOf(context, good);
    prometheus.trouble("gone");
    await bad.releases("shop", "bad");
    await good.until("the run to say that nothing can be read", () => good.canary("shop").evidence?.reason === "MetricsUnreadable");
    await bad.until("the other one to say so", () => bad.ready(seen.canary, "shop").includes("MetricsUnreadable"));
    const { canaryWeight, startedAt } = good.canary("shop");
    expect(canaryWeight).toBeGreaterThan(0);
    await usersGoOn(good);
    expect(good.canary("shop")).toMatchObject({ phase: "Progressing", canaryWeight, failedChecks: 0 });
    expect(bad.canary("shop")).toMatchObject({ phase: "Progressing", canaryWeight: 0, failedChecks: 0 });
    expect([good.revert("shop"), bad.revert("shop"), await good.pulls(), await bad.pulls()]).toEqual([undefined, undefined, [], []]);

    const meanwhile = answersBy(good, "2");
    // So that it has been scraped.
    await usersGoOn(good);
    const whileBlind = trail.length;
    prometheus.trouble(undefined);
    const back = await good.until("the run to be seen again", () => trail.slice(whileBlind).find(({ reason }) => reason !== "MetricsUnreadable"));
    expect(back.canary).toBeGreaterThanOrEqual(meanwhile);
    await good.promoted("shop", "2");
    expect(good.canary("shop")).toMatchObject({ startedAt, evidence: { reason: "GoodEnough" } });
    expectNoneFailed(good.users("shop"));
    await proposed(bad);
  });

  test("comes to its verdict through kill -9: what was counted is neither lost nor counted twice", async (context) => {
    const [good, bad] = await Promise.all([here.aTeam(context, "share-killed", lenient), here.aTeam(context, "share-killed-bad", options)]);
    await good.releases("shop", "2");
    await good.until("the first evidence", () => counted(good.canary("shop")) > 0);
    await bad.releases("shop", "poor");
    await bad.until("the bad release to get traffic", () => (bad.canary("shop").canaryWeight ?? 0) > 0);

    const trail = trailOf(context, good);
    const { startedAt } = good.canary("shop");
    const isUnderWay = () => good.canary("shop").phase === "Progressing";
    let kills = 0;
    for (; kills < 2 && isUnderWay(); kills += 1) {
      await here.controller.kill();
      const dead = good.canary("shop");
      await usersGoOn(good);
      expect(good.canary("shop")).toEqual(dead);
      const [meanwhile, failed] = [answersBy(good, "2"), answersBy(bad, "poor")];
      await usersGoOn(good);
      const whileDead = trail.length;
      await here.controller.restart();
      const back = await good.until("the run to be seen again", () => trail.slice(whileDead).find(({ canary }) => canary > counted(dead)));
      expect(back.canary).toBeGreaterThanOrEqual(meanwhile);
      await bad.until("and the bad answers too", () => counted(bad.canary("shop")) >= failed || bad.canary("shop").phase === "Failed");
    }
    expect(kills).toBe(2);

    await good.promoted("shop", "2");
    expect(good.canary("shop")).toMatchObject({ startedAt, evidence: { verdict: "pass", reason: "GoodEnough" } });
    expect(trail.map(({ reason }) => reason)).not.toContain("TrafficNotSplit");
    for (const side of ["canary", "stable"] as const) {
      const numbers = trail.map((each) => each[side]);
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    }
    expect(counted(good.canary("shop"))).toBeLessThanOrEqual(answersBy(good, "2"));
    expectNoneFailed(good.users("shop"));
    await proposed(bad);
    expect(counted(bad.canary("shop"))).toBeLessThanOrEqual(answersBy(bad, "poor"));
  });
});

describe("with nothing set and a scrape every 15 s", () => {
  const here = stage({}, { scrapeIntervalMs: 15_000 });

  test("total failure at 10 requests a second is rolled back within two scrapes of its first traffic", async (context) => {
    context.skip(here.place.name !== "sandbox", "this Prometheus scrapes at a pace of its own");
    const team = await here.aTeam(context, "share-total", { canary: { byShare: {} }, traffic: 10 });
    await team.releases("shop", "bad");
    await proposed(team);
    const { run, reading } = learnt(team);
    expect(Math.round(reading.scrapeMs / 1_000)).toBe(15);
    expect(run.steps.map(({ weight }) => weight)).toEqual([5]);
    expect(run.scrapesInStep).toBeLessThanOrEqual(2);
    // Of 10 a second in two scrapes a twentieth, and what was on its way until the gateway obeyed.
    expect(team.users("shop").snapshot().failed).toBeLessThan(25);
  });
});
