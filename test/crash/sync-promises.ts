import type { CauseField } from "../../src/api/cause.ts";
import { parseRevision } from "../../src/api/git-repository.ts";
import { names } from "../../src/api/meta.ts";
import { keyOf, type KubeObject, type ObjectRef, refOf } from "../../src/api/object.ts";
import { entryId } from "../../src/gitops/inventory.ts";
import { sameJson } from "../../src/lib/json.ts";
import { parsePath, valueAt } from "../../src/revert/path.ts";
import type { StoredChange } from "../fakes/memory-kube.ts";
import { sheetsIn } from "./people.ts";
import type { Replica } from "./replica.ts";
import { fail, holds, kinds, named, revertSpec, type Seen, statusOf } from "./watched.ts";
import type { CrashWorld } from "./world.ts";

/** Remembers what holds when the Sync begins to work, and whether its process knows. */
export function onSyncBegins(seen: Seen, replica: Replica): void {
  const { world, heldAtBegin } = seen;
  const { informers } = replica;
  heldAtBegin.clear();
  const { suspend } = (informers.of(kinds.sync).find("shop/shop")?.["spec"] ?? {}) as { suspend?: boolean };
  seen.syncWorks = replica.hasFetched() && suspend !== true;
  for (const { metadata: { name, uid } } of world.kube.objects(kinds.revert).filter(holds)) {
    const known = informers.of(kinds.revert).find(`shop/${name}`);
    heldAtBegin.set(name, { uid, known: known !== undefined && known.metadata.uid === uid && holds(known) });
  }
}

/**
 * While a Revert is active no applied target holds a deciding field at its failed value: not as from the first run that began
 * when the process had heard of it.
 */
export function onTarget(seen: Seen, target: KubeObject): void {
  for (const [revert, field] of heldFailed(seen, [target])) fail(seen, holding, `${describe(field)} is applied although ${revert} holds`);
}

/** A run that ended well leaves none in the cluster, whoever wrote it: what one wrote that had not heard yet, the next puts right. */
export function afterSync(seen: Seen): void {
  if (!seen.syncWorks || seen.heldAtBegin.size === 0) return;
  const targets = [kinds.deployment, kinds.configMap].flatMap((kind) => seen.world.kube.objects(kind));
  for (const [revert, field] of heldFailed(seen, targets)) fail(seen, holding, `${describe(field)} is left although ${revert} holds`);
}

function heldFailed(seen: Seen, targets: readonly KubeObject[]): [revert: string, field: CauseField][] {
  return [...seen.heldAtBegin].flatMap(([name, { uid, known }]): [string, CauseField][] => {
    const now = named(seen.world, kinds.revert, name);
    if (!known || !now || now.metadata.uid !== uid || !holds(now)) return [];
    return targets.flatMap((target) => failedIn(now, target)).map((field) => [name, field]);
  });
}

/** Name of the promise that final checks share. */
export const holding = "while a Revert is active no applied target holds a deciding field at its failed value";

function describe({ object, path, failed }: CauseField): string {
  return `${object} ${path} = ${JSON.stringify(failed)}`;
}

/** Deciding fields of a Revert that stand at their failed value in this object. */
export function failedIn(revert: KubeObject, live: KubeObject): CauseField[] {
  const name = `${live.kind}/${live.metadata.name}`;
  const own = revertSpec(revert).cause.filter(({ decides, object }) => decides && object === name);
  return own.filter(({ path, failed }) => sameJson(valueAt(live, parsePath(path)) ?? null, failed ?? null));
}

function inventoryOf(sync: KubeObject | undefined): Set<string> {
  const { inventory } = (sync?.["status"] ?? {}) as { inventory?: { entries: { id: string }[] } };
  return new Set(inventory?.entries.map(({ id }) => id));
}

/** What is applied is in the inventory before it is there. */
export function onApplied(seen: Seen, object: KubeObject): void {
  const sync = named(seen.world, kinds.sync, object.metadata.labels?.[names.syncName]);
  if (sync && !inventoryOf(sync).has(entryId(refOf(object))))
    fail(seen, "nothing applied is lost from the inventory", `${object.kind} ${object.metadata.name} is applied and not in it`);
}

/** What leaves the inventory is not there any more, or never was the Sync's. */
export function onSync(seen: Seen, { object, before }: StoredChange): void {
  const now = inventoryOf(object);
  const gone = [...inventoryOf(before)].filter((id) => !now.has(id));
  if (gone.length === 0) return;
  for (const live of labelled(seen, object.metadata.name)) {
    const isThere = live.metadata.deletionTimestamp === undefined;
    const detail = `${live.kind} ${live.metadata.name} is there and left it`;
    if (isThere && gone.includes(entryId(refOf(live)))) fail(seen, "nothing applied is lost from the inventory", detail);
  }
}

/** Objects that carry the labels of a Sync. */
export function labelled({ world }: { readonly world: CrashWorld }, sync: string): KubeObject[] {
  const all = applied.flatMap((kind) => world.kube.objects(kind));
  return all.filter(({ metadata }) => metadata.labels?.[names.syncName] === sync);
}

const applied = [kinds.configMap, kinds.deployment, kinds.canary];

/** Nothing is deleted that Git still has, as far as the process can know, and no revision that somebody may have to go back to. */
export function onDelete(seen: Seen, replica: Replica, ref: ObjectRef): void {
  if (ref.kind === "ControllerRevision") return onForgotten(seen, ref);
  const live = seen.world.kube.objects(ref).find(({ metadata }) => keyOf(metadata) === keyOf(ref));
  const sync = live?.metadata.labels?.[names.syncName];
  if (sync === undefined) return;
  const commit = knownCommit(replica);
  const sheets = [...sheetsIn(seen.world.source.files(commit))].filter(([file]) => file.startsWith(`${sync}/`));
  const isThere = sheets.flatMap(([, own]) => own).some(({ kind, name }) => kind === ref.kind && name === ref.name);
  const detail = `${ref.kind} ${ref.name} is deleted, and ${commit.slice(0, 7)} has it`;
  if (isThere) fail(seen, "no object is pruned that is still in Git", detail);
}

/** The commit that the process works by. */
function knownCommit({ informers }: Replica): string {
  const { revision } = (informers.of(kinds.repository).find("shop/apps")?.["status"] ?? {}) as { revision?: string };
  return parseRevision(revision)?.commit ?? "";
}

function onForgotten(seen: Seen, { name }: ObjectRef): void {
  for (const canary of seen.world.kube.objects(kinds.canary)) {
    const { promotedRevision, trackedRevision } = statusOf(canary);
    if ([promotedRevision, trackedRevision].some((revision) => name === `${canary.metadata.name}-${revision}`))
      fail(seen, "a revision is kept while somebody may go back to it", `${name} is deleted`);
  }
}
