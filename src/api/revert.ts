import { z } from "zod";
import { causeField, evidence } from "./cause.ts";
import { commonStatus, type Kind, localRef, objectName, type Resource } from "./meta.ts";

const commitId = z.string().regex(/^[0-9a-f]{40}$/);

const spec = z
  .object({
    canaryRef: localRef.describe("The Canary whose release failed."),
    syncRef: z
      .object({ name: objectName, namespace: objectName.optional().describe("Default: the namespace of the Revert.") })
      .describe("The one Sync it acts on: the one that applies the target."),
    cause: z.array(causeField).min(1).max(1000).describe("The fields in which the failed revision differs from the promoted one."),
    commits: z.array(commitId).max(100).optional().describe("The commits to undo, newest first. Missing: Serin finds them by rendering."),
    strategy: z.enum(["PullRequest", "Push", "None"]).default("PullRequest").describe("As the Canary's spec.revert.strategy."),
    scope: z.enum(["Canary", "Commit"]).default("Canary").describe("As the Canary's spec.revert.scope."),
    propose: z
      .boolean()
      .default(true)
      .describe("Whether it is the commit's fault, so that Git shall be changed. False holds only, until a person sets the annotation serin.dev/release."),
    evidence: evidence.optional().describe("What was measured."),
  })
  .meta({
    "x-kubernetes-validations": [
      { rule: "self.cause == oldSelf.cause && self.canaryRef == oldSelf.canaryRef", message: "canaryRef and cause cannot be changed; create another Revert" },
      { rule: "!has(oldSelf.commits) || has(self.commits) && self.commits == oldSelf.commits", message: "commits cannot be changed; create another Revert", fieldPath: ".commits" },
    ],
  });

/** Planned, Proposed and Blocked hold; the others have ended. */
export const revertPhases = ["Planned", "Proposed", "Merged", "Declined", "Superseded", "Blocked"] as const;
export type RevertPhase = (typeof revertPhases)[number];

const status = z.object({
  ...commonStatus,
  phase: z.enum(revertPhases).optional(),
  commits: z.array(commitId).optional().describe("The commits that it undoes, newest first."),
  bystanders: z.array(commitId).optional().describe("Commits between the promoted and the failed revision that stay."),
  branch: z.string().optional().describe("Branch that holds the revert commit."),
  base: z.string().optional().describe("Commit of the followed branch that the revert commit was made on."),
  commit: z.string().optional().describe("The revert commit."),
  tree: z.string().optional().describe("The verified result tree."),
  replaces: commitId.optional().describe("What our branch holds until the revert commit, made anew, is pushed over it."),
  proposedAt: z.string().optional().describe("When it was first about to be pushed; at most three an hour and repository."),
  pushedAt: z.string().optional().describe("When the branch was last written."),
  reopened: z.boolean().optional().describe("A bot closed the pull request, or the branch vanished, and it was opened once more."),
  pullRequest: z
    .object({ number: z.int(), url: z.string() })
    .optional()
    .describe("The pull request on the Git host."),
  conflicts: z.array(z.string()).optional().describe("Paths for which no clean inverse exists."),
  mergeCommit: z.string().optional().describe("The commit by which the pull request was merged, as the Git host says."),
  undone: z.boolean().optional().describe("Merged, but a later commit had brought the failed values back before that was fetched: they are refused."),
  endedAt: z.string().optional().describe("When it was merged, declined or superseded."),
});

/** The kind Revert. */
export const revert = {
  kind: "Revert",
  plural: "reverts",
  singular: "revert",
  shortNames: [],
  description: "One bad change on its way out of Git. Held back in the cluster until it is.",
  spec,
  status,
  initialStatus: { phase: "Planned" },
  columns: [
    { name: "Canary", type: "string", jsonPath: ".spec.canaryRef.name", description: "Whose release failed." },
    { name: "Commit", type: "string", jsonPath: ".status.commits[0]", description: "The newest commit that it undoes." },
    { name: "Phase", type: "string", jsonPath: ".status.phase", description: "How far it is." },
    { name: "Pull Request", type: "string", jsonPath: ".status.pullRequest.url", description: "Where people decide." },
    { name: "Message", type: "string", jsonPath: ".status.conditions[?(@.type==\"Ready\")].message", description: "Why.", priority: 1 },
    { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp", description: "Since when it exists." },
  ],
} as const satisfies Kind;

export type RevertSpec = z.infer<typeof spec>;
export type RevertStatus = z.infer<typeof status>;
export type Revert = Resource<RevertSpec, RevertStatus>;
