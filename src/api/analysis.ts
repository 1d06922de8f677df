import { z } from "zod";
import { duration, objectName, percent } from "./meta.ts";

const metric = z.object({
  name: z.string().min(1).max(63).describe("request-success-rate (percent), request-duration (99th percentile, milliseconds), or a name of your own with templateRef or query."),
  interval: duration.default("1m").describe("Window of the query."),
  thresholdRange: z
    .object({ min: z.number().optional(), max: z.number().optional() })
    .optional()
    .describe("Inclusive bounds of a good value. Default: at least 99 for request-success-rate, at most 500 for request-duration.")
    .meta({ "x-kubernetes-validations": [{ rule: "has(self.min) || has(self.max)", message: "thresholdRange needs min or max" }] }),
  templateRef: z.object({ name: objectName, namespace: objectName.optional() }).optional().describe("A MetricTemplate; in the same namespace unless one is named."),
  templateVariables: z.record(z.string(), z.string().max(1024)).optional().describe("Values of {{ variables.key }} in the template or query."),
  query: z.string().min(1).max(16_384).optional().describe("Inline PromQL with the variables of a MetricTemplate."),
});
export type CanaryMetric = z.infer<typeof metric>;

const webhook = z.object({
  name: z.string().min(1).max(63).describe("For events and messages."),
  type: z
    .enum(["confirm-rollout", "confirm-promotion", "rollback"])
    .describe("confirm-rollout and confirm-promotion hold until the hook answers 2xx; rollback rolls back when it does."),
  url: z
    .string()
    .max(2048)
    .regex(/^https?:\/\/[^\s@]+$/)
    .describe("Gets a POST with name, namespace, phase, checksum and metadata."),
  timeout: duration.default("10s").describe("Limit of one call."),
  retries: z.int32().min(0).max(10).default(0).describe("How often a call that could not be made, or that got a 5xx, is made again."),
  metadata: z.record(z.string(), z.string().max(4096)).optional().describe("Sent along."),
});
export type CanaryWebhook = z.infer<typeof webhook>;

/** Defaults that rules must tell from what somebody wrote: the API server fills them in before it checks. */
const usual = { maxWeight: 100, warmup: "1m", noDataTimeout: "5m", alpha: 0.05, slo: 99, ratio: 1.25 } as const;
/** Where nothing else is said adaptive steps end after this long. */
export const usualMaxDuration = "20m";

/** What the share verdict is made by; with method threshold it is made all the same, and shown. */
const shareSettings = {
  maxDuration: duration
    .optional()
    .describe(
      "After so long without a verdict onInconclusive decides; with thresholds, when a check gives none then. Default: with adaptive steps 20m, or minDuration where that is longer; none with fixed steps, which end by themselves.",
    ),
  warmup: duration
    .default(usual.warmup)
    .describe(
      "From the first request on: so long only the failure of more than a quarter of all requests counts, and nothing is promoted. Shorter than maxDuration. Like alpha, slo, tolerance and baseline of the share verdict: with method threshold they change only what is shown.",
    ),
  onNoData: z
    .enum(["hold", "fail", "promote"])
    .default("hold")
    .describe(
      "When the canary has had no requests, or the metrics no data, for noDataTimeout. promote: by shares the release is promoted, by thresholds the check counts as passed, which is one step; minDuration holds either. fail rolls back and proposes nothing in Git.",
    ),
  noDataTimeout: duration.default(usual.noDataTimeout).describe("How long silence is waited for before onNoData fails or promotes; hold waits without end."),
  onBlind: z
    .enum(["hold", "fail"])
    .default("hold")
    .describe("When the metric server has not answered for progressDeadlineSeconds. fail rolls back and proposes nothing in Git."),
  onInconclusive: z
    .enum(["promote", "hold", "fail"])
    .default("promote")
    .describe("When maxDuration has passed and the evidence speaks neither way. fail rolls back and proposes nothing in Git."),
  alpha: z
    .number()
    .min(0.001)
    .max(0.5)
    .default(usual.alpha)
    .describe("At most this part of the releases that are no worse than tolerated is rolled back; smaller is slower."),
  slo: z.number().min(50).max(99.999).default(usual.slo).describe("Percent of requests that should succeed; what is left is the error budget."),
  tolerance: z
    .object({
      ratio: z.number().min(1).max(10).default(usual.ratio).describe("The canary may fail so many times as often as the primary."),
      absolute: z.number().min(0).max(50).optional().describe("And so much more, in percentage points. Default: a hundredth of the error budget."),
    })
    .default({ ratio: usual.ratio })
    .describe("What is not held against a release."),
  baseline: z
    .enum(["primary", "none"])
    .default("primary")
    .describe("What the canary is compared with. none: with slo alone, for a canary that gets other users than the primary; no revert is proposed then."),
} as const;

/** CEL: whether the shares of the bad requests decide. */
const byShare = "(has(self.method) ? self.method == 'share' : !has(self.metrics))";
/** CEL: how many of the fields that fix the steps are set. */
const fixedSteps = "(has(self.iterations) ? 1 : 0) + (has(self.stepWeight) ? 1 : 0) + (has(self.stepWeights) ? 1 : 0)";
const adaptive = "has(self.steps) && self.steps == 'adaptive'";
const fixed = "has(self.steps) && self.steps == 'fixed'";
/** CEL: whether the next weight is earned, by the user's word or because nothing else is said. */
const earnsSteps = `(${fixedSteps} == 0 && ${byShare} && !(${fixed}))`;

/** CEL: whether nobody wrote anything else into a field than its default. */
function isUsual(field: "alpha" | "slo" | "maxWeight" | "warmup" | "noDataTimeout"): string {
  const value = usual[field];
  const number = field === "maxWeight" ? String(value) : decimal(Number(value));
  const same = typeof value === "string" ? `duration(self.${field}) == duration('${value}')` : `self.${field} == ${number}`;
  return `(!has(self.${field}) || ${same})`;
}

/** A number as CEL writes those that need not be whole. */
function decimal(value: number): string {
  return Number.isInteger(value) ? value.toFixed(1) : String(value);
}

/** CEL: what the canary is compared with, and how strictly, as it is by default. */
const usualComparison = [
  "(!has(self.baseline) || self.baseline == 'primary')",
  "(!has(self.tolerance) || !has(self.tolerance.absolute))",
  `(!has(self.tolerance) || !has(self.tolerance.ratio) || self.tolerance.ratio == ${decimal(usual.ratio)})`,
].join(" && ");

const isShorter = (limit: string): string => `duration(self.warmup) < duration(${limit})`;
/** CEL: whether the warm-up ends before the rollout has to. */
const longest = [
  `has(self.maxDuration) ? ${isShorter("self.maxDuration")}`,
  `${fixedSteps} > 0 || ${isShorter(`'${usualMaxDuration}'`)} || has(self.minDuration) && ${isShorter("self.minDuration")}`,
].join(" : ");

/** How a new revision is judged and how its traffic grows. */
export const analysis = z
  .object({
    method: z
      .enum(["threshold", "share"])
      .optional()
      .describe("share: the canary's share of the bad requests against its share of the traffic. threshold: fixed bounds of metrics, as Flagger. Default: threshold when metrics are named, else share."),
    interval: duration
      .default("1m")
      .describe("Time between two fixed steps or checks by thresholds, and between two calls of a hook; at least 1s. Adaptive steps go by the evidence alone."),
    threshold: z
      .int32()
      .min(1)
      .default(1)
      .describe(
        "Failed checks that trigger a rollback. A check without a number counts nothing; the deciding check rolls back at once. Each loss of readiness under traffic counts as one, but never decides alone; with method share nothing else counts.",
      ),
    steps: z
      .enum(["fixed", "adaptive"])
      .optional()
      .describe("adaptive: the next weight is earned by evidence. fixed: the weights are yours. Default: fixed when stepWeight, stepWeights or iterations is set, else adaptive."),
    iterations: z.int32().min(1).max(10_000).optional().describe("Blue/green: checks to pass without traffic steps before promotion."),
    stepWeight: z.int32().min(1).max(100).optional().describe("Percent of traffic added per step."),
    stepWeights: z.array(z.int32().min(1).max(100)).min(1).max(100).optional().describe("Percent of traffic of each step, rising."),
    maxWeight: z
      .int32()
      .min(1)
      .max(100)
      .default(usual.maxWeight)
      .describe("With stepWeight: share of traffic after which the canary is promoted. stepWeights end with their last, and iterations have none."),
    primaryReadyThreshold: percent.default(100).describe("Percent of updated primary pods that must be available."),
    canaryReadyThreshold: percent.default(100).describe("Percent of updated canary pods that must be available."),
    metrics: z
      .array(metric)
      .min(1)
      .max(50)
      .optional()
      .describe(
        "What a good release must measure. With method share they are measured and shown, and decide nothing: a value alone does not tell how many requests it rests on.",
      )
      .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"] }),
    minRequests: z
      .int32()
      .min(1)
      .optional()
      .describe("With method threshold: a check in whose window the canary had fewer requests counts neither way. Default: every check counts."),
    minDuration: duration
      .optional()
      .describe(
        "No promotion earlier than this after the first traffic: for faults that need time, such as leaks. Where it is longer than 20m, the default of maxDuration is as long.",
      ),
    ...shareSettings,
    webhooks: z
      .array(webhook)
      .max(50)
      .optional()
      .describe("Gates by people or programs.")
      .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"] }),
  })
  .describe("How a new revision is judged and how its traffic grows.")
  .meta({
    "x-kubernetes-validations": [
      {
        rule: `${fixedSteps} == 1 || ${fixedSteps} == 0 && (has(self.steps) || ${byShare})`,
        message: "set exactly one of iterations, stepWeight and stepWeights",
      },
      {
        rule: `!(${fixed}) || ${fixedSteps} > 0`,
        message: "steps: fixed needs stepWeight, stepWeights or iterations: the weights are yours to write",
        fieldPath: ".steps",
      },
      { rule: `!(${adaptive}) || ${byShare}`, message: "steps: adaptive needs method: share", fieldPath: ".steps" },
      {
        rule: `!(${adaptive}) || ${fixedSteps} == 0`,
        message: "steps: adaptive finds the weights itself; remove iterations, stepWeight and stepWeights",
        fieldPath: ".steps",
      },
      { rule: `${byShare} || has(self.metrics)`, message: "method: threshold needs metrics", fieldPath: ".method" },
      {
        rule: `!${byShare} || !has(self.iterations)`,
        message: "iterations need method: threshold and metrics: without a split of the traffic there are no shares to compare",
        fieldPath: ".iterations",
      },
      {
        rule: `!has(self.minRequests) || !${byShare} && !has(self.iterations)`,
        message: "minRequests needs method: threshold and a split of the traffic: shares go by the number of requests anyway, and iterations get none from users",
        fieldPath: ".minRequests",
      },
      {
        rule: `!${earnsSteps} || ${isUsual("maxWeight")}`,
        message: "maxWeight needs stepWeight: adaptive steps find the weights themselves, up to 50 %",
        fieldPath: ".maxWeight",
      },
      {
        rule: `!has(self.iterations) || ${isUsual("alpha")} && ${isUsual("slo")} && ${isUsual("warmup")}`,
        message: "alpha, slo and warmup are of the share verdict, and iterations make none: without a split of the traffic there are no shares to compare",
        fieldPath: ".iterations",
      },
      {
        rule: `!has(self.iterations) || ${usualComparison}`,
        message: "tolerance and baseline are of the share verdict, and iterations make none: without a split of the traffic there are no shares to compare",
        fieldPath: ".iterations",
      },
      {
        rule: `${isUsual("noDataTimeout")} || has(self.onNoData) && self.onNoData != 'hold'`,
        message: "noDataTimeout needs onNoData: fail or promote; hold waits without end",
        fieldPath: ".noDataTimeout",
      },
      {
        rule: `!has(self.onInconclusive) || self.onInconclusive == 'promote' || has(self.maxDuration) || ${earnsSteps}`,
        message: "onInconclusive needs maxDuration where the steps are yours: these end by themselves",
        fieldPath: ".onInconclusive",
      },
      {
        rule: `!has(self.warmup) || !${byShare} || (${longest})`,
        message: "warmup must be shorter than the longest rollout (maxDuration; by default with adaptive steps 20m or minDuration), or nothing would be judged",
        fieldPath: ".warmup",
      },
      { rule: "!has(self.interval) || duration(self.interval) >= duration('1s')", message: "interval must be at least 1s", fieldPath: ".interval" },
      {
        rule: "!has(self.minDuration) || !has(self.maxDuration) || duration(self.minDuration) <= duration(self.maxDuration)",
        message: "minDuration must not be longer than maxDuration",
        fieldPath: ".minDuration",
      },
      {
        rule: "!has(self.stepWeights) || self.stepWeights.isSorted() && self.stepWeights.all(i, self.stepWeights.exists_one(j, j == i))",
        message: "stepWeights must rise",
        fieldPath: ".stepWeights",
      },
      {
        rule: "!has(self.metrics) || self.metrics.all(m, m.name in ['request-success-rate', 'request-duration'] || has(m.templateRef) != has(m.query))",
        message: "a metric that is not built in needs exactly one of templateRef and query",
        fieldPath: ".metrics",
      },
      {
        rule: "!has(self.metrics) || self.metrics.all(m, !has(m.templateVariables) || has(m.templateRef) || has(m.query))",
        message: "templateVariables need templateRef or query: built-in metrics have no variables",
        fieldPath: ".metrics",
      },
      {
        rule: "!has(self.metrics) || self.metrics.all(m, has(m.thresholdRange) || !has(m.templateRef) && !has(m.query))",
        message: "a metric with templateRef or query needs thresholdRange: nothing can be said of its value without bounds",
        fieldPath: ".metrics",
      },
    ],
  });
export type Analysis = z.infer<typeof analysis>;

/** Whether the shares of the bad requests decide, or thresholds do. */
export function methodOf({ method, metrics }: Pick<Analysis, "method" | "metrics">): "share" | "threshold" {
  return method ?? (metrics ? "threshold" : "share");
}

/** Whether the weights are the user's, or earned by evidence. */
export function stepsOf({ steps, stepWeight, stepWeights, iterations }: Analysis): "fixed" | "adaptive" {
  return steps ?? (stepWeight === undefined && stepWeights === undefined && iterations === undefined ? "adaptive" : "fixed");
}
