import { describe, expect, test } from "vitest";
import type { ShareEvidence, ShareStep } from "./share-evidence.ts";
import { evidenceLine, shareTable, slowMeaning } from "./share-table.ts";

const tally = (requests: number, bad: number) => ({ requests, bad });
const warm = { weight: 5, from: "2026-11-21T02:58:00Z", canary: tally(75, 0), stable: tally(1_425, 2), evidence: 0.41, peak: 0.6 };
const slow = { canary: tally(600, 160), stable: tally(5_400, 320) };
const counted = { canary: tally(600, 0), stable: tally(5_401, 1), slow };
const later = { weight: 10, from: "2026-11-21T02:59:00Z", ...counted, evidence: 61_000, peak: 61_000 };
const evidence: ShareEvidence = { acts: true, peak: 61_000, limit: 20, slowerThanMilliseconds: 250, steps: [warm, later] };

const errorsAlone = [
  ["weight", "from", "canary's requests", "primary's", "evidence"],
  ["5 %", "2026-11-21T02:58:00Z", "75, 0 failed", "1425, 2 failed", "0.41"],
  ["10 %", "2026-11-21T02:59:00Z", "600, 0 failed", "5401, 1 failed", "61000"],
];
const withSlow = [
  ["weight", "from", "canary's requests", "primary's", "canary's slow", "primary's slow", "evidence"],
  ["5 %", "2026-11-21T02:58:00Z", "75, 0 failed", "1425, 2 failed", "–", "–", "0.41"],
  ["10 %", "2026-11-21T02:59:00Z", "600, 0 failed", "5401, 1 failed", "160 of 600", "320 of 5400", "61000"],
];

describe("the steps of a rollout show", () => {
  test.each<[string, Partial<ShareEvidence>, string[][]]>([
    ["slow requests where they decide", { against: "latency" }, withSlow],
    ["and where nothing speaks against the release", {}, withSlow],
    ["errors alone where these decide", { against: "errors" }, errorsAlone],
    ["also by the SLO", { against: "slo" }, errorsAlone],
    ["errors alone where latency is not known", { steps: [warm, { ...later, slow: undefined }] }, errorsAlone],
    ["also in what an earlier version wrote", { slowerThanMilliseconds: undefined, against: undefined }, errorsAlone],
  ])("%s", (_, more, want) => {
    expect(shareTable({ ...evidence, ...more })).toEqual(want);
    expect(slowMeaning({ ...evidence, ...more }) !== undefined).toBe(want === withSlow);
  });

  test("times without their thousandths", () => {
    expect(shareTable({ ...evidence, steps: [{ ...warm, from: "2026-11-21T02:58:00.120Z" }] })[1]?.[1]).toBe("2026-11-21T02:58:00Z");
  });

  test.each<[string, Partial<ShareStep>, string, string]>([
    ["the most that the evidence was, where it decided and is gone", { evidence: 0.2, peak: 22 }, "0.2 (highest 22)", "█"],
    ["that it is beyond all doubt", { evidence: 1e9, peak: 1e9 }, "1e9 or more", "█"],
    ["but not where it was no reason for anything", { evidence: 0.2, peak: 4.4 }, "0.2", "▂"],
    ["nor twice", { evidence: 22, peak: 22 }, "22", "█"],
    ["nor where an earlier version did not say", { evidence: 0.2, peak: undefined }, "0.2", "▂"],
  ])("%s", (_, more, cell, bars) => {
    const shown = { ...evidence, steps: [{ ...warm, ...more }] };
    expect(shareTable(shown).at(-1)?.at(-1)).toBe(cell);
    expect(evidenceLine(shown)).toBe(bars);
  });
});
