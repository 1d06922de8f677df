import { expect, test } from "vitest";
import { sparkline } from "./sparkline.ts";

test.each<[string, readonly number[], string]>([
  ["nothing", [], ""],
  ["the limit and more are the highest bar, just below it is not", [20, 1e9, 19.9], "██▇"],
  ["what speaks for the release is low", [0.05, 0.001, 0], "▁▁▁"],
  ["evidence that grows", [0.7, 1, 2, 4.5, 12, 40], "▄▄▅▆▇█"],
])("%s", (_, values, want) => {
  expect(sparkline(values, 20)).toBe(want);
});
