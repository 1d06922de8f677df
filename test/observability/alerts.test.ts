import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { stringify } from "yaml";
import { reasons } from "../../src/analysis/verdict.ts";
import { hasTool } from "../tools.ts";
import { alertRules, alertsFile } from "./alert-rules.ts";
import { type AlertRow, alertRows } from "./alert-rows.ts";
import { dashboardQueries } from "./dashboard-queries.ts";

test.each(alertRules.map((rule) => [rule.alert, rule] as const))("%s says what is wrong, what that means, and what to do", (_, rule) => {
  expect(Object.keys(rule.annotations)).toEqual(["summary", "description", "action"]);
  for (const text of Object.values(rule.annotations)) expect(text).toMatch(/^\S.{20,}\.$/s);
  expect(["critical", "warning", "info"]).toContain(rule.labels.severity);
});

test("the reasons of a share verdict that rules and dashboard ask for are those that there are", () => {
  const queries = [...alertRules.map(({ expr }) => expr), ...dashboardQueries.map(({ query }) => query)];
  const asked = queries.flatMap((query) => [...query.matchAll(/serin_canary_evidence_reason\{[^}]*reason=~"([^"]*)"/g)]);
  expect(asked.length).toBeGreaterThanOrEqual(2);
  for (const [, names = ""] of asked) for (const name of names.split("|")) expect(reasons).toContain(name);
});

test("every alert has a row that makes it fire", () => {
  const fired = new Set(alertRows.filter(({ fires }) => fires !== undefined).map(({ alert }) => alert));
  expect([...fired].toSorted()).toEqual(alertRules.map(({ alert }) => alert).toSorted());
});

describe.skipIf(!hasTool("promtool"))("by promtool", () => {
  test("the rules are valid", () => {
    expect(promtool("check", "rules", "--lint-fatal", alertsFile)).toContain(`${alertRules.length} rules found`);
  });

  test("every alert fires when it should, and not when it should not", () => {
    const dir = mkdtempSync(join(tmpdir(), "serin-alerts-"));
    onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
    const path = join(dir, "alerts-test.yaml");
    writeFileSync(path, stringify({ rule_files: [alertsFile], evaluation_interval: "1m", tests: alertRows.map(testOf) }, { lineWidth: 0 }));
    expect(promtool("test", "rules", path)).toContain("SUCCESS");
  });
});

function promtool(...args: string[]): string {
  try {
    return execFileSync("promtool", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    return `${stdout}${stderr}`;
  }
}

function testOf({ alert, when, series, atMinute, fires }: AlertRow): object {
  const severity = alertRules.find((rule) => rule.alert === alert)?.labels.severity ?? "";
  const labels = `alertname="${alert}",alertstate="firing",severity="${severity}"${fires ? `,${fires}` : ""}`;
  return {
    name: `${alert}: ${when}`,
    interval: "1m",
    input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
    promql_expr_test: [
      {
        expr: `ALERTS{alertname="${alert}",alertstate="firing"}`,
        eval_time: `${atMinute}m`,
        exp_samples: fires === undefined ? [] : [{ labels: `ALERTS{${labels}}`, value: 1 }],
      },
    ],
  };
}
