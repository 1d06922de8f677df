import type { Answer } from "./answer.ts";

/** How the process is. */
export interface Health {
  /** Why no work can be done yet, e.g. "informers are not synced"; `undefined`: ready. Must be cheap and must not throw. */
  notReady(): string | undefined;
}

/** Answers `/healthz` (the process runs) and `/readyz` (it can work); `undefined` for any other path. */
export function healthAnswer(health: Health, path: string): Answer | undefined {
  if (path === "/healthz") return { status: 200, text: "ok" };
  if (path !== "/readyz") return undefined;
  const reason = health.notReady();
  return reason === undefined ? { status: 200, text: "ok" } : { status: 503, text: reason };
}
