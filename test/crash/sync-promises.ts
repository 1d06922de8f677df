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

/** While a Revert is active no applied target holds a deciding field at its failed value. */
export function onTarget(seen: Seen, target: KubeObject): void {
  for (const began of seen.heldAtBegin.values()) {
    const now = named(seen.world, kinds.revert, began.metadata.name);
    const fields = now && now.metadata.uid === began.metadata.uid && holds(now) ? failedIn(now, target) : [];
    for (const field of fields) fail(seen, holding, `${describe(field)} is applied although ${began.metadata.name} holds`);
  }
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
