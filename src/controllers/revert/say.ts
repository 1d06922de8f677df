import type { Canary } from "../../api/canary.ts";
import { findCondition, type Outcome, setCondition } from "../../api/conditions.ts";
import { keyOf } from "../../api/object.ts";
import type { Revert, RevertStatus } from "../../api/revert.ts";
import type { RevertDeps } from "./deps.ts";
import type { Obstacle } from "./obstacles.ts";
import { held, statusWith } from "./outcome.ts";

/** Says in the status why nothing is proposed, with an event when the reason is new. The same again writes nothing. */
export async function say(deps: RevertDeps, revert: Revert, obstacle: Obstacle, signal: AbortSignal): Promise<Revert> {
  const { reason, message, phase, conflicts, pullRequest, quiet } = obstacle;
  const before = findCondition(revert.status.conditions, "Ready")?.reason;
  const next = phase ?? (revert.status.phase === "Proposed" ? "Proposed" : "Planned");
  const change: Partial<RevertStatus> = {
    phase: next,
    ...(conflicts === undefined ? {} : { conflicts: [...conflicts] }),
    ...(pullRequest === undefined ? {} : { pullRequest }),
  };
  const said = await deps.reverts.patchStatus(revert, statusWith(deps, revert, change, held(reason, message)), signal);
  if (before !== reason && !quiet) deps.events.warning({ ...revert }, reason, message);
  if (missing.has(reason)) await tellCanary(deps, revert, { reason, message }, signal);
  return said;
}

/** What stands in the way of any change in Git, until a person gives the controller what it lacks. */
const missing = new Set([
  "RevertNotPossible",
  "AuthenticationFailed",
  "HostUnauthorized",
  "HostCredentialsMissing",
  "HostCredentialsInvalid",
  "SecretNotFound",
]);

/** That the pull request is open; also after something else was in the way for a while. */
export async function sayProposed(
  deps: RevertDeps,
  revert: Revert,
  { number, url }: { number: number; url: string },
  signal: AbortSignal,
): Promise<Revert> {
  const outcome: Outcome = {
    ready: "True",
    reason: "Proposed",
    message: `Waiting for a person to decide on ${url}; the change is held back meanwhile`,
    state: "done",
  };
  const said = await deps.reverts.patchStatus(
    revert,
    statusWith(deps, revert, { phase: "Proposed", pullRequest: { number, url }, conflicts: undefined }, outcome),
    signal,
  );
  await tellCanary(deps, revert, undefined, signal);
  return said;
}

/** That the pull request no longer fits HEAD and follows soon. */
export async function sayOutdated(deps: RevertDeps, revert: Revert, { url }: { url: string }, signal: AbortSignal): Promise<Revert> {
  const outcome: Outcome = {
    ready: "Unknown",
    reason: "Outdated",
    message: `${url} no longer merges cleanly or no longer undoes the cause: it is made anew, at most every 15 minutes; the change is held back meanwhile`,
    state: "reconciling",
  };
  return deps.reverts.patchStatus(revert, statusWith(deps, revert, { phase: "Proposed" }, outcome), signal);
}

/** That the revert is on the followed branch itself. */
export async function sayPushed(
  deps: RevertDeps,
  revert: Revert,
  { branch, commit }: { branch: string; commit: string },
  signal: AbortSignal,
): Promise<Revert> {
  const outcome: Outcome = { ready: "True", reason: "Pushed", message: `The revert is on ${branch} as ${commit}`, state: "done" };
  const said = await deps.reverts.patchStatus(revert, statusWith(deps, revert, { phase: "Proposed" }, outcome), signal);
  await tellCanary(deps, revert, undefined, signal);
  return said;
}

/** The condition RevertNotPossible on the Canary says what is missing (design rule 12); without a problem it goes. */
export async function tellCanary(
  deps: Pick<RevertDeps, "canaries" | "clock">,
  { metadata, spec }: Revert,
  problem: { reason: string; message: string } | undefined,
  signal: AbortSignal,
): Promise<void> {
  const canary = deps.canaries.find(keyOf({ namespace: metadata.namespace, name: spec.canaryRef.name }));
  if (canary) await sayOnCanary(deps, canary, problem, signal);
}

/** As {@link tellCanary}, for a Canary that was just read. */
export async function sayOnCanary(
  deps: Pick<RevertDeps, "canaries" | "clock">,
  canary: Canary,
  problem: { reason: string; message: string } | undefined,
  signal: AbortSignal,
): Promise<void> {
  const { conditions = [] } = canary.status;
  if (!problem && !conditions.some(({ type }) => type === "RevertNotPossible")) return;
  const at = { generation: canary.metadata.generation ?? 0, nowMs: deps.clock.nowMs() };
  const { reason, message } = problem ?? { reason: "", message: "" };
  const next = problem
    ? setCondition(conditions, { type: "RevertNotPossible", status: "True", reason, message }, at)
    : conditions.filter(({ type }) => type !== "RevertNotPossible");
  await deps.canaries.patchStatus(canary, { ...canary.status, conditions: next }, signal);
}
