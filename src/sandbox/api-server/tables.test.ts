import { expect, test } from "vitest";
import { jsonPathValues } from "./json-path.ts";
import { ageText } from "./tables.ts";

const start = Date.parse("2026-01-01T00:00:00Z");
const [second, minute, hour, day] = [1000, 60_000, 3_600_000, 86_400_000];

test.each([
  [0, "0s"],
  [119 * second, "119s"],
  [2 * minute, "2m"],
  [5 * minute + 3 * second, "5m3s"],
  [42 * minute, "42m"],
  [3 * hour + 12 * minute, "3h12m"],
  [20 * hour, "20h"],
  [2 * day, "2d"],
  [2 * day + 3 * hour, "2d3h"],
  [30 * day, "30d"],
  [800 * day, "2y70d"],
  [-second, "0s"],
])("an age of %i ms is shown as %s", (ms, shown) => {
  expect(ageText("2026-01-01T00:00:00Z", start + ms)).toBe(shown);
});

const object = {
  spec: {
    "a.b": 1,
    list: [
      { name: "x", n: 1 },
      { name: "y", n: 2 },
    ],
  },
  status: { conditions: [{ type: "Ready", status: "True" }] },
};

test.each<[string, unknown[]]>([
  [".spec.list[0].name", ["x"]],
  [".spec.list[*].n", [1, 2]],
  ['.status.conditions[?(@.type=="Ready")].status', ["True"]],
  [".status.conditions[?(@.type=='Stalled')].status", []],
  [".spec.list[?(@.n==2)].name", ["y"]],
  [".spec.a\\.b", [1]],
  [".spec['a.b']", [1]],
  [".nothing.here", []],
])("%s leads to %j", (path, values) => {
  expect(jsonPathValues(object, path)).toEqual(values);
});
