// npm run test:cluster: starts a control plane and runs inside it the suites of test/cluster, then the end-to-end suite; with
// --all every scenario of that. Other arguments are names of files of test/cluster, and then nothing else is run.
import { spawnSync } from "node:child_process";
import { join, resolve } from "node:path";
import { factsVariable } from "./control-plane/facts.ts";

const root = resolve(import.meta.dirname, "..");
const vitest = join(root, "node_modules/vitest/vitest.mjs");

function run(...args: string[]): number {
  return spawnSync(process.execPath, args, { cwd: root, stdio: "inherit" }).status ?? 1;
}

/** Everything is run whatever failed before: who waits for minutes wants to know all of it. */
function runInside(args: readonly string[]): number {
  const files = args.filter((arg) => arg !== "--all");
  const suite = run(vitest, "run", "--config", "vitest.cluster.config.ts", ...files);
  const scenarios = files.length === 0 ? run(join(root, "hack/e2e.ts"), ...args) : 0;
  return Math.max(suite, scenarios);
}

const args = process.argv.slice(2);
const isInside = process.env[factsVariable] !== undefined;
process.exitCode = isInside ? runInside(args) : run(join(root, "hack/control-plane/main.ts"), process.execPath, import.meta.filename, ...args);
