import { isoSeconds } from "../../api/conditions.ts";
import type { Pod, StatusCondition } from "../kinds.ts";

/** How a container's run ended. */
export interface Ending {
  readonly exitCode: number;
  readonly reason: string;
  readonly message?: string | undefined;
  readonly startedAtMs: number;
  readonly finishedAtMs: number;
}

/** Where a container is in its life. */
export type Stage =
  | { readonly is: "waiting"; readonly reason: string; readonly message?: string | undefined }
  | { readonly is: "running"; readonly startedAtMs: number }
  | { readonly is: "ended"; readonly ending: Ending };

/** One container as its node knows it. */
export interface ContainerView {
  readonly name: string;
  readonly image: string;
  readonly stage: Stage;
  readonly lastEnding?: Ending | undefined;
  readonly restarts: number;
  /** Its readiness probe passes, or it has none and runs. */
  readonly ready: boolean;
  /** Its startup probe has passed, or it has none and runs. */
  readonly started: boolean;
}

/** A pod as its node knows it. */
interface PodView {
  readonly pod: Pod;
  readonly ip: string;
  readonly startedAtMs: number;
  readonly initContainers: readonly ContainerView[];
  readonly containers: readonly ContainerView[];
  /** The conditions as last written, so that times move only when a status does. */
  readonly conditions: readonly StatusCondition[];
  readonly nowMs: number;
}

/** A pod's status as it is written. */
export interface PodStatus {
  readonly phase: string;
  readonly conditions: StatusCondition[];
  readonly [field: string]: unknown;
}

/** The status that a kubelet would write. Pure. */
export function podStatus(view: PodView): PodStatus {
  const { pod, ip, startedAtMs, nowMs } = view;
  return {
    phase: phaseOf(view),
    hostIP: "127.0.0.1",
    hostIPs: [{ ip: "127.0.0.1" }],
    podIP: ip,
    podIPs: [{ ip }],
    // The API server has worked it out, and lets nobody change it.
    qosClass: pod.status.qosClass ?? "BestEffort",
    startTime: isoSeconds(startedAtMs),
    ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
    conditions: conditionsOf(view, nowMs),
    ...(view.initContainers.length > 0 ? { initContainerStatuses: view.initContainers.map(containerStatus) } : {}),
    containerStatuses: view.containers.map(containerStatus),
  };
}

function phaseOf({ pod, containers, initContainers }: PodView): string {
  const { restartPolicy } = pod.spec;
  const failed = ({ stage }: ContainerView): boolean => stage.is === "ended" && stage.ending.exitCode !== 0;
  if (restartPolicy === "Never" && initContainers.some(failed)) return "Failed";
  if (restartPolicy !== "Always" && containers.every(({ stage }) => stage.is === "ended")) {
    if (!containers.some(failed)) return "Succeeded";
    if (restartPolicy === "Never") return "Failed";
  }
  return containers.every(hasRun) ? "Running" : "Pending";
}

function hasRun({ stage, lastEnding }: ContainerView): boolean {
  return stage.is !== "waiting" || lastEnding !== undefined;
}

function containerStatus({ name, image, stage, lastEnding, restarts, ready, started }: ContainerView): object {
  return {
    name,
    image,
    imageID: stage.is === "waiting" && lastEnding === undefined ? "" : image,
    ...(stage.is === "waiting" ? {} : { containerID: `sandbox://${name}-${restarts}` }),
    ready,
    started,
    restartCount: restarts,
    state: stateOf(stage),
    lastState: lastEnding ? { terminated: terminated(lastEnding) } : {},
  };
}

function stateOf(stage: Stage): object {
  switch (stage.is) {
    case "waiting":
      return { waiting: { reason: stage.reason, ...(stage.message === undefined ? {} : { message: stage.message }) } };
    case "running":
      return { running: { startedAt: isoSeconds(stage.startedAtMs) } };
    case "ended":
      return { terminated: terminated(stage.ending) };
    default:
      return stage satisfies never;
  }
}

function terminated({ exitCode, reason, message, startedAtMs, finishedAtMs }: Ending): object {
  const times = { startedAt: isoSeconds(startedAtMs), finishedAt: isoSeconds(finishedAtMs) };
  return { exitCode, reason, ...(message === undefined ? {} : { message }), ...times };
}

type Bare = Pick<StatusCondition, "type" | "status"> & { readonly reason?: string; readonly message?: string };

function conditionsOf({ pod, containers, initContainers, conditions }: PodView, nowMs: number): StatusCondition[] {
  const unready = containers.filter(({ ready }) => !ready).map(({ name }) => name);
  const incomplete = initContainers.filter(({ stage }) => stage.is !== "ended" || stage.ending.exitCode !== 0).map(({ name }) => name);
  const because = { reason: "ContainersNotReady", message: `containers with unready status: [${unready.join(" ")}]` };
  const started = containers.some(({ stage, lastEnding }) => stage.is === "running" || lastEnding !== undefined);
  const bare: Bare[] = [
    { type: "PodReadyToStartContainers", status: started ? "True" : "False" },
    incomplete.length === 0
      ? { type: "Initialized", status: "True" }
      : { type: "Initialized", status: "False", reason: "ContainersNotInitialized", message: `containers with incomplete status: [${incomplete.join(" ")}]` },
    { type: "Ready", ...readiness(unready, because) },
    { type: "ContainersReady", ...readiness(unready, because) },
    { type: "PodScheduled", status: "True" },
  ];
  return bare.map((next) => {
    const before = [...conditions, ...pod.status.conditions].find(({ type }) => type === next.type);
    const moved = before?.status !== next.status || before.lastTransitionTime === undefined;
    return { ...next, lastTransitionTime: moved ? isoSeconds(nowMs) : before.lastTransitionTime };
  });
}

function readiness(
  unready: readonly string[],
  because: { reason: string; message: string },
): { status: string; reason?: string; message?: string } {
  return unready.length === 0 ? { status: "True" } : { status: "False", ...because };
}
