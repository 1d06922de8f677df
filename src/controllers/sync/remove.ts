import { managers, names } from "../../api/meta.ts";
import { describeRef, type KubeObject, type ObjectRef, refOf } from "../../api/object.ts";
import type { Sync } from "../../api/sync.ts";
import { entryId, refOfEntry } from "../../gitops/inventory.ts";
import { GitError } from "../../git/git.ts";
import { belongsTo } from "../../gitops/manifest.ts";
import { compareRefs } from "../../gitops/order.ts";
import { KubeError, type ReconcileResult } from "../../kube/kube.ts";
import { WaitingError } from "../../lib/errors.ts";
import type { SyncDeps } from "./deps.ts";
import { nameSome, resourceOf } from "./events.ts";
import { heirsOf } from "./heirs.ts";
import { ownerOf } from "./observe.ts";
import { sourceOf } from "./source.ts";
import { impersonated } from "./status.ts";

/** What a deleted Sync leaves: nothing, unless it is suspended or does not prune. Then the Sync itself may go. */
export async function removeSync(deps: SyncDeps, sync: Sync, signal: AbortSignal): Promise<ReconcileResult> {
  if (!sync.metadata.finalizers?.includes(names.finalizer)) return {};
  if (sync.spec.prune && !sync.spec.suspend) await removeObjects(deps, sync, signal);
  const finalizers = sync.metadata.finalizers.filter((finalizer) => finalizer !== names.finalizer);
  const { apiVersion, kind, metadata: { namespace, name, resourceVersion } } = sync;
  try {
    await deps.kube.patch(
      { apiVersion, kind, namespace, name },
      { metadata: { resourceVersion, finalizers } },
      { fieldManager: managers.status },
      signal,
    );
  } catch (error) {
    if (!(error instanceof KubeError) || error.code !== 404) throw error;
  }
  return {};
}

async function removeObjects(deps: SyncDeps, sync: Sync, signal: AbortSignal): Promise<void> {
  const refs = (sync.status.inventory?.entries ?? []).map((entry) => refOfEntry(entry)).sort(compareRefs).reverse();
  const refused: string[] = [];
  const heirs = await heirsNow(deps, sync, refs, signal);
  for (const ref of refs.filter((one) => !heirs.has(entryId(one)))) {
    const live = await deps.kube.find(ref, signal);
    const ours = live !== undefined && live.metadata.deletionTimestamp === undefined && belongsTo(live, ownerOf(sync));
    if (ours && !(await mayRemove(deps, sync, live, signal))) refused.push(describeRef(ref));
  }
  if (refused.length > 0) deps.events.warning(resourceOf(sync), "PruneFailed", `may not delete ${nameSome(refused)}; they stay in the cluster`);
}

/** What a commit moved to another Sync before this one was deleted; nothing while the source does not say. */
async function heirsNow(deps: SyncDeps, sync: Sync, refs: readonly ObjectRef[], signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
  try {
    return await heirsOf(deps, { sync, source: sourceOf(sync, deps.repositories), refs }, signal);
  } catch (error) {
    if (error instanceof WaitingError || error instanceof GitError) return new Map();
    throw error;
  }
}

/** Deletes the object; `false` when that is forbidden. A service account that is gone must not keep the Sync for ever. */
async function mayRemove({ kube, defaults }: SyncDeps, sync: Sync, live: KubeObject, signal: AbortSignal): Promise<boolean> {
  // As it was looked at: another Sync may be taking it over.
  const { uid, resourceVersion } = live.metadata;
  const impersonate = impersonated(sync, defaults);
  try {
    await kube.delete(refOf(live), { propagation: "Background", uid, resourceVersion, impersonate }, signal);
    return true;
  } catch (error) {
    if (error instanceof KubeError && error.code === 403) return false;
    throw error;
  }
}
