import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { crdOf } from "../../src/api/crd.ts";
import { kinds } from "../../src/api/kinds.ts";
import { apiVersion, type Condition, type Kind, managers } from "../../src/api/meta.ts";
import { type KindRef, keyOf, type KubeObject, type ObjectRef, refOf } from "../../src/api/object.ts";
import { controllersOf, type World } from "../../src/controllers/wiring.ts";
import { createGit } from "../../src/git/create-git.ts";
import type { Git } from "../../src/git/git.ts";
import { hosts } from "../../src/githost/hosts.ts";
import { createKube } from "../../src/kube/client.ts";
import { createInformers } from "../../src/kube/informers.ts";
import type { Kube, ReconcileResult } from "../../src/kube/kube.ts";
import { serverAt } from "../../src/kube/kubeconfig.ts";
import { failureOf } from "../../src/kube/outcome.ts";
import { reportFailure } from "../../src/kube/report.ts";
import { systemClock } from "../../src/lib/clock.ts";
import type { Logger } from "../../src/lib/log.ts";
import { metricProviders } from "../../src/metrics/providers.ts";
import { createRenderers } from "../../src/render/renderers.ts";
import { routers } from "../../src/routing/routers.ts";
import { startApiServer } from "../../src/sandbox/api-server/api-server.ts";
import { gatewayCrds } from "../../src/sandbox/gateway/crds.ts";
import { type ManualClock, manualClock } from "../fakes/manual-clock.ts";
import { never, type Site } from "./world.ts";

/** What a test may put in the place of the real thing. */
export interface ClusterOptions {
  readonly name?: string | undefined;
  /** Wraps what the controllers use, e.g. to fail at the n-th call. */
  readonly wrap?: (world: World) => World;
}

/** The real reconcilers on an API server of their own, called one by one by the test, on a clock that it owns. */
export interface Cluster {
  readonly kube: Kube;
  readonly world: World;
  readonly clock: ManualClock;
  /** Events since the start, as `Type Reason message`. */
  readonly events: string[];
  /** What was logged, with all fields. */
  readonly logs: string[];
  /**
   * Reconciles one object once all caches are up to date, again after a conflict, and records a failure in its conditions as the controllers'
   * runner does. Returns what it threw.
   */
  run(kind: Kind["kind"], key: string): Promise<Error | undefined>;
  /** The result of the last run that did not throw. */
  readonly last: () => ReconcileResult;
  /** Waits until the caches have what the API server has. */
  settle(): Promise<void>;
  /** Another process on the same API server, with caches of its own. */
  restarted(options?: ClusterOptions): Promise<Cluster>;
  close(): Promise<void>;
}

const watchedKinds: readonly KindRef[] = [
  ...kinds.map(({ kind }) => ({ apiVersion, kind })),
  { apiVersion: "apps/v1", kind: "Deployment" },
  { apiVersion: "v1", kind: "ConfigMap" },
  { apiVersion: "v1", kind: "Secret" },
];

/** What was written to an API server, in order, by whichever process or test. */
type Journal = { readonly ref: ObjectRef; readonly version: bigint; readonly gone: boolean }[];

/** The same client, writing down what it wrote. */
function journalled(kube: Kube, journal: Journal): Kube {
  const noted = async (writing: Promise<KubeObject>): Promise<KubeObject> => {
    const object = await writing;
    const { resourceVersion = "0", deletionTimestamp, finalizers = [] } = object.metadata;
    journal.push({
      ref: refOf(object),
      version: BigInt(resourceVersion),
      gone: deletionTimestamp !== undefined && finalizers.length === 0,
    });
    return object;
  };
  return {
    ...kube,
    create: (...args) => noted(kube.create(...args)),
    apply: (...args) => noted(kube.apply(...args)),
    patch: (...args) => noted(kube.patch(...args)),
    replace: (...args) => noted(kube.replace(...args)),
    delete: async (ref, options, signal) => {
      await kube.delete(ref, options, signal);
      const left = await kube.find(ref, signal);
      journal.push({ ref, version: BigInt(left?.metadata.resourceVersion ?? 0), gone: left === undefined });
    },
  };
}

/** Starts a cluster. */
export async function startCluster(site: Site, options: ClusterOptions = {}): Promise<Cluster> {
  const server = await startApiServer();
  const client = createKube(serverAt(server.url));
  const journal: Journal = [];
  const kube = journalled(client, journal);
  for (const crd of [...kinds.map(crdOf), ...gatewayCrds()]) await kube.apply(crd, { fieldManager: "test" }, never);
  const git = createGit({ dir: mkdtempSync(join(site.dir, "cache-")), log: silentButFor([]) });
  const cluster = await startProcess({ url: server.url, kube, journal, git, clock: manualClock(Date.now()) }, options);
  return {
    ...cluster,
    close: async () => {
      await cluster.close();
      await git.close();
      await client.close();
      await server.close();
    },
  };
}

interface Machine {
  readonly url: string;
  /** The test's own client. */
  readonly kube: Kube;
  readonly journal: Journal;
  readonly git: Git;
  readonly clock: ManualClock;
}

async function startProcess(machine: Machine, { name = "prod-eu", wrap = (world) => world }: ClusterOptions): Promise<Cluster> {
  const life = new AbortController();
  const [events, logs]: [string[], string[]] = [[], []];
  const client = createKube(serverAt(machine.url));
  const kube = journalled(client, machine.journal);
  const informers = createInformers({ watch: client, log: silentButFor([]), signal: life.signal });
  const say = (type: string) => (_: KubeObject, reason: string, message: string): void => void events.push(`${type} ${reason} ${message}`);
  const log = silentButFor(logs);
  const { git, clock } = machine;
  const renderers = createRenderers({ searchPath: process.env["PATH"] ?? "" });
  const recorded = { normal: say("Normal"), warning: say("Warning") };
  const world = wrap({
    kube,
    informers,
    events: recorded,
    git,
    renderers,
    routers,
    metricProviders,
    hosts,
    clock,
    log,
    defaults: {},
    clusterName: name === "" ? undefined : name,
  });
  const reconcilers = new Map(controllersOf(world).map(({ kind, reconcile }) => [kind.kind, reconcile]));
  for (const kind of watchedKinds) await informers.of(kind).whenSynced(life.signal);
  const settle = settler(world, machine.journal);
  let result: ReconcileResult = {};
  const attempt = async (kind: string, key: string): Promise<Error | undefined> => {
    const reconcile = reconcilers.get(kind);
    if (!reconcile) throw new Error(`no controller of ${kind}`);
    try {
      result = await reconcile(key, life.signal);
      return undefined;
    } catch (error) {
      return error as Error;
    } finally {
      await settle();
    }
  };
  return {
    kube: machine.kube,
    world,
    clock,
    events,
    logs,
    last: () => result,
    settle,
    run: async (kind, key) => {
      await settle();
      for (;;) {
        const error = await attempt(kind, key);
        if (!error) return undefined;
        const failure = failureOf(error);
        if (failure.retry === "conflict") continue;
        const object = informers.of({ apiVersion, kind }).find(key);
        if (object) await reportFailure({ kube, events: recorded, log, clock }, object, failure, life.signal);
        await settle();
        return error;
      }
    },
    restarted: (options = {}) => startProcess(machine, { name, ...options }),
    close: async () => {
      life.abort();
      await client.close();
    },
  };
}

/** Waits for the copies of what was written since the last time. */
function settler({ informers }: World, journal: Journal): () => Promise<void> {
  const isWatched = ({ kind }: ObjectRef): boolean => watchedKinds.some((watched) => watched.kind === kind);
  let next = 0;
  return async () => {
    const deadline = Date.now() + 10_000;
    for (; next < journal.length; next += 1) {
      const written = journal[next];
      if (!written || !isWatched(written.ref)) continue;
      const { ref, version, gone } = written;
      const isKnown = (): boolean => {
        const copy = informers.of(ref).find(keyOf(ref));
        // What happened to it later is waited for in its turn.
        if (journal.slice(next + 1).some((later) => later.ref.kind === ref.kind && keyOf(later.ref) === keyOf(ref))) return true;
        return gone ? copy === undefined : copy !== undefined && BigInt(copy.metadata.resourceVersion ?? 0) >= version;
      };
      while (!isKnown()) {
        if (Date.now() > deadline) throw new Error(`the copy of ${ref.kind} ${keyOf(ref)} stays behind`);
        await systemClock.sleep(1);
      }
    }
  };
}

function silentButFor(lines: string[]): Logger {
  const note = (fields: object, message: string): void => void lines.push(`${message} ${JSON.stringify(fields)}`);
  const log: Logger = { debug: note, info: note, warn: note, error: note, child: () => log };
  return log;
}

/** Applies as a person would. */
export async function applyAll({ kube }: Pick<Cluster, "kube">, objects: readonly KubeObject[]): Promise<void> {
  for (const object of objects) await kube.apply(object, { fieldManager: "test" }, never);
}

/** The condition of this type as `Status Reason: message`; empty when there is none. */
export function conditionText(object: KubeObject | undefined, type = "Ready"): string {
  const { conditions = [] } = (object?.["status"] ?? {}) as { conditions?: Condition[] };
  const found = conditions.find((condition) => condition.type === type);
  return found ? `${found.status} ${found.reason}: ${found.message}` : "";
}

/** Replaces fields of an object's status. */
export async function patchStatus({ kube }: Pick<Cluster, "kube">, ref: ObjectRef, status: object): Promise<KubeObject> {
  return kube.patch(ref, { status }, { fieldManager: managers.status, subresource: "status" }, never);
}
