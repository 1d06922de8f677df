import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import type { KubeConnection } from "../../src/kube/kubeconfig.ts";
import { type Observer, startObserver } from "./observer.ts";

/** How a controller is started. */
export interface ControllerOptions {
  /** Name of the replica; its Lease and its cache are told apart by it. Default: one. */
  readonly name?: string;
  /** The program to run instead of this checkout's: a bundle of another version. */
  readonly program?: string;
  /** Write down every request that it makes. */
  readonly observed?: boolean;
  /** More variables of its process. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** A controller that runs as a process of its own. */
export interface Controller {
  readonly name: string;
  /** Where webhooks are sent to. */
  readonly url: string;
  /** Requests other than reads since the start; only when observed. */
  readonly writes: readonly string[];
  /** Everything it logged. */
  readonly logs: readonly string[];
  /** Ends it at once, as when its machine fails. */
  kill(): Promise<void>;
  /** Asks it to end, as Kubernetes does, and waits. Throws when it does not end well. */
  stop(): Promise<void>;
  /** The same replica again, as another process. It must have ended. */
  restart(options?: Pick<ControllerOptions, "program">): Promise<void>;
  /** Stands still, as a process whose machine is paused. */
  freeze(): void;
  thaw(): void;
}

/** What all controllers of a place are told. */
interface ControllersOptions {
  readonly dir: string;
  readonly kubeconfig: string;
  readonly connection: KubeConnection;
  readonly prometheus: string;
}

/** The name that all revert branches of a place carry. */
export const clusterName = "e2e";

/** Starts controllers, and ends those that are left. */
export function controllers(options: ControllersOptions): {
  readonly start: (own?: ControllerOptions) => Promise<Controller>;
  readonly close: () => Promise<void>;
} {
  const all: (Controller & { end(): Promise<void> })[] = [];
  return {
    start: async (own = {}) => {
      const controller = await startController(options, own);
      all.push(controller);
      return controller;
    },
    close: async () => {
      await Promise.all(all.map((controller) => controller.end()));
    },
  };
}

async function startController(place: ControllersOptions, own: ControllerOptions): Promise<Controller & { end(): Promise<void> }> {
  const { name = "one" } = own;
  const logs: string[] = [];
  const observer = own.observed === true ? await startObserver(place.connection, join(place.dir, `kubeconfig-${name}`)) : undefined;
  const environment = { ...environmentOf(place, { name, observer }), ...own.environment };
  let running = await startProcess({ program: own.program, environment, logs, name });
  return {
    name,
    get url() {
      return `http://127.0.0.1:${running.port}`;
    },
    get writes() {
      return observer?.writes ?? [];
    },
    logs,
    kill: () => end(running.child, "SIGKILL"),
    stop: async () => {
      await end(running.child, "SIGTERM");
      if (running.child.exitCode !== 0) throw new Error(`controller ${name} ended with ${running.child.exitCode}: ${logs.at(-1) ?? ""}`);
    },
    restart: async ({ program = own.program } = {}) => {
      running = await startProcess({ program, environment, logs, name });
    },
    freeze: () => void running.child.kill("SIGSTOP"),
    thaw: () => void running.child.kill("SIGCONT"),
    end: async () => {
      running.child.kill("SIGCONT");
      await end(running.child, "SIGTERM");
      await observer?.close();
    },
  };
}

function environmentOf(
  { dir, kubeconfig, prometheus }: ControllersOptions,
  { name, observer }: { name: string; observer: Observer | undefined },
): Record<string, string> {
  return {
    PATH: process.env["PATH"] ?? "",
    HOME: dir,
    KUBECONFIG: observer?.kubeconfig ?? kubeconfig,
    SERIN_CLUSTER_NAME: clusterName,
    SERIN_MESH_PROVIDER: "gatewayapi:v1",
    SERIN_METRICS_SERVER: prometheus,
    SERIN_PORT: "0",
    SERIN_GIT_DIRECTORY: join(dir, `cache-${name}`),
    SERIN_LEADER_ELECTION_NAMESPACE: "default",
    SERIN_POD_NAME: name,
    SERIN_LOG_LEVEL: process.env["SERIN_E2E_LOG_LEVEL"] ?? "info",
  };
}

interface Running {
  readonly child: ChildProcess;
  readonly port: number;
}

interface ProcessOptions {
  readonly program: string | undefined;
  readonly environment: Record<string, string>;
  readonly logs: string[];
  readonly name: string;
}

/** Resolves when it says that it has started. */
async function startProcess({ program = thisProgram(), environment, logs, name }: ProcessOptions): Promise<Running> {
  const child = spawn(process.execPath, [program, "controller"], { env: environment, stdio: ["ignore", "ignore", "pipe"] });
  const killOnExit = (): void => void child.kill("SIGKILL");
  process.once("exit", killOnExit);
  child.once("exit", () => process.off("exit", killOnExit));
  const started = Promise.withResolvers<number>();
  const lines = createInterface({ input: child.stderr });
  const file = process.env["SERIN_E2E_LOG"];
  lines.on("line", (line) => {
    logs.push(line);
    if (file !== undefined) appendFileSync(file, `${name} ${line}\n`);
    const { msg, port } = entryOf(line);
    if (msg === "controller started" && typeof port === "number") started.resolve(port);
  });
  child.once("exit", (code) => started.reject(new Error(`controller ${name} ended with ${code}: ${logs.slice(-5).join("\n")}`)));
  return { child, port: await started.promise };
}

/** The bundle where one is asked for or a cluster is real, else the sources as they are. */
function thisProgram(): string {
  const bundle = process.env["SERIN_BUNDLE"] ?? (process.env["SERIN_CONTROL_PLANE"] === undefined ? undefined : "dist/serin.mjs");
  return resolve(import.meta.dirname, "../..", bundle ?? "src/main.ts");
}

function entryOf(line: string): { msg?: unknown; port?: unknown } {
  try {
    return JSON.parse(line) as { msg?: unknown; port?: unknown };
  } catch {
    return {};
  }
}

async function end(child: ChildProcess, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill(signal);
  const late = setTimeout(() => child.kill("SIGKILL"), 40_000);
  await exited;
  clearTimeout(late);
}
