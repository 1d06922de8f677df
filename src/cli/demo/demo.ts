import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Config } from "../../config.ts";
import { serverAt } from "../../kube/kubeconfig.ts";
import { createLogger } from "../../lib/log.ts";
import { startLoad } from "../../sandbox/load/load.ts";
import { shopImages } from "../../sandbox/node/programs.ts";
import { type Sandbox, startSandbox } from "../../sandbox/start.ts";
import { startController } from "../controller.ts";
import { createScreen, type Output, type Screen } from "./screen.ts";
import { people, prepare } from "./stage.ts";
import { play } from "./story.ts";

/** How the demo is played. */
export interface DemoOptions {
  /** End after the story instead of staying up. */
  readonly once: boolean;
  readonly output: Output;
  readonly config: Config;
}

const requestsPerSecond = 50;

/** Starts a whole cluster in this process, plays the story, and stays up for the user until told to stop. Throws when the story does not come out. */
export async function demoCommand({ once, output, config }: DemoOptions, signal: AbortSignal): Promise<void> {
  const startedMs = performance.now();
  const screen = createScreen(output, () => performance.now() - startedMs);
  const dir = await mkdtemp(join(tmpdir(), "serin-demo-"));
  const life = new AbortController();
  const all = AbortSignal.any([signal, life.signal]);
  const log = createLogger(config.logLevel === "info" ? "error" : config.logLevel);
  let sandbox: Sandbox | undefined;
  let controller: Promise<void> = Promise.resolve();
  try {
    sandbox = await startSandbox({ dir, images: shopImages({ "3": { ERROR_PERCENT: "30" } }), users: people, log });
    const own = { ...config, clusterName: "demo", provider: "gatewayapi:v1" as const, metricsServer: sandbox.metrics.url, port: 0, gitDirectory: join(dir, "cache"), leaderElectionNamespace: "default", namespaces: undefined };
    controller = (await startController({ config: own, connection: serverAt(sandbox.apiServer), log, signal: all })).ended;
    controller.catch((error: unknown) => life.abort(error));
    const stage = await prepare(sandbox, { dir, searchPath: config.searchPath }, all);
    introduce(screen, sandbox, stage.repositoryUrl);
    const load = () => startLoad({ url: stage.gateway, host: "shop.example", ratePerSecond: requestsPerSecond, signal: all });
    await play({ screen, stage, startLoad: load }, all);
    if (!once) await stay(screen, sandbox, stage.repositoryUrl, all);
  } catch (error) {
    // Ctrl-C is the user's way out, not a failure of the story.
    if (!signal.aborted) throw life.signal.aborted ? life.signal.reason : error;
  } finally {
    screen.end();
    life.abort(new Error("the demo ends"));
    await controller.catch(() => {});
    await sandbox?.close();
    await rm(dir, { recursive: true, force: true });
  }
}

function introduce(screen: Screen, { kubeconfig, metrics }: Sandbox, repositoryUrl: string): void {
  screen.chapter("A cluster, a gateway, metrics and a Git server run in this process");
  screen.say(`look inside:  kubectl --kubeconfig ${kubeconfig} -n shop get canaries,reverts,syncs`);
  screen.say(`Git:          ${repositoryUrl}`);
  screen.say(`metrics:      ${metrics.kind === "prometheus" ? "the prometheus on your PATH" : "embedded"}, ${metrics.url}`);
}

async function stay(screen: Screen, { kubeconfig, git }: Sandbox, repositoryUrl: string, signal: AbortSignal): Promise<void> {
  const [user] = people;
  const clone = `${git.url}/acme/apps.git`.replace("http://", `http://${user.login}:${user.password}@`);
  screen.chapter("Your turn: the cluster stays up until Ctrl-C");
  screen.say(`git clone ${clone}   change apps/shop.yaml, commit, push`);
  screen.say("good images: serin.dev/shop:4, :5, …; bad: :3; does not exist: :missing; or set ERROR_PERCENT, LATENCY_MS in env");
  screen.say(`kubectl --kubeconfig ${kubeconfig} -n shop get canaries,reverts,syncs --watch`);
  screen.say(repositoryUrl);
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
