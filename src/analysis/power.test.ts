import { describe, expect, test } from "vitest";
import { addToGuard, logGuardOf, newGuard } from "./guard.ts";
import { powerOf, requestsToSee, type Setting, smallestVisible } from "./power.ts";

const setting = (baseline: number, more: Partial<Setting> = {}): Setting => ({
  baseline,
  share: 0.2,
  alpha: 0.05,
  ratio: 1.25,
  absolute: 1e-4,
  dispersion: 1,
  ...more,
});

describe("the table of analysis §6: canary requests needed at a share of 20 %", () => {
  test.each<[number, number, number]>([
    [0.0001, 3, 653_969],
    [0.0001, 5, 60_649],
    [0.0001, 10, 11_144],
    [0.001, 2, 56_810],
    [0.001, 3, 11_084],
    [0.001, 5, 3_075],
    [0.001, 10, 857],
    [0.01, 2, 4_369],
    [0.01, 3, 1_002],
    [0.01, 5, 293],
    [0.01, 10, 84],
    [0.05, 2, 856],
    [0.05, 3, 199],
    [0.05, 5, 58],
    [0.05, 10, 17],
  ])("from %d by %d times: %d", (baseline, times, want) => {
    expect(requestsToSee(baseline * times, setting(baseline))).toBeCloseTo(want, -0.5);
  });

  test.each<[number, number, number]>([
    [0.0001, 0.0051, 1_018],
    [0.001, 0.006, 2_119],
    [0.01, 0.015, 35_848],
    [0.0001, 1, 4],
    [0.01, 1, 5],
    [0.05, 1, 6],
  ])("from %d to %d: %d", (baseline, rate, want) => {
    expect(requestsToSee(rate, setting(baseline))).toBeCloseTo(want, 0);
  });

  test.each<[string, number, number]>([
    ["twice 0.01 % is inside the absolute tolerance", 0.0001, 0.0002],
    ["5 % to 5.5 % is inside the ratio", 0.05, 0.055],
  ])("%s: never", (_, baseline, rate) => {
    expect(requestsToSee(rate, setting(baseline))).toBe(Infinity);
  });

  test("clumps of three need three times as many", () => {
    expect(requestsToSee(0.01, setting(0.001, { dispersion: 3 }))).toBeCloseTo(3 * requestsToSee(0.01, setting(0.001)), 6);
  });
});

test.each<[string, number, number]>([
  ["total failure", 1, 2],
  ["a tenth of all requests", 0.1, 45],
  ["twice what is allowed", 0.02, 1_652],
  ["a tenth more than is allowed", 0.011, Infinity],
])("without the primary, only the guard finds it: %s", (_, rate, want) => {
  expect(Math.ceil(requestsToSee(rate, setting(0.01, { guardLimit: 0.01 })))).toBe(want);
});

test.each([0.02, 0.05, 0.1, 0.3, 1])("and the guard itself has its evidence after about as many requests: %d", (rate) => {
  const requests = requestsToSee(rate, setting(0.01, { guardLimit: 0.01 }));
  const evidenceAfter = (count: number) => {
    const guard = newGuard();
    addToGuard(guard, { requests: count, bad: count * rate }, { limit: 0.01, dispersion: 1 });
    return Math.exp(logGuardOf(guard)) / 4;
  };
  expect(evidenceAfter(0.8 * requests)).toBeLessThan(20);
  expect(evidenceAfter(1.2 * requests)).toBeGreaterThan(20);
});

test("the smallest visible rate is the one that so many requests are needed for", () => {
  const visible = smallestVisible(857, setting(0.001));
  expect(visible).toBeCloseTo(0.01, 4);
  expect(smallestVisible(2, setting(0.001))).toBeUndefined();
  expect(smallestVisible(1e12, setting(0.001))).toBeGreaterThan(1.25 * 0.001 + 1e-4);
});

test("says requests and seconds for what people ask about, and nothing where it never shows", () => {
  const power = (baseline: number, canaryPerSecond: number) =>
    powerOf(setting(baseline), { canaryRequests: 857, canaryPerSecond, baselineOf: { requests: 100_000, bad: 100_000 * baseline } });
  expect(power(0.001, 20)).toMatchObject({
    canaryRequests: 857,
    baseline: 0.001,
    baselineOf: { requests: 100_000, bad: 100 },
    needed: [
      { times: 2, requests: 56_810, seconds: 2_841 },
      { times: 5, requests: 3_076, seconds: 154 },
      { times: 10, requests: 857, seconds: 43 },
    ],
  });
  expect(power(0.0001, 0).needed[0]).toEqual({ times: 2 });
  expect(power(0.001, 0).needed[2]).toEqual({ times: 10, requests: 857 });
});
