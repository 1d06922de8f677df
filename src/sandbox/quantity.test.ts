import { expect, test } from "vitest";
import { quantity } from "./quantity.ts";

test.each<[string, number]>([
  ["2", 2],
  ["0.5", 0.5],
  ["100m", 0.1],
  ["1e3", 1_000],
  ["2k", 2_000],
  ["2Gi", 2 * 2 ** 30],
  ["1E", 1e18],
  ["1Ei", 2 ** 60],
  ["1parsec", 0],
  ["lots", 0],
  ["", 0],
])("the quantity %s is %d", (text, want) => {
  expect(quantity(text)).toBeCloseTo(want, 12);
});
