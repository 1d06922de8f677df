import type { CanaryStatus } from "../../src/api/canary.ts";
import { findCondition } from "../../src/api/conditions.ts";
import { apiVersion, parseObject } from "../../src/api/meta.ts";
import { keyOf, type KindRef, type KubeObject, parseKey } from "../../src/api/object.ts";
import { revert as revertKind, type Revert } from "../../src/api/revert.ts";
import type { SyncStatus } from "../../src/api/sync.ts";
import { systemClock } from "../../src/lib/clock.ts";
import type { Place } from "./place.ts";

/** Kinds that scenarios look at. */
export const seen = {
  canary: { apiVersion, kind: "Canary" },
  revert: { apiVersion, kind: "Revert" },
  sync: { apiVersion, kind: "Sync" },
  repository: { apiVersion, kind: "GitRepository" },
  deployment: { apiVersion: "apps/v1", kind: "Deployment" },
  pod: { apiVersion: "v1", kind: "Pod" },
  configMap: { apiVersion: "v1", kind: "ConfigMap" },
  service: { apiVersion: "v1", kind: "Service" },
  autoscaler: { apiVersion: "autoscaling/v2", kind: "HorizontalPodAutoscaler" },
  namespace: { apiVersion: "v1", kind: "Namespace" },
} as const satisfies Record<string, KindRef>;

/** What is seen of one namespace. */
export interface Sight {
  find(kind: KindRef, name: string): KubeObject | undefined;
  list(kind: KindRef): KubeObject[];
  /** The status of a Canary; empty when there is none yet. */
  canary(name: string): Partial<CanaryStatus>;
  /** The newest Revert of a Canary. */
  revert(canary: string): Revert | undefined;
  sync(name?: string): Partial<SyncStatus>;
  /** Tag of the image that a Deployment says. */
  tag(deployment: string): string | undefined;
  /** Why something is or is not Ready, as `Status Reason: message`. */
  ready(kind: KindRef, name: string): string;
  /** Warning events, oldest first. */
  warnings(): Promise<{ reason: string; message: string }[]>;
  /** Deployments by generation, and the pods of them: the same again means that nothing was restarted or changed. */
  running(): Record<string, unknown>;
  /**
   * Waits until `look` gives something, looking again at each change in the namespace and twice a second. Fails saying what
   * was waited for and how things stood.
   */
  until<T>(what: string, look: () => T | undefined | false | Promise<T | undefined | false>): Promise<T>;
}

const patienceMs = 120_000;

/** Watches a place for those who wait there. */
export interface Eyes {
  /** Resolves at the next change of anything in the namespace, or of itself. */
  nextChange(namespace: string): Promise<void>;
}

/** Opens them: resolves when all that scenarios look at is known. */
export async function openEyes({ informers }: Pick<Place, "informers">): Promise<Eyes> {
  const waiting = new Map<string, PromiseWithResolvers<void>>();
  const wake = ({ key }: { key: string }): void => {
    const { namespace = key } = parseKey(key);
    waiting.get(namespace)?.resolve();
    waiting.delete(namespace);
  };
  const signal = AbortSignal.timeout(60_000);
  for (const kind of Object.values(seen)) {
    const informer = informers.of(kind);
    await informer.whenSynced(signal);
    informer.onChange(wake);
  }
  return {
    nextChange: (namespace) => {
      const bell = waiting.get(namespace) ?? Promise.withResolvers<void>();
      waiting.set(namespace, bell);
      return bell.promise;
    },
  };
}

/** Looks at a namespace of this place. */
export function sightOf({ informers, kube }: Pick<Place, "informers" | "kube">, eyes: Eyes, namespace: string): Sight {
  const find: Sight["find"] = (kind, name) => informers.of(kind).find(kind.kind === "Namespace" ? name : keyOf({ namespace, name }));
  const list: Sight["list"] = (kind) => informers.of(kind).list().filter(({ metadata }) => metadata.namespace === namespace);
  const statusOf = <T>(kind: KindRef, name: string): Partial<T> => (find(kind, name)?.["status"] ?? {}) as Partial<T>;
  const warnings: Sight["warnings"] = async () => {
    const events = await kube.list({ apiVersion: "v1", kind: "Event" }, { namespace }, AbortSignal.timeout(5_000));
    return events.filter(({ type }) => type === "Warning").map(({ reason, message }) => ({ reason: String(reason), message: String(message) }));
  };
  const describe = async (): Promise<string> => {
    const last = (await warnings().catch(() => [])).slice(-12);
    return JSON.stringify(
      {
        canaries: list(seen.canary).map(({ metadata, status }) => ({ name: metadata.name, ...brief(status) })),
        reverts: list(seen.revert).map(({ metadata, status }) => ({ name: metadata.name, ...brief(status) })),
        syncs: list(seen.sync).map(({ metadata, status }) => ({ name: metadata.name, ...brief(status) })),
        repositories: list(seen.repository).map(({ metadata, status }) => ({ name: metadata.name, ...brief(status) })),
        deployments: list(seen.deployment).map(({ metadata }) => `${metadata.name} ${tagIn(find(seen.deployment, metadata.name)) ?? ""}`),
        pods: list(seen.pod).map(({ metadata, status }) => `${metadata.name} ${podWord(status)}`),
        warnings: last.map(({ reason, message }) => `${reason} ${message}`),
      },
      undefined,
      1,
    );
  };
  return {
    find,
    list,
    canary: (name) => statusOf<CanaryStatus>(seen.canary, name),
    revert: (canary) =>
      list(seen.revert)
        .flatMap((object) => revertIn(object))
        .filter(({ spec }) => spec.canaryRef.name === canary)
        .sort((a, b) => (a.metadata.creationTimestamp ?? "").localeCompare(b.metadata.creationTimestamp ?? ""))
        .at(-1),
    sync: (name = "apps") => statusOf<SyncStatus>(seen.sync, name),
    tag: (name) => tagIn(find(seen.deployment, name)),
    ready: (kind, name) => {
      const { conditions } = statusOf<Pick<CanaryStatus, "conditions">>(kind, name);
      const ready = findCondition(conditions, "Ready");
      return ready ? `${ready.status} ${ready.reason}: ${ready.message}` : "";
    },
    warnings,
    running: () => {
      const deployments = list(seen.deployment).map(({ metadata }) => [metadata.name, metadata.generation ?? 0] as const);
      return { ...Object.fromEntries(deployments), pods: list(seen.pod).map(({ metadata }) => metadata.uid ?? "").sort() };
    },
    until: async (what, look) => {
      const deadline = AbortSignal.timeout(patienceMs);
      for (;;) {
        const change = eyes.nextChange(namespace);
        const found = await look();
        if (found !== undefined && found !== false) return found;
        if (deadline.aborted) throw new Error(`waited ${patienceMs / 1_000} s in ${namespace} for ${what}: ${await describe()}`);
        // Not everything that is waited for is an object.
        await Promise.race([change, systemClock.sleep(500)]);
      }
    },
  };
}

function revertIn(object: KubeObject): Revert[] {
  const read = parseObject(revertKind, object);
  return read.ok ? [read.value] : [];
}

function brief(status: unknown): object {
  const { conditions, inventory: _inventory, checks, ...rest } = (status ?? {}) as Record<string, unknown>;
  const said = (Array.isArray(conditions) ? (conditions as { type: string; status: string; reason: string; message: string }[]) : []).map(
    ({ type, status: is, reason, message }) => `${type}=${is} ${reason}: ${message}`,
  );
  return { ...rest, said, checks };
}

function podWord(status: unknown): string {
  const { phase, containerStatuses = [] } = (status ?? {}) as { phase?: string; containerStatuses?: { ready?: boolean; state?: object }[] };
  return `${phase ?? ""} ${containerStatuses.map(({ ready, state }) => `${ready ? "ready" : "unready"} ${JSON.stringify(state).slice(0, 120)}`).join()}`;
}

function tagIn(deployment: KubeObject | undefined): string | undefined {
  const { template } = (deployment?.["spec"] ?? {}) as { template?: { spec: { containers: { image: string }[] } } };
  return template?.spec.containers[0]?.image.replace(/^.*:/, "");
}
