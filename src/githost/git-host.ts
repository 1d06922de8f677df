/** A pull request as the host knows it. */
export interface PullRequest {
  readonly number: number;
  readonly url: string;
  readonly state: "open" | "merged" | "closed";
  /** Login of who closed it without merging, as far as the host says. */
  readonly closedBy?: { readonly login: string; readonly bot: boolean } | undefined;
  /** Commit at the head of its branch when last seen. */
  readonly headCommit: string;
  readonly title: string;
  readonly body: string;
  /** Whether a person has approved it. */
  readonly approved: boolean;
  /** The commit that merging made on the base branch (merge, squash or last rebased commit), as far as the host says. */
  readonly mergeCommit?: string | undefined;
}

/** A pull request to be opened. */
export interface NewPullRequest {
  /** Branch names without refs/heads/. */
  readonly head: string;
  readonly base: string;
  readonly title: string;
  /** Markdown. */
  readonly body: string;
}

/** How a host call may fail. `Unknown` covers everything that says nothing about the pull request: 5xx, 429, timeouts, HTML. */
export const gitHostErrorReasons = [
  "Unauthorized", // 401, or a token that may not do this
  "RepositoryNotFound",
  "RepositoryArchived",
  "NoDifference", // head and base have the same content: there is nothing to merge
  "Unknown",
] as const;
export type GitHostErrorReason = (typeof gitHostErrorReasons)[number];

/** Thrown by every method of {@link GitHost}. Holds no token. The message names the host's own words. */
export class GitHostError extends Error {
  readonly reason: GitHostErrorReason;

  constructor(reason: GitHostErrorReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "GitHostError";
    this.reason = reason;
  }
}

/** One repository on a hosting service: only the methods we call. */
export interface GitHost {
  /** The newest pull request from this branch, in any state; `undefined`: there never was one. */
  findPullRequest(head: string, signal: AbortSignal): Promise<PullRequest | undefined>;
  /** Idempotent: when one is open for this head and base already, that one is returned. */
  createPullRequest(pullRequest: NewPullRequest, signal: AbortSignal): Promise<PullRequest>;
  updatePullRequest(
    number: number,
    change: { title?: string; body?: string; state?: "open" | "closed" },
    signal: AbortSignal,
  ): Promise<void>;
  /** Adds a comment unless one with the same marker (hidden in the text) is there already. */
  comment(number: number, comment: { marker: string; body: string }, signal: AbortSignal): Promise<void>;
}

/** How to reach one repository's host. */
export interface GitHostOptions {
  /** Address of the API, without a slash at the end. */
  readonly apiURL: string;
  readonly owner: string;
  readonly repository: string;
  readonly credentials:
    { readonly token: string } | { readonly appId: string; readonly installationId: string; readonly privateKey: string };
  readonly timeoutMs: number;
}
