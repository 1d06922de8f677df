import { z } from "zod";
import { commonStatus, duration, type Kind, localRef, type Resource } from "./meta.ts";

const spec = z.object({
  url: z
    .string()
    .regex(/^https?:\/\/[^\s@]+$/)
    .describe("Address of the repository, http:// or https://. Credentials belong in secretRef, not here."),
  ref: z
    .object({ branch: z.string().min(1).max(255).default("master").describe("Branch to follow.") })
    .default({ branch: "master" })
    .describe("What to check out."),
  interval: duration.describe("How often the remote is asked for a new commit."),
  timeout: duration.default("60s").describe("Limit of one exchange with the remote."),
  secretRef: localRef
    .optional()
    .describe("Secret with `username` and `password`, or with `bearerToken`. May hold `ca.crt`, the authority that signed the server's certificate."),
  suspend: z.boolean().default(false).describe("Stop polling and fetching; what was fetched stays in use."),
  webhook: z
    .object({ secretRef: localRef.describe("Secret whose key `token` is the webhook's secret.") })
    .optional()
    .describe("Accept pushes from the Git host at /hooks/<namespace>/<name>: GitHub, GitLab, Gitea or generic HMAC, told apart by their headers."),
  host: z
    .object({
      kind: z.enum(["github", "gitea"]).describe("Which API the host speaks."),
      apiURL: z
        .string()
        .regex(/^https?:\/\/[^\s@]+$/)
        .optional()
        .describe("Address of the API. Default for github: https://api.github.com; for gitea: the repository's own host with /api/v1."),
      secretRef: localRef
        .optional()
        .describe("Secret with `token`, or for GitHub with `githubAppID`, `githubAppInstallationID` and `githubAppPrivateKey`. Default: the password or bearerToken of spec.secretRef."),
    })
    .optional()
    .describe("The Git host on which pull requests are opened."),
  commit: z
    .object({
      author: z
        .object({ name: z.string().min(1).default("Serin"), email: z.string().min(1).default("serin@serin.dev") })
        .default({ name: "Serin", email: "serin@serin.dev" })
        .describe("Author of the commits that Serin makes."),
      signingKey: z
        .object({ secretRef: localRef.describe("Secret with the key `identity`: an unencrypted OpenSSH private key.") })
        .optional()
        .describe("Sign the commits that Serin makes. A revert branch is then adopted only when this key signed it."),
    })
    .default({ author: { name: "Serin", email: "serin@serin.dev" } })
    .describe("How commits are made."),
});

const status = z.object({
  ...commonStatus,
  revision: z.string().optional().describe("What was fetched and verified, as `branch@sha1:commit`."),
  commit: z
    .object({ author: z.string(), subject: z.string(), time: z.string() })
    .optional()
    .describe("Author, first line and time of that commit."),
  revertBranches: z
    .array(z.object({ name: z.string().describe("Without refs/heads/."), commit: z.string() }))
    .optional()
    .describe("Branches under serin/revert/, listed together with the followed branch."),
});

/** The kind GitRepository. */
export const gitRepository = {
  kind: "GitRepository",
  plural: "gitrepositories",
  singular: "gitrepository",
  shortNames: ["gitrepo"],
  description: "Where the truth lives: a branch of a Git repository, and the host on which pull requests are opened.",
  spec,
  status,
  columns: [
    { name: "URL", type: "string", jsonPath: ".spec.url", description: "Address of the repository." },
    { name: "Ready", type: "string", jsonPath: ".status.conditions[?(@.type==\"Ready\")].status", description: "Whether the newest commit was fetched." },
    { name: "Revision", type: "string", jsonPath: ".status.revision", description: "What was fetched." },
    { name: "Message", type: "string", jsonPath: ".status.conditions[?(@.type==\"Ready\")].message", description: "Why." },
    { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp", description: "Since when it exists." },
  ],
} as const satisfies Kind;

export type GitRepositorySpec = z.infer<typeof spec>;
export type GitRepositoryStatus = z.infer<typeof status>;
export type GitRepository = Resource<GitRepositorySpec, GitRepositoryStatus>;

/** What a revision says: `branch@sha1:commit`. */
interface Revision {
  readonly branch: string;
  /** Full object name. */
  readonly commit: string;
}

/** The revision as a status keeps it. */
export function formatRevision({ branch, commit }: Revision): string {
  return `${branch}@sha1:${commit}`;
}

/** The branch and commit of a revision that {@link formatRevision} wrote; `undefined` for anything else, also for none. */
export function parseRevision(revision: string | undefined): Revision | undefined {
  const [, branch, commit] = /^(.+)@sha1:([0-9a-f]{40})$/.exec(revision ?? "") ?? [];
  return branch === undefined || commit === undefined ? undefined : { branch, commit };
}
