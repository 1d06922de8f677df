import { z } from "zod";
import { commonStatus, duration, type Kind, objectName, type Resource } from "./meta.ts";

const spec = z.object({
  sourceRef: z
    .object({ kind: z.literal("GitRepository").default("GitRepository"), name: objectName })
    .describe("The source, in the same namespace."),
  path: z
    .string()
    .max(1024)
    .default("./")
    .describe("Folder of the repository whose manifests are applied. Rendered by kustomize when it has a kustomization.yaml."),
  interval: duration.describe("How often everything is compared again, beside reacting at once to commits, edits and drift."),
  retryInterval: duration.optional().describe("How soon a failed run is tried again. Default: interval."),
  timeout: duration.optional().describe("How long applied workloads may take to become healthy before pruning is skipped and Ready turns False. Default: interval less 30s, at least 30s."),
  prune: z.boolean().describe("Delete what left the manifests, after what replaced it is healthy."),
  wait: z.boolean().default(false).describe("Ready waits until everything that was applied is healthy."),
  allowEmpty: z.boolean().default(false).describe("Let a source that renders to nothing delete everything."),
  dependsOn: z
    .array(z.object({ name: objectName }))
    .max(100)
    .optional()
    .describe("Syncs of the same namespace that must be Ready first, on the same revision where they share the source."),
  targetNamespace: objectName.optional().describe("Namespace given to every namespaced object, whatever its manifest says."),
  serviceAccountName: objectName.optional().describe("ServiceAccount of this namespace that writes impersonate."),
  suspend: z.boolean().default(false).describe("Stop applying, correcting and pruning. Deleting a suspended Sync leaves its objects."),
});

/** One object that Sync applied or is about to apply. */
const inventoryEntry = z.object({
  id: z.string().describe("namespace_name_group_kind, as Flux writes it."),
  v: z.string().describe("Version of the kind."),
  digest: z.string().optional().describe("Of the manifest that was applied and of what Git said; missing while the apply is under way."),
  live: z.string().optional().describe("Of the fields Sync owns as the API server returned them: a difference is drift."),
  commit: z.string().optional().describe("Commit that last changed it."),
});
export type InventoryEntry = z.infer<typeof inventoryEntry>;

const status = z.object({
  ...commonStatus,
  lastAttemptedRevision: z.string().optional(),
  lastAppliedRevision: z.string().optional().describe("The last commit whose manifests are all in the cluster."),
  revision: z.string().optional().describe("What the cluster runs: the applied revision and what is held back, e.g. `main@sha1:9f00… holding checkout`."),
  inputs: z.string().optional().describe("Digest of all that the last finished run depended on: equal means there is nothing to render."),
  appliedAt: z.string().optional().describe("When the last change was applied; health is awaited from here on."),
  holding: z.array(z.string()).optional().describe("Canaries whose failed change is held back."),
  inventory: z.object({ entries: z.array(inventoryEntry) }).optional().describe("Everything this Sync has ever applied and not yet pruned. Written before the apply."),
});

/** The kind Sync. */
export const sync = {
  kind: "Sync",
  plural: "syncs",
  singular: "sync",
  shortNames: [],
  description: "Which folder of a source is applied to the cluster, and how.",
  spec,
  status,
  columns: [
    { name: "Ready", type: "string", jsonPath: ".status.conditions[?(@.type==\"Ready\")].status", description: "Whether the cluster equals the source." },
    { name: "Revision", type: "string", jsonPath: ".status.revision", description: "What the cluster runs." },
    { name: "Message", type: "string", jsonPath: ".status.conditions[?(@.type==\"Ready\")].message", description: "Why." },
    { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp", description: "Since when it exists." },
  ],
} as const satisfies Kind;

export type SyncSpec = z.infer<typeof spec>;
export type SyncStatus = z.infer<typeof status>;
export type Sync = Resource<SyncSpec, SyncStatus>;

