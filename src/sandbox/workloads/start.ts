import { keyOf, parseKey } from "../../api/object.ts";
import type { KubeObject } from "../../api/object.ts";
import type { Informers, Kube } from "../../kube/kube.ts";
import type { Clock } from "../../lib/clock.ts";
import { messageOf } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import { autoscaler, deployment, kinds, pod, replicaSet, service } from "../kinds.ts";
import type { Loop } from "../loop.ts";
import { startLoop } from "../loop.ts";
import { planAutoscaler } from "./autoscaler.ts";
import type { Cluster } from "./cluster.ts";
import { createCluster } from "./cluster.ts";
import { nameAlphabet, planDeployment } from "./deployment.ts";
import { planEndpointSlices, selects } from "./endpoint-slices.ts";
import { isActive, planReplicaSet } from "./replica-set.ts";
import { planScheduling } from "./scheduler.ts";
import type { Plan, Write } from "./writes.ts";

/** What the workload controllers and the scheduler need. */
interface WorkloadOptions {
  readonly kube: Kube;
  readonly informers: Informers;
  readonly clock: Clock;
  readonly log: Logger;
  /** Stops them. */
  readonly signal: AbortSignal;
  /** In [0, 1), for the ends of pod names; a test fixes it. */
  readonly random?: () => number;
}

/** Running controllers. */
interface Workloads {
  /** Resolves when the signal has aborted and nothing runs any more. */
  readonly ended: Promise<void>;
}

/**
 * Deployments, ReplicaSets, EndpointSlices and autoscalers as kube-controller-manager keeps them, and the scheduler.
 * Resolves when all of them watch.
 */
export async function startWorkloads(options: WorkloadOptions): Promise<Workloads> {
  const { deployment, replicaSet, pod, service, endpointSlice, autoscaler, node } = kinds;
  const cluster = createCluster(options.kube, options.informers, [deployment, replicaSet, pod, service, endpointSlice, autoscaler, node]);
  await cluster.whenSynced(options.signal);
  const parts = { ...options, cluster };
  const loops = [
    startDeployments(parts),
    startReplicaSets(parts),
    startEndpointSlices(parts),
    startAutoscalers(parts),
    startScheduling(parts),
  ];
  return { ended: Promise.all(loops.map(({ ended }) => ended)).then(() => {}) };
}

/** Only the scheduler, for a cluster whose other controllers are real. Resolves when it watches. */
export async function startScheduler(options: WorkloadOptions): Promise<Workloads> {
  const cluster = createCluster(options.kube, options.informers, [kinds.pod, kinds.node]);
  await cluster.whenSynced(options.signal);
  return { ended: startScheduling({ ...options, cluster }).ended };
}

type Parts = WorkloadOptions & { readonly cluster: Cluster };

async function carryOut({ cluster }: Parts, { writes, againAfterMs }: Plan, signal: AbortSignal): Promise<number | undefined> {
  for (const write of writes) await cluster.perform(write, signal);
  return againAfterMs;
}

/** A loop over all objects of a kind, asked to run whenever one of them changes. */
function loopOver(parts: Parts, kind: keyof typeof kinds, planFor: (object: KubeObject, key: string) => Plan | Promise<Plan>): Loop {
  const { cluster, clock, log, signal } = parts;
  const reconcile = async (key: string): Promise<number | undefined> => {
    const object = cluster.find(kinds[kind], key);
    return object ? await carryOut(parts, await planFor(object, key), signal) : undefined;
  };
  const loop = startLoop({ name: kind, reconcile, clock, log, signal });
  signal.addEventListener("abort", cluster.onChange(kinds[kind], ({ metadata }) => loop.add(keyOf(metadata))), { once: true });
  return loop;
}

/** Wakes the controller of every object that changes. */
function wakeOwner({ cluster, signal }: Parts, kind: keyof typeof kinds, ownerKind: string, loop: Loop): void {
  const wake = ({ metadata }: KubeObject): void => {
    const owner = metadata.ownerReferences?.find((reference) => reference.controller === true && reference.kind === ownerKind);
    if (owner) loop.add(keyOf({ namespace: metadata.namespace, name: owner.name }));
  };
  signal.addEventListener("abort", cluster.onChange(kinds[kind], wake), { once: true });
}

function startDeployments(parts: Parts): Loop {
  const { cluster, clock } = parts;
  const loop = loopOver(parts, "deployment", (object) => {
    const sets = cluster.controlledBy(kinds.replicaSet, object.metadata.uid ?? "").map((set) => replicaSet.parse(set));
    const live = ({ metadata }: KubeObject): number =>
      cluster.controlledBy(kinds.pod, metadata.uid ?? "").filter(({ status }) => !isEnded(status)).length;
    const livePods = new Map(sets.map((set) => [set.metadata.uid ?? "", live(set)]));
    return planDeployment({ deployment: deployment.parse(object), sets, livePods, nowMs: clock.nowMs() });
  });
  wakeOwner(parts, "replicaSet", "Deployment", loop);
  // A Recreate waits for the last old pod, and only the pods tell.
  const wake = ({ metadata }: KubeObject): void => {
    const set = metadata.ownerReferences?.find(({ kind }) => kind === "ReplicaSet");
    const owner =
      set && cluster.find(kinds.replicaSet, keyOf({ namespace: metadata.namespace, name: set.name }))?.metadata.ownerReferences?.[0];
    if (owner) loop.add(keyOf({ namespace: metadata.namespace, name: owner.name }));
  };
  parts.signal.addEventListener("abort", cluster.onChange(kinds.pod, wake), { once: true });
  return loop;
}

function isEnded(status: unknown): boolean {
  const phase = pod.shape.status.safeParse(status).data?.phase;
  return phase === "Succeeded" || phase === "Failed";
}

function startReplicaSets(parts: Parts): Loop {
  const { cluster, clock, signal } = parts;
  const random = parts.random ?? Math.random;
  const suffix = (): string => Array.from({ length: 5 }, () => nameAlphabet[Math.floor(random() * nameAlphabet.length)]).join("");
  const loop = loopOver(parts, "replicaSet", async (object) => {
    const pods = cluster.controlledBy(kinds.pod, object.metadata.uid ?? "").map((owned) => pod.parse(owned));
    const observed = { set: replicaSet.parse(object), pods, nowMs: clock.nowMs(), suffix };
    const plan = planReplicaSet(observed);
    const failure = await createPods(cluster, plan.writes, signal);
    const rest = failure === undefined ? plan : planReplicaSet({ ...observed, failure });
    // A refused pod is tried again: what refused it, a quota say, gives no event.
    return {
      writes: rest.writes.filter((write) => write.do !== "create"),
      againAfterMs: failure === undefined ? rest.againAfterMs : 1_000,
    };
  });
  wakeOwner(parts, "pod", "ReplicaSet", loop);
  return loop;
}

/** @returns why the API server refused one; the rest is then not tried */
async function createPods(cluster: Cluster, writes: readonly Write[], signal: AbortSignal): Promise<string | undefined> {
  for (const write of writes.filter(({ do: what }) => what === "create")) {
    try {
      await cluster.perform(write, signal);
    } catch (error) {
      signal.throwIfAborted();
      return messageOf(error);
    }
  }
  return undefined;
}

function startEndpointSlices(parts: Parts): Loop {
  const { cluster } = parts;
  const loop = loopOver(parts, "service", (object) => {
    const owner = service.parse(object);
    const pods = cluster.inNamespace(kinds.pod, object.metadata.namespace ?? "").filter((candidate) => selects(owner, candidate));
    const slices = cluster.controlledBy(kinds.endpointSlice, object.metadata.uid ?? "");
    return planEndpointSlices({ service: owner, pods: pods.map((candidate) => pod.parse(candidate)), slices });
  });
  wakeOwner(parts, "endpointSlice", "Service", loop);
  const wake = (changed: KubeObject): void => {
    const near = cluster.inNamespace(kinds.service, changed.metadata.namespace ?? "");
    for (const object of near) if (selects(service.parse(object), changed)) loop.add(keyOf(object.metadata));
  };
  parts.signal.addEventListener("abort", cluster.onChange(kinds.pod, wake), { once: true });
  return loop;
}

function startAutoscalers(parts: Parts): Loop {
  const { cluster, clock } = parts;
  const loop = loopOver(parts, "autoscaler", (object, key) => {
    const parsed = autoscaler.parse(object);
    const { kind, name } = parsed.spec.scaleTargetRef;
    const found = kind === "Deployment" ? cluster.find(kinds.deployment, keyOf({ ...parseKey(key), name })) : undefined;
    const live = found && deployment.parse(found);
    return planAutoscaler({
      autoscaler: parsed,
      target: live && { wanted: live.spec.replicas, current: live.status.replicas ?? 0 },
      nowMs: clock.nowMs(),
    });
  });
  const wake = ({ metadata }: KubeObject): void => {
    for (const object of cluster.inNamespace(kinds.autoscaler, metadata.namespace ?? "")) loop.add(keyOf(object.metadata));
  };
  parts.signal.addEventListener("abort", cluster.onChange(kinds.deployment, wake), { once: true });
  return loop;
}

function startScheduling(parts: Parts): Loop {
  const { cluster, clock } = parts;
  const loop = loopOver(parts, "pod", (object) => {
    const parsed = pod.parse(object);
    if (parsed.spec.nodeName !== undefined || !isActive(parsed)) return { writes: [] };
    return planScheduling({ pod: parsed, nodes: cluster.inNamespace(kinds.node, ""), nowMs: clock.nowMs() });
  });
  const wakeAll = (): void => {
    for (const object of parts.informers.of(kinds.pod).list()) loop.add(keyOf(object.metadata));
  };
  parts.signal.addEventListener("abort", cluster.onChange(kinds.node, wakeAll), { once: true });
  return loop;
}
