// The first process inside: starts the parts, answers on the control socket, runs the command. When it ends, all end with it.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { delimiter } from "node:path";
import { messageOf } from "../../src/lib/errors.ts";
import { startControlServer } from "./control-server.ts";
import { type Facts, factsVariable } from "./facts.ts";
import { layoutOf, settings as settingsSchema, type Settings } from "./layout.ts";
import { relayTargets, startInsideRelay } from "./relay.ts";
import { startParts } from "./start-parts.ts";
import { createSupervisor } from "./supervisor.ts";

const stopGraceMs = 5_000;

async function main(settings: Settings): Promise<number> {
  const layout = layoutOf(settings.dir);
  const died = (name: string, how: string): void => tell(`${name} ${how}; its log is ${layout.logs}/${name}.log`);
  const supervisor = createSupervisor({ logs: layout.logs, died });
  const startedAtMs = Date.now();
  const stop = whenToldToStop();
  const tooEarly = stop.then((): never => {
    throw new Error("it was told to stop");
  });
  const facts = await Promise.race([startParts(settings, layout, supervisor), tooEarly]);
  await startControlServer(layout.control, supervisor);
  if (settings.command.length > 0) {
    tell(`control plane is up after ${Math.round((Date.now() - startedAtMs) / 1_000)} s; its files are in ${settings.dir}`);
    return await runCommand(settings.command, { facts, factsFile: layout.facts, stop });
  }
  for (const [name, target] of Object.entries(relayTargets(facts))) await startInsideRelay(layout.relay(name), target);
  process.send?.("ready");
  await stop;
  return 0;
}

/** Resolves when the outer process tells us to stop; should it be gone without a word, the kernel ends us. */
async function whenToldToStop(): Promise<void> {
  await new Promise<unknown>((resolve) => {
    process.once("message", resolve);
    process.once("SIGTERM", resolve);
  });
}

async function runCommand(
  [command = "", ...args]: readonly string[],
  { facts, factsFile, stop }: { facts: Facts; factsFile: string; stop: Promise<void> },
): Promise<number> {
  const path = [facts.bin, process.env["PATH"] ?? ""].join(delimiter);
  const env = { ...process.env, [factsVariable]: factsFile, KUBECONFIG: facts.kubeconfig, PATH: path };
  const child = spawn(command, args, { stdio: "inherit", env });
  void stop.then(() => {
    child.kill("SIGTERM");
    setTimeout(() => child.kill("SIGKILL"), stopGraceMs).unref();
  });
  return await new Promise<number>((resolve) => {
    child.once("error", (error) => {
      tell(`${command} cannot be run: ${messageOf(error)}`);
      resolve(127);
    });
    child.once("exit", (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
  });
}

function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}

// The terminal's Ctrl-C also reaches the command, whose answer to it counts.
process.on("SIGINT", () => {});
process.on("SIGHUP", () => {});
let code = 1;
try {
  code = await main(settingsSchema.parse(JSON.parse(readFileSync(process.argv[2] ?? "", "utf8"))));
} catch (error) {
  tell(`the control plane did not start: ${messageOf(error)}`);
}
process.exit(code);
