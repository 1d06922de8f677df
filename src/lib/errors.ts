/**
 * The object cannot progress until a human changes it. Sets Stalled; not retried.
 * The message names the object or field path and the way out: it is shown to the user as it is.
 */
export class StalledError extends Error {
  /** CamelCase; ends up as the condition's reason. */
  readonly reason: string;

  constructor(reason: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "StalledError";
    this.reason = reason;
  }
}

/** Something else must happen first. Sets Ready=False with the reason; retried after `afterMs`, without backoff. */
export class WaitingError extends Error {
  /** CamelCase; ends up as the condition's reason. */
  readonly reason: string;
  readonly afterMs: number;
  /** Whether it rarely comes by itself, so that people should look. */
  readonly alarming: boolean;

  constructor(reason: string, message: string, afterMs: number, options?: ErrorOptions & { readonly alarming?: boolean }) {
    super(message, options);
    this.name = "WaitingError";
    this.alarming = options?.alarming ?? false;
    this.reason = reason;
    this.afterMs = afterMs;
  }
}

/** The error's own message and those of its causes, joined by ": ", for a status or a log line. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${messageOf(error.cause)}`;
}
