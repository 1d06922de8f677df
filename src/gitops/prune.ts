import type { Canary } from "../api/canary.ts";
import { apiVersion as serinApi, names } from "../api/meta.ts";
import { describeRef, groupOf, keyOf, type KubeObject, type ObjectRef, refOf } from "../api/object.ts";
import { apexName, targetOf } from "./handover.ts";
import { entryId } from "./inventory.ts";
import { belongsTo, type Owner } from "./manifest.ts";
import { compareRefs } from "./order.ts";
import { backendsOf, takesSameRequests } from "./routes.ts";

/** Label or annotation by which an object outlives its manifest. */
const optOut = "serin.dev/prune";

/** What pruning is decided from. All objects are live ones. */
interface PruneInput {
  /** What the inventory holds and Git no longer has. */
  readonly stale: readonly ObjectRef[];
  /** What Git has. */
  readonly desired: readonly ObjectRef[];
  readonly owner: Owner;
  readonly live: (ref: ObjectRef) => KubeObject | undefined;
  /** Routes of all namespaces that stale objects are in. */
  readonly routes: readonly KubeObject[];
  readonly canaries: readonly Canary[];
  /** Whether a Service (`namespace/name`) has an endpoint that is ready. */
  readonly serves: (service: string) => boolean;
}

/** What becomes of the objects that left Git. */
export interface PrunePlan {
  /** In the order of deletion. */
  readonly remove: readonly KubeObject[];
  /** Gone already, somebody else's by now, or told to stay: only the inventory forgets them. */
  readonly forget: readonly { readonly ref: ObjectRef; readonly kept: boolean }[];
  /** Not deleted now, because users would notice. */
  readonly blocked: readonly { readonly ref: ObjectRef; readonly why: string }[];
}

/** Decides what may be deleted. A Canary, its target and a Service with traffic stay until what replaces them serves. */
export function planPrune(input: PruneInput): PrunePlan {
  const forget: { ref: ObjectRef; kept: boolean }[] = [];
  const blocked: { ref: ObjectRef; why: string }[] = [];
  const remove: KubeObject[] = [];
  const stale = new Set(input.stale.map(entryId));
  for (const ref of input.stale.toSorted(compareRefs).toReversed()) {
    const live = input.live(ref);
    const why = live && dropsTraffic(live, input, stale);
    if (!live || live.metadata.deletionTimestamp !== undefined || !belongsTo(live, input.owner)) forget.push({ ref, kept: false });
    else if (staysByWish(live) || isOfCanary(live, input, stale)) forget.push({ ref, kept: true });
    else if (why !== undefined) blocked.push({ ref, why });
    else remove.push(live);
  }
  return { remove, forget, blocked };
}

function staysByWish({ metadata: { labels, annotations } }: KubeObject): boolean {
  return [labels?.[optOut], annotations?.[optOut]].some((value) => value?.toLowerCase() === "disabled");
}

/** The apex Service of a Canary that stays: the Canary goes on with it. */
function isOfCanary(live: KubeObject, { canaries }: PruneInput, stale: ReadonlySet<string>): boolean {
  if (live.kind !== "Service") return false;
  const { namespace, name } = live.metadata;
  return staying(canaries, stale).some((canary) => canary.metadata.namespace === namespace && apexName(canary) === name);
}

function dropsTraffic(live: KubeObject, input: PruneInput, stale: ReadonlySet<string>): string | undefined {
  const kind = `${groupOf(live.apiVersion)}/${live.kind}`;
  if (kind === "/Service") return serviceDropsTraffic(live, input, stale);
  if (kind === "serin.dev/Canary") return canaryDropsTraffic(live, input, stale);
  const canary = staying(input.canaries, stale).find((candidate) => entryId(targetOf(candidate)) === entryId(refOf(live)));
  return canary ? `Canary/${keyOf(canary.metadata)} still runs it` : undefined;
}

function serviceDropsTraffic(service: KubeObject, { routes, serves }: PruneInput, stale: ReadonlySet<string>): string | undefined {
  const key = keyOf(service.metadata);
  if (!serves(key)) return undefined;
  const near = routes.filter((route) => !isGoing(route, stale) && route.metadata.namespace === service.metadata.namespace);
  const user = near.find((route) => backendsOf(route).includes(key));
  if (user) return `${describeRef(refOf(user))} still sends requests to it`;
  return near.map((route) => notServing(route, serves)).find((why) => why !== undefined);
}

function canaryDropsTraffic(live: KubeObject, input: PruneInput, stale: ReadonlySet<string>): string | undefined {
  const canary = input.canaries.find(({ metadata }) => keyOf(metadata) === keyOf(live.metadata));
  if (!canary) return undefined;
  const target = entryId(targetOf(canary));
  const keepsTarget = input.desired.some((ref) => entryId(ref) === target);
  if (keepsTarget && !canary.spec.revertOnDeletion) {
    return `${describeRef(targetOf(canary))} stays but has no pods while the Canary runs it; set spec.revertOnDeletion in it first`;
  }
  const own = input.routes.filter((route) => isOwnedBy(route, live));
  const successors = input.routes.filter(
    (route) => !isGoing(route, stale) && !isOwnedBy(route, live) && own.some((mine) => takesSameRequests(mine, route)),
  );
  return successors.map((route) => notServing(route, input.serves)).find((why) => why !== undefined);
}

function notServing(route: KubeObject, serves: PruneInput["serves"]): string | undefined {
  const silent = backendsOf(route).find((backend) => !serves(backend));
  return silent === undefined
    ? undefined
    : `Service/${silent}, to which ${describeRef(refOf(route))} sends requests, has no ready endpoint yet`;
}

/** Whether the route leaves with what is pruned: by itself, or with the Canary that owns it. */
function isGoing(route: KubeObject, stale: ReadonlySet<string>): boolean {
  const { namespace, labels, ownerReferences = [] } = route.metadata;
  const owners = ownerReferences.map(({ apiVersion, kind, name }) => entryId({ apiVersion, kind, namespace, name }));
  // One that hands its traffic back when it is deleted takes its route along by itself.
  const canary = labels?.[names.canaryUid] === undefined ? undefined : labels[names.canary];
  const maker = canary === undefined ? [] : [entryId({ apiVersion: serinApi, kind: "Canary", namespace, name: canary })];
  return [entryId(refOf(route)), ...owners, ...maker].some((id) => stale.has(id));
}

function isOwnedBy({ metadata: { labels, ownerReferences } }: KubeObject, { metadata: { uid } }: KubeObject): boolean {
  const isLabelled = uid !== undefined && labels?.[names.canaryUid] === uid;
  return isLabelled || (ownerReferences?.some((owner) => owner.uid === uid) ?? false);
}

function staying(canaries: readonly Canary[], stale: ReadonlySet<string>): Canary[] {
  return canaries.filter(
    (canary) => !stale.has(entryId(refOf({ apiVersion: canary.apiVersion, kind: canary.kind, metadata: canary.metadata }))),
  );
}
