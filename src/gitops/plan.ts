import { managers, names } from "../api/meta.ts";
import { type KubeObject, type ObjectRef, refOf } from "../api/object.ts";
import type { InventoryEntry } from "../api/sync.ts";
import { entryId, versionOf } from "./inventory.ts";
import { belongsTo, type Owner, withCommit } from "./manifest.ts";
import { compareRefs } from "./order.ts";
import { digestOf, ownedDigest } from "./project.ts";
import { mustTakeOver } from "./takeover.ts";

/**
 * What has to be done about one object: nothing, or why it is written.
 * `adopt`: it existed before this Sync knew it. `correct`, `recreate`: Git has not changed, the cluster has.
 * `taken`: another Sync put its label on it since we applied it.
 */
export type Action = "unchanged" | "create" | "adopt" | "change" | "correct" | "recreate" | "taken";

/** One object of the rendering and what has to be done about it. */
export interface Step {
  readonly action: Action;
  readonly ref: ObjectRef;
  /** As it is applied, commit annotation included. */
  readonly object: KubeObject;
  readonly live: KubeObject | undefined;
  /** The inventory entry once this is applied, all but `live`. */
  readonly entry: InventoryEntry;
}

/** What one run has to do. */
export interface Plan {
  /** In the order of apply. */
  readonly steps: readonly Step[];
  /** What the inventory holds and Git no longer has. */
  readonly stale: readonly InventoryEntry[];
}

/** One object that shall exist. */
interface Desired {
  /** Prepared manifest, without the commit annotation. */
  readonly object: KubeObject;
  /** What Git says of it, before anything was held back or handed over: when this is the same, no commit changed it. */
  readonly written: KubeObject;
}

/** What a plan is made from. */
export interface PlanInput {
  readonly desired: readonly Desired[];
  readonly inventory: readonly InventoryEntry[];
  readonly live: (ref: ObjectRef) => KubeObject | undefined;
  readonly owner: Owner;
  /** Commit that the manifests come from. */
  readonly commit: string;
}

/** Compares what Git says with what was applied and with what runs. Only what differs is written. */
export function plan({ desired, inventory, live, owner, commit }: PlanInput): Plan {
  const entries = new Map(inventory.map((entry) => [entry.id, entry]));
  const steps = desired.toSorted((a, b) => compareRefs(refOf(a.object), refOf(b.object))).map(({ object, written }): Step => {
    const ref = refOf(object);
    const id = entryId(ref);
    const before = entries.get(id);
    const [applied, said] = digestsOf(before);
    const [manifest, now] = [digestOf(object), digestOf(written)];
    const found = live(ref);
    const action = actionFor({ before, sameManifest: applied === manifest, live: found, owner });
    // An object that drifted, or of which a Canary took a field, was last changed by the commit that it had before.
    const changedBy = said === now ? (before?.commit ?? commit) : commit;
    const entry = { id, v: versionOf(ref.apiVersion), digest: `${manifest}-${now}`, commit: changedBy };
    return { action, ref, object: withCommit(object, changedBy), live: found, entry };
  });
  const kept = new Set(steps.map(({ entry }) => entry.id));
  return { steps, stale: inventory.filter(({ id }) => !kept.has(id)) };
}

/** Digests of the manifest that was applied and of what Git said then. */
function digestsOf(entry: InventoryEntry | undefined): (string | undefined)[] {
  return entry?.digest?.split("-") ?? [];
}

interface Compared {
  readonly before: InventoryEntry | undefined;
  readonly sameManifest: boolean;
  readonly live: KubeObject | undefined;
  readonly owner: Owner;
}

function actionFor({ before, sameManifest, live, owner }: Compared): Action {
  if (!live) return sameManifest ? "recreate" : "create";
  if (!before) return "adopt";
  if (!sameManifest) return "change";
  if (ownedDigest(live, managers.sync) === before.live && !mustTakeOver(live)) return "unchanged";
  if (isClaimed(live) && !belongsTo(live, owner)) return "taken";
  return isOwnWrite(live, before) ? "change" : "correct";
}

/** Whether a run of ours wrote the object and was ended before it could say so: nobody else writes a commit into it. */
function isOwnWrite({ metadata: { annotations } }: KubeObject, { commit }: InventoryEntry): boolean {
  const written = annotations?.[names.commit];
  return written !== undefined && commit !== undefined && written !== commit;
}

function isClaimed({ metadata: { labels } }: KubeObject): boolean {
  return labels?.[names.syncName] !== undefined;
}

/** So many writes take long enough for somebody to look. */
const manyWrites = 16;

/**
 * Whether the inventory has to be stored before these writes: it does not hold all that will be written, so that a crash
 * would leave orphans, or they take so long that people shall see what is going on.
 */
export function mustRecord(inventory: readonly InventoryEntry[], { steps }: Plan): boolean {
  const known = new Set(inventory.map(({ id }) => id));
  const writes = steps.filter(isWrite);
  return writes.length > manyWrites || writes.some(({ entry }) => !known.has(entry.id));
}

/**
 * The inventory to be stored before anything is written: all that is about to exist is in it, so that a run that is killed
 * leaves no orphans. An entry without a digest is under way.
 */
export function writeAhead(inventory: readonly InventoryEntry[], { steps }: Plan): InventoryEntry[] {
  const pending = new Map(steps.filter(isNew).map(({ entry: { id, v } }) => [id, { id, v }]));
  const known = new Set(inventory.map(({ id }) => id));
  const kept = inventory.map((entry) => pending.get(entry.id) ?? entry);
  return sortEntries([...kept, ...[...pending.values()].filter(({ id }) => !known.has(id))]);
}

/** Whether the step is an attempt at something new, which a crash would leave half done. */
export function isNew({ action }: Step): boolean {
  return action === "create" || action === "adopt" || action === "change";
}

/** Whether the object has to be written. */
export function isWrite({ action }: Step): boolean {
  return action !== "unchanged" && action !== "taken";
}

/** The inventory after these steps were applied, with what the API server returned for each. */
export function afterApply(
  inventory: readonly InventoryEntry[],
  applied: readonly { readonly step: Step; readonly stored: KubeObject }[],
): InventoryEntry[] {
  const done = new Map(applied.map(({ step, stored }) => [step.entry.id, { ...step.entry, live: ownedDigest(stored, managers.sync) }]));
  const known = new Set(inventory.map(({ id }) => id));
  const kept = inventory.map((entry) => done.get(entry.id) ?? entry);
  return sortEntries([...kept, ...[...done.values()].filter(({ id }) => !known.has(id))]);
}

function sortEntries(entries: readonly InventoryEntry[]): InventoryEntry[] {
  return entries.toSorted((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
}
