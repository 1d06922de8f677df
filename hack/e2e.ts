import { spawnSync } from "node:child_process";
import { resolve } from "node:path";

// The end-to-end suite: the few scenarios of test/e2e/core, or with --all those of test/e2e/scenarios too. Whatever else is
// given goes to vitest, e.g. the name of a file.
const args = process.argv.slice(2);
const all = args.includes("--all");
const vitest = resolve(import.meta.dirname, "../node_modules/vitest/vitest.mjs");
const given = args.filter((arg) => arg !== "--all");
const { status } = spawnSync(process.execPath, [vitest, "run", "--config", "vitest.e2e.config.ts", ...given], {
  cwd: resolve(import.meta.dirname, ".."),
  env: all ? { ...process.env, SERIN_E2E: "all" } : process.env,
  stdio: "inherit",
});
process.exitCode = status ?? 1;
