import { expect, test } from "vitest";
import { type Sample, trendOf } from "../hack/soak/memory.ts";

const minutes = Array.from({ length: 121 }, (_, index) => index / 6);
const run = (residentMiB: (minute: number) => number): Sample[] =>
  minutes.map((minute) => ({ minute, residentMiB: residentMiB(minute), commits: 0 }));

test.each<[string, (minute: number) => number, boolean]>([
  ["caches that fill in the first minutes are no leak", (minute) => 90 + Math.min(minute, 4) * 20, true],
  ["what a collection gives back is no leak", (minute) => 150 + (Math.floor(minute * 6) % 5) * 10, true],
  ["two MiB a minute are a leak", (minute) => 150 + minute * 2, false],
  ["a leak that begins late is one", (minute) => 150 + Math.max(0, minute - 12) * 5, false],
])("%s", (_, residentMiB, isFlat) => {
  expect(trendOf(run(residentMiB)).isFlat).toBe(isFlat);
});

test("the trend is told in MiB and percent", () => {
  expect(trendOf(run((minute) => (minute < 12 ? 100 : 120)))).toMatchObject({ earlyMiB: 100, lateMiB: 120, mostMiB: 120 });
  expect(trendOf(run((minute) => (minute < 12 ? 100 : 120))).growthPercent).toBeCloseTo(20, 9);
});

test("a run that ended at once has no trend", () => {
  expect(() => trendOf([])).toThrow("0 samples are too few to see a trend");
});
