import { expect, test } from "vitest";
import { notLater } from "./steps.ts";

const at = (seconds: number): string => new Date(1_000_000 + seconds * 1_000).toISOString();

test.each<[string, Parameters<typeof notLater>[0], Parameters<typeof notLater>[0]]>([
  ["nothing recorded", {}, {}],
  ["times that have passed stay", { steppedAt: at(-5), firstTrafficAt: at(-9) }, { steppedAt: at(-5), firstTrafficAt: at(-9) }],
  ["a step of a clock that was set back is one of now", { steppedAt: at(3_600) }, { steppedAt: at(0) }],
  ["so is the first traffic", { firstTrafficAt: at(1) }, { firstTrafficAt: at(0) }],
])("%s", (_, status, want) => {
  expect(notLater(status, 1_000_000)).toEqual(want);
});
