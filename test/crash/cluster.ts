import { isoSeconds } from "../../src/api/conditions.ts";
import { controllerReference, keyOf, type KindRef, type KubeObject, refOf } from "../../src/api/object.ts";
import { hashJson, isRecord } from "../../src/lib/json.ts";
import type { MemoryKube, StoredChange } from "../fakes/memory-kube.ts";
import type { Dice } from "./dice.ts";
import { namespace } from "./manifests.ts";

/** Kinds that the model of the cluster looks at and writes. */
const kinds = {
  deployment: { apiVersion: "apps/v1", kind: "Deployment" },
  replicaSet: { apiVersion: "apps/v1", kind: "ReplicaSet" },
  pod: { apiVersion: "v1", kind: "Pod" },
  configMap: { apiVersion: "v1", kind: "ConfigMap" },
  route: { apiVersion: "gateway.networking.k8s.io/v1", kind: "HTTPRoute" },
} as const;

/** What pods run: their image, and what they read when they started. */
export interface Release {
  readonly image: string;
  readonly config: string | undefined;
}

/** What stands behind the API server: Deployments that get their pods, a gateway that accepts routes, a garbage collector. */
export interface ClusterModel {
  /** Whether there is something to do now. */
  isBehind(): boolean;
  /** Does one of the things that are to be done, whichever the dice say. */
  step(): Promise<void>;
  /** When there will be something to do by itself; `undefined`: never. */
  nextAtMs(): number | undefined;
  /** What the available pods of a Deployment run; `undefined`: there are none. */
  serving(deployment: string): Release | undefined;
  /** Lets the pods of a Deployment lose or regain their readiness. */
  setReady(deployment: string, ready: boolean): void;
  /** Lets the ready pods of a Deployment end and others start in their place, all at once. */
  restart(deployment: string): void;
  /** Another cluster that begins as this one is now. */
  fork(kube: MemoryKube, nowMs: () => number, chance: Dice): ClusterModel;
}

interface Pods {
  readonly uid: string | undefined;
  readonly hash: string;
  readonly release: Release;
  /** When they will be ready, if ever. */
  readyAtMs: number;
  ready: boolean;
}

interface Rollout {
  current: Pods | undefined;
  /** Pods of the template before, which serve until the new ones do. */
  old: { readonly release: Release; readonly count: number } | undefined;
}

interface Model {
  readonly kube: MemoryKube;
  readonly nowMs: () => number;
  readonly dice: Dice;
  readonly rollouts: Map<string, Rollout>;
  readonly unready: Set<string>;
  /** Deployments and routes to be looked at. */
  readonly dirty: Set<string>;
  /** uids of objects that are gone, whose dependents have to go. */
  readonly gone: Set<string>;
}

const signal = new AbortController().signal;
const writer = { fieldManager: "kube-controller-manager" };
const never = Number.POSITIVE_INFINITY;
const slowestStartMs = 6_000;

/** A cluster in which nothing runs yet. */
export function clusterModel(kube: MemoryKube, nowMs: () => number, chance: Dice): ClusterModel {
  return modelOn({ kube, nowMs, dice: chance, rollouts: new Map(), unready: new Set(), dirty: new Set(), gone: new Set() });
}

function modelOn(model: Model): ClusterModel {
  const { kube, dice: chance } = model;
  kube.onStored((change) => notice(model, change));
  const due = (): string[] => [...model.rollouts].flatMap(([name, { current }]) => (current && isDue(model, current) ? [name] : []));
  return {
    isBehind: () => model.dirty.size > 0 || model.gone.size > 0 || due().length > 0,
    step: async () => {
      const all = [...model.dirty, ...[...model.gone].map((uid) => `gone ${uid}`), ...due().map((name) => `Deployment ${name}`)];
      const [what = "", name = ""] = chance.pick(all).split(" ");
      model.dirty.delete(`${what} ${name}`);
      if (what === "gone") return collect(model, name);
      return what === "HTTPRoute" ? accept(model, name) : roll(model, name);
    },
    nextAtMs: () => {
      const times = [...model.rollouts.values()].flatMap(({ current }) => (current && !current.ready ? [current.readyAtMs] : []));
      const next = Math.min(...times);
      return next < never ? next : undefined;
    },
    serving: (name) => servingIn(model, name),
    fork: (other, nowMs, otherDice) => {
      const rollouts = [...model.rollouts].map(([name, { current, old }]): [string, Rollout] => [
        name,
        { current: current && { ...current }, old },
      ]);
      const sets = { unready: new Set(model.unready), dirty: new Set(model.dirty), gone: new Set(model.gone) };
      return modelOn({ kube: other, nowMs, dice: otherDice, rollouts: new Map(rollouts), ...sets });
    },
    setReady: (name, ready) => {
      if (ready) model.unready.delete(name);
      else model.unready.add(name);
      if (find(model, kinds.deployment, name)) model.dirty.add(`Deployment ${name}`);
    },
    restart: (name) => {
      const current = model.rollouts.get(name)?.current;
      if (!current?.ready) return;
      Object.assign(current, { ready: false, readyAtMs: model.nowMs() + 1 + model.dice.below(slowestStartMs) });
      model.dirty.add(`Deployment ${name}`);
    },
  };
}

function isDue({ nowMs }: Model, { ready, readyAtMs }: Pods): boolean {
  return !ready && readyAtMs <= nowMs();
}

function find({ kube }: Model, kind: KindRef, name: string): KubeObject | undefined {
  return kube.objects(kind).find(({ metadata }) => metadata.name === name);
}

function notice(model: Model, { type, object, by }: StoredChange): void {
  const { kind, metadata } = object;
  if (type === "DELETED") {
    if (metadata.uid !== undefined) model.gone.add(metadata.uid);
    if (kind === "Deployment") model.rollouts.delete(metadata.name);
  } else if (by !== writer.fieldManager && (kind === "Deployment" || kind === "HTTPRoute")) model.dirty.add(`${kind} ${metadata.name}`);
}

/** What the garbage collector does. */
async function collect({ kube, gone }: Model, uid: string): Promise<void> {
  gone.delete(uid);
  for (const kind of ownable) {
    for (const object of kube.objects(kind)) {
      if (object.metadata.ownerReferences?.some((owner) => owner.uid === uid)) await kube.delete(refOf(object), {}, signal);
    }
  }
}

const ownable: readonly KindRef[] = [
  ...Object.values(kinds),
  { apiVersion: "v1", kind: "Service" },
  { apiVersion: "v1", kind: "Secret" },
  { apiVersion: "apps/v1", kind: "ControllerRevision" },
  { apiVersion: "autoscaling/v2", kind: "HorizontalPodAutoscaler" },
];

/** What the gateway does. */
async function accept(model: Model, name: string): Promise<void> {
  const route = find(model, kinds.route, name);
  if (!route) return;
  const observedGeneration = route.metadata.generation;
  const conditions = ["Accepted", "ResolvedRefs"].map((type) => ({ type, status: "True", observedGeneration }));
  const status = { parents: [{ parentRef: { name: "web" }, conditions }] };
  await model.kube.patch(refOf(route), { status }, { ...writer, subresource: "status" }, signal);
}

interface Container {
  readonly image: string;
  readonly envFrom?: readonly { readonly configMapRef: { readonly name: string } }[];
}

interface DeploymentSpec {
  readonly replicas: number;
  readonly template: { readonly spec: { readonly containers: readonly Container[] } };
}

function releaseOf(model: Model, { template }: DeploymentSpec): Release {
  const [container] = template.spec.containers;
  const reference = container?.envFrom?.[0]?.configMapRef.name;
  const data = reference === undefined ? undefined : find(model, kinds.configMap, reference)?.["data"];
  return { image: container?.image ?? "", config: isRecord(data) ? String(data["key"]) : undefined };
}

/** How pods of an image come to be, by the first letter of its tag; all others become ready. */
const troubles: Readonly<Record<string, object | undefined>> = {
  c: { containerStatuses: [{ name: "app", state: { waiting: { reason: "CrashLoopBackOff" } } }] },
  i: { containerStatuses: [{ name: "app", state: { waiting: { reason: "ErrImagePull", message: "manifest unknown" } } }] },
  u: { conditions: [{ type: "PodScheduled", status: "False", message: "0/3 nodes are available" }] },
};

function tagOf({ image }: Release): string {
  return image.slice(image.indexOf(":") + 1);
}

/** What the Deployment controller and the nodes do: one step towards what the Deployment says. */
async function roll(model: Model, name: string): Promise<void> {
  const live = find(model, kinds.deployment, name);
  if (!live) return;
  const spec = live["spec"] as unknown as DeploymentSpec;
  const rollout = model.rollouts.get(name) ?? { current: undefined, old: undefined };
  model.rollouts.set(name, rollout);
  const hash = hashJson(spec.template);
  if (spec.replicas === 0) Object.assign(rollout, { current: undefined, old: undefined });
  else if (rollout.current?.hash !== hash || rollout.current.uid !== live.metadata.uid) startPods(model, rollout, { live, hash });
  else if (isDue(model, rollout.current)) Object.assign(rollout.current, { ready: true });
  if (rollout.current?.ready) rollout.old = undefined;
  await model.kube.patch(refOf(live), { status: statusOf(model, rollout, live) }, { ...writer, subresource: "status" }, signal);
  await showTrouble(model, live, rollout.current);
}

function startPods(model: Model, rollout: Rollout, { live, hash }: { live: KubeObject; hash: string }): void {
  const spec = live["spec"] as unknown as DeploymentSpec;
  const release = releaseOf(model, spec);
  const starts = troubles[tagOf(release).slice(0, 1)] === undefined && !tagOf(release).startsWith("n");
  if (rollout.current?.ready) rollout.old = { release: rollout.current.release, count: spec.replicas };
  const readyAtMs = starts ? model.nowMs() + model.dice.below(slowestStartMs) : never;
  rollout.current = { uid: live.metadata.uid, hash, release, readyAtMs, ready: false };
}

function statusOf(model: Model, rollout: Rollout, live: KubeObject): object {
  const { replicas } = live["spec"] as unknown as DeploymentSpec;
  const available = model.unready.has(live.metadata.name) ? 0 : availableIn(rollout, replicas);
  const before = (live["status"] as { conditions?: { status: string; lastTransitionTime: string }[] } | undefined)?.conditions?.[0];
  const status = available >= replicas ? "True" : "False";
  const lastTransitionTime = before?.status === status ? before.lastTransitionTime : isoSeconds(model.nowMs());
  return {
    observedGeneration: live.metadata.generation,
    replicas: replicas + (rollout.old?.count ?? 0),
    updatedReplicas: replicas,
    availableReplicas: available,
    conditions: [{ type: "Available", status, lastTransitionTime }],
  };
}

function availableIn({ current, old }: Rollout, replicas: number): number {
  return (current?.ready ? replicas : 0) + (old?.count ?? 0);
}

/** Pods are only there when they have something to say: how many serve is said by the Deployment. */
async function showTrouble({ kube }: Model, deployment: KubeObject, current: Pods | undefined): Promise<void> {
  const trouble = current && troubles[tagOf(current.release).slice(0, 1)];
  const suffix = current?.hash.slice(0, 8) ?? "";
  const name = `${deployment.metadata.name}-${suffix}`;
  const stale = kube
    .objects(kinds.replicaSet)
    .filter(({ metadata }) => metadata.ownerReferences?.[0]?.uid === deployment.metadata.uid && metadata.name !== name);
  for (const replicaSet of stale) await kube.delete(refOf(replicaSet), {}, signal);
  if (!trouble || kube.objects(kinds.pod).some(({ metadata }) => metadata.name === name)) return;
  const spec = { template: (deployment["spec"] as unknown as DeploymentSpec).template };
  const head = { name, namespace, ownerReferences: [controllerReference(deployment)] };
  const replicaSet = await kube.apply({ ...kinds.replicaSet, metadata: head, spec }, writer, signal);
  const podHead = { ...head, ownerReferences: [controllerReference(replicaSet)] };
  await kube.create({ ...kinds.pod, metadata: podHead, spec: {}, status: trouble }, writer, signal);
}

function servingIn(model: Model, name: string): Release | undefined {
  const rollout = model.rollouts.get(name);
  if (!rollout || model.unready.has(name)) return undefined;
  return rollout.current?.ready ? rollout.current.release : rollout.old?.release;
}

/** Key of an object in namespace shop. */
export function shopKey(name: string): string {
  return keyOf({ namespace, name });
}
