import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { crdOf } from "../api/crd.ts";
import { kinds as serinKinds } from "../api/kinds.ts";
import { createKube, type KubeClient } from "../kube/client.ts";
import { createInformers } from "../kube/informers.ts";
import type { Informers } from "../kube/kube.ts";
import { serverAt } from "../kube/kubeconfig.ts";
import { systemClock } from "../lib/clock.ts";
import type { Logger } from "../lib/log.ts";
import { startApiServer } from "./api-server/api-server.ts";
import { gatewayCrds } from "./gateway/crds.ts";
import { platformObjects } from "./gateway/platform.ts";
import { startGateway } from "./gateway/start.ts";
import { type GitServer, startGitServer } from "./git-server/git-server.ts";
import type { GitUser } from "./git-server/users.ts";
import { startMetrics } from "./metrics/start.ts";
import type { Images } from "./node/images.ts";
import { startNode } from "./node/start.ts";
import { startWorkloads } from "./workloads/start.ts";

/** What a sandbox is made of. */
interface SandboxOptions {
  /** An empty folder of our own for repositories and the kubeconfig. */
  readonly dir: string;
  /** What image names stand for. */
  readonly images: Images;
  readonly users: readonly [GitUser, ...GitUser[]];
  /** Told of every push. */
  readonly webhook?: { readonly url: string; readonly secret: string } | undefined;
  readonly scrapeIntervalMs?: number;
  readonly log: Logger;
}

/** A whole cluster in this process, with a gateway, metrics and a Git server, on loopback ports that were free. */
export interface Sandbox {
  /** Address of the API server, plain HTTP. */
  readonly apiServer: string;
  /** File for `kubectl --kubeconfig`. */
  readonly kubeconfig: string;
  readonly gateway: string;
  readonly metrics: { readonly url: string; readonly kind: "prometheus" | "embedded" };
  readonly git: GitServer;
  /** For the one who runs the sandbox: an own client. */
  readonly kube: KubeClient;
  readonly informers: Informers;
  /** Ends everything and waits for it. Idempotent. */
  close(): Promise<void>;
}

/** Starts a sandbox. When a part does not start, those before it are ended again. */
export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
  const life = new AbortController();
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    life.abort(new Error("the sandbox is closed"));
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    return { ...(await startParts(options, life.signal, closers)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function startParts(options: SandboxOptions, signal: AbortSignal, closers: (() => Promise<void>)[]): Promise<Omit<Sandbox, "close">> {
  const { dir, images, users, webhook, log, scrapeIntervalMs = 1_000 } = options;
  const clock = systemClock;
  const api = await startApiServer({ clock, log });
  closers.push(() => api.close());
  const kube = createKube(serverAt(api.url));
  closers.push(() => kube.close());
  const informers = createInformers({ watch: kube, log, signal });
  for (const crd of [...serinKinds.map(crdOf), ...gatewayCrds()]) await kube.apply(crd, { fieldManager: "sandbox" }, signal);
  const workloads = await startWorkloads({ kube, informers, clock, log, signal });
  const node = await startNode({ kube, informers, images, name: "sandbox", clock, log, signal });
  closers.push(async () => void (await Promise.all([workloads.ended, node.ended])));
  for (const object of platformObjects()) await kube.apply(object, { fieldManager: "sandbox" }, signal);
  const gateway = await startGateway({ kube, informers, clock, log, signal });
  closers.push(() => gateway.close());
  const metrics = await startMetrics({ targets: () => [gateway.metricsUrl], scrapeIntervalMs, clock, log, signal });
  closers.push(() => metrics.close());
  await mkdir(join(dir, "git"), { recursive: true });
  const git = await startGitServer({ dir: join(dir, "git"), users, webhook, log });
  closers.push(() => git.close());
  const kubeconfig = join(dir, "kubeconfig");
  await writeFile(kubeconfig, api.kubeconfig(), { mode: 0o600 });
  return { apiServer: api.url, kubeconfig, gateway: gateway.url, metrics, git, kube, informers };
}
