import { type Canary, canary as canaryKind } from "../../api/canary.ts";
import { apiVersion, parseObject } from "../../api/meta.ts";
import { keyOf, type KubeObject, type ObjectRef, refOf } from "../../api/object.ts";
import type { InventoryEntry, Sync } from "../../api/sync.ts";
import { claimedIds, generatedIds, handedOverFacts, handOver, refuseGenerated } from "../../gitops/handover.ts";
import { entryId, refOfEntry } from "../../gitops/inventory.ts";
import { type Owner, prepare } from "../../gitops/manifest.ts";
import { type Plan, plan, type PlanInput } from "../../gitops/plan.ts";
import { StalledError } from "../../lib/errors.ts";
import { hashJson } from "../../lib/json.ts";
import { settleAll } from "../../lib/parallel.ts";
import { placeOf } from "../../render/manifest.ts";
import type { RenderedObject } from "../../render/renderer.ts";
import type { Hold } from "../../revert/hold.ts";
import type { SyncDeps } from "./deps.ts";
import { awaitDependencies, type Source } from "./source.ts";

/** Everything one run is decided from. */
export interface Observation {
  readonly source: Source;
  readonly inventory: readonly InventoryEntry[];
  /** Digests of all that the plan depends on, but the live objects: of the repository, and of everything else. */
  readonly inputs: string;
  /** `undefined`: same inputs as the last finished run and no drift, so nothing was rendered. */
  readonly planned: Planned | undefined;
}

/** What a rendering asks for. */
export interface Planned {
  readonly plan: Plan;
  readonly holding: readonly string[];
  readonly adopted: readonly ObjectRef[];
  /** Ids of objects to be written only in the version that was looked at. */
  readonly shared: ReadonlySet<string>;
  /** File and line of an object, for messages. */
  readonly placeOf: (ref: ObjectRef) => string | undefined;
}

/** Reads all that a run needs, and renders only when something differs and what the Sync depends on is Ready. */
export async function observe(deps: SyncDeps, sync: Sync, source: Source, signal: AbortSignal): Promise<Observation> {
  const { rendering, live } = deps;
  const { repository, commit } = source;
  const inventory = sync.status.inventory?.entries ?? [];
  await live.ensure([...inventory.map((entry) => refOfEntry(entry)), ...handedKinds], signal);
  let rendered: Promise<RenderedObject[]> | undefined;
  const render = (): Promise<RenderedObject[]> => (rendered ??= renderWhenReady(deps, sync, source, signal));
  const holds = await deps.holdsOf(sync, async () => (await render()).map(({ object }) => object), signal);
  const claimants = canariesOfIds(deps, claimedIndex, inventory.map(({ id }) => id));
  const facts = handedOverFacts(claimants, (ref) => live.find(ref));
  const others = hashJson([sync.metadata.generation, holds, facts]);
  const inputs = `${await rendering.inputsAt(sync, repository, commit, signal)}-${others}`;
  const settled = inputs === sync.status.inputs && inventory.every((entry) => isAsApplied(entry, live));
  if (settled) return { source, inventory, inputs, planned: undefined };
  const planned = await planFrom(deps, { sync, source, inventory, holds, rendered: await render() }, signal);
  return { source, inventory, inputs, planned };
}

async function renderWhenReady(deps: SyncDeps, sync: Sync, source: Source, signal: AbortSignal): Promise<RenderedObject[]> {
  await awaitDependencies(deps, sync, source, signal);
  return deps.rendering.renderAt(sync, source.repository, source.commit, signal);
}

/** Kinds that Canaries share with Syncs. */
const handedKinds = [{ apiVersion: "apps/v1", kind: "Deployment" }, { apiVersion: "v1", kind: "Service" }];

/** Whether the object is what was applied. An entry without digests is under way or waits to be pruned. */
function isAsApplied(entry: InventoryEntry, live: SyncDeps["live"]): boolean {
  if (entry.digest === undefined || entry.live === undefined) return false;
  const owned = live.owned(refOfEntry(entry));
  return owned !== undefined && owned.digest === entry.live && !owned.byHand;
}

interface PlanFrom {
  readonly sync: Sync;
  readonly source: Source;
  readonly inventory: readonly InventoryEntry[];
  readonly holds: readonly Hold[];
  readonly rendered: readonly RenderedObject[];
}

async function planFrom(deps: SyncDeps, from: PlanFrom, signal: AbortSignal): Promise<Planned> {
  const { sync, source, inventory, holds, rendered } = from;
  refuseEmpty(sync, rendered, inventory);
  const places = new Map(rendered.map(({ object, origin }) => [entryId(refOf(object)), placeOf(origin)]));
  const place = (ref: ObjectRef): string | undefined => places.get(entryId(ref));
  await deps.live.ensure(rendered.map(({ object }) => object), signal);

  const { objects, holding } = deps.applyHolds(rendered.map(({ object }) => object), holds);
  const described = canariesOf(objects);
  const ids = objects.map((object) => entryId(refOf(object)));
  const staying = canariesOfIds(deps, generatedIndex, ids).filter((canary) => !isStale(canary, inventory, places));
  refuseGenerated(objects, [...staying, ...described], (ref) => place(ref) ?? "");
  const handed = handOver(objects, canariesOfIds(deps, claimedIndex, ids), (ref) => deps.live.find(ref));
  const owner = ownerOf(sync);
  const desired = rendered.map(({ object: written }, index) => ({ object: prepare(handed.objects[index] ?? written, owner), written }));
  const found = await confirmed(deps, { desired, inventory, owner, commit: source.commit }, signal);
  return { plan: found, holding, adopted: handed.adopted, shared: handed.shared, placeOf: place };
}

/** Who applies, for labels and for telling whose an object is. */
export function ownerOf({ metadata: { name, namespace = "" } }: Sync): Owner {
  return { name, namespace };
}

/** Canaries by the ids of objects that they share with Syncs, and of those that they make. */
const claimedIndex = "sync: claimed";
const generatedIndex = "sync: generated";

/** Makes Canaries known by the objects of theirs that Syncs may apply. Once, at wiring. */
export function indexCanaries({ canaries }: Pick<SyncDeps, "canaries">): void {
  canaries.addIndex(claimedIndex, claimedIds);
  canaries.addIndex(generatedIndex, generatedIds);
}

function canariesOfIds({ canaries }: SyncDeps, index: string, ids: readonly string[]): Canary[] {
  return [...new Set(ids.flatMap((id) => canaries.byIndex(index, id)))];
}

function canariesOf(objects: readonly KubeObject[]): Canary[] {
  return objects.filter((object) => object.apiVersion === apiVersion && object.kind === canaryKind.kind).flatMap((object) => {
    const parsed = parseObject(canaryKind, object);
    return parsed.ok ? [parsed.value] : [];
  });
}

function isStale({ metadata }: Canary, inventory: readonly InventoryEntry[], places: ReadonlyMap<string, string>): boolean {
  const id = entryId({ apiVersion, kind: canaryKind.kind, namespace: metadata.namespace, name: metadata.name });
  return !places.has(id) && inventory.some((entry) => entry.id === id);
}

function refuseEmpty(sync: Sync, rendered: readonly RenderedObject[], inventory: readonly InventoryEntry[]): void {
  if (rendered.length > 0 || inventory.length === 0 || sync.spec.allowEmpty) return;
  throw new StalledError("EmptyRender", `${sync.spec.path} renders to nothing, which would delete all ${inventory.length} objects of Sync ${keyOf(sync.metadata)}; set spec.allowEmpty if that is meant`);
}

/**
 * An informer may lag behind a write of ours or somebody's: before an object counts as changed by hand, it is read. The
 * answer also has all managedFields, which say who did it.
 */
async function confirmed({ kube, live }: SyncDeps, input: Omit<PlanInput, "live">, signal: AbortSignal): Promise<Plan> {
  const first = plan({ ...input, live: (ref) => live.find(ref) });
  const doubtful = first.steps.filter(({ action }) => action === "correct" || action === "recreate" || action === "taken");
  if (doubtful.length === 0) return first;
  const found = await settleAll(doubtful, 16, (step) => kube.find(step.ref, signal));
  const read = new Map<string, KubeObject | undefined>();
  doubtful.forEach(({ entry }, index) => {
    const result = found[index];
    if (!result || result.status === "rejected") throw result?.reason;
    if (result.value) live.wrote(result.value);
    read.set(entry.id, result.value);
  });
  return plan({ ...input, live: (ref) => (read.has(entryId(ref)) ? read.get(entryId(ref)) : live.find(ref)) });
}
