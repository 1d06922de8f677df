import { describe, expect, test } from "vitest";
import { isStorm, msUntilProposal, msUntilRebuild } from "./limits.ts";

const minute = 60_000;
const failure = (minutes: number, commits: string, canary = commits) => ({ canary, failedAtMs: minutes * minute, commits });

describe("rule 3: storms", () => {
  test.each<[string, ReturnType<typeof failure>[], boolean]>([
    ["two changes that fail together are two bad changes", [failure(1, "b")], false],
    ["three different ones are an outage", [failure(1, "b"), failure(2, "c")], true],
    ["three canaries of the same commits are one bad change", [failure(1, "a", "x"), failure(2, "a", "y")], false],
    ["one canary that fails three times is no outage", [failure(-2, "b", "a"), failure(-1, "c", "a")], false],
    ["of each canary the newest failure counts", [failure(1, "b", "x"), failure(2, "c", "x"), failure(-1, "d", "y")], true],
    ["those of ten minutes around it count", [failure(-10, "b"), failure(10, "c")], true],
    ["those of eleven do not", [failure(-11, "b"), failure(11, "c")], false],
    ["those of an hour ago do not count", [failure(-60, "b"), failure(-61, "c")], false],
  ])("%s", (_, others, want) => {
    expect(isStorm(failure(0, "a"), others)).toBe(want);
  });

  test("at most three proposals an hour", () => {
    expect(msUntilProposal([], 0)).toBe(0);
    expect(msUntilProposal([50 * minute, 40 * minute], 60 * minute)).toBe(0);
    expect(msUntilProposal([50 * minute, 40 * minute, 30 * minute], 60 * minute)).toBe(30 * minute);
  });
});

describe("rule 6: when the branch is made anew", () => {
  const rebuild = { mergesCleanly: true, passesCheck: true, approved: false, pushedAtMs: 0, nowMs: 20 * minute };
  test.each<[string, Partial<typeof rebuild>, number | undefined]>([
    ["it merges cleanly and passes: never", {}, undefined],
    ["it conflicts: now", { mergesCleanly: false }, 0],
    ["it no longer passes the check: now", { passesCheck: false }, 0],
    ["it conflicts, but was written five minutes ago: in ten", { mergesCleanly: false, nowMs: 5 * minute }, 10 * minute],
    ["it no longer passes, but a person approved it: never", { passesCheck: false, approved: true }, undefined],
    ["a person approved it, but it conflicts: now", { mergesCleanly: false, approved: true }, 0],
  ])("%s", (_, over, want) => {
    expect(msUntilRebuild({ ...rebuild, ...over })).toBe(want);
  });
});
