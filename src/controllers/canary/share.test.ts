import { describe, expect, test } from "vitest";
import { startShareWorld } from "../../../test/share-world.ts";
import type { CanaryStatus } from "../../api/canary.ts";
import type { ShareStatus } from "../../api/share-evidence.ts";

/** A Canary that names no metrics and no steps. */
const byShare = { analysis: { metrics: undefined, stepWeight: undefined, maxWeight: undefined } };
const withSettings = (analysis: object) => ({ analysis: { ...byShare.analysis, ...analysis } });

const ended = ({ phase }: CanaryStatus) => phase === "Succeeded" || phase === "Failed";
const hasTraffic = ({ canaryWeight = 0 }: CanaryStatus) => canaryWeight > 0;
const readyOf = ({ conditions }: CanaryStatus) => conditions?.find(({ type }) => type === "Ready");
const sum = (evidence: ShareStatus | undefined, side: "canary" | "stable") =>
  (evidence?.steps ?? []).reduce((all, step) => all + step[side].requests, 0);

describe("a Canary that names no metrics", () => {
  test("is promoted by steps that evidence has earned, and says why at each", async () => {
    const world = await startShareWorld(byShare, { rps: 100 });
    await world.release("shop:2");
    const { status, seconds } = await world.until(ended);
    expect(status.phase).toBe("Succeeded");
    expect(seconds).toBeLessThan(10 * 60);
    const { evidence } = status;
    expect(evidence).toMatchObject({ acts: true, verdict: "pass", reason: "GoodEnough", source: "contour", dispersionMeasured: false });
    const weights = evidence?.steps.map(({ weight }) => weight) ?? [];
    expect(weights[0]).toBe(2);
    expect(weights.length).toBeGreaterThan(2);
    expect(weights).toEqual(weights.toSorted((a, b) => a - b));
    const because = /: canary weight \d+ → \d+: At \d+ % even a canary as bad as is still plausible costs less than the error budget$/;
    const shifts = world.events.filter(({ reason }) => reason === "WeightShifted");
    expect(shifts.slice(1, -1).filter(({ message }) => !because.test(message))).toEqual([]);
    expect(world.events.find(({ reason }) => reason === "CanaryPromoting")?.message).toContain("No worse than the primary; with ");
  });

  test.each([10, 100])("is rolled back within two scrapes when it fails altogether, at %d rps, and a revert is proposed", async (rps) => {
    const world = await startShareWorld(byShare, { rps });
    await world.release("shop:b100");
    await world.until(hasTraffic);
    const { status, seconds } = await world.until(ended);
    expect(seconds).toBeLessThanOrEqual(2 * 15 + 2);
    const failure = { reason: "EvidenceAgainst", propose: true };
    expect(status).toMatchObject({ phase: "Failed", verdict: "fail", canaryWeight: 0, failure });
    expect(status.evidence?.peak).toBeGreaterThan(20);
    const steps = [{ weight: expect.any(Number) as number, canary: { requests: expect.any(Number) as number } }];
    const against = status.evidence?.against;
    expect(["errors", "slo"]).toContain(against);
    expect(world.failures).toMatchObject([{ propose: true, evidence: { share: { acts: true, limit: 20, against, steps } } }]);
    expect(world.failures[0]?.evidence.share).not.toHaveProperty("state");
    expect(world.events.find(({ reason }) => reason === "CanaryRolledBack")?.message).toContain(status.evidence?.message);
  });

  test("goes fixed steps at its interval, and is held back only by evidence", async () => {
    const world = await startShareWorld(withSettings({ stepWeight: 20, maxWeight: 60, interval: "30s" }));
    await world.release("shop:2");
    const { status } = await world.until(ended);
    expect(status.phase).toBe("Succeeded");
    expect(status.evidence?.steps.map(({ weight }) => weight)).toEqual([20, 40, 60]);
    const times = status.evidence?.steps.map(({ from }) => Date.parse(from)) ?? [];
    for (const [index, at] of times.slice(1).entries()) expect(at - (times[index] ?? 0)).toBeGreaterThanOrEqual(30_000);
  });

  test("is not promoted before minDuration", async () => {
    const world = await startShareWorld(withSettings({ minDuration: "15m" }), { rps: 1_000 });
    await world.release("shop:2");
    await world.until(hasTraffic);
    const { status, seconds } = await world.until(ended);
    expect(status.phase).toBe("Succeeded");
    expect(seconds).toBeGreaterThanOrEqual(15 * 60);
  });

  test.each<[string, object, CanaryStatus["phase"]]>([
    ["is promoted, and says what it could not have seen", {}, "Succeeded"],
    ["is rolled back where it was told so, without blaming a commit", { onInconclusive: "fail" }, "Failed"],
  ])("whose time is up %s", async (_, settings, phase) => {
    const world = await startShareWorld(withSettings({ maxDuration: "3m", ...settings }), { rps: 1 });
    await world.release("shop:2");
    const { status } = await world.until(ended);
    expect(status).toMatchObject({ phase, evidence: { reason: "TimeIsUp" } });
    expect(status.evidence?.message).toMatch(/^The time is up: with \d+ canary requests /);
    expect(world.failures.map(({ propose }) => propose)).toEqual(phase === "Failed" ? [false] : []);
  });
});

describe("while nothing can be seen", () => {
  test("no traffic for the canary holds and says so once, and goes on when it comes", async () => {
    const world = await startShareWorld(byShare, { rps: 100, unvisited: true });
    await world.release("shop:2");
    const { status } = await world.until((now) => readyOf(now)?.reason === "NoTraffic");
    expect(status).toMatchObject({ phase: "Progressing", failedChecks: 0, verdict: "inconclusive", evidence: { reason: "NoTraffic" } });
    const { canaryWeight } = status;
    await world.pass(1_800);
    expect(world.status()).toMatchObject({ phase: "Progressing", canaryWeight });
    expect(world.events.filter(({ reason }) => reason === "NoTraffic")).toHaveLength(1);
    world.now.unvisited = false;
    expect((await world.until(ended)).status.phase).toBe("Succeeded");
  });

  test.each(["fail", "promote"] as const)("after noDataTimeout onNoData: %s is done, and no commit is blamed", async (onNoData) => {
    const world = await startShareWorld(withSettings({ onNoData, noDataTimeout: "2m" }), { unvisited: true });
    await world.release("shop:2");
    await world.until(hasTraffic);
    const { status, seconds } = await world.until(ended);
    expect(seconds).toBeGreaterThanOrEqual(120);
    expect(status.phase).toBe(onNoData === "fail" ? "Failed" : "Succeeded");
    expect(world.failures.map(({ propose }) => propose)).toEqual(onNoData === "fail" ? [false] : []);
  });

  test("a Prometheus that is away holds the first step and every later one, and what it saw meanwhile still counts", async () => {
    const world = await startShareWorld(byShare, { rps: 100, blind: true });
    await world.release("shop:2");
    await world.until((now) => readyOf(now)?.reason === "MetricsUnreadable");
    await world.pass(600);
    expect(world.status()).toMatchObject({ phase: "Progressing", canaryWeight: 0 });
    world.now.blind = false;
    const { status: begun } = await world.until(hasTraffic);
    await world.pass(40);
    world.now.blind = true;
    await world.until((now) => readyOf(now)?.reason === "MetricsUnreadable");
    const { canaryWeight } = world.status();
    expect(canaryWeight).toBe(begun.canaryWeight);
    await world.pass(1_500);
    expect(world.status()).toMatchObject({ phase: "Progressing", canaryWeight, failedChecks: 0 });
    world.now.blind = false;
    const { status } = await world.until(ended);
    expect(status.phase).toBe("Succeeded");
    expect(sum(status.evidence, "canary") / world.sentTo("shop:2")).toBeGreaterThan(0.8);
  });

  test("onBlind: fail takes the traffic back after the progress deadline, and blames no commit", async () => {
    const world = await startShareWorld({ ...withSettings({ onBlind: "fail" }), progressDeadlineSeconds: 300 });
    await world.release("shop:2");
    await world.until(hasTraffic);
    await world.pass(20);
    world.now.blind = true;
    const { status, seconds } = await world.until(ended);
    expect(seconds).toBeGreaterThanOrEqual(250);
    expect(status).toMatchObject({ phase: "Failed", failure: { reason: "MetricsUnreadable", propose: false } });
  });
});

test.each(["shop:2", "shop:b3"])("processes that live for twenty seconds come to the verdict of one that stays: %s", async (image) => {
  const [steady, restless] = await Promise.all([startShareWorld(byShare, { rps: 100 }), startShareWorld(byShare, { rps: 100 })]);
  await Promise.all([steady.release(image), restless.release(image)]);
  const { status: want } = await steady.until(ended);
  for (let life = 0; life < 100 && !ended(restless.status()); life += 1) {
    await restless.pass(20);
    restless.restart();
  }
  const got = restless.status();
  expect([got.phase, got.evidence?.reason]).toEqual([want.phase, want.evidence?.reason]);
  expect(sum(got.evidence, "canary")).toBeGreaterThan(0);
  expect(sum(got.evidence, "canary")).toBeLessThanOrEqual(restless.sentTo(image));
});

test("each further try of a release that has failed spends half of alpha", async () => {
  const world = await startShareWorld(byShare, { rps: 100 });
  const limits: (number | undefined)[] = [];
  for (let tries = 1; tries <= 4; tries += 1) {
    await world.release("shop:b100");
    limits.push((await world.until(ended)).status.evidence?.limit);
    await world.release("shop:1");
    await world.until(({ phase }) => phase === "Initialized");
  }
  expect(limits).toEqual([20, 40, 80, 160]);
  expect(world.status().refused).toMatchObject([{ tries: 4 }]);
});

test.each<[string, number, number]>([
  ["half an hour", 0, 30],
  ["ten minutes", 2, 10],
])("%s without a process that was killed between a weight above %i percent and its route are no fault of the router, nor silence", async (_, from, minutes) => {
  const world = await startShareWorld(withSettings({ onNoData: "fail" }), { rps: 100 });
  await world.release("shop:2");
  await world.until(({ canaryWeight = 0 }) => canaryWeight >= from);
  const { canaryWeight = 0 } = world.status();
  world.now.mortal = true;
  await world.until((status) => (status.canaryWeight ?? 0) > canaryWeight);
  await world.pass(minutes * 60);
  world.now.mortal = false;
  world.restart();
  await world.pass(1);
  expect(world.status().phase).toBe("Progressing");
  expect((await world.until(ended)).status).toMatchObject({ phase: "Succeeded", evidence: { verdict: "pass", reason: "GoodEnough" } });
  expect(world.events.filter(({ reason }) => ["TrafficNotSplit", "NoTraffic"].includes(reason))).toEqual([]);
});

test("a baseline of none judges by the SLO alone, and proposes no revert", async () => {
  const world = await startShareWorld(withSettings({ baseline: "none" }), { rps: 100 });
  await world.release("shop:b50");
  const { status } = await world.until(ended);
  expect(status).toMatchObject({ phase: "Failed", failure: { reason: "EvidenceAgainst", propose: false } });
});

test.each(["shop:2", "shop:b100"])("behind a gateway that nobody knows the programs' own metrics are read, and φ̂ is measured: %s", async (image) => {
  const world = await startShareWorld(byShare, { rps: 100, programs: true });
  await world.release(image);
  const { status } = await world.until(ended);
  expect(status.phase).toBe(image === "shop:2" ? "Succeeded" : "Failed");
  expect(status.evidence).toMatchObject({ source: "http_requests_total", dispersionMeasured: true });
});

describe("beside thresholds", () => {
  const byThreshold = { analysis: { stepWeight: 20, maxWeight: 40 } };

  test("the share verdict is only shown, with what it would have done", async () => {
    const world = await startShareWorld(byThreshold, { rps: 100 });
    await world.release("shop:b50");
    const { status } = await world.until(({ evidence }) => evidence?.verdict === "fail");
    expect(status).toMatchObject({ phase: "Progressing", evidence: { acts: false, reason: "EvidenceAgainst" } });
    expect((await world.until(ended)).status).toMatchObject({ phase: "Succeeded", verdict: "pass" });
    const told = world.events.filter(({ reason }) => reason === "ShareWouldRollBack");
    expect(told).toMatchObject([{ message: expect.stringContaining("method share would roll back now: ") as string }]);
  });

  test.each<[string, object, "mute" | "blind", { phase: CanaryStatus["phase"]; failure?: object }]>([
    ["without data they hold", {}, "mute", { phase: "Progressing" }],
    ["without data they fail after noDataTimeout, and blame no commit", { onNoData: "fail" }, "mute", { phase: "Failed", failure: { reason: "NoData", propose: false } }],
    ["without data they go on after noDataTimeout", { onNoData: "promote" }, "mute", { phase: "Succeeded" }],
    ["without an answer they hold", { onNoData: "fail" }, "blind", { phase: "Progressing" }],
    ["without an answer they fail after the progress deadline", { onBlind: "fail" }, "blind", { phase: "Failed", failure: { reason: "MetricsUnreadable", propose: false } }],
    ["without a verdict they promote after maxDuration", { maxDuration: "10m" }, "mute", { phase: "Succeeded" }],
    ["without a verdict they fail after maxDuration", { maxDuration: "10m", onInconclusive: "fail" }, "mute", { phase: "Failed", failure: { reason: "TimeIsUp", propose: false } }],
    ["without a verdict they hold after maxDuration", { maxDuration: "10m", onInconclusive: "hold" }, "mute", { phase: "Progressing" }],
  ])("%s", async (_, settings, trouble, want) => {
    const world = await startShareWorld({ analysis: { ...byThreshold.analysis, ...settings } });
    await world.release("shop:2");
    await world.until(hasTraffic);
    world.now[trouble] = true;
    await world.pass(4 * 60);
    expect(world.status()).toMatchObject({ phase: "Progressing", failedChecks: 0 });
    await world.pass(16 * 60);
    expect(world.status()).toMatchObject(want);
  });

  test.each<[string, object, { rps: number; unread?: boolean }, object]>([
    ["that fail roll back", {}, { rps: 1 }, { phase: "Failed", failedChecks: 1 }],
    ["of fewer requests than minRequests count neither way", { minRequests: 100 }, { rps: 1 }, { phase: "Progressing", failedChecks: 0, canaryWeight: 20 }],
    ["of as many count", { minRequests: 100 }, { rps: 100 }, { phase: "Failed", failedChecks: 1 }],
    ["whose requests cannot be counted count neither way", { minRequests: 1 }, { rps: 100, unread: true }, { phase: "Progressing", failedChecks: 0, canaryWeight: 20 }],
  ])("checks %s", async (_, settings, { unread = false, rps }, want) => {
    const metrics = [{ name: "request-success-rate", thresholdRange: { min: 101 } }];
    const world = await startShareWorld({ analysis: { ...byThreshold.analysis, metrics, ...settings } }, { rps });
    await world.release("shop:2");
    await world.until(hasTraffic);
    world.now.unread = unread;
    await world.pass(5 * 60);
    expect(world.status()).toMatchObject(want);
  });

  test("are passed at last, but nothing is promoted before minDuration", async () => {
    const world = await startShareWorld({ analysis: { ...byThreshold.analysis, minDuration: "10m" } });
    await world.release("shop:2");
    await world.until(hasTraffic);
    const { status, seconds } = await world.until(ended);
    expect(status.phase).toBe("Succeeded");
    expect(seconds).toBeGreaterThanOrEqual(600);
  });

  test("a Prometheus without raw samples changes nothing", async () => {
    const world = await startShareWorld(byThreshold);
    world.now.rps = 0;
    await world.release("shop:2");
    expect((await world.until(ended)).status).toMatchObject({ phase: "Succeeded", verdict: "pass" });
  });
});

describe("method share with metrics", () => {
  test("measures and shows them, and they decide nothing", async () => {
    const metrics = [{ name: "request-success-rate", thresholdRange: { min: 101 } }];
    const world = await startShareWorld(withSettings({ method: "share", metrics }), { rps: 100 });
    await world.release("shop:2");
    const { status } = await world.until(ended);
    expect(status).toMatchObject({ phase: "Succeeded", verdict: "pass", failedChecks: 0, checks: [{ verdict: "fail", value: 100 }] });
  });
});
