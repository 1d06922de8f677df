// npm run bench: what Serin costs on a real control plane, beside the bare work and the peers; writes docs/performance.md.
import { spawnSync } from "node:child_process";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { systemClock } from "../../src/lib/clock.ts";
import { messageOf } from "../../src/lib/errors.ts";
import { type Facts, readFacts } from "../control-plane/facts.ts";
import { openGround } from "./ground.ts";
import { runScenario } from "./run.ts";
import type { Scenario } from "./row.ts";
import { canaries } from "./rows/canaries.ts";
import { drift } from "./rows/drift.ts";
import { objects } from "./rows/objects.ts";
import { polls } from "./rows/polls.ts";
import { releases } from "./rows/releases.ts";
import { revert } from "./rows/revert.ts";
import { sandbox } from "./rows/sandbox.ts";
import { syncs } from "./rows/syncs.ts";
import { together } from "./rows/together.ts";
import { type Measured, record } from "./store.ts";

const usage = `Usage: npm run bench [-- flags]

  --only NAME,NAME   Only these scenarios; the others keep their figures in docs/performance.md.
  --quick            Shorter and with fewer objects, to see whether it works; writes nothing.
  --list             Name the scenarios and end.
`;

const root = resolve(import.meta.dirname, "../..");
const scenarios: readonly Scenario[] = [objects, syncs, sandbox, polls, drift, canaries, releases, together, revert];
const flags = { only: { type: "string" }, quick: { type: "boolean", default: false }, list: { type: "boolean" }, help: { type: "boolean" } } as const;
const closeMs = 10_000;
const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** @returns exit code */
async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: flags });
  if (values.help === true) say(usage);
  if (values.list === true) for (const { name, summary } of scenarios) say(`${name}: ${summary}`);
  if (values.help === true || values.list === true) return 0;
  const wanted = wantedOf(values.only);
  const facts = readFacts(process.env);
  return facts ? await measure(facts, { wanted, quick: values.quick }) : onControlPlane(args);
}

function wantedOf(only: string | undefined): readonly Scenario[] {
  if (only === undefined) return scenarios;
  const names = only.split(",");
  const unknown = names.filter((name) => !scenarios.some((scenario) => scenario.name === name));
  if (unknown.length > 0) throw new Error(`--only ${unknown.join()}: there is no such scenario; --list names them`);
  return scenarios.filter(({ name }) => names.includes(name));
}

/** Starts a control plane and this program in it; its Prometheus looks as often as the peers' did. */
function onControlPlane(args: readonly string[]): number {
  const program = [process.execPath, join(root, "hack/bench/main.ts"), ...args];
  const cluster = [join(root, "hack/control-plane/main.ts"), "--scrape-interval", "5s", ...program];
  return spawnSync(process.execPath, cluster, { cwd: root, stdio: "inherit" }).status ?? 1;
}

async function measure(facts: Facts, { wanted, quick }: { wanted: readonly Scenario[]; quick: boolean }): Promise<number> {
  const ground = await openGround(facts, { quick, say, signal: AbortSignal.timeout(60_000) });
  const measured: Measured[] = [];
  for (const scenario of wanted) {
    measured.push(await runScenario(scenario, ground));
    // After each, so that a run that is ended half-way is not lost.
    if (!quick) record(join(root, "docs"), scenarios.map(({ name }) => name), measured);
  }
  // What does not end by itself ends with this process.
  await Promise.race([ground.close(), systemClock.sleep(closeMs)]);
  const failed = measured.filter(({ failed: message }) => message !== undefined);
  for (const { name, failed: message } of failed) say(`${name} was not measured: ${message}`);
  return failed.length > 0 ? 1 : 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`bench: ${messageOf(error)}\n`);
  process.exitCode = 1;
}
// Work that was left alone when its time was over may still hold connections.
process.exit();
