import { isoSeconds } from "../../api/conditions.ts";
import { keyOf } from "../../api/object.ts";
import type { KubeObject } from "../../api/object.ts";
import type { Informers, Kube } from "../../kube/kube.ts";
import { KubeError } from "../../kube/kube.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Logger } from "../../lib/log.ts";
import type { Pod } from "../kinds.ts";
import { fieldManager, kinds, pod } from "../kinds.ts";
import type { Addresses } from "./addresses.ts";
import { loopbackAddresses } from "./addresses.ts";
import type { NodeTimings } from "./container.ts";
import type { Images } from "./images.ts";
import type { PodDeps, PodWorker } from "./pod-worker.ts";
import { removePod, startPod } from "./pod-worker.ts";

/** What a node needs. */
interface NodeOptions {
  readonly kube: Kube;
  readonly informers: Informers;
  /** What image names stand for. */
  readonly images: Images;
  /** The node's name; also its label `kubernetes.io/hostname`. */
  readonly name: string;
  /** Where the API server reaches the node, and on which port it asks for logs. Missing: 127.0.0.1, and nowhere. */
  readonly endpoint?: { readonly address: string; readonly logsPort: number };
  /** Where pods listen. Missing: free ports of 127.0.0.1. */
  readonly addresses?: Addresses;
  /** Missing values are a kubelet's. */
  readonly timings?: Partial<NodeTimings>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Stops every pod at once; nothing is written then. */
  readonly signal: AbortSignal;
}

/** A running node. */
interface SandboxNode {
  /** Resolves when the signal has aborted and no pod runs any more. */
  readonly ended: Promise<void>;
}

const kubeletTimings: NodeTimings = {
  crashBackoff: { baseMs: 10_000, maxMs: 300_000 },
  pullBackoff: { baseMs: 10_000, maxMs: 300_000 },
  configRetryMs: 1_000,
  drainMs: 1_000,
};

/** Registers a node and runs every pod that is bound to it, as functions in this process. Resolves when the node is Ready. */
export async function startNode(options: NodeOptions): Promise<SandboxNode> {
  const { kube, informers, name, signal } = options;
  const log = options.log.child({ node: name });
  const deps: PodDeps = {
    ...options,
    log,
    addresses: options.addresses ?? loopbackAddresses(),
    timings: { ...kubeletTimings, ...options.timings },
  };
  const workers = new Map<string, PodWorker>();
  const informer = informers.of(kinds.pod);
  await informer.whenSynced(signal);
  await register(options);

  const follow = ({ before, after }: { before?: KubeObject | undefined; after?: KubeObject | undefined }): void => {
    // A pod that was replaced under its name shows as one change of two uids.
    if (before && before.metadata.uid !== after?.metadata.uid) workers.get(before.metadata.uid ?? "")?.kill();
    if (after && bound(after) === name) run(after);
  };
  const run = (object: KubeObject): void => {
    const parsed = pod.safeParse(object);
    if (!parsed.success) return log.warn({ pod: keyOf(object.metadata), problem: parsed.error.message }, "sandbox cannot read this pod");
    const uid = object.metadata.uid ?? "";
    const worker = workers.get(uid);
    if (object.metadata.deletionTimestamp !== undefined) return stop(parsed.data, worker);
    if (worker || hasEnded(parsed.data)) return;
    const started = startPod(parsed.data, deps);
    workers.set(uid, started);
    void started.ended.then(() => workers.delete(uid));
  };
  const stop = (parsed: Pod, worker: PodWorker | undefined): void => {
    if (worker) return worker.terminate(graceMs(parsed));
    // From an earlier life of this node: nothing runs, so only the object is left.
    removePod(kube, parsed).catch((error: unknown) => log.debug({ pod: keyOf(parsed.metadata), error }, "sandbox pod not removed"));
  };
  const unfollow = informer.onChange(follow);
  const ended = Promise.withResolvers<void>();
  const shutDown = async (): Promise<void> => {
    unfollow();
    const all = [...workers.values()];
    for (const worker of all) worker.kill();
    await Promise.all(all.map((worker) => worker.ended));
  };
  signal.addEventListener("abort", () => void shutDown().then(ended.resolve, ended.reject), { once: true });
  return { ended: ended.promise };
}

function bound({ spec }: KubeObject): string | undefined {
  return pod.shape.spec.pick({ nodeName: true }).safeParse(spec).data?.nodeName;
}

function hasEnded({ status }: Pod): boolean {
  return status.phase === "Succeeded" || status.phase === "Failed";
}

function graceMs({ metadata, spec }: Pod): number {
  const asked = (metadata as { deletionGracePeriodSeconds?: number }).deletionGracePeriodSeconds;
  return (asked ?? spec.terminationGracePeriodSeconds) * 1_000;
}

async function register({ kube, name, endpoint, clock, signal }: NodeOptions): Promise<void> {
  const labels = { "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64" };
  await kube.create({ ...kinds.node, metadata: { name, labels } }, { fieldManager }, signal).catch((error: unknown) => {
    if (!(error instanceof KubeError && error.reason === "AlreadyExists")) throw error;
  });
  const room = { cpu: "64", memory: "256Gi", pods: "1000" };
  const at = isoSeconds(clock.nowMs());
  const ready = {
    type: "Ready",
    status: "True",
    reason: "KubeletReady",
    message: "kubelet is posting ready status",
    lastHeartbeatTime: at,
    lastTransitionTime: at,
  };
  const nodeInfo = {
    kubeletVersion: "v1.36.3",
    osImage: "sandbox",
    containerRuntimeVersion: "sandbox://1",
    architecture: "amd64",
    operatingSystem: "linux",
  };
  const status = {
    capacity: room,
    allocatable: room,
    conditions: [ready],
    addresses: [{ type: "InternalIP", address: endpoint?.address ?? "127.0.0.1" }],
    ...(endpoint ? { daemonEndpoints: { kubeletEndpoint: { Port: endpoint.logsPort } } } : {}),
    nodeInfo: { ...blankInfo, ...nodeInfo },
  };
  await kube.patch({ ...kinds.node, name }, { status }, { fieldManager, subresource: "status" }, signal);
}

/** Fields that a real API server requires of a node. */
const blankInfo = { machineID: "", systemUUID: "", bootID: "", kernelVersion: "", kubeProxyVersion: "" };
