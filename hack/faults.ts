// npm run test:faults: every fault on a fresh control plane, and the table of docs/reliability.md from what was seen. With names of
// files of test/faults only these are played.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Outcome } from "../test/e2e/outcome.ts";

const root = resolve(import.meta.dirname, "..");
const page = join(root, "docs", "reliability.md");
const [begin, end] = ["<!-- faults: begin -->", "<!-- faults: end -->"];

/** @returns exit code of the suite */
function main(filters: readonly string[]): number {
  const dir = mkdtempSync(join(tmpdir(), "serin-faults-"));
  const results = join(dir, "results.jsonl");
  try {
    const bundled = spawnSync(process.execPath, [join(root, "hack", "bundle.ts")], { cwd: root, stdio: "inherit" });
    if (bundled.status !== 0) return bundled.status ?? 1;
    const suite = ["npx", "vitest", "run", "--config", "vitest.faults.config.ts", ...filters];
    const ran = spawnSync(process.execPath, [join(root, "hack", "control-plane", "main.ts"), ...suite], {
      cwd: root,
      stdio: "inherit",
      env: { ...process.env, SERIN_FAULTS_RESULTS: results },
    });
    if (existsSync(results)) record(readFileSync(results, "utf8"), { whole: filters.length === 0 });
    return ran.status ?? 1;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Writes what was proved into the page: of a whole run nothing else. A run of some faults leaves the rows of the others as they are. */
function record(results: string, { whole }: { whole: boolean }): void {
  const proved = results.trim().split("\n").map((line) => JSON.parse(line) as Outcome);
  const text = readFileSync(page, "utf8");
  const [before = "", rest = ""] = text.split(begin);
  const [table = "", after = ""] = rest.split(end);
  const rows = new Map(whole ? [] : rowsOf(table));
  for (const { fault, meanwhile, after: then, rightAgainMs } of proved)
    rows.set(fault, `| ${fault} | ${meanwhile} | ${then} | ${(rightAgainMs / 1_000).toFixed(1)} s |`);
  const lines = ["| Fault | Meanwhile | After | Right again |", "|---|---|---|---|", ...rows.values()];
  writeFileSync(page, `${before}${begin}\n${lines.join("\n")}\n${end}${after}`);
}

/** Rows of the table by the fault that they are about. */
function rowsOf(table: string): [string, string][] {
  const [, , ...rows] = table.trim().split("\n");
  return rows.map((row) => [row.split("|")[1]?.trim() ?? "", row]);
}

process.exitCode = main(process.argv.slice(2));
