import { expect, test } from "vitest";
import { aCanary } from "../../../test/builders.ts";
import { noPast } from "../../analysis/share.ts";
import type { CanaryStatus } from "../../api/canary.ts";
import { type ShareAnswer, withEvidence } from "./share.ts";

const ready: ShareAnswer = {
  look: { kind: "ready", firstWeight: 5 },
  past: { past: noPast, boundsMs: [], source: "contour", scrapeMs: 15_000, firstWeight: 5 },
};

/** A status with the evidence of a canary that has just got half of the traffic. */
function half(phase: CanaryStatus["phase"]): CanaryStatus {
  const begun = withEvidence({ phase: "Progressing", canaryWeight: 50 }, { canary: aCanary(), answer: ready, nowMs: 0 });
  return { ...begun, phase };
}

test.each<[NonNullable<CanaryStatus["phase"]>, number[]]>([
  ["Progressing", [50, 0]],
  ["WaitingPromotion", [50, 0]],
  ["Promoting", [50, 0]], // its pods went away while the primary was given what was analysed
  ["Finalising", [50]],
])("traffic that is taken away while %s is written down where it is still counted", (phase, want) => {
  const before = half(phase);
  const after = withEvidence({ ...before, canaryWeight: 0 }, { canary: aCanary({}, before), answer: undefined, nowMs: 1_000 });
  expect(after.evidence?.steps.map(({ weight }) => weight)).toEqual(want);
});
