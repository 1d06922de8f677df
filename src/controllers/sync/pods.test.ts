import { expect, test } from "vitest";
import { memoryKube, resourceOf } from "../../../test/fakes/memory-kube.ts";
import type { KubeObject } from "../../api/object.ts";
import { podCause } from "./pods.ts";

const { signal } = new AbortController();
const pod = (name: string, labels: Record<string, string>, reason?: string): KubeObject => {
  const state = reason === undefined ? { running: {} } : { waiting: { reason } };
  const status = { phase: "Pending", containerStatuses: [{ name: "app", state }] };
  return { apiVersion: "v1", kind: "Pod", metadata: { namespace: "shop", name, labels }, status };
};
const workload = (kind: string, selector: unknown): KubeObject => {
  const metadata = { namespace: "shop", name: "web" };
  return { apiVersion: "apps/v1", kind, metadata, spec: { selector } };
};
const app = { matchLabels: { app: "web" } };

async function causeOf(object: KubeObject | undefined): Promise<string | undefined> {
  const kube = memoryKube([resourceOf("v1", "Pod")]);
  const web = { app: "web" };
  const pods = [pod("cart-1", { app: "cart" }, "CrashLoopBackOff"), pod("web-1", web), pod("web-2", web, "ImagePullBackOff")];
  for (const each of pods) await kube.create(each, { fieldManager: "kubelet" }, signal);
  return podCause(kube, object, signal);
}

test("the first of a workload's own pods that does not run is named", async () => {
  expect(await causeOf(workload("Deployment", app))).toMatch(/^Pod\/shop\/web-2: ImagePullBackOff/);
});

test.each<[string, KubeObject | undefined]>([
  ["a workload that is gone", undefined],
  ["what is no workload", workload("Service", app)],
  ["a workload that says no labels: others' pods are not its own", workload("Deployment", {})],
  ["one without pods", workload("Deployment", { matchLabels: { app: "none" } })],
])("nothing is known of %s", async (_, object) => {
  expect(await causeOf(object)).toBeUndefined();
});
