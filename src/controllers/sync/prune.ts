import type { Outcome } from "../../api/conditions.ts";
import { describeRef, keyOf, type KubeObject, type ObjectRef, refOf } from "../../api/object.ts";
import type { Sync } from "../../api/sync.ts";
import { entryId, refOfEntry } from "../../gitops/inventory.ts";
import { belongsTo } from "../../gitops/manifest.ts";
import { planPrune, type PrunePlan } from "../../gitops/prune.ts";
import { routeKinds } from "../../gitops/routes.ts";
import { KubeError } from "../../kube/kube.ts";
import { isRecord } from "../../lib/json.ts";
import { messageOf } from "../../lib/errors.ts";
import { settleAll } from "../../lib/parallel.ts";
import type { SyncDeps } from "./deps.ts";
import { nameSome, resourceOf } from "./events.ts";
import { heirsOf } from "./heirs.ts";
import { ownerOf } from "./observe.ts";
import type { Source } from "./source.ts";
import { impersonated } from "./status.ts";

/** What left Git and may go now. */
interface PruneRequest {
  readonly sync: Sync;
  readonly desired: readonly ObjectRef[];
  readonly stale: readonly { readonly id: string; readonly v: string }[];
  readonly source: Source;
}

/** How often an object may change under a deletion. */
const maxTries = 5;

const endpointSlices = { apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice" };

/** Deletes what may go. `outcome` is set when something had to stay. */
export async function prune(
  deps: SyncDeps,
  request: PruneRequest,
  signal: AbortSignal,
): Promise<{ gone: ReadonlySet<string>; outcome: Outcome | undefined }> {
  const { sync, source } = request;
  await deps.live.ensure([...routeKinds, endpointSlices], signal);
  const all = planFor(deps, request);
  const heirs = await heirsOf(deps, { sync, source, refs: all.remove.map((object) => refOf(object)) }, signal);
  const plan = { ...all, remove: all.remove.filter((object) => !heirs.has(entryId(refOf(object)))) };
  const failures: string[] = [];
  const gone = new Set(plan.forget.map(({ ref }) => entryId(ref)));
  const removed: ObjectRef[] = [];
  // One after the other, in the reverse of the order of apply.
  for (const object of plan.remove) {
    const ref = refOf(object);
    const [result] = await settleAll([object], 1, (one) => removeOwn(deps, sync, one, signal));
    if (result?.status === "rejected") failures.push(`${describeRef(ref)}: ${messageOf(result.reason)}`);
    else gone.add(entryId(ref));
    if (result?.status === "fulfilled" && result.value) removed.push(ref);
  }
  tell(deps, sync, { plan, removed, revision: source.revision });
  return { gone, outcome: problem({ plan, heirs, failures, revision: source.revision }) };
}

/**
 * Deletes the object as it was looked at; false when it belongs to another Sync by now. What others changed about it
 * meanwhile (a status, most often) is looked at again.
 */
async function removeOwn({ kube, live, defaults }: SyncDeps, sync: Sync, object: KubeObject, signal: AbortSignal): Promise<boolean> {
  const ref = refOf(object);
  const impersonate = impersonated(sync, defaults);
  let { uid, resourceVersion } = object.metadata;
  for (let tries = 1; ; tries += 1) {
    try {
      await kube.delete(ref, { propagation: "Background", uid, resourceVersion, impersonate }, signal);
      return true;
    } catch (error) {
      if (!(error instanceof KubeError && error.code === 409) || tries === maxTries) throw error;
    }
    const now = await kube.find(ref, signal);
    if (now) live.wrote(now);
    if (!now || now.metadata.uid !== uid || !belongsTo(now, ownerOf(sync))) return false;
    ({ uid, resourceVersion } = now.metadata);
  }
}

function planFor({ live, canaries }: SyncDeps, { sync, desired, stale }: PruneRequest): PrunePlan {
  const serving = new Set(live.list(endpointSlices).filter((slice) => hasReadyEndpoint(slice["endpoints"])).map(({ metadata }) => {
    return keyOf({ namespace: metadata.namespace, name: metadata.labels?.["kubernetes.io/service-name"] ?? "" });
  }));
  return planPrune({
    stale: stale.map((entry) => refOfEntry(entry)),
    desired,
    owner: ownerOf(sync),
    live: (ref) => live.find(ref),
    routes: routeKinds.flatMap((kind) => live.list(kind)),
    canaries: canaries.list(),
    serves: (service) => serving.has(service),
  });
}

function hasReadyEndpoint(endpoints: unknown): boolean {
  if (!Array.isArray(endpoints)) return false;
  return endpoints.some(
    (endpoint: unknown) => isRecord(endpoint) && (!isRecord(endpoint["conditions"]) || endpoint["conditions"]["ready"] !== false),
  );
}

function tell(
  { events, log }: SyncDeps,
  sync: Sync,
  { plan, removed, revision }: { plan: PrunePlan; removed: readonly ObjectRef[]; revision: string },
): void {
  if (removed.length > 0) {
    events.normal(resourceOf(sync), "Pruned", `${revision}: deleted ${nameSome(removed.map((ref) => describeRef(ref)))}`);
    log.info({ sync: keyOf(sync.metadata), revision, pruned: removed.length }, "sync pruned");
  }
  const kept = plan.forget.filter((entry) => entry.kept).map(({ ref }) => describeRef(ref));
  if (kept.length > 0) events.normal(resourceOf(sync), "PruneSkipped", `${revision}: ${nameSome(kept)} left Git but stays in the cluster`);
}

interface Left {
  readonly plan: PrunePlan;
  /** The Sync that takes an object over, by its id. */
  readonly heirs: ReadonlyMap<string, string>;
  readonly failures: readonly string[];
  readonly revision: string;
}

function problem({ plan: { blocked }, heirs, failures, revision }: Left): Outcome | undefined {
  if (failures.length > 0)
    return { ready: "False", reason: "PruneFailed", message: `${revision}: ${failures.join("; ")}`, state: "reconciling" };
  if (blocked.length > 0) {
    const told = blocked.map(({ ref, why }) => `${describeRef(ref)}: ${why}`).join("; ");
    return { ready: "False", reason: "PruneWouldDropTraffic", message: `${revision}: not deleted yet: ${told}`, state: "reconciling" };
  }
  if (heirs.size === 0) return undefined;
  const waiting = nameSome([...heirs].map(([id, heir]) => `${nameOfEntry(id)} for Sync ${heir}`));
  return { ready: "Unknown", reason: "Progressing", message: `${revision}: not deleted, but left to be taken over: ${waiting}`, state: "reconciling" };
}

/** `ConfigMap/shop/settings` of an entry's id. */
function nameOfEntry(id: string): string {
  return describeRef(refOfEntry({ id, v: "" }));
}
