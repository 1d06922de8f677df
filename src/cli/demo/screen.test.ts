import { expect, test } from "vitest";
import { createScreen, weightBar } from "./screen.ts";

function recorded(isTTY: boolean) {
  const written: string[] = [];
  const screen = createScreen({ isTTY, columns: 30, write: (text) => written.push(text) }, () => 1_234);
  return { screen, text: () => written.join("") };
}

test("off a terminal there are plain lines only", () => {
  const { screen, text } = recorded(false);
  screen.chapter("A good release");
  screen.live("20 %");
  screen.say("promoted");
  screen.end();
  expect(text()).toBe("\n== A good release\n   1.2s  promoted\n");
});

test("on a terminal the live line stays below what is said, and is cut at its width", () => {
  const { screen, text } = recorded(true);
  screen.live("x".repeat(50));
  screen.say("promoted");
  screen.end();
  const lines = text().split("\r\u001b[2K");
  expect(lines[1]).toContain("promoted");
  expect(lines[1]?.endsWith(`\n${"x".repeat(29)}`)).toBe(true);
});

test.each([
  [0, "░".repeat(20)],
  [20, "████" + "░".repeat(16)],
  [100, "█".repeat(20)],
])("a weight of %i %% is drawn", (weight, bar) => {
  expect(weightBar(weight)).toBe(`${bar} ${String(weight).padStart(3)} %`);
});
