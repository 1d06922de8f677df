import { mkdir } from "node:fs/promises";
import { apiVersion, names } from "../api/meta.ts";
import type { Config } from "../config.ts";
import { platformKinds } from "../controllers/canary/cluster.ts";
import { runControllers, type World } from "../controllers/wiring.ts";
import { createGit, type GitWorker } from "../git/create-git.ts";
import { hosts } from "../githost/hosts.ts";
import { createKube, type KubeClient } from "../kube/client.ts";
import { createEvents } from "../kube/events.ts";
import { createInformers } from "../kube/informers.ts";
import type { KubeConnection } from "../kube/kubeconfig.ts";
import { createElector, type ElectionDurations, type Elector } from "../kube/lease.ts";
import { systemClock } from "../lib/clock.ts";
import type { Logger } from "../lib/log.ts";
import { metricProviders } from "../metrics/providers.ts";
import { createRenderers } from "../render/renderers.ts";
import { routers } from "../routing/routers.ts";
import { hookReceiver } from "../server/hooks.ts";
import type { Health } from "../server/health.ts";
import { createMetrics, type Metrics } from "../server/metrics/metrics.ts";
import { type RunningServer, startServer } from "../server/server.ts";
import { version } from "../version.ts";
import { createHookTargets, type HookTargets } from "./hook-targets.ts";
import { followObjects, healthOf, observedWorld } from "./observed.ts";
import { tellMissingKinds } from "./served-kinds.ts";

/** What a controller is started with. */
interface ControllerOptions {
  readonly config: Config;
  readonly connection: KubeConnection;
  readonly log: Logger;
  /** How fast a Lease changes hands. Default: as Kubernetes' own controllers. */
  readonly election?: ElectionDurations;
  /** How the Git process is started. Default: from its source file. */
  readonly gitWorker?: GitWorker;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/** A controller that runs. */
interface RunningController {
  /** Port of webhooks, health and metrics. */
  readonly port: number;
  /** Resolves when the signal has aborted and everything has ended; rejects when it cannot go on. */
  readonly ended: Promise<void>;
}

/** Starts one replica: it serves webhooks and health at once, and works while it holds the Lease. */
export async function startController(options: ControllerOptions): Promise<RunningController> {
  const { config, connection, log } = options;
  await mkdir(config.gitDirectory, { recursive: true });
  const metrics = createMetrics({ version, isLeading: () => elector.canWrite() });
  const observer = metrics.requests;
  const elections = createKube(connection, { observer });
  const namespace = config.leaderElectionNamespace ?? connection.namespace;
  const elector = createElector({
    kube: elections,
    namespace,
    name: "serin",
    identity: config.identity,
    clock: systemClock,
    log,
    ...(options.election ? { durations: options.election } : {}),
  });
  const canWrite = () => elector.canWrite();
  const kube = createKube(connection, { canWrite, observer });
  // Not with the connections that renew the Lease: anybody may send webhooks.
  const hooks = createKube(connection, { observer });
  const hookTargets = createHookTargets(hooks);
  const server = await serve(options, { kube: hooks, hookTargets, metrics, health: healthOf(elector, metrics, options.signal) });
  const working = { ...options, kube, canWrite, metrics, hookTargets };
  return { port: server.port, ended: runElected(working, { elector, closables: [server, kube, hooks, elections] }) };
}

async function runElected(
  options: Working,
  { elector, closables }: { elector: Elector; closables: readonly { close(): Promise<void> }[] },
): Promise<void> {
  try {
    await elector.run((leading) => work(options, leading), options.signal);
  } finally {
    for (const closable of closables) await closable.close();
  }
}

type Working = ControllerOptions & Pick<Served, "kube" | "metrics" | "hookTargets"> & { readonly canWrite: () => boolean };

/** Everything that a leader does, until it leads no more. */
async function work({ config, kube, canWrite, log, gitWorker, metrics, hookTargets }: Working, signal: AbortSignal): Promise<void> {
  const { gitDirectory: dir, gitMemoryLimitBytes: memoryLimitBytes } = config;
  const git = createGit({ dir, log, memoryLimitBytes, worker: gitWorker, observer: metrics.outside.git });
  const recording = new AbortController();
  const events = createEvents({ kube, component: "serin", clock: systemClock, log, signal: recording.signal });
  const world: World = {
    kube,
    informers: createInformers({ watch: kube, log, namespaces: config.namespaces, everywhere: Object.values(platformKinds), signal }),
    events,
    git,
    renderers: createRenderers({ searchPath: config.searchPath }),
    routers,
    ...observedWorld(metrics, { hosts, metricProviders }),
    clock: systemClock,
    log,
    canWrite,
    defaults: { provider: config.provider, metricsServer: config.metricsServer, serviceAccount: config.defaultServiceAccount },
    clusterName: config.clusterName,
  };
  hookTargets.follow(world.informers, signal);
  try {
    await Promise.all([runControllers(world, signal), tellMissingKinds(world, signal), followObjects(metrics, world.informers, signal)]);
    await events.flush();
  } finally {
    recording.abort(new Error("the controller ends"));
    await git.close();
  }
}

interface Served {
  readonly kube: KubeClient;
  readonly hookTargets: HookTargets;
  readonly metrics: Metrics;
  readonly health: Health;
}

async function serve({ config, log }: ControllerOptions, { kube, hookTargets, metrics, health }: Served): Promise<RunningServer> {
  const { registry } = metrics;
  const hooks = hookReceiver({
    find: (namespace, name) => hookTargets.find(namespace, name),
    request: async (namespace, name, at) => {
      const ref = { apiVersion, kind: "GitRepository", namespace, name };
      await kube.patch(
        ref,
        { metadata: { annotations: { [names.requestedAt]: at } } },
        { fieldManager: "serin-hooks" },
        AbortSignal.timeout(10_000),
      );
    },
    nowMs: () => systemClock.nowMs(),
    log,
    registry,
  });
  const host = config.listenAddress === undefined ? {} : { host: config.listenAddress };
  return startServer({ port: config.port, ...host, hooks, health, registry, log });
}

/** Runs `serin controller` until it is told to stop. Throws what it cannot go on with. */
export async function controllerCommand(options: ControllerOptions): Promise<void> {
  const { log } = options;
  const controller = await startController(options);
  log.info({ version, port: controller.port, identity: options.config.identity }, "controller started");
  await controller.ended;
  log.info({}, "controller ended");
}
