import type { Answer } from "./answer.ts";

/** How the process is. Both must be cheap and must not throw. */
export interface Health {
  /** Why the process should be ended and started anew, e.g. "the controllers have ended"; `undefined`: nothing speaks for it. */
  unhealthy(): string | undefined;
  /** Why no work can be done yet, e.g. "informers are not synced"; `undefined`: ready. */
  notReady(): string | undefined;
}

/** Answers `/healthz` (the process runs as it should) and `/readyz` (it can work); `undefined` for any other path. */
export function healthAnswer(health: Health, path: string): Answer | undefined {
  if (path === "/healthz") return answerFor(health.unhealthy());
  return path === "/readyz" ? answerFor(health.notReady()) : undefined;
}

function answerFor(reason: string | undefined): Answer {
  return reason === undefined ? { status: 200, text: "ok" } : { status: 503, text: reason };
}
