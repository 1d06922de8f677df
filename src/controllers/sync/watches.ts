import { names } from "../../api/meta.ts";
import { keyOf, type KubeObject } from "../../api/object.ts";
import type { Sync } from "../../api/sync.ts";
import type { Watched } from "../../kube/controller.ts";
import type { Change, Informer } from "../../kube/kube.ts";
import type { SyncDeps } from "./deps.ts";

/** What wakes the Sync controller beside its own objects: sources, dependencies and everything that Syncs applied. */
export function syncWatches({ syncs, repositories, live }: Pick<SyncDeps, "syncs" | "repositories" | "live">): Watched[] {
  const using = (matches: (sync: Sync) => boolean): string[] => syncs.list().filter(matches).map(({ metadata }) => keyOf(metadata));
  return [
    {
      informer: repositories.informer,
      keysOf: ({ before, after }) => {
        const { name, namespace } = (after ?? before)?.metadata ?? {};
        return using(({ spec, metadata }) => metadata.namespace === namespace && spec.sourceRef.name === name);
      },
    },
    {
      informer: syncs.informer,
      keysOf: ({ before, after }) => {
        const { name, namespace } = (after ?? before)?.metadata ?? {};
        return using(
          ({ spec, metadata }) => metadata.namespace === namespace && (spec.dependsOn ?? []).some((dependency) => dependency.name === name),
        );
      },
    },
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
