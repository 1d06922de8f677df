import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { canary } from "../src/api/canary.ts";
import { crdOf } from "../src/api/crd.ts";
import { type Condition, apiVersion } from "../src/api/meta.ts";
import { gitRepository } from "../src/api/git-repository.ts";
import { kinds } from "../src/api/kinds.ts";
import { type KubeObject, type ObjectRef } from "../src/api/object.ts";
import { sync, type SyncSpec, type SyncStatus } from "../src/api/sync.ts";
import { gitRepositoryReconciler } from "../src/controllers/git-repository/reconcile.ts";
import { remoteOf } from "../src/controllers/git-repository/remote.ts";
import { resourcesOf } from "../src/controllers/resources.ts";
import { type SyncDeps } from "../src/controllers/sync/deps.ts";
import { createLive } from "../src/controllers/sync/live.ts";
import { syncReconciler } from "../src/controllers/sync/reconcile.ts";
import { createRendering } from "../src/controllers/sync/render.ts";
import { syncWatches } from "../src/controllers/sync/watches.ts";
import { createGit } from "../src/git/create-git.ts";
import { createKube, type KubeClient } from "../src/kube/client.ts";
import { runController } from "../src/kube/controller.ts";
import { createEvents } from "../src/kube/events.ts";
import { createInformers } from "../src/kube/informers.ts";
import { serverAt } from "../src/kube/kubeconfig.ts";
import { systemClock } from "../src/lib/clock.ts";
import { silentLogger } from "../src/lib/log.ts";
import { createRenderers } from "../src/render/renderers.ts";
import { hold } from "../src/revert/hold.ts";
import { startApiServer } from "../src/sandbox/api-server/api-server.ts";
import type { RequestInfo } from "../src/sandbox/api-server/serve.ts";
import { type GitHttpOptions, startGitHttp } from "../src/sandbox/git-server/http-backend.ts";
import { type GitSource, gitSource } from "./git-source.ts";

/** What a test may put in the place of the real thing. */
export interface WorldOptions {
  readonly deps?: Partial<SyncDeps>;
  /** Puts something around the real thing, e.g. to count its calls. */
  readonly wrap?: (deps: SyncDeps) => SyncDeps;
  readonly git?: Partial<GitHttpOptions>;
  readonly searchPath?: string;
}

/** The real source and Sync controllers on an API server and a Git server in this process. */
export interface World {
  readonly kube: KubeClient;
  readonly url: string;
  readonly gitUrl: string;
  /** Where the repositories are, as `<name>.git`. */
  readonly dir: string;
  /** All requests about objects, as they came. */
  readonly requests: RequestInfo[];
  source(name: string): GitSource;
  /** Starts the controllers; a second call after `stopControllers` is a restart. */
  startControllers(): void;
  stopControllers(): Promise<void>;
  close(): Promise<void>;
}

/** Starts a world; its controllers too, unless told otherwise. */
export async function startWorld({
  deps = {},
  wrap = (real) => real,
  git: gitOptions = {},
  searchPath = process.env["PATH"] ?? "",
}: WorldOptions = {}): Promise<World> {
  const dir = mkdtempSync(join(tmpdir(), "serin-sync-"));
  const requests: RequestInfo[] = [];
  const server = await startApiServer({ onRequest: (request) => requests.push(request) });
  const gitServer = await startGitHttp({ dir, ...gitOptions });
  const kube = createKube(serverAt(server.url));
  for (const kind of kinds) await kube.apply(crdOf(kind), { fieldManager: "test" }, never());
  let running: { stop: AbortController; ended: Promise<unknown> } | undefined;
  let caches = 0;
  const world: World = {
    kube,
    url: server.url,
    gitUrl: gitServer.url,
    dir,
    requests,
    source: (name) => gitSource(dir, name),
    startControllers: () => {
      const stop = new AbortController();
      const { signal } = stop;
      caches += 1;
      // A client, caches and a Git process of their own, as after a restart of the whole program.
      const own = createKube(serverAt(server.url));
      const git = createGit({ dir: join(dir, `cache-${caches}`), log: silentLogger });
      const informers = createInformers({ watch: own, log: silentLogger, signal });
      const events = createEvents({ kube: own, component: "serin", clock: systemClock, log: silentLogger, signal });
      const base = { kube: own, events, clock: systemClock, log: silentLogger, signal };
      const repositories = resourcesOf(gitRepository, { informers, kube: own });
      const live = createLive({ informers, clock: systemClock });
      const syncDeps = wrap({
        ...base,
        syncs: resourcesOf(sync, { informers, kube: own }),
        repositories,
        canaries: resourcesOf(canary, { informers, kube: own }),
        live,
        rendering: createRendering({
          git,
          kube: own,
          remoteOf: (repository, within) => remoteOf(own, repository, within),
          renderers: createRenderers({ searchPath }),
        }),
        holdsOf: async () => [],
        applyHolds: hold,
        beforeFirstApply: async () => {},
        ...deps,
      });
      const controllers = [
        runController({
          ...base,
          name: "git-repository",
          kind: { apiVersion, kind: "GitRepository" },
          informer: repositories.informer,
          reconcile: gitRepositoryReconciler({ ...base, repositories, git }),
        }),
        runController({
          ...base,
          name: "sync",
          kind: { apiVersion, kind: "Sync" },
          informer: syncDeps.syncs.informer,
          watches: syncWatches(syncDeps),
          reconcile: syncReconciler(syncDeps),
        }),
      ];
      running = { stop, ended: Promise.allSettled(controllers).then(() => Promise.allSettled([git.close(), own.close()])) };
    },
    stopControllers: async () => {
      running?.stop.abort();
      await running?.ended;
      running = undefined;
    },
    close: async () => {
      await world.stopControllers();
      await kube.close();
      await gitServer.close();
      await server.close();
      rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
    },
  };
  world.startControllers();
  return world;
}

/** A signal that never aborts. */
export function never(): AbortSignal {
  return new AbortController().signal;
}

/** One namespace of a world with a repository and a Sync of the same name. */
export interface App {
  readonly namespace: string;
  readonly source: GitSource;
  /** Creates namespace, GitRepository and Sync `app`. */
  readonly create: (spec?: Partial<SyncSpec>) => Promise<void>;
  /** Asks the source and then the Sync to look now. */
  readonly poke: () => Promise<void>;
  /** Waits until the Sync says this of a commit: Ready with this status and reason, its message naming the commit. */
  readonly becomes: (commit: string, status: Condition["status"], reason?: string) => Promise<{ message: string; status: SyncStatus }>;
  readonly find: (kind: string, name: string, group?: string) => Promise<KubeObject | undefined>;
  readonly events: () => Promise<string[]>;
  /** The Sync as it is. */
  readonly sync: () => Promise<KubeObject & { status: SyncStatus }>;
}

/** An app in a namespace of its own. */
export function appIn(world: World, namespace: string): App {
  const { kube, gitUrl } = world;
  const ref = (kind: string, name: string): ObjectRef => ({ apiVersion, kind, namespace, name });
  const app: App = {
    namespace,
    source: world.source(namespace),
    create: async (spec = {}) => {
      const apply = (object: KubeObject) => kube.apply(object, { fieldManager: "test" }, never());
      await apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
      await apply({
        apiVersion,
        kind: "GitRepository",
        metadata: { namespace, name: "app" },
        spec: { url: `${gitUrl}/${namespace}.git`, ref: { branch: "main" }, interval: "1h" },
      });
      await apply({
        apiVersion,
        kind: "Sync",
        metadata: { namespace, name: "app" },
        spec: { sourceRef: { name: "app" }, interval: "1h", prune: true, targetNamespace: namespace, ...spec },
      });
    },
    poke: async () => {
      await kube.patch(
        ref("GitRepository", "app"),
        { metadata: { annotations: { "serin.dev/requestedAt": String(Math.random()) } } },
        { fieldManager: "test" },
        never(),
      );
    },
    becomes: async (commit, status, reason) => {
      let last: Condition | undefined;
      const found = await eventually(async () => {
        const current = await app.sync();
        last = current.status?.conditions?.find(({ type }) => type === "Ready");
        const matches = last?.status === status && last.message.includes(commit) && (reason === undefined || last.reason === reason);
        return matches ? { message: last?.message ?? "", status: current.status } : undefined;
      }, () => `Sync ${namespace}/app: wanted ${status} ${reason ?? ""} of ${commit}, has ${JSON.stringify(last)}`);
      return found;
    },
    find: (kind, name, group = "v1") => kube.find({ apiVersion: group, kind, namespace, name }, never()),
    events: async () => {
      const events = await kube.list({ apiVersion: "v1", kind: "Event" }, { namespace }, never());
      return events.map((event) => `${String(event["type"])} ${String(event["reason"])} ${String(event["message"])}`);
    },
    sync: async () => (await kube.get(ref("Sync", "app"), never())) as KubeObject & { status: SyncStatus },
  };
  return app;
}

/** Tries until there is a value, for at most 15 seconds. */
export async function eventually<T>(attempt: () => Promise<T | undefined>, otherwise: () => string): Promise<T> {
  const deadline = Date.now() + 15_000;
  for (;;) {
    const value = await attempt();
    if (value !== undefined) return value;
    if (Date.now() > deadline) expect.fail(otherwise());
    await systemClock.sleep(20);
  }
}

/** A ConfigMap as YAML. */
export function configMap(name: string, data: Readonly<Record<string, string>>, extra = ""): string {
  const lines = Object.entries(data).map(([key, value]) => `  ${key}: ${JSON.stringify(value)}\n`);
  return `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\n${extra}data:\n${lines.join("")}`;
}
