import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { parseFigures } from "../hack/bench/verdicts/figures.ts";
import { figuresFile, pagesOf } from "../hack/bench/verdicts/pages.ts";
import { reasons } from "../src/analysis/verdict.ts";

const docs = resolve(import.meta.dirname, "../docs");
const read = (name: string): string => readFileSync(join(docs, name), "utf8");
const page = read("verdicts.md");
const figures = parseFigures(read(figuresFile));

test.each([...pagesOf(figures, docs)])("%s is what npm run bench:verdicts -- --stored writes", (name, text) => {
  expect(read(name)).toBe(text);
});

test("the page tells of every reason that a share verdict can have, and of no other", () => {
  const [, table = ""] = /<!-- reasons -->\n(.*)<!-- \/reasons -->/s.exec(page) ?? [];
  const [head = "", , ...rows] = table.trim().split("\n").map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
  expect(head).toEqual(["Reason", "What it means", "What you do"]);
  expect(rows.map(([reason = ""]) => reason.replaceAll("`", "")).toSorted()).toEqual([...reasons].toSorted());
  expect(rows.filter((cells) => cells.length !== 3 || cells.includes(""))).toEqual([]);
});

test("it is two pages, and the first has no formula", () => {
  const pages = page.split("\n---\n");
  expect(pages).toHaveLength(2);
  for (const each of pages) expect(each.split("\n").length).toBeLessThanOrEqual(100);
  expect(pages[0]).not.toMatch(/[=≤≥√Σ^]|[πρδφ]/u);
});
