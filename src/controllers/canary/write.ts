import type { Canary, CanaryStatus } from "../../api/canary.ts";
import { managers } from "../../api/meta.ts";
import { type KubeObject, refOf } from "../../api/object.ts";
import { recordOf, stale } from "../../canary/history.ts";
import { isCollected, isMade, isReferenced, owned, unowned } from "../../canary/owned.ts";
import { liveReplicasOwned, sayTheSame, stamped } from "../../canary/same.ts";
import { type Live, workloads } from "../../canary/workloads.ts";
import { applyAll } from "../../kube/apply.ts";
import type { Kube } from "../../kube/kube.ts";
import { type Cluster, kindsRead } from "./cluster.ts";
import type { CanaryDeps } from "./deps.ts";
import { liveFor, type Observation } from "./observe.ts";

type Deps = Pick<CanaryDeps, "kube"> & { readonly cluster: Cluster };
const apply = { fieldManager: managers.canary };

/** Makes the data plane serve what the status says. Goes before all else: no request may reach a pod that is about to stop. */
export async function writeRoutes({ kube, cluster }: Deps, canary: Canary, seen: Observation, signal: AbortSignal): Promise<void> {
  await write({ kube, cluster }, changed(cluster, wantedRoutes(canary, seen)), signal);
}

function wantedRoutes(canary: Canary, { router, inputs }: Observation): KubeObject[] {
  const { phase, canaryWeight = 0 } = canary.status;
  // Until the primary serves, traffic takes the way it always took.
  if (phase === undefined || phase === "Initializing") return [];
  if (phase === "Terminating" && canaryWeight === 100)
    return router.restored(canary).map((route) => withHead(route, unowned(canary, refOf(route))));
  return router
    .routes(canary, { primary: 100 - canaryWeight, canary: canaryWeight }, inputs)
    .map((route) => withHead(route, owned(canary, refOf(route))));
}

function withHead(route: KubeObject, head: KubeObject): KubeObject {
  return { ...route, metadata: { ...head.metadata, ...route.metadata } };
}

/** Makes everything else follow the status: the kept revisions, Services, configs, primary, autoscaler and replicas. */
export async function writeWorkloads(deps: Deps, canary: Canary, seen: Observation, signal: AbortSignal): Promise<void> {
  const { kube, cluster } = deps;
  await keepRevision(kube, canary, seen, signal);
  await applyAll(kube, cluster.labelled("record", canary).flatMap((record) => keptAsWanted(canary, record)), apply, signal);
  const live = liveFor(cluster, canary, seen);
  const wanted = workloads(canary, canary.status, live);
  const [first, then] = [wanted.filter(({ kind }) => !scaled.has(kind)), wanted.filter(({ kind }) => scaled.has(kind))];
  // Pods read their configs when they start.
  await write(deps, changed(cluster, first), signal);
  await write(deps, changed(cluster, then).map((object) => guarded(canary, live, object)), signal);
  await prune(kube, cluster, { canary, seen, wanted }, signal);
}

/** Applies each, also when others fail, and sees what it wrote from then on. */
async function write({ kube, cluster }: Deps, objects: readonly KubeObject[], signal: AbortSignal): Promise<void> {
  const applyOne: Kube["apply"] = async (...args) => {
    const stored = await kube.apply(...args);
    cluster.wrote(stored);
    return stored;
  };
  await applyAll({ apply: applyOne }, objects, apply, signal);
}

const scaled = new Set(["Deployment", "HorizontalPodAutoscaler"]);

/** Replicas that an autoscaler sets are written as they were read: one that was scaled meanwhile is refused, and read again. */
function guarded({ spec }: Canary, { target, primary }: Pick<Live, "target" | "primary">, object: KubeObject): KubeObject {
  if (!spec.autoscalerRef) return object;
  const read = [target, primary].find((one) => one?.kind === object.kind && one.metadata.name === object.metadata.name);
  const { resourceVersion } = read?.metadata ?? {};
  return resourceVersion === undefined ? object : { ...object, metadata: { ...object.metadata, resourceVersion } };
}

async function keepRevision(kube: Deps["kube"], canary: Canary, { revision, history }: Observation, signal: AbortSignal): Promise<void> {
  const { trackedRevision, promotedRevision } = canary.status;
  if (!revision || (revision.id !== trackedRevision && revision.id !== promotedRevision) || history.some(({ id }) => id === revision.id))
    return;
  await kube.apply(recordOf(canary, revision, history), apply, signal);
}

/** A kept revision that goes another way than the Canary's other objects: revertOnDeletion was set or unset since. */
function keptAsWanted(canary: Canary, record: KubeObject): KubeObject[] {
  if (isReferenced(canary, record.metadata.ownerReferences) === isCollected(canary)) return [];
  return [{ ...owned(canary, refOf(record)), data: record["data"], revision: record["revision"] }];
}

/** Those that the cluster does not have like this yet: a write that is not needed is the only one that is free. */
function changed(cluster: Cluster, wanted: readonly KubeObject[]): KubeObject[] {
  return wanted.flatMap((object) => {
    const live = cluster.find(refOf(object));
    // The target is the user's: nothing of ours is left on it but its replicas.
    if (object.metadata.labels === undefined)
      return live && liveReplicasOwned(live, managers.canary) && sayTheSame(object, live) ? [] : [object];
    const ours = stamped(object);
    return live && sayTheSame(ours, live) ? [] : [ours];
  });
}

/** Removes copies of configs that the primary no longer reads, and revisions that nobody can go back to. */
async function prune(
  kube: Deps["kube"],
  cluster: Cluster,
  { canary, seen, wanted }: { canary: Canary; seen: Observation; wanted: readonly KubeObject[] },
  signal: AbortSignal,
): Promise<void> {
  const { namespace } = canary.metadata;
  for (const { name } of stale(seen.history, canary.status)) await kube.delete({ ...kindsRead.record, namespace, name }, {}, signal);
  if (!isAtRest(canary.status) || !seen.target || seen.seen.primary.state !== "ready") return;
  const used = new Set(wanted.map(({ kind, metadata }) => `${kind}/${metadata.name}`));
  const copies = (["ConfigMap", "Secret"] as const).flatMap((kind) => cluster.labelled(kind, canary));
  const unused = copies.filter((copy) => isMade(canary, copy) && !used.has(`${copy.kind}/${copy.metadata.name}`));
  for (const { kind, apiVersion, metadata } of unused)
    await kube.delete({ apiVersion, kind, namespace, name: metadata.name }, { uid: metadata.uid }, signal);
}

function isAtRest({ phase }: CanaryStatus): boolean {
  return phase === "Initialized" || phase === "Succeeded";
}
