import { expect, test } from "vitest";
import { managers } from "../api/meta.ts";
import type { KubeObject, ManagedFields } from "../api/object.ts";
import { describeDrift, driftOf } from "./drift.ts";
import { ownedDigest } from "./project.ts";
import { takenOver } from "./takeover.ts";

const deployment: KubeObject = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web", namespace: "shop", labels: { a: "b" } },
  spec: { replicas: 3, template: { spec: { containers: [{ name: "app", image: "x:1", args: ["a"] }], volumes: [] } } },
};
const containers = (fields: object) => ({ "f:template": { "f:spec": { "f:containers": { 'k:{"name":"app"}': fields } } } });
const all = {
  "f:metadata": { "f:labels": { "f:a": {} } },
  "f:spec": { "f:replicas": {}, ...containers({ ".": {}, "f:name": {}, "f:image": {}, "f:args": {} }) },
};
const entry = (manager: string, fieldsV1: Record<string, unknown>, more: Partial<ManagedFields> = {}): ManagedFields => ({
  manager,
  operation: "Update",
  apiVersion: "apps/v1",
  fieldsV1,
  ...more,
});
const ours = (fieldsV1: Record<string, unknown>) => entry(managers.sync, fieldsV1, { operation: "Apply" });
const live = (...managedFields: ManagedFields[]): KubeObject => ({ ...deployment, metadata: { ...deployment.metadata, managedFields } });

test.each<[string, KubeObject, string]>([
  ["a scalar taken by another", live(ours({ ...all, "f:spec": containers({ ".": {}, "f:name": {}, "f:image": {}, "f:args": {} }) }), entry("kubectl-scale", { "f:spec": { "f:replicas": {} } }, { subresource: "scale" })), "spec.replicas by kubectl-scale"],
  ["a container's image", live(ours({ ...all, "f:spec": { "f:replicas": {}, ...containers({ ".": {}, "f:name": {}, "f:args": {} }) } }), entry("mallory", { "f:spec": containers({ "f:image": {} }) })), "spec.template.spec.containers[app].image by mallory"],
  ["a field that was removed, by who wrote last", live(ours({ "f:spec": all["f:spec"] }), entry("early", {}, { time: "2026-01-01T00:00:00Z" }), entry("late", {}, { time: "2026-01-02T00:00:00Z" })), "metadata.labels.a by late"],
  ["a field added by hand", live(ours(all), entry("kubectl-edit", { "f:spec": { "f:paused": {} } })), "spec.paused by kubectl-edit"],
  ["an annotation added by hand", live(ours(all), entry("kubectl-annotate", { "f:metadata": { "f:annotations": { ".": {}, "f:note": {} } } })), "metadata.annotations.note by kubectl-annotate"],
  ["several", live(entry("mallory", all)), "metadata.labels.a by mallory and 2 more fields"],
])("names %s", (_, object, want) => {
  expect(describeDrift(driftOf(deployment, object))).toBe(want);
});

test("a text in a list of ours is told from one that somebody took out", () => {
  const finalizers = (...owned: string[]) => {
    const set = { ".": {}, ...Object.fromEntries(owned.map((each) => [`v:"${each}"`, {}])) };
    return driftOf(
      { ...deployment, metadata: { ...deployment.metadata, finalizers: ["a.dev/x", "b.dev/y"] } },
      live(ours({ ...all, "f:metadata": { ...all["f:metadata"], "f:finalizers": set } })),
    );
  };
  expect(finalizers("a.dev/x", "b.dev/y")).toEqual([]);
  expect(finalizers("a.dev/x").map(({ path }) => path)).toEqual(["metadata.finalizers[b.dev/y]"]);
});

test("the digest of owned fields sees our fields alone", () => {
  const digest = (object: KubeObject) => ownedDigest(object, managers.sync);
  const before = live(ours(all));
  expect(digest({ ...before, status: { readyReplicas: 3 } })).toBe(digest(before));
  expect(digest({ ...before, spec: { ...(before["spec"] as object), paused: true } })).toBe(digest(before));
  expect(digest({ ...before, spec: { ...(before["spec"] as object), replicas: 4 } })).not.toBe(digest(before));
  expect(digest(live(ours({ ...all, "f:metadata": {} })))).not.toBe(digest(before));
  // A list that is ours as a whole, and an item that is gone.
  const app = (fields: object) => {
    const template = { spec: { containers: [{ name: "app", image: "x:1", ...fields }] } };
    return { ...before, spec: { replicas: 3, template } };
  };
  expect(digest(app({ args: ["a"] }))).toBe(digest(before));
  expect(digest(app({ args: ["b"] }))).not.toBe(digest(before));
  expect(digest({ ...before, spec: { replicas: 3, template: { spec: { containers: [] } } } })).not.toBe(digest(before));
  // The API server may store items in another order, or fill in more.
  const template = { spec: { containers: [{ name: "side" }, { name: "app", image: "x:1", args: ["a"], imagePullPolicy: "Always" }] } };
  expect(digest({ ...before, spec: { replicas: 3, template } })).toBe(digest(before));
});

test("taking over unites what people own with what is ours and leaves controllers alone", () => {
  const hpa = entry("hpa", { "f:spec": { "f:replicas": {} } }, { subresource: "scale" });
  const object = live(
    ours({ "f:spec": { "f:paused": {} } }),
    entry("kubectl-client-side-apply", all),
    entry("before-first-apply", { "f:data": {} }),
    entry("kubectl-rollout", { "f:x": {} }),
    hpa,
  );
  const result = takenOver(object, 0);
  expect(result.map(({ manager }) => manager)).toEqual(["kubectl-rollout", "hpa", managers.sync]);
  expect(result.at(-1)).toMatchObject({
    operation: "Apply",
    fieldsV1: { ...all, "f:spec": { ...all["f:spec"], "f:paused": {} }, "f:data": {} },
  });
});
