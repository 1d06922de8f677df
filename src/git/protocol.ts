import { messageOf, StalledError } from "../lib/errors.ts";
import { type Git, GitError, type GitErrorReason } from "./git.ts";

/** What runs in the child process: all of Git but its own end. */
export type GitCore = Omit<Git, "close">;

/** Arguments as they travel: the signal is replaced by abort messages. */
export type SentArguments<Method extends keyof GitCore> =
  Parameters<GitCore[Method]> extends [...infer Sent, AbortSignal] ? Sent : Parameters<GitCore[Method]>;

/** From the parent to the child. */
export type ToWorker =
  | { readonly type: "start"; readonly dir: string }
  | { readonly type: "call"; readonly id: number; readonly method: keyof GitCore; readonly args: readonly unknown[] }
  | { readonly type: "abort"; readonly id: number };

/** From the child to the parent. `memory` is sent only where the parent cannot see it for itself. */
export type FromWorker =
  | { readonly type: "done"; readonly id: number; readonly value: unknown }
  | { readonly type: "failed"; readonly id: number; readonly failure: Failure }
  | { readonly type: "memory"; readonly bytes: number };

/** An error as it travels. */
interface Failure {
  readonly kind: "git" | "stalled";
  readonly reason: string;
  readonly message: string;
}

/** Readies an error for the way to the parent: only its reason and its messages. */
export function toFailure(error: unknown): Failure {
  if (error instanceof GitError) return { kind: "git", reason: error.reason, message: error.message };
  if (error instanceof StalledError) return { kind: "stalled", reason: error.reason, message: error.message };
  return { kind: "git", reason: "GitOperationFailed" satisfies GitErrorReason, message: messageOf(error) };
}

/** The error again, of the class it had. */
export function fromFailure({ kind, reason, message }: Failure): Error {
  // The child sends only reasons of GitError.
  return kind === "stalled" ? new StalledError(reason, message) : new GitError(reason as GitErrorReason, message);
}
