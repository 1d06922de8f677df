import { expect, test } from "vitest";
import { kinds, pod } from "../kinds.ts";
import type { ContainerView, Ending, Stage } from "./pod-status.ts";
import { podStatus } from "./pod-status.ts";

const nowMs = Date.parse("2026-01-01T00:10:00Z");
const ending = (exitCode: number): Ending => ({
  exitCode,
  reason: exitCode === 0 ? "Completed" : "Error",
  startedAtMs: 0,
  finishedAtMs: 1_000,
});
const running: Stage = { is: "running", startedAtMs: nowMs };
const waiting = (reason: string): Stage => ({ is: "waiting", reason });
const ended = (exitCode: number): Stage => ({ is: "ended", ending: ending(exitCode) });

const view = (stage: Stage, rest: Partial<ContainerView> = {}): ContainerView => ({
  name: "app",
  image: "shop:1",
  stage,
  restarts: 0,
  ready: false,
  started: false,
  ...rest,
});
const statusOf = (containers: ContainerView[], { restartPolicy = "Always", initContainers = [] as ContainerView[] } = {}) => {
  const parsed = pod.parse({ ...kinds.pod, metadata: { name: "web" }, spec: { restartPolicy, containers: [{ name: "app" }] } });
  return podStatus({ pod: parsed, ip: "10.244.0.9", startedAtMs: 0, initContainers, containers, conditions: [], nowMs });
};

test.each<[string, Stage, Partial<ContainerView>, string, string]>([
  ["Pending", waiting("ContainerCreating"), {}, "Always", "while it has never run"],
  ["Pending", waiting("ImagePullBackOff"), {}, "Always", "while its image is missing"],
  ["Running", running, {}, "Always", "when it runs"],
  ["Running", waiting("CrashLoopBackOff"), { lastEnding: ending(1) }, "Always", "in a crash loop"],
  ["Succeeded", ended(0), {}, "Never", "when a job ended well"],
  ["Failed", ended(1), {}, "Never", "when a job failed"],
  ["Running", ended(1), {}, "OnFailure", "when a failed job will run again"],
])("a pod is %s", (phase, stage, rest, restartPolicy) => {
  expect(statusOf([view(stage, rest)], { restartPolicy }).phase).toBe(phase);
});

test("a ready pod says so in all its conditions", () => {
  const { conditions } = statusOf([view(running, { ready: true, started: true })]);
  expect(conditions.map(({ type, status }) => `${type}=${status}`)).toEqual([
    "PodReadyToStartContainers=True",
    "Initialized=True",
    "Ready=True",
    "ContainersReady=True",
    "PodScheduled=True",
  ]);
});

test("an unready container is named, and the time moves only with the status", () => {
  const first = statusOf([view(running)]);
  const ready = first.conditions.find(({ type }) => type === "Ready");
  expect(ready).toEqual({
    type: "Ready",
    status: "False",
    reason: "ContainersNotReady",
    message: "containers with unready status: [app]",
    lastTransitionTime: "2026-01-01T00:10:00Z",
  });
  const parsed = pod.parse({ ...kinds.pod, metadata: { name: "web" }, spec: { containers: [{ name: "app" }] } });
  const later = podStatus({
    pod: parsed,
    ip: "",
    startedAtMs: 0,
    initContainers: [],
    containers: [view(running)],
    conditions: first.conditions,
    nowMs: nowMs + 60_000,
  });
  expect(later.conditions).toEqual(first.conditions);
});

test("a crash is told with its exit code, now or as the last state", () => {
  expect(statusOf([view(ended(137))])["containerStatuses"]).toMatchObject([{ state: { terminated: { exitCode: 137, reason: "Error" } } }]);
  const looping = statusOf([view(waiting("CrashLoopBackOff"), { lastEnding: ending(1), restarts: 3 })]);
  expect(looping["containerStatuses"]).toMatchObject([
    { restartCount: 3, state: { waiting: { reason: "CrashLoopBackOff" } }, lastState: { terminated: { exitCode: 1 } } },
  ]);
});

test("init containers come first", () => {
  const waitingInit = statusOf([view(waiting("PodInitializing"))], { initContainers: [view(running, { name: "migrate" })] });
  expect(waitingInit.conditions.find(({ type }) => type === "Initialized")).toMatchObject({ status: "False", message: "containers with incomplete status: [migrate]" });
});
