import type { Sync } from "../../api/sync.ts";
import { KubeError } from "../../kube/kube.ts";
import { parseDurationMs } from "../../lib/duration.ts";
import { WaitingError } from "../../lib/errors.ts";
import { describeStep, type Refusal } from "./apply.ts";
import type { Planned } from "./observe.ts";

const maxNamed = 20;
/** Kinds and namespaces often come from somewhere else soon. */
const soonMs = 15_000;

/** The error for writes that were refused: all of them, each with its object and its place in the repository. */
export function refusalError(sync: Sync, refused: readonly Refusal[], placeOf: Planned["placeOf"]): unknown {
  const stale = refused.find(({ error }) => error instanceof KubeError && error.reason === "Conflict");
  if (stale) return stale.error;
  const told = refused.slice(0, maxNamed).map(({ step, error }) => `${describeStep(step.ref, placeOf(step.ref))}: ${explain(step, error)}`);
  const more = refused.length > maxNamed ? `; and ${refused.length - maxNamed} more` : "";
  const message = `${told.join("; ")}${more}`;
  const answers = refused.map(({ error }) => error);
  if (answers.some((error) => !isFinal(error))) return new Error(message);
  const reason = answers.some((error) => error instanceof KubeError && error.code === 403) ? "AccessDenied" : "ReconciliationFailed";
  // What the cluster refuses may be accepted without a new commit, once a quota, a role or another object changes.
  const mayComeSoon = answers.every((error) => error instanceof KubeError && error.code === 404);
  const retryMs = parseDurationMs(sync.spec.retryInterval ?? sync.spec.interval);
  return new WaitingError(reason, message, mayComeSoon ? Math.min(soonMs, retryMs) : retryMs, { alarming: !mayComeSoon });
}

function isFinal(error: unknown): boolean {
  return error instanceof KubeError && error.code >= 400 && error.code < 500 && error.code !== 429;
}

function explain({ ref }: Refusal["step"], error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const missing = error instanceof KubeError && error.code === 404 ? /namespaces "([^"]+)" not found/.exec(error.message) : undefined;
  if (missing) return `namespace ${missing[1]} does not exist; create it or add it to the repository`;
  return ref.kind === "Secret" ? withoutValues(error.message) : error.message;
}

/** `expected string, got &{hunter2}`: the API server quotes what it could not read, and of a Secret that is the secret. */
function withoutValues(message: string): string {
  return message.replaceAll(/(: expected [^,\n]+), got [^\n]*/g, "$1");
}
