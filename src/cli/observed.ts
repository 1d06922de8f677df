import { kinds } from "../api/kinds.ts";
import { apiVersion } from "../api/meta.ts";
import type { World } from "../controllers/wiring.ts";
import { observedHost } from "../githost/observed.ts";
import type { Informers } from "../kube/kube.ts";
import type { Elector } from "../kube/lease.ts";
import { observedProvider } from "../metrics/observed.ts";
import type { Health } from "../server/health.ts";
import type { Metrics } from "../server/metrics/metrics.ts";

type Observed = Pick<World, "hosts" | "metricProviders" | "reconcileObserver" | "syncObserver">;

/** The parts of a world that are watched, each telling its metrics what it does. */
export function observedWorld({ outside, reconciles, objects }: Metrics, parts: Pick<World, "hosts" | "metricProviders">): Observed {
  const { hosts, metricProviders } = parts;
  return {
    hosts: {
      github: (options) => observedHost(hosts.github(options), (call) => outside.gitHost("github", call)),
      gitea: (options) => observedHost(hosts.gitea(options), (call) => outside.gitHost("gitea", call)),
    },
    metricProviders: { prometheus: (server) => observedProvider(metricProviders.prometheus(server), outside.query) },
    reconcileObserver: reconciles,
    syncObserver: { wrote: objects.applied, isAt: objects.isAt },
  };
}

/** Lets the metrics tell of our objects until the signal aborts. Starts when all of them are known; never rejects. */
export async function followObjects({ objects }: Metrics, informers: Informers, signal: AbortSignal): Promise<void> {
  const sources = kinds.map(({ kind }) => [kind, informers.of({ apiVersion, kind })] as const);
  await Promise.all(sources.map(([, informer]) => informer.whenSynced(signal))).catch(() => {});
  if (signal.aborted) return;
  const stop = objects.follow(Object.fromEntries(sources));
  signal.addEventListener("abort", stop, { once: true });
}

/** An election that did nothing for so long is stuck: each of its steps is limited to a minute. */
const stuckMs = 180_000;

/** How a replica is. @param ending aborts when it was told to end */
export function healthOf(elector: Elector, { reconciles }: Metrics, ending: AbortSignal): Health {
  return {
    unhealthy: () => (elector.msSinceStep() > stuckMs ? "the leader election is stuck or has ended" : undefined),
    notReady: () => {
      if (ending.aborted) return "it was told to end";
      // Once it has answered, an API server that is down makes nobody unready: that would take webhooks away and mend nothing.
      if (!elector.hasReached()) return "the API server has not answered yet";
      if (!elector.canWrite()) return undefined;
      const running = new Set(reconciles.running());
      const missing = kinds.filter(({ kind }) => !running.has(kind)).map(({ kind }) => kind);
      return missing.length === 0 ? undefined : `it leads and has not read all objects yet that it needs for: ${missing.join(", ")}`;
    },
  };
}
