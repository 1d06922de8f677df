import { spawnSync } from "node:child_process";
import { join, resolve } from "node:path";
import { factsVariable } from "./control-plane/facts.ts";

// The end-to-end suite: the few scenarios of test/e2e/core, or with --all those of test/e2e/scenarios too. Whatever else is
// given goes to vitest, e.g. the name of a file.
const root = resolve(import.meta.dirname, "..");

function run(environment: NodeJS.ProcessEnv, ...args: string[]): number {
  return spawnSync(process.execPath, args, { cwd: root, env: environment, stdio: "inherit" }).status ?? 1;
}

function main(args: readonly string[]): number {
  // A real cluster is given what is shipped: the bundle of these sources.
  const isReal = process.env[factsVariable] !== undefined && process.env["SERIN_BUNDLE"] === undefined;
  const bundled = isReal ? run(process.env, join(root, "hack/bundle.ts")) : 0;
  if (bundled !== 0) return bundled;
  const environment = args.includes("--all") ? { ...process.env, SERIN_E2E: "all" } : process.env;
  const given = args.filter((arg) => arg !== "--all");
  return run(environment, join(root, "node_modules/vitest/vitest.mjs"), "run", "--config", "vitest.e2e.config.ts", ...given);
}

process.exitCode = main(process.argv.slice(2));
