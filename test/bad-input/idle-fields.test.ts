import { expect, test } from "vitest";
import type { KubeObject } from "../../src/api/object.ts";
import { createJudge } from "../../src/cli/lint/admission.ts";
import { leastOf } from "./valid.ts";

const judge = createJudge();

/** What admission says of a Canary with this analysis and nothing of the least valid one's. */
function saidOf(analysis: object): string[] {
  const valid = leastOf("Canary", "a", "default");
  const object = { ...valid, spec: { ...valid.spec, analysis } } as KubeObject;
  return judge({ object, file: "a.yaml", lineOf: () => 1 }).map(({ field, message }) => `${field}: ${message}`);
}

const metrics = [{ name: "request-success-rate" }];
const written = { maxWeight: 100, warmup: "60s", noDataTimeout: "300s", alpha: 0.05, slo: 99, baseline: "primary", tolerance: { ratio: 1.25 } };

// What does nothing is refused (broken-rules.ts); these fields do something, or come with what people already have.
test.each<[string, object]>([
  ["Flagger's canary analysis: interval, threshold, maxWeight and stepWeight", { interval: "1m", threshold: 5, maxWeight: 50, stepWeight: 10, metrics }],
  ["Flagger's with stepWeights, which end with their last whatever maxWeight says", { threshold: 5, maxWeight: 50, stepWeights: [1, 10, 80], metrics }],
  ["Flagger's blue/green with the maxWeight it was copied with", { threshold: 5, maxWeight: 50, iterations: 10, metrics }],
  ["a threshold without metrics: readiness that is lost counts", { threshold: 5 }],
  ["adaptive steps with every default written out", written],
  ["iterations with every default written out", { ...written, iterations: 5, metrics }],
  ["thresholds whose share verdict is shown by other rules", { stepWeight: 10, metrics, slo: 99.9, alpha: 0.1, warmup: "2h", baseline: "none" }],
  ["a time of thresholds that is shorter than the warm-up of what is only shown", { stepWeight: 10, metrics, maxDuration: "30s", onInconclusive: "hold" }],
  ["adaptive steps that hold when their time of 20m is up", { onInconclusive: "hold" }],
  ["a warm-up that is longer than 20m, of a rollout that lasts longer", { warmup: "25m", minDuration: "30m" }],
  ["fixed steps with a long warm-up, which no time ends", { stepWeight: 10, warmup: "2h" }],
  ["a timeout of silence for iterations", { iterations: 5, metrics, onNoData: "fail", noDataTimeout: "1m" }],
  ["variables of an inline query", { stepWeight: 10, metrics: [{ name: "a", query: "vector(1)", templateVariables: { b: "c" }, thresholdRange: { max: 1 } }] }],
])("%s is accepted", (_, analysis) => {
  expect(saidOf(analysis)).toEqual([]);
});

test("and the same with one of them changed is not", () => {
  expect(saidOf({ ...written, maxWeight: 50 })).toEqual([expect.stringMatching(/^spec\.analysis\.maxWeight: .*maxWeight needs stepWeight/)]);
});
