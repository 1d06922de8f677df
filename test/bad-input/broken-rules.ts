import { isRecord } from "../../src/lib/json.ts";
import type { Schema, ValidationRule } from "../../src/sandbox/api-server/schema.ts";

type Patch = Readonly<Record<string, unknown>>;
/** A merge patch of the least valid spec that breaks a rule. `edit`: a change, refused after the first was accepted. */
interface Breach {
  readonly spec: Patch;
  readonly edit?: Patch;
  /** The field that the answer names. */
  readonly path: string;
}

const nginx = { provider: "nginx", ingressRef: { name: "shop" } };
const own = { name: "errors", thresholdRange: { max: 1 } };
const metrics = (...list: Patch[]): Patch => ({ analysis: { metrics: list } });
const cause = (path: string): Patch => ({ cause: [{ object: "Deployment/checkout", path, decides: true }] });

/** For each kind, by the message of the rule: specs that break it. */
export const breaches: Readonly<Record<string, Readonly<Record<string, readonly Breach[]>>>> = {
  Canary: {
    "set exactly one of iterations, stepWeight and stepWeights": [
      { spec: { analysis: { stepWeight: null } }, path: "spec.analysis" },
      { spec: { analysis: { iterations: 5 } }, path: "spec.analysis" },
      { spec: { analysis: { stepWeights: [10] } }, path: "spec.analysis" },
      { spec: { analysis: { stepWeight: null, stepWeights: [10], iterations: 5 } }, path: "spec.analysis" },
    ],
    "steps: fixed needs stepWeight, stepWeights or iterations: the weights are yours to write": [
      { spec: { analysis: { stepWeight: null, steps: "fixed" } }, path: "spec.analysis.steps" },
      { spec: { analysis: { stepWeight: null, steps: "fixed", metrics: null } }, path: "spec.analysis.steps" },
    ],
    "maxWeight needs stepWeight: adaptive steps find the weights themselves, up to 50 %": [
      { spec: { analysis: { stepWeight: null, metrics: null, maxWeight: 50 } }, path: "spec.analysis.maxWeight" },
      { spec: { analysis: { stepWeight: null, steps: "adaptive", method: "share", maxWeight: 99 } }, path: "spec.analysis.maxWeight" },
    ],
    "alpha, slo and warmup are of the share verdict, and iterations make none: without a split of the traffic there are no shares to compare": [
      { spec: { analysis: { stepWeight: null, iterations: 5, alpha: 0.1 } }, path: "spec.analysis.iterations" },
      { spec: { analysis: { stepWeight: null, iterations: 5, slo: 99.9 } }, path: "spec.analysis.iterations" },
      { spec: { analysis: { stepWeight: null, iterations: 5, warmup: "61s" } }, path: "spec.analysis.iterations" },
    ],
    "tolerance and baseline are of the share verdict, and iterations make none: without a split of the traffic there are no shares to compare": [
      { spec: { analysis: { stepWeight: null, iterations: 5, tolerance: { ratio: 1.5 } } }, path: "spec.analysis.iterations" },
      { spec: { analysis: { stepWeight: null, iterations: 5, tolerance: { absolute: 1 } } }, path: "spec.analysis.iterations" },
      { spec: { analysis: { stepWeight: null, iterations: 5, baseline: "none" } }, path: "spec.analysis.iterations" },
    ],
    "noDataTimeout needs onNoData: fail or promote; hold waits without end": [
      { spec: { analysis: { noDataTimeout: "1m" } }, path: "spec.analysis.noDataTimeout" },
      { spec: { analysis: { noDataTimeout: "1m", onNoData: "hold" } }, path: "spec.analysis.noDataTimeout" },
    ],
    "onInconclusive needs maxDuration where the steps are yours: these end by themselves": [
      { spec: { analysis: { onInconclusive: "hold" } }, path: "spec.analysis.onInconclusive" },
      { spec: { analysis: { metrics: null, onInconclusive: "fail" } }, path: "spec.analysis.onInconclusive" },
      { spec: { analysis: { stepWeight: null, iterations: 5, onInconclusive: "fail" } }, path: "spec.analysis.onInconclusive" },
    ],
    "warmup must be shorter than the longest rollout (maxDuration; by default with adaptive steps 20m or minDuration), or nothing would be judged": [
      { spec: { analysis: { metrics: null, warmup: "2m", maxDuration: "2m" } }, path: "spec.analysis.warmup" },
      { spec: { analysis: { metrics: null, stepWeight: null, maxDuration: "30s" } }, path: "spec.analysis.warmup" },
      { spec: { analysis: { metrics: null, stepWeight: null, warmup: "20m" } }, path: "spec.analysis.warmup" },
      { spec: { analysis: { metrics: null, stepWeight: null, warmup: "1h", minDuration: "30m" } }, path: "spec.analysis.warmup" },
    ],
    "interval must be at least 1s": [
      { spec: { analysis: { interval: "0s" } }, path: "spec.analysis.interval" },
      { spec: { analysis: { interval: "999ms" } }, path: "spec.analysis.interval" },
    ],
    "steps: adaptive needs method: share": [
      { spec: { analysis: { stepWeight: null, steps: "adaptive" } }, path: "spec.analysis.steps" },
      { spec: { analysis: { stepWeight: null, steps: "adaptive", method: "threshold" } }, path: "spec.analysis.steps" },
    ],
    "steps: adaptive finds the weights itself; remove iterations, stepWeight and stepWeights": [
      { spec: { analysis: { method: "share", steps: "adaptive" } }, path: "spec.analysis.steps" },
      { spec: { analysis: { method: "share", steps: "adaptive", stepWeight: null, stepWeights: [10] } }, path: "spec.analysis.steps" },
    ],
    "method: threshold needs metrics": [
      { spec: { analysis: { method: "threshold", metrics: null } }, path: "spec.analysis.method" },
    ],
    "iterations need method: threshold and metrics: without a split of the traffic there are no shares to compare": [
      { spec: { analysis: { stepWeight: null, iterations: 5, metrics: null } }, path: "spec.analysis.iterations" },
      { spec: { analysis: { stepWeight: null, iterations: 5, method: "share" } }, path: "spec.analysis.iterations" },
    ],
    "minRequests needs method: threshold and a split of the traffic: shares go by the number of requests anyway, and iterations get none from users": [
      { spec: { analysis: { minRequests: 50, method: "share" } }, path: "spec.analysis.minRequests" },
      { spec: { analysis: { minRequests: 50, stepWeight: null, iterations: 5 } }, path: "spec.analysis.minRequests" },
    ],
    "minDuration must not be longer than maxDuration": [
      { spec: { analysis: { minDuration: "2m", maxDuration: "1m" } }, path: "spec.analysis.minDuration" },
    ],
    "stepWeights must rise": [
      { spec: { analysis: { stepWeight: null, stepWeights: [20, 10] } }, path: "spec.analysis.stepWeights" },
      { spec: { analysis: { stepWeight: null, stepWeights: [10, 10] } }, path: "spec.analysis.stepWeights" },
    ],
    "a metric that is not built in needs exactly one of templateRef and query": [
      { spec: metrics(own), path: "spec.analysis.metrics" },
      { spec: metrics({ ...own, query: "vector(1)", templateRef: { name: "errors" } }), path: "spec.analysis.metrics" },
    ],
    "a metric with templateRef or query needs thresholdRange: nothing can be said of its value without bounds": [
      { spec: metrics({ name: "errors", query: "vector(1)" }), path: "spec.analysis.metrics" },
      { spec: metrics({ name: "request-duration", templateRef: { name: "slow" } }), path: "spec.analysis.metrics" },
    ],
    "templateVariables need templateRef or query: built-in metrics have no variables": [
      { spec: metrics({ name: "request-duration", templateVariables: { limit: "1" } }), path: "spec.analysis.metrics" },
    ],
    "thresholdRange needs min or max": [
      { spec: metrics({ name: "request-duration", thresholdRange: {} }), path: "spec.analysis.metrics[0].thresholdRange" },
    ],
    "provider nginx needs ingressRef": [{ spec: { provider: "nginx" }, path: "spec.ingressRef" }],
    "provider gatewayapi:v1 needs service.gatewayRefs": [
      { spec: { provider: "gatewayapi:v1" }, path: "spec.service" },
      { spec: { provider: "gatewayapi:v1", service: { gatewayRefs: [] } }, path: "spec.service" },
    ],
    "service.name cannot be changed; delete the Canary and create it anew": [
      { spec: nginx, edit: { service: { name: "other" } }, path: "spec.service.name" },
      { spec: { service: { name: "shop" } }, edit: { service: { name: null } }, path: "spec.service.name" },
    ],
    "targetRef cannot be changed; delete the Canary and create it anew": [
      { spec: { service: { name: "shop" } }, edit: { targetRef: { name: "other" } }, path: "spec.targetRef" },
    ],
  },
  Revert: {
    "canaryRef and cause cannot be changed; create another Revert": [
      { spec: {}, edit: { canaryRef: { name: "other" } }, path: "spec" },
      { spec: {}, edit: cause("spec.replicas"), path: "spec" },
    ],
    "commits cannot be changed; create another Revert": [
      { spec: { commits: ["a".repeat(40)] }, edit: { commits: ["b".repeat(40)] }, path: "spec.commits" },
      { spec: { commits: ["a".repeat(40)] }, edit: { commits: null }, path: "spec.commits" },
    ],
  },
};

/** Every rule of a schema and what is below it. */
export function rulesOf(schema: Schema): ValidationRule[] {
  const below = [...Object.values(schema.properties ?? {}), schema.items, schema.additionalProperties];
  const schemas = below.filter((inner): inner is Schema => isRecord(inner));
  return [...(schema["x-kubernetes-validations"] ?? []), ...schemas.flatMap(rulesOf)];
}
