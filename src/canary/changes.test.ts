import { describe, expect, test } from "vitest";
import { aDeployment } from "../../test/builders.ts";
import type { KubeObject } from "../api/object.ts";
import { matters } from "./changes.ts";

const pod = (status: object, metadata: object = {}): KubeObject => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "a", uid: "a", ...metadata },
  status,
});
const waiting = (reason: string) => pod({ containerStatuses: [{ name: "app", state: { waiting: { reason } } }] });
const running = pod({ phase: "Running", containerStatuses: [{ name: "app", state: { running: {} } }] });
const deployment = (status: object, metadata: object = {}): KubeObject => ({
  ...aDeployment(),
  metadata: { ...aDeployment().metadata, ...metadata },
  status,
});
const progressing = (lastUpdateTime: string, status = "True") => ({ conditions: [{ type: "Progressing", status, lastUpdateTime }] });
const service = (metadata: object = {}, spec: object = {}): KubeObject => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "a", uid: "a", resourceVersion: "1", ...metadata },
  spec,
});
const revert = (status: object): KubeObject => ({
  apiVersion: "serin.dev/v1beta1",
  kind: "Revert",
  metadata: { name: "a", uid: "a" },
  status,
});

type Row = [string, KubeObject | undefined, KubeObject | undefined];

describe("wakes a Canary", () => {
  test.each<Row>([
    ["a pod that begins to crash", running, waiting("CrashLoopBackOff")],
    ["a pod that crashed and goes", waiting("CrashLoopBackOff"), undefined],
    ["a pod without a node", pod({}), pod({ conditions: [{ type: "PodScheduled", status: "False", message: "no room" }] })],
    ["another number of available pods", deployment({ availableReplicas: 1 }), deployment({ availableReplicas: 2 })],
    ["a condition that turns", deployment(progressing("1")), deployment(progressing("1", "False"))],
    ["another pod template", aDeployment("shop:1"), aDeployment("shop:2")],
    ["the commit that changed the target", deployment({}), deployment({}, { annotations: { "serin.dev/commit": "3f2a91c" } })],
    ["a Service that somebody edits", service(), service({}, { selector: { app: "x" } })],
    ["a Service that goes", service(), undefined],
    ["one made again under its name", service(), service({ uid: "b" })],
    ["a Revert that ends", revert({ phase: "Proposed" }), revert({ phase: "Declined", endedAt: "2026-11-21T12:00:00Z" })],
  ])("%s", (_, before, after) => expect(matters(before, after)).toBe(true));
});

describe("does not wake a Canary", () => {
  test.each<Row>([
    ["a new pod that is only new", undefined, running],
    ["a pod that gets its address", pod({ phase: "Pending" }), pod({ phase: "Running", podIP: "10.0.0.1" })],
    ["a healthy pod that goes", running, undefined],
    ["a heartbeat of a Deployment", deployment(progressing("1")), deployment(progressing("2"))],
    ["the Deployment controller's own annotation", deployment({}), deployment({}, { annotations: { "deployment.kubernetes.io/revision": "2" } })],
    ["who wrote a Service last", service(), service({ resourceVersion: "2", managedFields: [{ manager: "x" }] })],
    ["what a Revert does in Git", revert({ phase: "Planned" }), revert({ phase: "Planned", pushedAt: "now" })],
  ])("%s", (_, before, after) => expect(matters(before, after)).toBe(false));
});
