import { canary, type RouterName } from "../api/canary.ts";
import { gitRepository, type GitRepository } from "../api/git-repository.ts";
import { apiVersion, type Kind } from "../api/meta.ts";
import { metricTemplate } from "../api/metric-template.ts";
import { keyOf, type KubeObject } from "../api/object.ts";
import { type Revert, revert } from "../api/revert.ts";
import { sync } from "../api/sync.ts";
import type { Git } from "../git/git.ts";
import type { GitHost, GitHostOptions } from "../githost/git-host.ts";
import { runController, type Watched } from "../kube/controller.ts";
import type { Change, Events, Informers, Kube, Reconcile } from "../kube/kube.ts";
import type { ReconcileObserver } from "../kube/observer.ts";
import type { Clock } from "../lib/clock.ts";
import type { Logger } from "../lib/log.ts";
import type { MetricProvider, MetricServer } from "../metrics/metric-provider.ts";
import type { Renderer } from "../render/renderer.ts";
import { hold } from "../revert/hold.ts";
import type { Router } from "../routing/router.ts";
import { canaryReconciler } from "./canary/reconcile.ts";
import { canaryWatches } from "./canary/watches.ts";
import { createDigests } from "./digests.ts";
import { gitRepositoryReconciler } from "./git-repository/reconcile.ts";
import { remoteOf as remoteOfRepository } from "./git-repository/remote.ts";
import { metricTemplateReconciler } from "./metric-template/reconcile.ts";
import { resourcesOf } from "./resources.ts";
import { adoptBranches } from "./revert/adopt.ts";
import { repositoryOf, type RevertDeps, syncOf } from "./revert/deps.ts";
import { ensureRevert } from "./revert/ensure.ts";
import { lazyHoldsOf } from "./revert/holds.ts";
import { createHosts, signingKeys } from "./revert/hosts.ts";
import { revertReconciler } from "./revert/reconcile.ts";
import type { SyncObserver } from "./sync/deps.ts";
import { createLive } from "./sync/live.ts";
import { syncReconciler } from "./sync/reconcile.ts";
import { createRendering } from "./sync/render.ts";
import { syncWatches } from "./sync/watches.ts";

/** Everything the controllers need of the world, made once by the command that starts them. */
export interface World {
  readonly kube: Kube;
  readonly informers: Informers;
  readonly events: Events;
  readonly git: Git;
  readonly renderers: readonly Renderer[];
  readonly routers: Readonly<Record<RouterName, Router>>;
  readonly metricProviders: Readonly<Record<"prometheus", (server: MetricServer) => MetricProvider>>;
  readonly hosts: Readonly<Record<"github" | "gitea", (options: GitHostOptions) => GitHost>>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Whether this process may write now. */
  readonly canWrite?: (() => boolean) | undefined;
  /** Of what objects leave open. */
  readonly defaults: {
    readonly provider?: RouterName | undefined;
    readonly metricsServer?: string | undefined;
    readonly serviceAccount?: string | undefined;
  };
  readonly clusterName: string | undefined;
  readonly reconcileObserver?: ReconcileObserver | undefined;
  readonly syncObserver?: SyncObserver | undefined;
}

/**
 * How many objects of a kind are worked on at once. They mostly wait for the API server: a commit to a thousand Syncs and a
 * hundred Canaries that fail together shall not wait for each other as well.
 */
const concurrency: Readonly<Partial<Record<string, number>>> = { Sync: 16, Canary: 32 };

/**
 * Runs all controllers until the signal aborts; resolves when they have ended.
 * @param controllers those of {@link controllersOf}, for a test that wants to say when each of them goes on
 */
export async function runControllers(world: World, signal: AbortSignal, controllers = controllersOf(world)): Promise<void> {
  const { informers, kube, events, log, clock, canWrite } = world;
  const run = (kind: Kind, reconcile: Reconcile, watches: readonly Watched[]) =>
    runController({
      name: kind.plural,
      kind: { apiVersion, kind: kind.kind },
      informer: informers.of({ apiVersion, kind: kind.kind }),
      reconcile,
      watches,
      concurrency: concurrency[kind.kind],
      kube,
      events,
      log,
      clock,
      canWrite,
      observer: world.reconcileObserver,
      signal,
    });
  await Promise.all(controllers.map(({ kind, reconcile, watches }) => run(kind, reconcile, watches)));
}

/** The controller of one kind, before anything runs it. */
export interface Controller {
  readonly kind: Kind;
  readonly reconcile: Reconcile;
  readonly watches: readonly Watched[];
}

/** All controllers, wired to each other; starts the informers that they use. For {@link runControllers}. */
export function controllersOf(world: World): Controller[] {
  const { informers, git, clock, renderers } = world;
  const resources = {
    reverts: resourcesOf(revert, world),
    canaries: resourcesOf(canary, world),
    syncs: resourcesOf(sync, world),
    repositories: resourcesOf(gitRepository, world),
    templates: resourcesOf(metricTemplate, world),
  };
  const remoteOf = (repository: GitRepository, signal: AbortSignal) => remoteOfRepository(world.kube, repository, signal);
  const rendering = createRendering({ ...world, git, remoteOf, renderers });
  const live = createLive({ informers, clock });
  const revertDeps: RevertDeps = {
    ...world,
    ...resources,
    remoteOf,
    digests: createDigests(world),
    renderAt: rendering.renderAt,
    renderAnew: rendering.renderAnew,
    hostOf: createHosts(world, remoteOf),
    signingKeyOf: signingKeys(world),
    clusterUid: clusterUid(world),
  };
  const syncDeps = {
    ...world,
    ...resources,
    live,
    rendering,
    holdsOf: lazyHoldsOf(revertDeps),
    applyHolds: hold,
    beforeFirstApply: adoptBranches(revertDeps),
  };
  return [
    { kind: gitRepository, reconcile: gitRepositoryReconciler({ ...world, ...resources }), watches: [] },
    { kind: sync, reconcile: syncReconciler(syncDeps), watches: [...syncWatches(syncDeps), ...holdWatches(revertDeps)] },
    {
      kind: canary,
      reconcile: canaryReconciler({ ...world, ...resources, ensureRevert: ensureRevert(revertDeps) }),
      watches: canaryWatches(informers),
    },
    { kind: metricTemplate, reconcile: metricTemplateReconciler({ ...resources, clock }), watches: [] },
    { kind: revert, reconcile: revertReconciler(revertDeps), watches: revertWatches(revertDeps) },
  ];
}

/** A Sync holds from the moment a Revert exists, and lets go when it ends or is gone. */
function holdWatches({ reverts }: RevertDeps): Watched[] {
  return [{ informer: reverts.informer, keysOf: (change) => syncKeyOf(changed(change)), priority: "now" }];
}

function syncKeyOf(object: KubeObject | undefined): string[] {
  const ref = (object?.["spec"] as Partial<Revert["spec"]> | undefined)?.syncRef;
  return ref === undefined ? [] : [keyOf({ namespace: ref.namespace ?? object?.metadata.namespace, name: ref.name })];
}

/** What a Revert waits for: a new commit of its source. */
function revertWatches(deps: RevertDeps): Watched[] {
  const { repositories, reverts } = deps;
  const sourceKey = (one: Revert): string | undefined => {
    const owner = syncOf(deps, one);
    const source = owner && repositoryOf(deps, owner);
    return source && keyOf(source.metadata);
  };
  const keysOf: Watched["keysOf"] = (change) => {
    const object = changed(change);
    const key = object && keyOf(object.metadata);
    return reverts.list().filter((one) => sourceKey(one) === key).map(({ metadata }) => keyOf(metadata));
  };
  return [{ informer: repositories.informer, keysOf }];
}

function changed({ before, after }: Change): KubeObject | undefined {
  return after ?? before;
}

/** uid of the namespace kube-system, asked for once: it never changes. */
function clusterUid({ kube }: World): () => Promise<string> {
  let known: string | undefined;
  return async () => {
    known ??=
      (await kube.get({ apiVersion: "v1", kind: "Namespace", name: "kube-system" }, AbortSignal.timeout(30_000))).metadata.uid ?? "";
    return known;
  };
}
