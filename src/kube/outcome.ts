import type { Outcome } from "../api/conditions.ts";
import { messageOf, StalledError, WaitingError } from "../lib/errors.ts";
import { KubeError } from "./kube.ts";

/** What a failed reconcile means: what to tell, and when to try again. */
export type Failure =
  /** Somebody else wrote first: read again, soon and without a word. */
  | { readonly retry: "conflict" }
  /** A human must act. */
  | { readonly retry: "never"; readonly outcome: Outcome }
  /** Something else must happen first. */
  | { readonly retry: "after"; readonly afterMs: number; readonly alarming: boolean; readonly outcome: Outcome }
  | { readonly retry: "backoff"; readonly outcome: Outcome };

const maxMessage = 4_096;

/**
 * What the error says the loop must do. The class counts wherever it stands in the chain of causes, so that wrapping an
 * error with what was being done does not change what it means.
 */
export function failureOf(error: unknown): Failure {
  const chain = causesOf(error);
  const message = messageOf(error).slice(0, maxMessage);
  const stalled = chain.find((cause) => cause instanceof StalledError);
  if (stalled) return { retry: "never", outcome: { ready: "False", state: "stalled", reason: stalled.reason, message } };
  const waiting = chain.find((cause) => cause instanceof WaitingError);
  if (waiting) {
    const { reason, afterMs, alarming } = waiting;
    return { retry: "after", afterMs, alarming, outcome: { ready: "False", state: "reconciling", reason, message } };
  }
  if (chain.some(isStaleWrite)) return { retry: "conflict" };
  return {
    retry: "backoff",
    outcome: { ready: "False", state: "reconciling", reason: ownReason(error) ?? "ReconciliationFailed", message },
  };
}

/** A write that was based on an old version of the object. A dispute about fields is also HTTP 409, but does not go away. */
function isStaleWrite(error: unknown): boolean {
  return error instanceof KubeError && error.reason === "Conflict" && !error.causes.some(({ reason }) => reason === "FieldManagerConflict");
}

/** The reason that the error itself carries. The API server's reasons speak of one request, not of the object. */
function ownReason(error: unknown): string | undefined {
  if (!(error instanceof Error) || error instanceof KubeError || !("reason" in error)) return undefined;
  return typeof error.reason === "string" && /^[A-Z][A-Za-z0-9]*$/.test(error.reason) ? error.reason : undefined;
}

function causesOf(error: unknown): unknown[] {
  const chain: unknown[] = [];
  for (let cause = error; cause !== undefined && !chain.includes(cause); cause = cause instanceof Error ? cause.cause : undefined)
    chain.push(cause);
  return chain;
}
