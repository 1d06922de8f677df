import { expect, test } from "vitest";
import { formatPath, parsePath, type Step } from "./path.ts";

test.each<[string, Step[]]>([
  ["spec.template", [{ field: "spec" }, { field: "template" }]],
  ["spec.containers[app].image", [{ field: "spec" }, { field: "containers" }, { item: "app" }, { field: "image" }]],
  ["spec.args[0]", [{ field: "spec" }, { field: "args" }, { index: 0 }]],
  ['metadata.annotations["checksum/config"]', [{ field: "metadata" }, { field: "annotations" }, { field: "checksum/config" }]],
])("%s is written and read", (text, steps) => {
  expect(formatPath(steps)).toBe(text);
  expect(parsePath(text)).toEqual(steps);
});

test("an item that could be taken for a position is quoted", () => {
  expect(formatPath([{ field: "ports" }, { item: "80" }])).toBe('ports["80"]');
});
