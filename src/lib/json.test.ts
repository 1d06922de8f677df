import { expect, test } from "vitest";
import { canonicalJson, hashJson, mergePatch, sameJson } from "./json.ts";

test("key order and undefined do not change the hash", () => {
  expect(hashJson({ a: 1, b: { d: undefined, c: [1, { z: 1, y: 2 }] } })).toBe(hashJson({ b: { c: [1, { y: 2, z: 1 }] }, a: 1 }));
  expect(canonicalJson({ b: 1, a: 2 })).toBe('{"a":2,"b":1}');
});

/** Written the slow way, by which digests were made that are stored by now. */
function byReplacer(value: unknown): string | undefined {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner !== "object" || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
  });
}

const oddValues: [string, unknown][] = [
  ["nothing", null],
  ["text with quotes, lines and a lone half of a character", 'a"b\n\u2028\ud800é'],
  ["numbers", [0, -0, 1.5, 1e21, Number.NaN, Infinity]],
  ["holes in a list", [undefined, null]],
  ["fields that are left out", { b: undefined, a: undefined, c: { d: undefined } }],
  ["names that are numbers", { b: 1, "10": 2, "9": 3, "-1": 4, "01": 5, "4294967295": 6 }],
  ["a date", { at: new Date(0) }],
  ["nested", { z: [{ y: 1, x: [{}] }], a: { "": [] } }],
];

test.each(oddValues)("%s reads as it always did, and is the same as itself", (_, value) => {
  expect(canonicalJson(value)).toBe(byReplacer(value));
  expect(sameJson(value, structuredClone(JSON.parse(canonicalJson(value))))).toBe(true);
});

test.each<[string, unknown, unknown, boolean]>([
  ["another order", { a: 1, b: [1, 2] }, { b: [1, 2], a: 1 }, true],
  ["another order in a list", [1, 2], [2, 1], false],
  ["a field more", { a: 1 }, { a: 1, b: null }, false],
  ["a field less", { a: 1, b: null }, { a: 1 }, false],
  ["a field that is undefined", { a: 1, b: undefined }, { a: 1 }, true],
  ["nothing and null", undefined, null, false],
  ["a list and an object", [], {}, false],
  ["text and number", "1", 1, false],
])("whether %s makes a difference", (_, a, b, same) => {
  expect([sameJson(a, b), sameJson(b, a)]).toEqual([same, same]);
});

test("a merge patch removes what is gone, at every depth", () => {
  const before = { phase: "Failed", failure: { reason: "X" }, configs: { a: "1", b: "2" } };
  const after = { phase: "Progressing", configs: { b: "3" }, list: [1] };
  expect(mergePatch(before, after)).toEqual({ phase: "Progressing", failure: null, configs: { a: null, b: "3" }, list: [1] });
});
