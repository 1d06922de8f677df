import { z } from "zod";
import { analysis } from "./analysis.ts";
import { causeField } from "./cause.ts";
import { commonStatus, duration, type Kind, objectName, percent, type Resource } from "./meta.ts";
import { shareStatus } from "./share-evidence.ts";

/** Routers by the names that users write. */
export const routerNames = ["gatewayapi:v1", "nginx"] as const;
export type RouterName = (typeof routerNames)[number];

const port = z.int32().min(1).max(65_535);

const service = z
  .object({
    name: objectName.optional().describe("Name of the apex Service. Default: the target's name. Cannot be changed."),
    port: port.describe("Port of the generated Services."),
    portName: z.string().max(15).default("http").describe("Name of that port."),
    targetPort: z
      .union([port, z.string()])
      .optional()
      .describe("Container port, by number or name. Default: port.")
      .meta({ "x-kubernetes-int-or-string": true }),
    timeout: duration.optional().describe("Limit of one request, where the router can say it."),
    gatewayRefs: z
      .array(
        z.object({
          group: z.string().default("gateway.networking.k8s.io"),
          kind: z.string().default("Gateway"),
          name: objectName,
          namespace: z.string().optional(),
          sectionName: z.string().optional(),
          port: port.optional(),
        }),
      )
      .max(32)
      .optional()
      .describe("Gateways the route attaches to. Required by gatewayapi:v1."),
    hosts: z.array(z.string().min(1)).max(16).optional().describe("Host names of the route."),
  })
  .describe("The Services and the route that Serin makes: <name>, <name>-primary, <name>-canary.");

const spec = z
  .object({
    provider: z.enum(routerNames).optional().describe("The router that splits traffic. Default: the controller's own."),
    metricsServer: z
      .string()
      .regex(/^https?:\/\/[^\s@]+$/)
      .optional()
      .describe("Prometheus for built-in metrics and inline queries. Default: the controller's own."),
    targetRef: z
      .object({ apiVersion: z.literal("apps/v1").default("apps/v1"), kind: z.enum(["Deployment"]), name: objectName })
      .describe("The workload, in the same namespace."),
    autoscalerRef: z
      .object({
        apiVersion: z.enum(["autoscaling/v2"]).default("autoscaling/v2"),
        kind: z.enum(["HorizontalPodAutoscaler"]),
        name: objectName,
      })
      .optional()
      .describe("Autoscaler of the target; copied as <name>-primary."),
    ingressRef: z
      .object({
        apiVersion: z.literal("networking.k8s.io/v1").default("networking.k8s.io/v1"),
        kind: z.literal("Ingress").default("Ingress"),
        name: objectName,
      })
      .optional()
      .describe("Ingress whose traffic is split. Required by nginx."),
    service,
    analysis,
    progressDeadlineSeconds: z.int32().min(1).default(600).describe("How long the canary or the primary may take to become ready, in seconds. A controller that has just started counts anew."),
    skipAnalysis: z.boolean().default(false).describe("Promote as soon as the canary is ready, without checks."),
    revertOnDeletion: z.boolean().default(false).describe("Give the target its pods and traffic back before the Canary is deleted, however it is deleted."),
    suspend: z.boolean().default(false).describe("Stop acting; weights and workloads stay as they are."),
    revert: z
      .object({
        strategy: z
          .enum(["PullRequest", "Push", "None"])
          .default("PullRequest")
          .describe("How a bad change leaves Git: by pull request, by a commit on the branch itself, or not at all."),
        scope: z.enum(["Canary", "Commit"]).default("Canary").describe("Canary: the smallest part of the commits that undoes the cause. Commit: all of them, as git revert would."),
      })
      .default({ strategy: "PullRequest", scope: "Canary" })
      .describe("What happens in Git when a release fails."),
  })
  .meta({
    "x-kubernetes-validations": [
      { rule: "!has(self.provider) || self.provider != 'nginx' || has(self.ingressRef)", message: "provider nginx needs ingressRef", fieldPath: ".ingressRef" },
      {
        rule: "!has(self.provider) || self.provider != 'gatewayapi:v1' || has(self.service.gatewayRefs) && size(self.service.gatewayRefs) > 0",
        message: "provider gatewayapi:v1 needs service.gatewayRefs",
        fieldPath: ".service",
      },
      {
        rule: "(has(self.service.name) ? self.service.name : self.targetRef.name) == (has(oldSelf.service.name) ? oldSelf.service.name : oldSelf.targetRef.name)",
        message: "service.name cannot be changed; delete the Canary and create it anew",
        fieldPath: ".service.name",
      },
      { rule: "self.targetRef == oldSelf.targetRef", message: "targetRef cannot be changed; delete the Canary and create it anew", fieldPath: ".targetRef" },
    ],
  });

/** Phases as Flagger names them. */
const canaryPhases = [
  "Initializing",
  "Initialized",
  "Waiting",
  "Progressing",
  "WaitingPromotion",
  "Promoting",
  "Finalising",
  "Succeeded",
  "Failed",
  "Terminating",
] as const;
export type CanaryPhase = (typeof canaryPhases)[number];

/** What one check measured last. */
const checkResult = z.object({
  name: z.string(),
  verdict: z.enum(["pass", "fail", "inconclusive"]),
  value: z.number().optional().describe("Missing when there were no samples."),
  primary: z.number().optional().describe("The same query for the primary, measured when the canary's check failed."),
  primaryPassed: z.boolean().optional(),
  message: z.string().describe("The verdict in one sentence."),
});
export type CheckResult = z.infer<typeof checkResult>;

/** How many refused causes a Canary remembers. */
export const refusedKept = 20;

const status = z.object({
  ...commonStatus,
  phase: z.enum(canaryPhases).optional(),
  canaryWeight: percent.optional().describe("Percent of traffic that the canary gets."),
  failedChecks: z.int32().optional().describe("Failed checks of this run."),
  iterations: z.int32().optional().describe("Passed checks of this blue/green run."),
  trackedRevision: z.string().optional().describe("Identity of the revision that runs as canary, or ran last."),
  promotedRevision: z.string().optional().describe("Identity of the revision that the primary runs."),
  trackedCommit: z.string().optional().describe("Commit that last changed the target, at the tracked revision."),
  promotedCommit: z.string().optional().describe("Commit that last changed the target, at the promoted revision."),
  trackedConfigs: z.record(z.string(), z.string()).optional().describe("Checksum of each ConfigMap and Secret that the tracked revision uses, by kind/name."),
  verdict: z.enum(["pass", "fail", "inconclusive"]).optional().describe("Of the last check of the tracked revision."),
  checks: z.array(checkResult).optional().describe("What each metric measured last."),
  silence: z
    .object({ kind: z.enum(["noData", "blind"]), since: z.string() })
    .optional()
    .describe("Since when thresholds could not be checked, and whether the metrics have no data or the server no answer."),
  evidence: shareStatus.optional().describe("What the shares of the bad requests say of the tracked revision."),
  targetReplicas: z.int32().optional().describe("Replicas of the target when the Canary took them over; given to the canary when a run starts."),
  startedAt: z.string().optional().describe("When this run began, RFC 3339."),
  steppedAt: z.string().optional().describe("When the last step or check was taken."),
  firstTrafficAt: z.string().optional().describe("When this revision first got traffic. Queries look back no further."),
  lastTransitionTime: z.string().optional().describe("When the phase last changed."),
  failure: z
    .object({
      reason: z.string().describe("CamelCase word for programs."),
      message: z.string().describe("Sentence for people."),
      failedAt: z.string().describe("When it was decided, RFC 3339."),
      weight: percent.describe("Percent of traffic that the canary had."),
      propose: z.boolean().describe("Whether it is the commit's fault, so that Git shall be changed."),
    })
    .optional()
    .describe("Why the tracked revision failed."),
  revertRef: z.string().optional().describe("Name of the Revert that this failure made."),
  refused: z
    .array(
      z.object({
        revert: z.string().describe("Name of the Revert."),
        fields: z.array(causeField),
        revision: z.string().optional().describe("Identity of the revision that failed with them; once it is promoted after all, nothing is refused any more."),
        tries: z.int32().optional().describe("How often that revision has failed; missing: once. Each try spends half of the alpha that the one before did."),
        declined: z.boolean().optional().describe("A person declined the Revert: the values may be tried once more, and nothing is proposed again."),
      }),
    )
    .max(refusedKept)
    .optional()
    .describe("Failed values that are held without a new canary when a commit brings them back."),
});

/** The kind Canary. */
export const canary = {
  kind: "Canary",
  plural: "canaries",
  singular: "canary",
  shortNames: [],
  description: "How a workload's change reaches its users: step by step, watched, and back at once when it is bad.",
  spec,
  status,
  columns: [
    { name: "Status", type: "string", jsonPath: ".status.phase", description: "Phase of the rollout." },
    { name: "Reason", type: "string", jsonPath: ".status.conditions[?(@.type==\"Ready\")].reason", description: "What it waits for, or why it failed." },
    { name: "Weight", type: "integer", jsonPath: ".status.canaryWeight", description: "Percent of traffic the canary gets." },
    { name: "Revision", type: "string", jsonPath: ".status.trackedRevision", description: "What runs as canary, or ran last." },
    { name: "Verdict", type: "string", jsonPath: ".status.verdict", description: "Of the last check." },
    { name: "FailedChecks", type: "integer", jsonPath: ".status.failedChecks", description: "Failed checks of this run.", priority: 1 },
    { name: "Message", type: "string", jsonPath: ".status.conditions[?(@.type==\"Ready\")].message", description: "Why.", priority: 1 },
    { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp", description: "Since when it exists." },
  ],
} as const satisfies Kind;

export type CanarySpec = z.infer<typeof spec>;
export type CanaryStatus = z.infer<typeof status>;
export type Canary = Resource<CanarySpec, CanaryStatus>;
