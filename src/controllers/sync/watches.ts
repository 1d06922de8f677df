import { names } from "../../api/meta.ts";
import { keyOf, type KubeObject } from "../../api/object.ts";
import type { Watched } from "../../kube/controller.ts";
import type { Change, Informer } from "../../kube/kube.ts";
import type { SyncDeps } from "./deps.ts";
import { indexCanaries } from "./observe.ts";
import { sourceIndex } from "./source.ts";

const dependencyIndex = "sync: dependency";

/**
 * What wakes the Sync controller beside its own objects: sources, dependencies and everything that Syncs applied. Call once,
 * at wiring: defines indexes.
 */
export function syncWatches(deps: Pick<SyncDeps, "syncs" | "repositories" | "canaries" | "live">): Watched[] {
  const { syncs, repositories, live } = deps;
  indexCanaries(deps);
  syncs.addIndex(sourceIndex, ({ metadata: { namespace }, spec }) => [keyOf({ namespace, name: spec.sourceRef.name })]);
  syncs.addIndex(dependencyIndex, ({ metadata: { namespace }, spec }) =>
    (spec.dependsOn ?? []).map(({ name }) => keyOf({ namespace, name })),
  );
  const using = (index: string): Watched["keysOf"] => ({ key }) => syncs.byIndex(index, key).map(({ metadata }) => keyOf(metadata));
  return [
    { informer: repositories.informer, keysOf: using(sourceIndex) },
    { informer: syncs.informer, keysOf: using(dependencyIndex) },
    { informer: appliedObjects(live), keysOf: ({ before, after }) => [...new Set([...ownersOf(before), ...ownersOf(after)])] },
  ];
}

/** The Sync whose labels an object carries. */
function ownersOf(object: KubeObject | undefined): string[] {
  const labels = object?.metadata.labels;
  const [name, namespace] = [labels?.[names.syncName], labels?.[names.syncNamespace]];
  return name !== undefined && namespace !== undefined ? [keyOf({ namespace, name })] : [];
}

/** All applied kinds as one informer: new kinds join as Syncs apply them, so there is nothing to wait for. */
function appliedObjects(live: SyncDeps["live"]): Informer {
  return {
    kind: { apiVersion: "v1", kind: "List" },
    synced: true,
    whenSynced: async () => {},
    find: () => undefined,
    list: () => [],
    addIndex: () => {},
    byIndex: () => [],
    onChange: (handler: (change: Change) => void) => live.onChange(handler),
  };
}
