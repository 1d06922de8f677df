import type { CauseField } from "../../api/cause.ts";
import { keyOf, type KubeObject } from "../../api/object.ts";
import type { Revert } from "../../api/revert.ts";
import type { Sync } from "../../api/sync.ts";
import { sharedConfigs } from "../../revert/config-users.ts";
import type { Hold } from "../../revert/hold.ts";
import type { RevertDeps } from "./deps.ts";
import { heldSecret, type SecretPlace } from "./held-secret.ts";
import { type RefusedAgain, refusedAgain, type RefusedDeps } from "./refused.ts";
import { targetOf } from "./target.ts";
import { digestFor, recordedContent, recordedValue } from "./secrets.ts";

type Deps = RefusedDeps & Pick<RevertDeps, "log">;

/** Whether a Revert keeps its change out of the cluster: in every phase until it ends or a person deletes it. */
export function isHolding({ metadata, status }: Revert): boolean {
  return metadata.deletionTimestamp === undefined && !isEnded(status.phase);
}

/** Whether this phase is one of those in which a Revert has ended. */
export function isEnded(phase: Revert["status"]["phase"]): boolean {
  return phase === "Merged" || phase === "Declined" || phase === "Superseded";
}

/**
 * What a Sync holds back (design rules 2 and 8): the causes of its active Reverts, and refused values that its rendering
 * brings back. Needs no Git host, and Git only to read a commit message that was fetched already.
 */
export async function holdsOf(deps: Deps, sync: Sync, rendered: readonly KubeObject[], signal: AbortSignal): Promise<Hold[]> {
  const active = deps.reverts.list().filter((revert) => isHolding(revert) && actsOn(revert, sync));
  const holds = await Promise.all(active.map((revert) => activeHold(deps, { sync, rendered }, revert, signal)));
  const again = await refusedAgain(deps, sync, { rendered, active: new Set(active.map(({ metadata }) => keyOf(metadata))) }, signal);
  return [...holds, ...(await Promise.all(again.map((refused) => refusedHold(deps, { sync, rendered }, refused, signal))))];
}

/** Reverts by the Sync that they act on while they hold, and Canaries that refuse something. */
const holdingIndex = "revert: holds back from";
const refusingIndex = "canary: refuses";

/**
 * As {@link holdsOf}, rendering only when there is something that could be held: most of the time there is not, and finding
 * that out costs the same however many Reverts and Canaries there are. Call once, at wiring: defines indexes.
 */
export function lazyHoldsOf(
  deps: Deps,
): (sync: Sync, rendered: () => Promise<readonly KubeObject[]>, signal: AbortSignal) => Promise<Hold[]> {
  deps.reverts.addIndex(holdingIndex, (revert) => (isHolding(revert) ? [keyOfSync(revert)] : []));
  deps.canaries.addIndex(refusingIndex, ({ status }) => ((status.refused ?? []).length > 0 ? ["yes"] : []));
  return async (sync, rendered, signal) => {
    // After a start nothing may go out before it is known what is held back.
    await Promise.all([deps.reverts.informer.whenSynced(signal), deps.canaries.informer.whenSynced(signal)]);
    const active = deps.reverts.byIndex(holdingIndex, keyOf(sync.metadata)).length > 0;
    const refused = deps.canaries.byIndex(refusingIndex, "yes").length > 0;
    return active || refused ? holdsOf(deps, sync, await rendered(), signal) : [];
  };
}

/** Whether the Revert's Sync is this one. */
export function actsOn(revert: Revert, { metadata: { namespace, name } }: Sync): boolean {
  return keyOfSync(revert) === keyOf({ namespace, name });
}

function keyOfSync({ metadata, spec: { syncRef } }: Revert): string {
  return keyOf({ namespace: syncRef.namespace ?? metadata.namespace, name: syncRef.name });
}

interface Rendered {
  readonly sync: Sync;
  readonly rendered: readonly KubeObject[];
}

async function activeHold(deps: Deps, { sync, rendered }: Rendered, revert: Revert, signal: AbortSignal): Promise<Hold> {
  const namespace = revert.metadata.namespace ?? "";
  const { canaryRef, cause } = revert.spec;
  const target = targetOf(revert, rendered);
  const shared = sharedConfigs({ name: target, namespace }, rendered);
  const fields = cause.filter(({ object }) => !shared.has(object));
  return holdOf(deps, { canary: canaryRef.name, namespace, target, sync, rendered, branch: revert.status }, fields, signal);
}

/** The hold with the values of Secrets filled in. */
async function holdOf(
  deps: Deps,
  place: Omit<SecretPlace, "digest">,
  fields: readonly CauseField[],
  signal: AbortSignal,
): Promise<Hold> {
  const { canary, namespace } = place;
  if (!fields.some(({ secret }) => secret)) return { canary, namespace, fields };
  const digest = await digestFor(deps, namespace, fields, signal);
  const filled = await Promise.all(
    fields.map(async (field) => (field.secret ? heldSecret(deps, { ...place, digest }, field, signal) : field)),
  );
  return { canary, namespace, fields: filled.filter((field) => field !== undefined), salt: digest("salt") };
}

/** The refused fields with what is promoted by now: other versions may have been promoted since the failure. */
async function refusedHold(deps: Deps, { sync, rendered }: Rendered, { canary, fields }: RefusedAgain, signal: AbortSignal): Promise<Hold> {
  const { namespace = "", name } = canary.metadata;
  const content = await recordedContent(deps.kube, { namespace, name: `${name}-${canary.status.promotedRevision ?? ""}` }, signal);
  const now = fields.map((field) => (content ? { ...field, promoted: recordedValue(content, field) } : field));
  return holdOf(deps, { canary: name, namespace, target: canary.spec.targetRef.name, sync, rendered }, now, signal);
}
