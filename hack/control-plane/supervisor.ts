import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../src/lib/clock.ts";
import { messageOf } from "../../src/lib/errors.ts";
import type { PartName } from "./facts.ts";

/** How one part is started; the same each time, so that a restart finds its data and flags again. */
export interface PartSpec {
  readonly name: PartName;
  readonly command: readonly [string, ...string[]];
  readonly env?: Readonly<Record<string, string>>;
  /** Asked until it answers without an error. */
  readonly ready: (signal: AbortSignal) => Promise<unknown>;
}

/** The processes of a control plane. */
export interface Supervisor {
  /** Starts a part and waits until it is ready. Starting one that runs is an error. */
  start(spec: PartSpec): Promise<void>;
  /** Starts a part again as it was started before. */
  restart(name: PartName): Promise<void>;
  /** Ends a part and waits for it. One that has ended already is no error. */
  stop(name: PartName, signal: "SIGTERM" | "SIGKILL"): Promise<void>;
  /** @param signal SIGSTOP freezes it, SIGCONT lets it go on */
  signal(name: PartName, signal: "SIGSTOP" | "SIGCONT"): void;
  /** Process ids of what runs. */
  running(): Partial<Record<PartName, number>>;
}

const readyTimeoutMs = 120_000;
const oneTryMs = 3_000;
const triesEveryMs = 100;

/** @param options.died told when a part ends that nobody stopped */
export function createSupervisor(options: { logs: string; died: (name: PartName, how: string) => void }): Supervisor {
  const specs = new Map<PartName, PartSpec>();
  const children = new Map<PartName, ChildProcess>();
  const logOf = (name: PartName): string => join(options.logs, `${name}.log`);

  const launch = async ({ name, command: [command, ...args], env }: PartSpec): Promise<ChildProcess> => {
    const log = openSync(logOf(name), "a");
    // A session of its own: Ctrl-C at the terminal is for the command that runs inside, not for the parts.
    const child = spawn(command, args, { detached: true, stdio: ["ignore", log, log], env: { ...process.env, ...env } });
    closeSync(log);
    await once(child, "spawn");
    children.set(name, child);
    child.once("exit", (code, signal) => {
      if (children.get(name) !== child) return;
      children.delete(name);
      options.died(name, `ended with ${code ?? signal}`);
    });
    return child;
  };

  const start = async (spec: PartSpec): Promise<void> => {
    if (children.has(spec.name)) throw new Error(`${spec.name} runs already`);
    specs.set(spec.name, spec);
    const child = await launch(spec);
    const gone = new AbortController();
    child.once("exit", (code, signal) => gone.abort(new Error(`${spec.name} ended with ${code ?? signal} while it started`)));
    try {
      await untilReady(spec, gone.signal);
    } catch (error) {
      throw new Error(`start ${spec.name} (${logOf(spec.name)} ends with: ${lastLines(logOf(spec.name))})`, { cause: error });
    }
  };

  const alive = (name: PartName): ChildProcess => {
    const child = children.get(name);
    if (!child) throw new Error(`${name} does not run`);
    return child;
  };
  return {
    start,
    restart: async (name) => {
      const spec = specs.get(name);
      if (!spec) throw new Error(`${name} was never started`);
      await start(spec);
    },
    stop: async (name, signal) => {
      const child = children.get(name);
      if (!child) return;
      children.delete(name);
      const ended = once(child, "exit");
      child.kill(signal);
      // A frozen process hears nothing but SIGKILL until it goes on.
      child.kill("SIGCONT");
      await ended;
    },
    signal: (name, signal) => void alive(name).kill(signal),
    running: () => Object.fromEntries([...children].map(([name, { pid }]) => [name, pid])),
  };
}

/** Tries until a try succeeds. Rejects when the signal aborts or patience ends, with the last failure as the cause. */
async function untilReady({ name, ready }: PartSpec, gone: AbortSignal): Promise<void> {
  const deadline = AbortSignal.timeout(readyTimeoutMs);
  for (;;) {
    try {
      await ready(AbortSignal.any([gone, AbortSignal.timeout(oneTryMs)]));
      return;
    } catch (error) {
      gone.throwIfAborted();
      if (deadline.aborted) throw new Error(`${name} is not ready after ${readyTimeoutMs / 1_000} s`, { cause: error });
    }
    await systemClock.sleep(triesEveryMs, gone).catch(() => {});
  }
}

function lastLines(file: string): string {
  try {
    return readFileSync(file, "utf8").trim().split("\n").slice(-5).join("\n").slice(-2_000);
  } catch (error) {
    return messageOf(error);
  }
}
