import { expect, test } from "vitest";
import { canonicalJson, hashJson, mergePatch } from "./json.ts";

test("key order and undefined do not change the hash", () => {
  expect(hashJson({ a: 1, b: { d: undefined, c: [1, { z: 1, y: 2 }] } })).toBe(hashJson({ b: { c: [1, { y: 2, z: 1 }] }, a: 1 }));
  expect(canonicalJson({ b: 1, a: 2 })).toBe('{"a":2,"b":1}');
});

test("a merge patch removes what is gone, at every depth", () => {
  const before = { phase: "Failed", failure: { reason: "X" }, configs: { a: "1", b: "2" } };
  const after = { phase: "Progressing", configs: { b: "3" }, list: [1] };
  expect(mergePatch(before, after)).toEqual({ phase: "Progressing", failure: null, configs: { a: null, b: "3" }, list: [1] });
});
