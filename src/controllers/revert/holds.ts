import type { Canary } from "../../api/canary.ts";
import { type CauseField, revisionContent } from "../../api/cause.ts";
import { keyOf, type KubeObject } from "../../api/object.ts";
import type { Revert } from "../../api/revert.ts";
import type { Sync } from "../../api/sync.ts";
import { sharedConfigs } from "../../revert/config-users.ts";
import { standingOf, valuesOf } from "../../revert/culprits.ts";
import type { Hold } from "../../revert/hold.ts";
import { parsePath, valueAt } from "../../revert/path.ts";
import { headOf, type RevertDeps, repositoryOf } from "./deps.ts";

type Deps = Pick<RevertDeps, "kube" | "reverts" | "canaries" | "repositories" | "git" | "remoteOf">;

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
  const refused = await refusedHolds(deps, sync, { rendered, active: new Set(active.map(({ metadata }) => keyOf(metadata))) }, signal);
  return [...holds, ...refused];
}

/** As {@link holdsOf}, rendering only when there is something that could be held: most of the time there is not. */
export function lazyHoldsOf(deps: Deps): (sync: Sync, rendered: () => Promise<readonly KubeObject[]>, signal: AbortSignal) => Promise<Hold[]> {
  return async (sync, rendered, signal) => {
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
  return holdOf(deps, { canary: revert.spec.canaryRef.name, namespace, fields: revert.spec.cause }, rendered, signal);
}

/** Leaves out what others run, and fills in what only the primary's copy of a Secret knows. */
async function holdOf(deps: Deps, hold: Hold, rendered: readonly KubeObject[], signal: AbortSignal): Promise<Hold> {
  const target = targetOf(hold.fields) ?? deps.canaries.find(keyOf({ namespace: hold.namespace, name: hold.canary }))?.spec.targetRef.name ?? "";
  const shared = sharedConfigs({ name: target, namespace: hold.namespace }, rendered);
  const own = hold.fields.filter(({ object }) => !shared.has(object));
  return { ...hold, fields: await Promise.all(own.map((field) => withPrimarySecret(deps, hold.namespace, field, signal))) };
}

function targetOf(fields: readonly CauseField[]): string | undefined {
  return fields.find(({ object }) => object.startsWith("Deployment/"))?.object.slice("Deployment/".length);
}

async function withPrimarySecret({ kube }: Deps, namespace: string, field: CauseField, signal: AbortSignal): Promise<CauseField> {
  if (!field.secret) return field;
  const name = field.object.slice("Secret/".length);
  const secret = await kube.find({ apiVersion: "v1", kind: "Secret", namespace, name: `${name}-primary` }, signal);
  return secret ? { ...field, promoted: valueAt(secret, parsePath(field.path)) } : field;
}

async function refusedHolds(
  deps: Deps,
  sync: Sync,
  { rendered, active }: { rendered: readonly KubeObject[]; active: ReadonlySet<string> },
  signal: AbortSignal,
): Promise<Hold[]> {
  const inSync = new Set(rendered.filter(({ kind }) => kind === "Deployment").map(({ metadata }) => keyOf(metadata)));
  const own = deps.canaries.list().filter(({ metadata, spec }) => inSync.has(keyOf({ namespace: metadata.namespace, name: spec.targetRef.name })));
  const found = own.flatMap((canary) => refusedAgain(canary, rendered, active));
  if (found.length === 0 || (await saysItReverts(deps, sync, found, signal))) return [];
  return Promise.all(found.map(async ({ canary, fields }) => ({
    canary: canary.metadata.name,
    namespace: canary.metadata.namespace ?? "",
    fields: await promotedNow(deps, canary, fields, signal),
  })));
}

interface RefusedAgain {
  readonly canary: Canary;
  readonly revert: string;
  readonly fields: readonly CauseField[];
}

/** Refused values that the rendering names again, and that no active Revert holds already. */
function refusedAgain(canary: Canary, rendered: readonly KubeObject[], active: ReadonlySet<string>): RefusedAgain[] {
  const namespace = canary.metadata.namespace ?? "";
  return (canary.status.refused ?? [])
    .filter(({ revert, declined }) => !declined && !active.has(keyOf({ namespace, name: revert })))
    .flatMap(({ revert, fields }) => {
      const deciding = fields.filter(({ decides, secret }) => decides && !secret);
      const values = valuesOf(deciding, namespace, rendered);
      const back = deciding.length > 0 && deciding.every((field, position) => standingOf([field], [values[position]]) === "failed");
      return back ? [{ canary, revert, fields: deciding }] : [];
    });
}

/** Whether the newest commit's message says that it takes our revert back: a person wants the change again. */
async function saysItReverts(deps: Deps, sync: Sync, found: readonly RefusedAgain[], signal: AbortSignal): Promise<boolean> {
  const repository = repositoryOf(deps, sync);
  const head = repository && headOf(repository);
  if (!repository || !head) return false;
  const { message } = await deps.git.commit(await deps.remoteOf(repository, signal), head, signal);
  const ours = found.flatMap(({ canary, revert }) => {
    const commit = deps.reverts.find(keyOf({ namespace: canary.metadata.namespace, name: revert }))?.status.commit;
    return commit ? [commit] : [];
  });
  return ours.some((commit) => message.includes(commit)) || found.some(({ revert }) => message.includes(`Reapply ${revert}`));
}

/** The same fields with what is promoted by now: other versions may have been promoted since the failure. */
async function promotedNow({ kube }: Deps, { metadata, status }: Canary, fields: readonly CauseField[], signal: AbortSignal): Promise<CauseField[]> {
  const name = `${metadata.name}-${status.promotedRevision ?? ""}`;
  const stored = await kube.find({ apiVersion: "apps/v1", kind: "ControllerRevision", namespace: metadata.namespace, name }, signal);
  const content = revisionContent.safeParse(stored?.["data"]);
  if (!content.success) return [...fields];
  return fields.map((field) => {
    const config = content.data.configs[field.object];
    const root = field.object.startsWith("Deployment/") ? { spec: { template: content.data.template } } : { data: config };
    return { ...field, promoted: valueAt(root, parsePath(field.path)) };
  });
}
