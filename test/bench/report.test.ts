import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { describeFigure } from "../../hack/bench/report.ts";
import type { Figure } from "../../hack/bench/row.ts";
import { type Measured, record } from "../../hack/bench/store.ts";

const machine = { cores: 2, memoryGiB: 8, node: "26.0.0" };
const figure = (changes: Partial<Figure> = {}): Figure => ({ work: "a poll", what: "CPU", value: 1.5, unit: "ms", ...changes });

test.each<[string, Figure, string]>([
  ["a figure without a goal is only told", figure(), "a poll, CPU: 1.50 ms"],
  ["a goal may be met exactly", figure({ limit: 1.5 }), "a poll, CPU: 1.50 ms; ≤ 1.50 ms ✓"],
  ["a missed goal says by how much", figure({ limit: 1 }), "a poll, CPU: 1.50 ms; ≤ 1.00 ms, missed by 0.50 ms"],
  ["beside something the ratio counts", figure({ beside: { what: "git", value: 3 }, limit: 0.4 }), "a poll, CPU: 1.50 ms; 3.00 ms git: 0.50x; ≤ 0.40x, missed by 0.10x"],
  ["large numbers are whole", figure({ value: 12_345.6, unit: "requests" }), "a poll, CPU: 12,346"],
])("%s", (_, given, text) => {
  expect(describeFigure(given)).toBe(text);
});

function docs(): string {
  const dir = mkdtempSync(join(tmpdir(), "serin-bench-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  writeFileSync(join(dir, "performance.md"), "before\n<!-- bench: begin -->\nold\n<!-- bench: end -->\nafter\n");
  return dir;
}

const scenario = (name: string, value: number, curve = false): Measured => {
  const points = [{ beside: 10, value }, { beside: 100, value }];
  const curves = curve ? [{ title: `Cost of ${name}`, others: "others", unit: "ms" as const, points }] : [];
  return { name, machine, result: { figures: [figure({ work: name, value, limit: 1, why: `${name} is large` })], curves } };
};
const page = (dir: string): string => readFileSync(join(dir, "performance.md"), "utf8");

test("a run of some scenarios keeps the figures of the others, in the order of all", () => {
  const dir = docs();
  record(dir, ["a", "b"], [scenario("b", 2)]);
  record(dir, ["a", "b"], [scenario("a", 1, true)]);
  expect(page(dir)).toMatch(/^before\n<!-- bench: begin -->\nMeasured on 2 cores and 8 GiB[^]*\| a \|[^]*\| b \|[^]*<!-- bench: end -->\nafter\n$/);
  expect(page(dir)).toContain("**1 of 2 goals are met.**");
  expect(page(dir)).toContain("- b, CPU: b is large");
  expect(page(dir)).not.toContain("a is large");
  expect(readdirSync(dir).filter((name) => name.endsWith(".svg"))).toEqual(["performance-cost-of-a.svg"]);
});

test("a goal that is missed for reasons nobody knows is named as such", () => {
  const dir = docs();
  record(dir, ["a"], [{ name: "a", machine, result: { figures: [figure({ limit: 1 })] } }]);
  expect(page(dir)).toContain("- a poll, CPU: not yet explained.");
});

test("a scenario that failed keeps its last figures and says so; one that is gone takes its plot with it", () => {
  const dir = docs();
  record(dir, ["a"], [scenario("a", 1, true)]);
  record(dir, ["a"], [{ name: "a", machine, failed: "broken off after 360 s" }]);
  expect(page(dir)).toContain("| a |");
  expect(page(dir)).toContain("Not measured in the last run: a (broken off after 360 s).");
  record(dir, ["b"], [scenario("b", 1)]);
  expect(readdirSync(dir).filter((name) => name.endsWith(".svg"))).toEqual([]);
});
