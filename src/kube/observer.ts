/** How a controller's queue is at this moment. */
export interface QueueState {
  /** Keys that wait for a worker. */
  readonly ready: number;
  /** Keys that wait for their time: a retry, an interval. */
  readonly delayed: number;
  /** How long the longest of the reconciles under way has taken so far, in milliseconds; 0 when there is none. */
  readonly longestRunningMs: number;
}

/** How one reconcile ended. */
export interface ReconcileOutcome {
  readonly result: "success" | "conflict" | "waiting" | "error" | "stalled";
  /** Reason of the condition that says so; missing for success and conflict. */
  readonly reason?: string | undefined;
  readonly durationMs: number;
}

/** Told of the work of controllers, for metrics. `kind` is that of the objects. Calls must be cheap and must not throw. */
export interface ReconcileObserver {
  /** The controller's caches are filled and it begins. Returns what is called when it has ended. */
  started(kind: string, queue: () => QueueState): () => void;
  /** A key was taken by a worker after it had been ready for this long. */
  taken(kind: string, waitedMs: number): void;
  reconciled(kind: string, outcome: ReconcileOutcome): void;
}

/** Verbs as the API server names them. */
export const requestVerbs = ["get", "list", "watch", "create", "apply", "patch", "update", "delete"] as const;

/** One request to the API server, sent once: a request that is sent again is told of again. */
export interface SentRequest {
  readonly verb: (typeof requestVerbs)[number];
  /** HTTP status; 0 when there was no answer. */
  readonly code: number;
  /** Until the answer began. */
  readonly durationMs: number;
}

/** Told of every request, for metrics. Must be cheap and must not throw. */
export type RequestObserver = (request: SentRequest) => void;
