import { refOf } from "../../api/object.ts";
import type { Kube } from "../../kube/kube.ts";
import { KubeError } from "../../kube/kube.ts";
import type { Clock } from "../../lib/clock.ts";
import { messageOf } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import type { Container, Pod, StatusCondition } from "../kinds.ts";
import { kinds } from "../kinds.ts";
import type { Addresses } from "./addresses.ts";
import type { Slot } from "./container.ts";
import { runContainer } from "./container.ts";
import type { ContainerView, PodStatus } from "./pod-status.ts";
import { podStatus } from "./pod-status.ts";
import { startStatusWriter } from "./status-writer.ts";

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
  const board = createBoard(pod, address.ip, clock);
  const report = startStatusWriter({ pod, deps, status: board.status, signal: life.signal, ports: address.mapped ? ports : undefined });
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
      board.update(container.name, change);
      report();
    },
  });
  report();
  const stopped = runAll(pod, slot, board).catch((error: unknown) => {
    deps.log.error({ pod: pod.metadata.name, error: messageOf(error) }, "sandbox pod failed");
  });
  const ended = Promise.withResolvers<void>();
  let killed = false;
  const kill = (): void => {
    killed = true;
    stopping.abort();
    life.abort();
    stopped.then(ended.resolve, ended.resolve);
  };
  const terminate = async (graceMs: number): Promise<void> => {
    for (const { name } of [...pod.spec.initContainers, ...pod.spec.containers]) board.update(name, { ready: false });
    stopping.abort();
    report();
    void clock.sleep(graceMs, life.signal).then(() => life.abort(), () => {});
    await stopped;
    if (!killed) await removePod(kube, pod);
  };
  return {
    terminate: (graceMs) => {
      if (stopping.signal.aborted) return;
      terminate(graceMs)
        .catch((error: unknown) => {
          if (!killed) deps.log.error({ pod: pod.metadata.name, error: messageOf(error) }, "sandbox pod not removed");
        })
        .finally(kill);
    },
    kill,
    ended: ended.promise,
  };
}

/** Init containers one after the other, then all others together. */
async function runAll(pod: Pod, slot: (container: Container, init: boolean) => Slot, board: Board): Promise<void> {
  for (const container of pod.spec.initContainers) {
    await runContainer(slot(container, true));
    const { stage } = board.view(container);
    if (stage.is !== "ended" || stage.ending.exitCode !== 0) return;
  }
  await Promise.all(pod.spec.containers.map(async (container) => await runContainer(slot(container, false))));
}

/** What is known of each container, and the status that says so. */
interface Board {
  readonly view: (container: Pick<Container, "name" | "image">) => ContainerView;
  readonly update: (name: string, change: Partial<ContainerView>) => void;
  readonly status: () => PodStatus;
}

function createBoard(pod: Pod, ip: string, clock: Clock): Board {
  const { initContainers, containers } = pod.spec;
  const startedAtMs = clock.nowMs();
  const known = new Map([...initContainers, ...containers].map((container) => [container.name, created(container)]));
  const view = (container: Pick<Container, "name" | "image">): ContainerView => known.get(container.name) ?? created(container);
  let conditions: StatusCondition[] = [];
  return {
    view,
    update: (name, change) => {
      const before = known.get(name);
      if (before) known.set(name, { ...before, ...change });
    },
    status: () => {
      const views = { initContainers: initContainers.map(view), containers: containers.map(view) };
      const status = podStatus({ pod, ip, startedAtMs, ...views, conditions, nowMs: clock.nowMs() });
      conditions = status.conditions;
      return status;
    },
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
