import { expect, test } from "vitest";
import type { KubeObject } from "../api/object.ts";
import { impactOf, type ObjectChange, shown } from "./impact.ts";

function config(name: string, data: Record<string, string>, kind = "ConfigMap"): KubeObject {
  return { apiVersion: "v1", kind, metadata: { name, namespace: "shop" }, data };
}

test.each<[string, KubeObject[], KubeObject[], ObjectChange[]]>([
  ["nothing, where the cluster runs it already", [config("a", { k: "1" })], [config("a", { k: "1" })], []],
  ["a field that gets another value", [config("a", { k: "1", l: "x" })], [config("a", { k: "2", l: "x" })], [
    { object: "ConfigMap/shop/a", change: "changed", fields: [{ path: "data.k", from: "1", to: "2" }] },
  ]],
  ["a field that comes and one that goes", [config("a", { k: "1" })], [config("a", { l: "2" })], [
    {
      object: "ConfigMap/shop/a",
      change: "changed",
      fields: [{ path: "data.k", from: "1", to: "(none)" }, { path: "data.l", from: "(none)", to: "2" }],
    },
  ]],
  ["no value of a Secret", [config("a", { k: "old" }, "Secret")], [config("a", { k: "new" }, "Secret")], [
    { object: "Secret/shop/a", change: "changed", fields: [{ path: "data.k", from: "(secret)", to: "(secret)" }] },
  ]],
  ["what goes before what comes", [config("old", {})], [config("new", {})], [
    { object: "ConfigMap/shop/old", change: "deleted", fields: [] },
    { object: "ConfigMap/shop/new", change: "created", fields: [] },
  ]],
])("merging is said to change %s", (_, now, merged, want) => {
  expect(impactOf("shop/apps", now, merged)).toEqual({ sync: "shop/apps", changes: want });
});

test("a long value is cut to one short line", () => {
  expect(shown("x".repeat(120))).toBe("x".repeat(120));
  expect(shown("x".repeat(121))).toBe(`${"x".repeat(117)}…`);
  expect(shown({ a: [1] })).toBe('{"a":[1]}');
});
