import { refOf } from "../../api/object.ts";
import type { Kube } from "../../kube/kube.ts";
import { KubeError } from "../../kube/kube.ts";
import { messageOf } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import type { Container, Pod, StatusCondition } from "../kinds.ts";
import { fieldManager, kinds } from "../kinds.ts";
import { changes } from "../workloads/writes.ts";
import type { Addresses } from "./addresses.ts";
import { portsAnnotation } from "./addresses.ts";
import type { Slot } from "./container.ts";
import { runContainer } from "./container.ts";
import type { ContainerView } from "./pod-status.ts";
import { podStatus } from "./pod-status.ts";

/** A pod that this node runs. */
export interface PodWorker {
  /** Asks it to stop, lets it finish what is in flight, and removes the pod. Asking again changes nothing. */
  terminate(graceMs: number): void;
  /** Ends it at once, e.g. because the pod is gone. Nothing is written any more. */
  kill(): void;
  /** Resolves when nothing of it runs any more. */
  readonly ended: Promise<void>;
}

/** What a node lends its pods. */
export interface PodDeps extends Pick<Slot, "kube" | "images" | "clock" | "timings"> {
  readonly addresses: Addresses;
  readonly log: Logger;
}

/** Starts a pod's containers and keeps its status current. */
export function startPod(pod: Pod, deps: PodDeps): PodWorker {
  const { kube, clock } = deps;
  const address = deps.addresses.assign();
  const [stopping, life] = [new AbortController(), new AbortController()];
  const ports = new Map<number, number>();
  const startedAtMs = clock.nowMs();
  const views = new Map([...pod.spec.initContainers, ...pod.spec.containers].map((container) => [container.name, created(container)]));
  const viewsOf = (containers: readonly Container[]): ContainerView[] => containers.map(({ name, image }) => views.get(name) ?? created({ name, image }));

  let conditions: StatusCondition[] = [];
  const status = () => {
    const { initContainers, containers } = pod.spec;
    const view = { pod, ip: address.ip, startedAtMs, initContainers: viewsOf(initContainers), containers: viewsOf(containers), conditions };
    const next = podStatus({ ...view, nowMs: clock.nowMs() });
    conditions = next.conditions;
    return next;
  };
  const report = statusWriter({ pod, deps, status, signal: life.signal, ports: () => (address.mapped ? ports : undefined) });
  const slot = (container: Container, init: boolean): Slot => ({
    ...deps,
    pod,
    container,
    init,
    address,
    ports,
    stopping: stopping.signal,
    life: life.signal,
    update: (change) => {
      views.set(container.name, { ...(views.get(container.name) ?? created(container)), ...change });
      report();
    },
  });
  const run = async (): Promise<void> => {
    report();
    for (const container of pod.spec.initContainers) {
      await runContainer(slot(container, true));
      const stage = views.get(container.name)?.stage;
      if (stopping.signal.aborted || (stage?.is === "ended" && stage.ending.exitCode !== 0)) return;
    }
    await Promise.all(pod.spec.containers.map(async (container) => await runContainer(slot(container, false))));
  };
  const stopped = run().catch((error: unknown) => deps.log.error({ pod: pod.metadata.name, error: messageOf(error) }, "sandbox pod failed"));
  const ended = Promise.withResolvers<void>();
  const kill = (): void => {
    stopping.abort();
    life.abort();
    stopped.then(ended.resolve, ended.resolve);
  };
  const terminate = async (graceMs: number): Promise<void> => {
    for (const view of views.values()) views.set(view.name, { ...view, ready: false });
    stopping.abort();
    report();
    void clock.sleep(graceMs, life.signal).then(() => life.abort(), () => {});
    await stopped;
    await removePod(kube, pod);
    kill();
  };
  return {
    terminate: (graceMs) => {
      if (stopping.signal.aborted) return;
      terminate(graceMs).catch((error: unknown) => {
        deps.log.error({ pod: pod.metadata.name, error: messageOf(error) }, "sandbox pod not removed");
        kill();
      });
    },
    kill,
    ended: ended.promise,
  };
}

/** Takes a pod that has stopped out of the API. */
export async function removePod(kube: Kube, { metadata }: Pod): Promise<void> {
  const limit = AbortSignal.timeout(30_000);
  await kube.delete(refOf({ ...kinds.pod, metadata }), { gracePeriodSeconds: 0, uid: metadata.uid }, limit).catch((error: unknown) => {
    // Another pod of the same name has taken its place: ours is gone.
    if (!(error instanceof KubeError && (error.code === 404 || error.code === 409))) throw error;
  });
}

function created({ name, image }: Pick<Container, "name" | "image">): ContainerView {
  return { name, image, stage: { is: "waiting", reason: "ContainerCreating" }, restarts: 0, ready: false, started: false };
}

/** Writes the newest status, one write at a time; what came up meanwhile goes into the next. */
function statusWriter(options: {
  readonly pod: Pod;
  readonly deps: PodDeps;
  readonly status: () => object;
  readonly ports: () => ReadonlyMap<number, number> | undefined;
  readonly signal: AbortSignal;
}): () => void {
  const { pod, deps, signal } = options;
  const ref = refOf({ ...kinds.pod, metadata: pod.metadata });
  let [dirty, writing, ports] = [false, false, ""];
  let written: object = {};
  const write = async (): Promise<void> => {
    const next = JSON.stringify(Object.fromEntries(options.ports() ?? []));
    // The ports go first: a pod that is ready must be reachable.
    if (options.ports()?.size && next !== ports) {
      await deps.kube.patch(ref, { metadata: { annotations: { [portsAnnotation]: next } } }, { fieldManager }, signal);
      ports = next;
    }
    const status = options.status();
    const patch = changes(written, status);
    if (Object.keys(patch).length === 0) return;
    await deps.kube.patch(ref, { status: patch }, { fieldManager, subresource: "status" }, signal);
    written = status;
  };
  const flush = async (): Promise<void> => {
    if (writing) return;
    writing = true;
    while (dirty && !signal.aborted) {
      dirty = false;
      await write().catch(async (error: unknown) => {
        if (signal.aborted || (error instanceof KubeError && error.code === 404)) return;
        deps.log.debug({ pod: pod.metadata.name, error: messageOf(error) }, "pod status not written");
        dirty = true;
        await deps.clock.sleep(200, signal).catch(() => {});
      });
    }
    writing = false;
  };
  return () => {
    dirty = true;
    void flush();
  };
}
