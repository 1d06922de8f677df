import { expect, test } from "vitest";
import { canarySpec } from "../../test/builders.ts";
import type { CanaryStatus } from "../api/canary.ts";
import type { ShareStatus } from "../api/share-evidence.ts";
import { msUntilNext, notLater } from "./steps.ts";

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

const hourMs = 3_600_000;
const read = (seconds: number) => ({ evidence: { acts: true, readAt: at(-1), nextReadAt: at(seconds) } as ShareStatus });

test.each<[string, CanaryStatus, number | undefined]>([
  ["at the next step", { phase: "Progressing", startedAt: at(-20), steppedAt: at(-20) }, 40_000],
  ["at the next reading", { phase: "Progressing", startedAt: at(-20), steppedAt: at(-20), ...read(7) }, 7_000],
  ["at the next reading while the primary gets it", { phase: "Promoting", startedAt: at(-20), steppedAt: at(-20), ...read(7) }, 7_000],
  ["not for a reading that nobody makes", { phase: "Finalising", startedAt: at(-20), steppedAt: at(-20), ...read(7) }, 40_000],
  ["when requests under way have ended", { phase: "Finalising", steppedAt: at(-1) }, 2_000],
  ["at the deadline", { phase: "Progressing", startedAt: at(-590), lastTransitionTime: at(-590) }, 10_000],
  ["once an interval, whatever is overdue", { phase: "Progressing", startedAt: at(-hourMs / 1_000) }, 60_000],
  ["at the deadline of a primary that is made", { phase: "Initializing", lastTransitionTime: at(-500) }, 100_000],
  ["never for one that is overdue", { phase: "Initializing", lastTransitionTime: at(-700) }, undefined],
  ["never at rest", { phase: "Succeeded", steppedAt: at(-100) }, undefined],
  ["at rest when the last requests have ended", { phase: "Failed", steppedAt: at(-1) }, 2_000],
])("looks again %s", (_, status, want) => {
  const unreadyMs = { canary: hourMs, primary: hourMs };
  expect(msUntilNext(canarySpec(), status, { nowMs: 1_000_000, unreadyMs })).toBe(want);
});
