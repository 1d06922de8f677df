import { expect, test } from "vitest";
import { memoryKube, resourceOf } from "../../test/fakes/memory-kube.ts";
import type { KubeObject } from "../api/object.ts";
import { messageOf } from "../lib/errors.ts";
import { applyAll, applyEach, conflictsOf } from "./apply.ts";
import { KubeError } from "./kube.ts";

const signal = new AbortController().signal;
const options = { fieldManager: "serin-test" };
const map = (name: string): KubeObject => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: "shop", name } });
const maps = (count: number): KubeObject[] => Array.from({ length: count }, (_, index) => map(`m${index}`));

test("all are applied, sixteen at a time, and come back in order", async () => {
  const kube = memoryKube([resourceOf("v1", "ConfigMap")]);
  let running = 0;
  let most = 0;
  kube.before = async () => {
    most = Math.max(most, ++running);
    await new Promise(setImmediate);
    running -= 1;
  };
  const stored = await applyAll(kube, maps(100), options, signal);
  expect(stored.map(({ metadata }) => metadata.name)).toEqual(maps(100).map(({ metadata }) => metadata.name));
  expect(stored.every(({ metadata }) => metadata.uid !== undefined)).toBe(true);
  expect(most).toBe(16);
});

test("what was given up is no failure of an object", async () => {
  const kube = memoryKube([resourceOf("v1", "ConfigMap")]);
  const abort = new AbortController();
  const shutdown = new Error("shutdown");
  kube.before = async () => {
    abort.abort(shutdown);
    throw shutdown;
  };
  await expect(applyEach(kube, maps(1), options, abort.signal)).rejects.toBe(shutdown);
});

test("one that fails does not keep the others from being applied, and the error names each", async () => {
  const kube = memoryKube([resourceOf("v1", "ConfigMap")]);
  kube.before = (call) => {
    if (/m[2468]$/.test(call)) throw new KubeError(422, "Invalid", `${call.at(-1)} is even`);
  };
  const error = await applyAll(kube, maps(10), options, signal).catch((thrown: unknown) => thrown);
  expect(messageOf(error)).toBe(
    "apply ConfigMap/shop/m4: 4 is even; ConfigMap/shop/m6: 6 is even; ConfigMap/shop/m8: 8 is even; ConfigMap/shop/m2: 2 is even");
  expect((error as Error).cause).toMatchObject({ code: 422, reason: "Invalid" });
  expect(await kube.list({ apiVersion: "v1", kind: "ConfigMap" }, {}, signal)).toHaveLength(6);
  const results = await applyEach(kube, maps(3), options, signal);
  expect(results.map((result) => "error" in result)).toEqual([false, false, true]);
});

test("an abort ends it", async () => {
  const kube = memoryKube([resourceOf("v1", "ConfigMap")]);
  const abort = new AbortController();
  kube.before = () => abort.abort(new Error("shutdown"));
  await expect(applyAll(kube, maps(100), options, abort.signal)).rejects.toThrow("shutdown");
  expect(kube.writes.length).toBeLessThanOrEqual(16);
});

test.each<[string, string, string]>([
  ["a server-side manager", 'conflict with "kube-controller-manager" using apps/v1', "kube-controller-manager"],
  ["a client-side manager with a time", 'conflict with "kubectl-client-side-apply" using apps/v1 at 2026-01-02T03:04:05Z', "kubectl-client-side-apply"],
  ["a subresource", 'conflict with "hpa" with subresource "scale" using apps/v1', "hpa"],
])("conflicts name field and manager: %s", (_, message, manager) => {
  const refusal = new KubeError(409, "Conflict", "Apply failed with 1 conflict", [
    { reason: "FieldManagerConflict", message, field: ".spec.replicas" },
  ]);
  expect(conflictsOf(new Error("apply Deployment/shop/web", { cause: refusal }))).toEqual([{ manager, field: ".spec.replicas" }]);
});

test("other errors have no conflicts", () => {
  expect(conflictsOf(new KubeError(409, "Conflict", "modified"))).toEqual([]);
  expect(conflictsOf(new Error("no"))).toEqual([]);
});
