import { z } from "zod";
import { shareEvidence } from "./share-evidence.ts";

/** A JSON value, or `undefined` when the field is absent. Arrays with named items are compared item by item, so most are scalars. */
const fieldValue = z.any().optional();

/** One field in which the failed revision differs from the promoted one. */
export const causeField = z.object({
  object: z.string().describe("Kind and name, in the target's namespace, e.g. Deployment/checkout."),
  path: z.string().describe("Where in the object, e.g. spec.template.spec.containers[app].image."),
  promoted: fieldValue.describe("Value of the promoted revision; missing when it has no such field. For a Secret a digest, by a key of this namespace."),
  failed: fieldValue.describe("Value of the failed revision; missing when it has no such field. For a Secret a digest, by a key of this namespace."),
  secret: z.boolean().optional().describe("The values belong to a Secret: they are nowhere shown, only that they changed."),
  decides: z.boolean().describe("Whether this field decides what the workload runs. The others only follow."),
  manager: z.string().optional().describe("Field manager that set the failed value, when it was not Serin."),
});
export type CauseField = z.infer<typeof causeField>;

/** What was measured when a release failed. */
export const evidence = z.object({
  sentence: z.string().describe("The verdict in one sentence."),
  reason: z.string().describe("CamelCase: CheckFailed, CanaryCrashed, ProgressDeadlineExceeded, ImageNotFound, …"),
  failedAt: z.string().describe("RFC 3339."),
  weight: z.int().describe("Share of traffic the canary had, in percent."),
  revision: z.string().describe("Identity of the failed revision."),
  promotedRevision: z.string().optional().describe("Identity of the revision that traffic returned to."),
  commit: z.string().optional().describe("Commit that last changed the target when it failed."),
  promotedCommit: z.string().optional().describe("Commit that had last changed the target when it was promoted."),
  checks: z
    .array(
      z.object({
        name: z.string().describe("Of the metric."),
        value: z.number().optional().describe("What the canary measured; missing when there were no samples."),
        primary: z.number().optional().describe("What the primary measured in the same window."),
        min: z.number().optional().describe("Smallest good value."),
        max: z.number().optional().describe("Largest good value."),
        unit: z.string().optional().describe("Of the values: %, ms. Missing for a query of the user's own."),
        passed: z.boolean().describe("Whether the canary's value was good."),
        primaryPassed: z.boolean().optional().describe("Missing when the query cannot tell primary and canary apart."),
      }),
    )
    .optional()
    .describe("What each metric measured last."),
  share: shareEvidence.optional().describe("Step by step, what came from the canary and what from the primary, and the evidence of it."),
});
export type Evidence = z.infer<typeof evidence>;

/** What one revision of a workload consists of. Kept in a ControllerRevision beside the Canary. */
export const revisionContent = z.object({
  /** The target's `spec.template`. */
  template: z.record(z.string(), z.unknown()),
  /** By `ConfigMap/name` or `Secret/name`: the data it tracks. Of a Secret only a digest of each value. */
  configs: z.record(z.string(), z.record(z.string(), z.string())),
});
export type RevisionContent = z.infer<typeof revisionContent>;

/** Prefix of the keys under which revisions keep `binaryData`; a key of `data` cannot have a slash. */
export const binaryPrefix = "binaryData/";

/** The fields of a config of a revision as manifests have them; both are empty without one. */
export function configAsWritten(config: Readonly<Record<string, string>> = {}): Record<"data" | "binaryData", Record<string, string>> {
  const entries = Object.entries(config);
  const binary = entries.filter(([key]) => key.startsWith(binaryPrefix)).map(([key, value]) => [key.slice(binaryPrefix.length), value]);
  return { data: Object.fromEntries(entries.filter(([key]) => !key.startsWith(binaryPrefix))), binaryData: Object.fromEntries(binary) };
}
