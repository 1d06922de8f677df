import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Config } from "../../config.ts";
import type { GitWorker } from "../../git/create-git.ts";
import { serverAt } from "../../kube/kubeconfig.ts";
import { createLogger } from "../../lib/log.ts";
import { startLoad } from "../../sandbox/load/load.ts";
import { shopImages } from "../../sandbox/node/programs.ts";
import { type Sandbox, startSandbox } from "../../sandbox/start.ts";
import { startController } from "../controller.ts";
import type { Narrator } from "./narrator.ts";
import { createScreen, type Output, type Screen } from "./screen.ts";
import { people, prepare } from "./stage.ts";
import { play } from "./story.ts";

/** How the demo is played. */
export interface DemoOptions {
  /** End after the story instead of staying up. */
  readonly once: boolean;
  readonly output: Output;
  readonly config: Config;
  /** How the controller starts its Git process. */
  readonly gitWorker: GitWorker;
}

const requestsPerSecond = 50;
const bad = { ERROR_PERCENT: "30" };

/**
 * Starts a whole cluster in this process, plays the story, and stays up for the user until told to stop. Throws when the story
 * does not come out.
 */
export async function demoCommand({ once, output, config, gitWorker }: DemoOptions, signal: AbortSignal): Promise<void> {
  const startedMs = performance.now();
  const screen = createScreen(output, () => performance.now() - startedMs);
  const dir = await mkdtemp(join(tmpdir(), "serin-demo-"));
  const life = new AbortController();
  const all = AbortSignal.any([signal, life.signal]);
  const log = createLogger(config.logLevel === "info" ? "error" : config.logLevel);
  let sandbox: Sandbox | undefined;
  let controller: Promise<void> = Promise.resolve();
  let narrator: Narrator | undefined;
  try {
    sandbox = await startSandbox({ dir, images: shopImages({ "3": bad, bad }), users: people, log });
    const own = {
      ...config,
      clusterName: "demo",
      provider: "gatewayapi:v1" as const,
      metricsServer: sandbox.metrics.url,
      port: 0,
      gitDirectory: join(dir, "cache"),
      leaderElectionNamespace: "default",
      namespaces: undefined,
    };
    controller = (await startController({ config: own, connection: serverAt(sandbox.apiServer), log, gitWorker, signal: all })).ended;
    controller.catch((error: unknown) => life.abort(error));
    const stage = await prepare(sandbox, { dir, searchPath: config.searchPath }, all);
    introduce(screen, sandbox, stage.repositoryUrl);
    const load = () => startLoad({ url: stage.gateway, host: "shop.example", ratePerSecond: requestsPerSecond, signal: all });
    narrator = await play({ screen, stage, startLoad: load }, all);
    if (!once) {
      invite(screen, sandbox);
      narrator.tellAll();
      await untilAborted(all);
    }
  } catch (error) {
    // Ctrl-C is the user's way out, not a failure of the story.
    if (!signal.aborted) throw life.signal.aborted ? life.signal.reason : error;
  } finally {
    narrator?.stop();
    screen.end();
    life.abort(new Error("the demo ends"));
    await controller.catch(() => {});
    await sandbox?.close();
    await rm(dir, { recursive: true, force: true });
    if (signal.aborted) screen.say("stopped; nothing is left running");
  }
}

function introduce(screen: Screen, { kubeconfig, metrics }: Sandbox, repositoryUrl: string): void {
  screen.chapter("A cluster, a gateway, metrics and a Git server run in this process");
  screen.say(`look inside:  kubectl --kubeconfig ${kubeconfig} -n shop get canaries,reverts,syncs`);
  screen.say(`Git:          ${repositoryUrl}`);
  screen.say(`metrics:      ${metrics.kind === "prometheus" ? "the prometheus on your PATH" : "embedded"}, ${metrics.url}`);
}

function invite(screen: Screen, { kubeconfig, git }: Sandbox): void {
  const [user] = people;
  const clone = `${git.url}/acme/apps.git`.replace("http://", `http://${user.login}:${user.password}@`);
  screen.chapter("Your turn: the cluster stays up until Ctrl-C");
  screen.say("clone, change the image in apps/shop.yaml, commit and push; merge or close pull requests in the browser");
  screen.show(`git clone ${clone}`);
  screen.show(`${git.url}/acme/apps`);
  screen.show(`kubectl --kubeconfig ${kubeconfig} -n shop get canaries,reverts,syncs`);
  screen.say("good: serin.dev/shop:4, :5, …; bad: :bad, :bad-2, …; does not exist: :missing; or set LATENCY_MS, CRASH_AFTER_MS in env");
}

async function untilAborted(signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
