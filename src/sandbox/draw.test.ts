import { expect, test } from "vitest";
import { seededRandom, weightedDraw } from "./draw.ts";

const counted = (weights: number[], times: number, seed = 1) => {
  const draw = weightedDraw(weights, seed);
  const counts = weights.map(() => 0);
  for (let i = 0; i < times; i++) counts[draw()]! += 1;
  return counts;
};

test.each<[string, number[], number, number[]]>([
  ["every bag of ten is exact", [90, 10], 10, [9, 1]],
  ["a thousand draws are exact", [95, 5], 1_000, [950, 50]],
  ["a zero is never drawn", [100, 0], 50, [50, 0]],
  ["weights need not add up to 100", [1, 2, 3], 60, [10, 20, 30]],
])("%s", (_, weights, times, want) => {
  expect(counted(weights, times)).toEqual(want);
});

test("all zero draws nothing", () => {
  expect(weightedDraw([0, 0], 1)()).toBe(-1);
  expect(weightedDraw([], 1)()).toBe(-1);
});

test("the same seed repeats the series, and no period is visible within it", () => {
  const [draw, again] = [weightedDraw([80, 20], 7), weightedDraw([80, 20], 7)];
  const series = Array.from({ length: 200 }, () => draw());
  expect(Array.from({ length: 200 }, () => again())).toEqual(series);
  const places = series.flatMap((index, at) => (index === 1 ? [at % 5] : []));
  expect(new Set(places).size).toBe(5);
});

test("random numbers fill [0, 1) evenly", () => {
  const random = seededRandom(3);
  const values = Array.from({ length: 10_000 }, () => random());
  expect(Math.abs(values.reduce((sum, value) => sum + value, 0) / values.length - 0.5)).toBeLessThan(0.02);
});
