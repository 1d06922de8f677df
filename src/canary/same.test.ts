import { expect, test } from "vitest";
import type { KubeObject } from "../api/object.ts";
import { liveReplicasOwned, sayTheSame } from "./same.ts";

const object = (spec: object | undefined, metadata: object = {}): KubeObject => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "checkout-primary", namespace: "shop", ...metadata },
  spec,
});
const owner = (uid: string) => ({ apiVersion: "v1", kind: "Canary", name: "checkout", uid });

test.each<[string, KubeObject, KubeObject, boolean]>([
  ["every value that is wanted", object({ replicas: 3, paused: false }), object({ replicas: 3, paused: false }), true],
  ["more than that", object({ replicas: 3 }), object({ replicas: 3, paused: true }), true],
  ["another value", object({ replicas: 3 }), object({ replicas: 4 }), false],
  ["a value of another kind", object({ replicas: 3 }), object({ replicas: { value: 3 } }), false],
  ["less", object({ replicas: 3, paused: false }), object({ replicas: 3 }), false],
  ["nothing where nothing is wanted", object({ selector: {}, paused: undefined }), object({}), true],
  ["a value that nothing is wanted of", object({ paused: undefined }), object({ paused: true }), true],
  ["something else where nothing is wanted", object({ selector: {} }), object({ selector: "x" }), false],
  ["nothing where all is wanted", object({ replicas: 3 }), object(undefined), false],
  ["the same list", object({ args: ["a", { b: 1 }] }), object({ args: ["a", { b: 1, c: 2 }] }), true],
  ["a longer list", object({ args: ["a"] }), object({ args: ["a", "b"] }), false],
  ["the list in another order", object({ args: ["a", "b"] }), object({ args: ["b", "a"] }), false],
  ["no list", object({ args: ["a"] }), object({ args: "a" }), false],
  ["owners beside ours", object({}, { ownerReferences: [owner("1")] }), object({}, { ownerReferences: [owner("2"), owner("1")] }), true],
  ["owners without ours", object({}, { ownerReferences: [owner("1")] }), object({}, { ownerReferences: [owner("2")] }), false],
  ["no owners", object({}, { ownerReferences: [owner("1")] }), object({}), false],
])("a live object that says %s", (_, wanted, live, same) => {
  expect(sayTheSame(wanted, live)).toBe(same);
});

test.each<[string, string, object, boolean]>([
  ["by whom it was applied", "serin-canary", { fieldsV1: { "f:spec": { "f:replicas": {} } } }, true],
  ["not by another", "hpa", { fieldsV1: { "f:spec": { "f:replicas": {} } } }, false],
  ["not through scale", "serin-canary", { subresource: "scale", fieldsV1: { "f:spec": { "f:replicas": {} } } }, false],
  ["not with another field", "serin-canary", { fieldsV1: { "f:spec": { "f:paused": {} } } }, false],
])("replicas are owned %s", (_, manager, entry, want) => {
  const live = object({}, { managedFields: [{ manager, operation: "Apply", apiVersion: "apps/v1", ...entry }] });
  expect(liveReplicasOwned(live, "serin-canary")).toBe(want);
});
