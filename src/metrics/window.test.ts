import { expect, test } from "vitest";
import { formatWindow, windowMs } from "./window.ts";

test.each<[string, number, number | undefined, number | undefined]>([
  ["is the interval once the revision is old enough", 60_000, 300_000, 60_000],
  ["begins at the first traffic", 60_000, 12_000, 12_000],
  ["is whole seconds, never more than there were", 60_000, 12_999, 12_000],
  ["is a second at least", 300, 5_000, 1_000],
  ["is not there in the first second", 60_000, 999, undefined],
  ["is not there before the first traffic", 60_000, undefined, undefined],
  ["is not there when the first traffic lies ahead", 60_000, -5_000, undefined],
])("the window %s", (_, intervalMs, agoMs, want) => {
  expect(windowMs(intervalMs, agoMs === undefined ? undefined : 1_000_000 - agoMs, 1_000_000)).toBe(want);
});

test("a window is written in seconds", () => {
  expect([formatWindow(60_000), formatWindow(1_000), formatWindow(400)]).toEqual(["60s", "1s", "1s"]);
});
