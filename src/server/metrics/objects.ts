import { Gauge, Histogram, type Registry } from "prom-client";
import { kinds } from "../../api/kinds.ts";
import { keyOf, type KubeObject } from "../../api/object.ts";
import { changeMetrics, type ObjectChange } from "./changes.ts";
import { type FindObject, objectGauges, stateGauges } from "./object-gauges.ts";

/** The objects of one kind, as an informer has them. */
export interface ObjectSource {
  list(): KubeObject[];
  find(key: string): KubeObject | undefined;
  /** Calls the handler once for every object already known, then for every change. Returns the way to stop. */
  onChange(handler: (change: ObjectChange) => void): () => void;
}

/** Metrics about our objects. */
export interface ObjectMetrics {
  /**
   * Tells of these objects, by kind, until the returned function is called. What they say is read at each scrape and kept
   * nowhere else, so an object that is gone has no series, and a process that follows nothing has none at all.
   */
  follow(sources: Readonly<Record<string, ObjectSource>>): () => void;
  /** A Sync carried out a plan: how long that took, and how many objects were put back to what Git says. */
  readonly applied: (sync: { namespace: string; name: string }, done: { corrected: number; durationMs: number }) => void;
  /** The cluster is as this revision says, also when that brought nothing new for the Sync and its status names an earlier one. */
  readonly isAt: (sync: { namespace: string; name: string }, revision: string) => void;
}

const applyBuckets = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];

/** Registers the metrics about our objects. */
export function objectMetrics(registry: Registry): ObjectMetrics {
  let sources: Readonly<Record<string, ObjectSource>> = {};
  /** Of each Sync, by `namespace/name`, the newest revision that the cluster is at. */
  const reached = new Map<string, string>();
  registerGauges(registry, () => sources, (key) => reached.get(key));
  const changes = changeMetrics(registry);
  const apply = new Histogram({
    name: "serin_sync_apply_duration_seconds",
    help: "Time that writing the differences of one Sync took.",
    buckets: applyBuckets,
    registers: [registry],
  });
  return {
    follow: (given) => {
      sources = given;
      const stops = Object.entries(given).map(([kind, source]) => source.onChange((change) => {
        if (kind === "Sync" && !change.after && change.before) reached.delete(keyOf(change.before.metadata));
        changes.take(kind, change);
      }));
      return () => {
        for (const stop of stops) stop();
        sources = {};
        reached.clear();
        changes.forget();
      };
    },
    applied: (sync, { corrected, durationMs }) => {
      apply.observe(durationMs / 1_000);
      changes.corrected(sync, corrected);
    },
    isAt: (sync, revision) => void reached.set(keyOf(sync), revision),
  };
}

function registerGauges(
  registry: Registry,
  sources: () => Readonly<Record<string, ObjectSource>>,
  reached: (sync: string) => string | undefined,
): void {
  const listed = (kind: string): KubeObject[] => sources()[kind]?.list() ?? [];
  const find: FindObject = (kind, key) => sources()[kind]?.find(key);
  for (const { name, help, kind, labels, samples } of objectGauges) {
    const gauge = new Gauge({ name, help, labelNames: ["namespace", "name", ...labels], registers: [registry], collect });
    function collect(): void {
      gauge.reset();
      for (const object of listed(kind))
        for (const sample of samples(object, find, reached)) gauge.set(labelsOf(object, sample), sample.value);
    }
  }
  for (const { name, help, labels, samples } of stateGauges) {
    const gauge = new Gauge({ name, help, labelNames: ["kind", "namespace", "name", ...labels], registers: [registry], collect });
    function collect(): void {
      gauge.reset();
      for (const { kind } of kinds)
        for (const object of listed(kind))
          for (const sample of samples(object, find, reached)) gauge.set({ kind, ...labelsOf(object, sample) }, sample.value);
    }
  }
  const count = new Gauge({
    name: "serin_objects",
    help: "Objects of each kind.",
    labelNames: ["kind"],
    registers: [registry],
    collect: () => {
      count.reset();
      for (const [kind, source] of Object.entries(sources())) count.set({ kind }, source.list().length);
    },
  });
}

function labelsOf({ metadata }: KubeObject, { labels }: { labels?: Readonly<Record<string, string>> }): Record<string, string> {
  return { namespace: metadata.namespace ?? "", name: metadata.name, ...labels };
}
