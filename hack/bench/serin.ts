import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, mkdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fineCpuMs, type Usage, usageOf } from "./usage.ts";

/** A controller that runs as a process of its own. */
export interface Serin {
  /** Where webhooks are sent to. */
  readonly url: string;
  readonly pid: number;
  usage(): Usage;
  /** CPU of the controller without its Git process, in fine steps. */
  ownCpuMs(): number;
  /** Asks it to end and waits; one that does not end is killed. */
  stop(): Promise<void>;
}

/** How it is started. */
interface SerinOptions {
  readonly program: string;
  /** A folder of its own. */
  readonly dir: string;
  readonly kubeconfig: string;
  readonly environment?: Readonly<Record<string, string>>;
}

const root = resolve(import.meta.dirname, "../..");
const patienceMs = 20_000;

/** Bundles the program under test, as it is released, into this folder and returns its path. */
export function buildProgram(dir: string): string {
  execFileSync(process.execPath, [join(root, "hack/bundle.ts"), "--out", dir], { stdio: ["ignore", "ignore", "inherit"] });
  return join(dir, "serin.mjs");
}

/** Node's own flags and what it is told by its environment, as the image starts it. */
function image(): { readonly flags: string[]; readonly environment: Record<string, string> } {
  const text = readFileSync(join(root, "Dockerfile"), "utf8");
  const last = (instruction: string): string => {
    const line = [...text.matchAll(new RegExp(`^${instruction} (.*)$`, "gm"))].at(-1)?.[1];
    if (line === undefined) throw new Error(`the Dockerfile has no ${instruction}`);
    return line;
  };
  const flags = (JSON.parse(last("ENTRYPOINT")) as string[]).filter((word) => word.startsWith("--"));
  return { flags, environment: Object.fromEntries(last("ENV").split(" ").map((pair) => pair.split("=", 2) as [string, string])) };
}

/** Starts a controller; resolves when it says that it has started. Its log is in its folder. */
export async function startSerin({ program, dir, kubeconfig, environment = {} }: SerinOptions): Promise<Serin> {
  mkdirSync(dir, { recursive: true });
  const { flags, environment: given } = image();
  const child = spawn(process.execPath, [...flags, program, "controller"], {
    stdio: ["ignore", "ignore", "pipe"],
    env: {
      ...given,
      PATH: process.env["PATH"],
      HOME: dir,
      KUBECONFIG: kubeconfig,
      SERIN_CLUSTER_NAME: "bench",
      SERIN_MESH_PROVIDER: "gatewayapi:v1",
      SERIN_PORT: "0",
      SERIN_GIT_DIRECTORY: join(dir, "git"),
      SERIN_LEADER_ELECTION_NAMESPACE: "default",
      SERIN_POD_NAME: "bench",
      // For profiles: node's own options, e.g. --cpu-prof.
      ...(process.env["BENCH_NODE_OPTIONS"] ? { NODE_OPTIONS: process.env["BENCH_NODE_OPTIONS"] } : {}),
      ...environment,
    },
  });
  const killOnExit = (): void => void child.kill("SIGKILL");
  process.once("exit", killOnExit);
  const ended = once(child, "exit").finally(() => process.off("exit", killOnExit));
  const log = createWriteStream(join(dir, "serin.log"));
  child.stderr.pipe(log);
  const port = await Promise.race([portFrom(createInterface({ input: child.stderr })), ended.then(() => Promise.reject(new Error(`the controller ended; see ${join(dir, "serin.log")}`)))]);
  const pid = child.pid ?? 0;
  return {
    url: `http://127.0.0.1:${port}`,
    pid,
    usage: () => usageOf(pid),
    ownCpuMs: () => fineCpuMs(pid),
    stop: async () => {
      child.kill("SIGTERM");
      const patience = setTimeout(() => child.kill("SIGKILL"), patienceMs);
      await ended;
      clearTimeout(patience);
    },
  };
}

async function portFrom(lines: AsyncIterable<string>): Promise<number> {
  for await (const line of lines) {
    if (!line.includes("controller started")) continue;
    const { port } = JSON.parse(line) as { port: number };
    return port;
  }
  throw new Error("the controller closed its log before it had started");
}
