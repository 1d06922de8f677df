import { describe, expect, test } from "vitest";
import { countAsFlagger } from "../hack/bench/verdicts/peers.ts";
import { playAll } from "../hack/bench/verdicts/play.ts";
import { serin } from "../hack/bench/verdicts/serin.ts";
import { type Scenario, stresses } from "../hack/bench/verdicts/traffic.ts";

// What Serin promises of its verdicts, on simulated traffic that is the same in every run: a failure here is a change of the
// rules, never bad luck. The whole table is written by `npm run bench:verdicts`.

const trials = 200;
const days = ["clean", "clustered", "incident", "cold"] as const;
const services = [1, 10, 100].flatMap((rps) => [0.001, 0.01, 0.05].map((errors) => ({ rps, errors, percent: `${errors * 100} %` })));

describe.each(["fixed", "adaptive"] as const)("with %s steps", (steps) => {
  const player = serin(steps);

  describe.each(days)("on days that are %s, of 200 releases that change nothing", (day) => {
    test.each(services)("fewer than 1.5 in 100 are rolled back at $rps rps and $percent errors", ({ rps, errors }) => {
      const scenario: Scenario = { rps, stableErrors: errors, canaryErrors: errors, stress: stresses[day] };
      expect(playAll(scenario, player, { trials, seed: rps }).rolledBack).toBeLessThan(0.015);
    });
  });

  // In one of a hundred stable has a bad moment of its own just then, which the guard lets pass first.
  test.each([10, 100, 1_000])("total failure at %d rps is always rolled back, and in 98 of 100 rollouts within two scrapes", (rps) => {
    const scenario: Scenario = { rps, stableErrors: 0.001, canaryErrors: 1 };
    const { rolledBack, rolledBackAtOnce } = playAll(scenario, player, { trials, seed: rps });
    expect(rolledBack).toBe(1);
    expect(rolledBackAtOnce).toBeGreaterThanOrEqual(0.98);
  });

  test("at 100 rps a release that fails in 1 % of requests instead of 0.1 % is rolled back in 99 of 100 rollouts", () => {
    const scenario: Scenario = { rps: 100, stableErrors: 0.001, canaryErrors: 0.01 };
    expect(playAll(scenario, player, { trials, seed: 1 }).rolledBack).toBeGreaterThanOrEqual(0.99);
  });
});

describe("Flagger, beside which they are shown,", () => {
  test.each<[string, Parameters<typeof countAsFlagger>[0], number, number, boolean]>([
    ["only counts the check that reaches the threshold", "fail", 4, 5, false],
    ["rolls back at the next one, whatever it would say", "pass", 5, 5, true],
    ["counts a check without a number as failed", "inconclusive", 1, 2, false],
    ["never lowers the count for a passed check", "pass", 3, 3, false],
  ])("%s", (_, verdict, before, ...[failedChecks, rollBack]) => {
    expect(countAsFlagger(verdict, { failedChecks: before, threshold: 5 })).toEqual({ failedChecks, rollBack });
  });
});
