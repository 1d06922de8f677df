import type { Outcome } from "../../api/conditions.ts";
import { describeRef, keyOf, type ObjectRef, refOf } from "../../api/object.ts";
import type { Sync } from "../../api/sync.ts";
import { entryId, refOfEntry } from "../../gitops/inventory.ts";
import { planPrune, type PrunePlan } from "../../gitops/prune.ts";
import { routeKinds } from "../../gitops/routes.ts";
import { isRecord } from "../../lib/json.ts";
import { messageOf } from "../../lib/errors.ts";
import { settleAll } from "../../lib/parallel.ts";
import type { SyncDeps } from "./deps.ts";
import { nameSome, resourceOf } from "./events.ts";
import { ownerOf } from "./observe.ts";
import { impersonated } from "./status.ts";

/** What left Git and may go now. */
interface PruneRequest {
  readonly sync: Sync;
  readonly desired: readonly ObjectRef[];
  readonly stale: readonly { readonly id: string; readonly v: string }[];
  readonly revision: string;
}

const endpointSlices = { apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice" };

/** Deletes what may go. `outcome` is set when something had to stay. */
export async function prune(
  deps: SyncDeps,
  request: PruneRequest,
  signal: AbortSignal,
): Promise<{ gone: ReadonlySet<string>; outcome: Outcome | undefined }> {
  const { sync, revision } = request;
  await deps.live.ensure([...routeKinds, endpointSlices], signal);
  const plan = planFor(deps, request);
  const failures: string[] = [];
  const gone = new Set(plan.forget.map(({ ref }) => entryId(ref)));
  // One after the other, in the reverse of the order of apply.
  for (const object of plan.remove) {
    const ref = refOf(object);
    const [result] = await settleAll([ref], 1, () =>
      deps.kube.delete(ref, { propagation: "Background", uid: object.metadata.uid, impersonate: impersonated(sync) }, signal),
    );
    if (result?.status === "rejected") failures.push(`${describeRef(ref)}: ${messageOf(result.reason)}`);
    else gone.add(entryId(ref));
  }
  tell(deps, sync, { plan, failures: failures.length, revision });
  return { gone, outcome: problem(plan, failures, revision) };
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
  { plan, failures, revision }: { plan: PrunePlan; failures: number; revision: string },
): void {
  if (plan.remove.length > failures) {
    const removed = nameSome(plan.remove.map((object) => describeRef(refOf(object))));
    events.normal(resourceOf(sync), "Pruned", `${revision}: deleted ${removed}`);
    log.info({ sync: keyOf(sync.metadata), revision, pruned: plan.remove.length - failures }, "sync pruned");
  }
  const kept = plan.forget.filter((entry) => entry.kept).map(({ ref }) => describeRef(ref));
  if (kept.length > 0) events.normal(resourceOf(sync), "PruneSkipped", `${revision}: ${nameSome(kept)} left Git but stays in the cluster`);
}

function problem({ blocked }: PrunePlan, failures: readonly string[], revision: string): Outcome | undefined {
  if (failures.length > 0)
    return { ready: "False", reason: "PruneFailed", message: `${revision}: ${failures.join("; ")}`, state: "reconciling" };
  if (blocked.length === 0) return undefined;
  const told = blocked.map(({ ref, why }) => `${describeRef(ref)}: ${why}`).join("; ");
  return { ready: "False", reason: "PruneWouldDropTraffic", message: `${revision}: not deleted yet: ${told}`, state: "reconciling" };
}
