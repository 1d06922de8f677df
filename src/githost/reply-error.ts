import { GitHostError, type GitHostErrorReason } from "./git-host.ts";

/** What a host said when it did not do what it was asked. */
interface Refusal {
  /** HTTP status. */
  readonly status: number;
  /** The host's own words; may be empty. */
  readonly words: string;
  /** Method and address of the request, without credentials. */
  readonly call: string;
  /** Whether the headers say that it was asked too often. */
  readonly throttled: boolean;
  /** Whether the call was for credentials, not for the repository: then 404 says that those are wrong. */
  readonly signingIn?: boolean;
}

/** The error for a refusal. Whatever says nothing about the pull request becomes `Unknown`. */
export function replyError(refusal: Refusal): GitHostError {
  const reason = reasonOf(refusal);
  const answer = `${refusal.status} ${printable(refusal.words)}`.trimEnd();
  return new GitHostError(reason, `${refusal.call}: ${answer}${wayOut[reason]}`);
}

const wayOut: Record<GitHostErrorReason, string> = {
  Unauthorized: " (spec.host.secretRef: the token or App must be valid and may write pull requests and issue comments of this repository)",
  RepositoryNotFound: " (no such repository or branch, or the token may not see it: check spec.url and spec.host.secretRef)",
  RepositoryArchived: " (the repository is archived: unarchive it, or suspend this GitRepository)",
  NoDifference: "",
  Unknown: "",
};

function reasonOf({ status, words, throttled, signingIn = false }: Refusal): GitHostErrorReason {
  switch (status) {
    case 401:
      return "Unauthorized";
    case 403:
      return forbidden(words, throttled);
    case 404:
      return signingIn ? "Unauthorized" : "RepositoryNotFound";
    case 409:
    case 422:
      return /\bno (commits|changes) between\b/i.test(words) ? "NoDifference" : "Unknown";
    case 423:
      return "RepositoryArchived";
    default:
      return "Unknown";
  }
}

function forbidden(words: string, throttled: boolean): GitHostErrorReason {
  if (/\barchived\b/i.test(words)) return "RepositoryArchived";
  // GitHub answers 403 when it is asked too often: that says nothing about the token.
  return throttled || /\brate limit\b/i.test(words) ? "Unknown" : "Unauthorized";
}

/** Host text fit for a status or a log line: one line, no control characters, at most 300 characters. */
function printable(text: string): string {
  const line = text.replace(/[\p{Cc}\p{Cf}]+/gu, " ").trim();
  return line.length > 300 ? `${line.slice(0, 300)}…` : line;
}
