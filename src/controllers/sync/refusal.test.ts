import { expect, test } from "vitest";
import type { Sync } from "../../api/sync.ts";
import type { Step } from "../../gitops/plan.ts";
import { KubeError } from "../../kube/kube.ts";
import { messageOf, WaitingError } from "../../lib/errors.ts";
import { refusalError } from "./refusal.ts";

const sync = { spec: { interval: "10m" } } as Sync;
const step = (kind: string, name: string) => ({ ref: { apiVersion: "v1", kind, namespace: "shop", name } }) as Step;
const refused = (error: unknown, kind = "ConfigMap", name = "a") => ({ step: step(kind, name), error });
const told = (...all: readonly ReturnType<typeof refused>[]): unknown => refusalError(sync, all, ({ name }) => `${name}.yaml:1`);

const invalid = new KubeError(422, "Invalid", "data.k: expected string, got &{hunter2}");
const forbidden = new KubeError(403, "Forbidden", "no");
const unknown = new KubeError(404, "UnknownKind", "the cluster has no kind Car");
const conflict = new KubeError(409, "Conflict", "it was changed");

test.each<[string, readonly ReturnType<typeof refused>[], object]>([
  ["is tried again with the next interval", [refused(invalid)], { reason: "ReconciliationFailed", afterMs: 600_000, alarming: true }],
  ["without a permission is one", [refused(invalid), refused(forbidden)], { reason: "AccessDenied", afterMs: 600_000, alarming: true }],
  ["that lacks only kinds may be mended soon", [refused(unknown), refused(unknown)], { reason: "ReconciliationFailed", afterMs: 15_000, alarming: false }],
  ["that lacks a kind among others is not", [refused(unknown), refused(invalid)], { reason: "ReconciliationFailed", afterMs: 600_000 }],
])("what the cluster refuses %s", (_, all, want) => {
  const error = told(...all);
  expect(error).toBeInstanceOf(WaitingError);
  expect(error).toMatchObject(want);
});

test.each<[string, unknown]>([
  ["an overloaded server", new KubeError(503, "ServiceUnavailable", "x")],
  ["a server that asks for time", new KubeError(429, "TooManyRequests", "x")],
  ["no answer", new KubeError(0, "Unreachable", "x")],
  ["what is no answer of the cluster", new Error("x")],
])("%s beside refusals is tried again soon", (_, error) => {
  expect(told(refused(invalid), refused(error))).not.toBeInstanceOf(WaitingError);
  expect(told(refused(invalid), refused(error))).toBeInstanceOf(Error);
});

test("an object that was changed meanwhile is looked at again, whatever else is wrong", () => {
  expect(told(refused(invalid), refused(conflict))).toBe(conflict);
});

test("each is named with its place, and of a Secret no value is said", () => {
  const namespace = new KubeError(404, "NotFound", 'namespaces "shop" not found');
  expect(messageOf(told(refused(invalid, "Secret", "db"), refused(invalid), refused(namespace, "ConfigMap", "b")))).toBe(
    "Secret/shop/db (db.yaml:1): data.k: expected string; " +
      "ConfigMap/shop/a (a.yaml:1): data.k: expected string, got &{hunter2}; " +
      "ConfigMap/shop/b (b.yaml:1): namespace shop does not exist; create it or add it to the repository",
  );
  const many = Array.from({ length: 23 }, (_, index) => refused(forbidden, "ConfigMap", `n${index}`));
  expect(messageOf(told(...many))).toMatch(/n19 \(n19\.yaml:1\): no; and 3 more$/);
});
