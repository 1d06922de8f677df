import { describe, expect, test } from "vitest";
import { bar, changeLine, picture, ratesLine, type Sample, sparkline } from "./picture.ts";

const primary = { version: "2", perSecond: 40, errors: 0 };
const canary = { version: "3", perSecond: 10, errors: 30 };

function sample(override: Partial<Sample> = {}): Sample {
  return { phase: "Progressing", weight: 20, primary, canary, sent: 830, lost: 12, ...override };
}

const drawn = (samples: Sample[], width: number) => picture(samples, width).map((line) => line.map(({ text }) => text).join(""));

test.each([
  [0, "░".repeat(24)],
  [25, "██████" + "░".repeat(18)],
  [100, "█".repeat(24)],
  [140, "█".repeat(24)],
])("a share of %i %% is a bar", (share, want) => {
  expect(bar(share)).toBe(want);
});

test.each<[string, number[], number, string]>([
  ["nothing is the lowest block", [0, 0], 100, "▁▁"],
  ["the top is the highest block", [0, 50, 100], 100, "▁▅█"],
  ["a little of something shows", [0, 0.1], 100, "▁▂"],
  ["what is above the top stays in", [200], 100, "█"],
])("in a history %s", (_, values, top, want) => {
  expect(sparkline(values, top)).toBe(want);
});

describe("the picture", () => {
  test("shows shares and rates of both versions and what users lost", () => {
    expect(drawn([sample({ weight: 0 }), sample()], 100)).toEqual([
      "── Progressing, canary at 20 %, users lost 12 of 830 requests",
      "   primary  shop:2     ███████████████████░░░░░  80 %  40 req/s  0.0 % errors",
      "   canary   shop:3     █████░░░░░░░░░░░░░░░░░░░  20 %  10 req/s 30.0 % errors",
      `   weight ▁▃${" ".repeat(33)}  errors ██`,
    ]);
  });

  test("marks a version that fails", () => {
    const [, healthy, failing] = picture([sample()], 100);
    expect([healthy?.at(-1)?.style, failing?.at(-1)?.style]).toEqual(["plain", "bad"]);
  });

  test("says when no canary runs", () => {
    expect(drawn([sample({ weight: 0, canary: undefined })], 100)[2]).toContain("canary   none");
  });

  test("does not pretend to tell versions with the same image apart", () => {
    expect(drawn([sample({ canary: { ...canary, version: "2" } })], 100)[2]).toContain("the same image, counted above");
  });

  test.each([20, 40, 79, 199])("is never wider than %i columns", (width) => {
    const long = { ...canary, version: "broken-registry" };
    for (const line of drawn(
      Array.from({ length: 120 }, () => sample({ canary: long })),
      width,
    ))
      expect(line.length).toBeLessThanOrEqual(width);
  });

  test("is nothing before the first sample", () => {
    expect(picture([], 80)).toEqual([]);
  });
});

test("a change of weight or phase is a line", () => {
  expect(changeLine(sample())).toBe(`${bar(20)}  20 %  Progressing`);
});

test.each<[string, Sample, string]>([
  ["both versions", sample(), "shop:2 40 req/s  0.0 % errors · shop:3 10 req/s 30.0 % errors"],
  ["the one that there is", sample({ canary: undefined }), "shop:2 40 req/s  0.0 % errors"],
  ["one, where both are the same image", sample({ canary: primary }), "shop:2 40 req/s  0.0 % errors"],
])("its rates are those of %s", (_, given, want) => {
  expect(ratesLine(given)).toBe(want);
});
