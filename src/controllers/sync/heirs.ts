import type { ObjectRef } from "../../api/object.ts";
import { keyOf, refOf } from "../../api/object.ts";
import type { Sync } from "../../api/sync.ts";
import { entryId } from "../../gitops/inventory.ts";
import { GitError } from "../../git/git.ts";
import { StalledError } from "../../lib/errors.ts";
import type { SyncDeps } from "./deps.ts";
import { hasApplied, type Source, sourceIndex } from "./source.ts";

/**
 * Objects that another Sync of the same source is about to take over, because one commit moved them there: deleting them
 * first would be an outage. Asks only Syncs that have not applied the commit yet; one that cannot be rendered counts when its
 * folder names the object.
 * @returns the Sync that takes over, by the id of the object
 */
export async function heirsOf(
  deps: Pick<SyncDeps, "syncs" | "rendering">,
  { sync, source, refs }: { sync: Sync; source: Source; refs: readonly ObjectRef[] },
  signal: AbortSignal,
): Promise<Map<string, string>> {
  const heirs = new Map<string, string>();
  const { namespace } = sync.metadata;
  const all = deps.syncs.byIndex(sourceIndex, keyOf({ namespace, name: sync.spec.sourceRef.name }));
  const others = all.filter(({ metadata }) => metadata.name !== sync.metadata.name && metadata.deletionTimestamp === undefined);
  for (const other of refs.length > 0 ? others : []) {
    if (await isUpToDate(deps, other, source, signal)) continue;
    const takes = await takenBy(deps, other, source, signal);
    for (const ref of refs) if (takes(ref)) heirs.set(entryId(ref), keyOf(other.metadata));
  }
  return heirs;
}

async function isUpToDate({ rendering }: Pick<SyncDeps, "rendering">, other: Sync, source: Source, signal: AbortSignal): Promise<boolean> {
  const { metadata, status } = other;
  return status.observedGeneration === metadata.generation && (await hasApplied(rendering, other, source, signal));
}

async function takenBy(
  { rendering }: Pick<SyncDeps, "rendering">,
  other: Sync,
  { repository, commit }: Source,
  signal: AbortSignal,
): Promise<(ref: ObjectRef) => boolean> {
  try {
    const rendered = await rendering.renderAt(other, repository, commit, signal);
    const ids = new Set(rendered.map(({ object }) => entryId(refOf(object))));
    return (ref) => ids.has(entryId(ref));
  } catch (error) {
    if (!(error instanceof StalledError || (error instanceof GitError && error.reason !== "HistoryUnavailable"))) throw error;
  }
  const text = await rendering.textAt(other, repository, commit, signal);
  return ({ name }) => text.includes(name);
}
