// npm run test:faults: every fault on a fresh control plane, and the table of docs/reliability.md from what was seen.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Outcome } from "../test/faults/world.ts";

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
    const whole = filters.length === 0 && ran.status === 0;
    if (whole && existsSync(results)) writeTable(readFileSync(results, "utf8").trim().split("\n").map((line) => JSON.parse(line) as Outcome));
    return ran.status ?? 1;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function writeTable(outcomes: readonly Outcome[]): void {
  const rows = outcomes.map(({ fault, meanwhile, after, rightAgainMs }) => `| ${fault} | ${meanwhile} | ${after} | ${(rightAgainMs / 1_000).toFixed(1)} s |`);
  const table = ["| Fault | Meanwhile | After | Right again |", "|---|---|---|---|", ...rows].join("\n");
  const text = readFileSync(page, "utf8");
  const [before = ""] = text.split(begin);
  const [, after = ""] = text.split(end);
  writeFileSync(page, `${before}${begin}\n${table}\n${end}${after}`);
}

process.exitCode = main(process.argv.slice(2));
