import type { GitRepository } from "../../api/git-repository.ts";
import { GitError, type GitErrorReason } from "../../git/git.ts";
import { parseDurationMs } from "../../lib/duration.ts";
import { WaitingError } from "../../lib/errors.ts";

/** What a person can do about it; a later commit or other credentials may mend it, so the remote is asked again. */
const advice: Readonly<Record<GitErrorReason, string | undefined>> = {
  AuthenticationFailed: "check the credentials in spec.secretRef and that they may read the repository",
  RepositoryNotFound: "check spec.url, and that the credentials may see the repository",
  BranchNotFound: "check spec.ref.branch",
  StaleRef: undefined,
  PushRefused: undefined,
  HistoryUnavailable: undefined,
  LimitExceeded: "make the repository smaller, or split it",
  UnsafeContent: "remove that from the repository",
  CorruptData: undefined,
  GitOperationFailed: undefined,
};

/** How soon an answer that only somebody else can change is asked for again, at most. */
const maxRetryMs = 60_000;

/**
 * The error for a GitRepository's condition. What somebody may mend at the remote is asked for again at the interval, without
 * a growing backoff; what is already a Stalled or Waiting error stays as it is.
 */
export function sourceError(repository: GitRepository, error: unknown): unknown {
  if (!(error instanceof GitError)) return error;
  const { url, interval, ref } = repository.spec;
  const hint = advice[error.reason];
  const kept = repository.status.revision === undefined ? "" : `; ${repository.status.revision} stays in use`;
  const message = `${url} (branch ${ref.branch}): ${error.message}${hint === undefined ? "" : `; ${hint}`}${kept}`;
  if (hint === undefined) return new GitError(error.reason, message);
  return new WaitingError(error.reason, message, Math.min(parseDurationMs(interval), maxRetryMs));
}
