import { expect, test } from "vitest";
import { notLater } from "./steps.ts";

const at = (seconds: number): string => new Date(1_000_000 + seconds * 1_000).toISOString();

test.each<[string, Parameters<typeof notLater>[0], Parameters<typeof notLater>[0]]>([
  ["nothing recorded", {}, {}],
  ["times that have passed stay", { steppedAt: at(-5), firstTrafficAt: at(-9) }, { steppedAt: at(-5), firstTrafficAt: at(-9) }],
  ["a step of a clock that was set back is one of now", { steppedAt: at(3_600) }, { steppedAt: at(0) }],
  ["so is the first traffic", { firstTrafficAt: at(1) }, { firstTrafficAt: at(0) }],
  ["so is the start, by which the deadline goes", { startedAt: at(3_600) }, { startedAt: at(0) }],
  ["so is the change of phase", { lastTransitionTime: at(3_600) }, { lastTransitionTime: at(0) }],
  ["so is the beginning of a silence", { silence: { kind: "noData", since: at(3_600) } }, { silence: { kind: "noData", since: at(0) } }],
  ["one that has passed stays", { silence: { kind: "blind", since: at(-5) } }, { silence: { kind: "blind", since: at(-5) } }],
])("%s", (_, status, want) => {
  expect(notLater(status, 1_000_000)).toEqual(want);
});
