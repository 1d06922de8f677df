import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { dashboardJson } from "../../hack/dashboard.ts";
import { alertRules } from "./alert-rules.ts";
import { dashboardQueries, panels } from "./dashboard-queries.ts";
import { problemsOf } from "./promql.ts";

const file = resolve(import.meta.dirname, "../../charts/serin/files/dashboard.json");

test("the dashboard in the chart is the generated one", () => {
  expect(readFileSync(file, "utf8")).toBe(dashboardJson());
});

test.each(dashboardQueries.map(({ title, query }) => [title, query] as const))("dashboard, %s: every metric and label is one that Serin serves", (_, query) => {
  expect(problemsOf(query)).toEqual([]);
});

test.each(alertRules.map(({ alert, expr }) => [alert, expr] as const))("%s: every metric and label is one that Serin serves", (_, expr) => {
  expect(problemsOf(expr)).toEqual([]);
});

test.each<[string, string, string[]]>([
  ["a metric that is not served", "rate(serin_no_such_total[5m])", ["no metric serin_no_such_total"]],
  ["a histogram without its suffix", "serin_reconcile_duration_seconds", ["no metric serin_reconcile_duration_seconds"]],
  ["a label that the metric does not have", 'serin_leader{color="red"}', ["no label color"]],
  ["a grouping by such a label", "sum by (colour) (serin_leader)", ["no label colour"]],
  ["broken syntax", "sum(serin_leader", ["syntax error at 17"]],
])("%s would be found", (_, query, problems) => {
  expect(problemsOf(query)).toEqual(problems);
});

test("every panel has an id of its own, a place of its own and a sentence", () => {
  const places = panels.map(({ gridPos: { x, y } }) => `${x},${y}`);
  expect(new Set(places).size).toBe(places.length);
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  expect(panels.filter(({ type, description }) => type !== "row" && !description?.endsWith("."))).toEqual([]);
  expect(panels.filter(({ gridPos: { x, w } }) => x + w > 24)).toEqual([]);
});
