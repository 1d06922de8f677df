import { z } from "zod";
import type { KubeObject } from "../api/object.ts";
import type { Health } from "./decide.ts";
import { conditions } from "./conditions.ts";

const containerStatus = z.object({
  name: z.string(),
  state: z
    .object({
      waiting: z.object({ reason: z.string().default(""), message: z.string().default("") }).optional(),
      running: z.object({ startedAt: z.string().optional() }).optional(),
    })
    .prefault({}),
});

const podStatus = z.object({
  metadata: z.object({ deletionTimestamp: z.string().optional() }),
  status: z
    .object({
      phase: z.string().optional(),
      reason: z.string().optional(),
      conditions,
      initContainerStatuses: z.array(containerStatus).default([]),
      containerStatuses: z.array(containerStatus).default([]),
    })
    .prefault({}),
});
type Pod = z.infer<typeof podStatus>;

/** Reasons of a pod that the cluster ended, not its program. */
const clusterEnded = new Set(["Evicted", "NodeLost", "NodeShutdown", "Shutdown", "Terminated", "NodeAffinity", "UnexpectedAdmissionError"]);

/** What the registry says of an image that does not exist, as container runtimes pass it on. */
const noSuchImage = /not found|manifest unknown|does not exist|no such (image|manifest)|name unknown/i;
/** What it says when it is the registry, the network or the credentials. */
const registryTrouble = /unauthorized|denied|forbidden|timeout|timed out|refused|no such host|lookup |\btls\b|x509|too many requests|5\d\d |internal server error|unavailable|EOF/i;

/** The worst that stands against these pods; the cluster's own faults come first, for they excuse the rest. */
export function podTrouble(pods: readonly KubeObject[]): Health | undefined {
  const live = pods.flatMap((pod) => {
    const read = podStatus.safeParse(pod);
    return read.success && read.data.metadata.deletionTimestamp === undefined ? [read.data] : [];
  });
  const found = live.flatMap((pod) => troublesOf(pod));
  return found.find(({ state }) => state === "stuck") ?? found.find(({ commitsFault }) => !commitsFault) ?? found[0];
}

type Trouble = Exclude<Health, { state: "ready" }>;

function troublesOf({ status }: Pod): Trouble[] {
  const unscheduled = status.conditions.find(({ type, status: is }) => type === "PodScheduled" && is === "False");
  if (unscheduled) return [clusters("Unschedulable", `a pod has no node: ${unscheduled.message}`)];
  const disrupted = status.conditions.some(({ type, status: is }) => type === "DisruptionTarget" && is === "True");
  if (disrupted || clusterEnded.has(status.reason ?? "")) return [clusters("NodeLost", "a pod was ended by the cluster")];
  const found = [...status.initContainerStatuses, ...status.containerStatuses].flatMap(({ name, state }) =>
    state.waiting ? containerTrouble(name, state.waiting) : [],
  );
  return found.length === 0 && hasLostReadiness(status) ? [readinessLost] : found;
}

const readinessLost: Trouble = {
  state: "progressing",
  reason: "ReadinessLost",
  message: "a pod that was ready is not any more",
  commitsFault: true,
};

/** One that never was ready has been unready since before its containers ran. */
function hasLostReadiness({ conditions, containerStatuses }: Pod["status"]): boolean {
  const since = conditions.find(({ type, status: is }) => type === "Ready" && is === "False")?.lastTransitionTime ?? "";
  return containerStatuses.some(({ state: { running } }) => running?.startedAt !== undefined && running.startedAt < since);
}

function clusters(reason: string, message: string): Trouble {
  return { state: "progressing", reason, message, commitsFault: false };
}

function containerTrouble(name: string, { reason, message }: { reason: string; message: string }): Trouble[] {
  switch (reason) {
    case "CrashLoopBackOff":
      return [{ state: "stuck", reason: "CanaryCrashed", message: `container ${name} ends again and again`, commitsFault: true }];
    case "InvalidImageName":
      return [{ state: "stuck", reason: "ImageNotFound", message: `container ${name}: the image's name is invalid`, commitsFault: true }];
    case "ErrImagePull":
    case "ImagePullBackOff":
      return [pullTrouble(name, message)];
    case "CreateContainerConfigError":
    case "CreateContainerError":
    case "RunContainerError":
      return [{ state: "progressing", reason, message: `container ${name} cannot be started: ${message}`, commitsFault: true }];
    default:
      return [];
  }
}

function pullTrouble(name: string, message: string): Trouble {
  if (noSuchImage.test(message) && !registryTrouble.test(message)) {
    return { state: "stuck", reason: "ImageNotFound", message: `container ${name}: the registry says that the image does not exist`, commitsFault: true };
  }
  return clusters("ImagePullFailed", `container ${name}: the image cannot be pulled`);
}
