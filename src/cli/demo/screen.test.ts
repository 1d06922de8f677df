import { expect, test } from "vitest";
import { createScreen } from "./screen.ts";

function recorded(isTTY: boolean, hasColors = () => false) {
  const written: string[] = [];
  const screen = createScreen({ isTTY, columns: 30, hasColors, write: (text) => written.push(text) }, () => 1_234);
  return { screen, text: () => written.join("") };
}

const line = (text: string) => [{ text, style: "bad" as const }];

test("off a terminal there are plain lines only", () => {
  const { screen, text } = recorded(false, () => true);
  screen.chapter("A good release");
  screen.live(() => [line("20 %")]);
  screen.say("promoted");
  screen.show("git clone");
  screen.end();
  expect(text()).toBe("\n== A good release\n   1.2s  promoted\n         git clone\n");
});

test("on a terminal what is live is drawn anew below what is said, and removed at the end", () => {
  const { screen, text } = recorded(true);
  screen.live(() => [line("one"), line("two"), line("three")]);
  screen.say("promoted");
  screen.end();
  screen.live(() => [line("never seen")]);
  const twoUpAndAway = "\r\u001b[2A\u001b[J";
  expect(text()).toBe(`one\ntwo\nthree${twoUpAndAway}   1.2s  promoted\none\ntwo\nthree${twoUpAndAway}`);
});

test("what is live is told the width at which no line wraps", () => {
  const { screen } = recorded(true);
  let told = 0;
  screen.live((width) => ((told = width), []));
  expect(told).toBe(29);
});

test("colours are left out where the terminal or the user wants none", () => {
  const [plain, coloured] = [recorded(true), recorded(true, () => true)];
  for (const { screen } of [plain, coloured]) screen.live(() => [line("bad")]);
  expect(plain.text()).toBe("bad");
  expect(coloured.text()).toBe("\u001b[31mbad\u001b[0m");
});

test.each([
  ["a terminal leaves out a detail that would wrap", true, 12, "   1.2s  promoted\n"],
  ["a terminal shows one that fits", true, 11, `   1.2s  promoted  ${"x".repeat(11)}\n`],
  ["a file gets it in any case", false, 40, `   1.2s  promoted  ${"x".repeat(40)}\n`],
])("%s", (_, isTTY, length, want) => {
  const { screen, text } = recorded(isTTY);
  screen.say("promoted", "x".repeat(length));
  expect(text()).toBe(want);
});
