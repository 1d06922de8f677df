import type { CauseField } from "../../api/cause.ts";
import { keyOf, type KubeObject } from "../../api/object.ts";
import type { Revert } from "../../api/revert.ts";
import type { Sync } from "../../api/sync.ts";
import { sharedConfigs } from "../../revert/config-users.ts";
import { names } from "../../api/meta.ts";
import type { Hold } from "../../revert/hold.ts";
import { parsePath, valueAt } from "../../revert/path.ts";
import { type RefusedAgain, refusedAgain, type RefusedDeps } from "./refused.ts";
import { recordedContent, recordedValue, renderedSecret, withDigests } from "./secrets.ts";
import { secretDigest } from "../../canary/revision.ts";

type Deps = RefusedDeps;

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
  const holds = await Promise.all(active.map((revert) => activeHold(deps, revert, rendered, signal)));
  const again = await refusedAgain(deps, sync, { rendered, active: new Set(active.map(({ metadata }) => keyOf(metadata))) }, signal);
  return [...holds, ...(await Promise.all(again.map((refused) => refusedHold(deps, refused, signal))))];
}

/** As {@link holdsOf}, rendering only when there is something that could be held: most of the time there is not. */
export function lazyHoldsOf(
  deps: Deps,
): (sync: Sync, rendered: () => Promise<readonly KubeObject[]>, signal: AbortSignal) => Promise<Hold[]> {
  return async (sync, rendered, signal) => {
    // After a start nothing may go out before it is known what is held back.
    await Promise.all([deps.reverts.informer.whenSynced(signal), deps.canaries.informer.whenSynced(signal)]);
    const active = deps.reverts.list().some((revert) => isHolding(revert) && actsOn(revert, sync));
    const refused = deps.canaries.list().some(({ status }) => (status.refused ?? []).length > 0);
    return active || refused ? holdsOf(deps, sync, await rendered(), signal) : [];
  };
}

/** Whether the Revert's Sync is this one. */
export function actsOn({ metadata, spec }: Revert, sync: Sync): boolean {
  return spec.syncRef.name === sync.metadata.name && (spec.syncRef.namespace ?? metadata.namespace) === sync.metadata.namespace;
}

async function activeHold(deps: Deps, revert: Revert, rendered: readonly KubeObject[], signal: AbortSignal): Promise<Hold> {
  const namespace = revert.metadata.namespace ?? "";
  const canary = revert.spec.canaryRef.name;
  const cause = await withDigests(deps, revert, signal);
  const target = targetOf(cause) ?? deps.canaries.find(keyOf({ namespace, name: canary }))?.spec.targetRef.name ?? "";
  const shared = sharedConfigs({ name: target, namespace }, rendered);
  const own = cause.filter(({ object }) => !shared.has(object));
  const place = { canary, namespace, target, rendered };
  const fields = await Promise.all(own.map(async (field) => (field.secret ? heldSecret(deps, place, field, signal) : field)));
  return { canary, namespace, fields: fields.filter((field) => field !== undefined) };
}

function targetOf(fields: readonly CauseField[]): string | undefined {
  return fields.find(({ object }) => object.startsWith("Deployment/"))?.object.slice("Deployment/".length);
}

interface Place {
  readonly canary: string;
  readonly namespace: string;
  readonly target: string;
  readonly rendered: readonly KubeObject[];
}

/** The field of a Secret with its promoted value, which only the primary's copy knows; `undefined` when it is to be left alone. */
async function heldSecret(
  { kube }: Deps,
  { canary, namespace, target, rendered }: Place,
  field: CauseField,
  signal: AbortSignal,
): Promise<CauseField | undefined> {
  const name = field.object.slice("Secret/".length);
  const path = parsePath(field.path);
  const written = rendered.find(({ kind, metadata }) => kind === "Secret" && metadata.name === name && metadata.namespace === namespace);
  const now = written && valueAt({ data: renderedSecret(written) }, path);
  const isFailed = typeof now === "string" && secretDigest(now) === field.failed;
  if (!field.decides && !isFailed) return undefined;
  const copies = await Promise.all(
    [`${target}-${name}-primary`, `${name}-primary`].map((copy) =>
      kube.find({ apiVersion: "v1", kind: "Secret", namespace, name: copy }, signal),
    ),
  );
  const copy = copies.find((one) => one !== undefined && isCopyOf(one, canary));
  return copy && { ...field, promoted: valueAt(copy, path), decides: true };
}

/** Copies carry their Canary's label; somebody else's Secret of that name is none. */
function isCopyOf({ metadata }: KubeObject, canary: string): boolean {
  return metadata.labels?.[names.canary] === canary;
}

/** The refused fields with what is promoted by now: other versions may have been promoted since the failure. */
async function refusedHold({ kube }: Deps, { canary, fields }: RefusedAgain, signal: AbortSignal): Promise<Hold> {
  const { namespace = "", name } = canary.metadata;
  const content = await recordedContent(kube, { namespace, name: `${name}-${canary.status.promotedRevision ?? ""}` }, signal);
  return {
    canary: name,
    namespace,
    fields: fields.map((field) => (content ? { ...field, promoted: recordedValue(content, field) } : field)),
  };
}
