import type { CauseField } from "../../api/cause.ts";
import { apiVersion, managers, names } from "../../api/meta.ts";
import type { KubeObject } from "../../api/object.ts";
import type { Revert } from "../../api/revert.ts";
import { KubeError } from "../../kube/kube.ts";
import { type Cause, causeOf, isSameCause } from "../../revert/cause.ts";
import type { EnsureRevert, Failure } from "../failure.ts";
import type { RevertDeps } from "./deps.ts";
import { isEnded } from "./holds.ts";
import { managerOf } from "./manager.ts";
import { sayOnCanary } from "./say.ts";

type Deps = Pick<RevertDeps, "kube" | "canaries" | "clock">;

/**
 * Records a failure as a Revert, so that its Sync holds the change from its next run on. Where that cannot be, the Canary's
 * condition RevertNotPossible says what is missing. See {@link EnsureRevert}.
 */
export function ensureRevert(deps: Deps): EnsureRevert {
  return async (failure, signal) => {
    const { canary, promoted, failed, earlier } = failure;
    const { targetRef } = canary.spec;
    if (!promoted) return impossible(deps, failure, { reason: "NothingToReturnTo", message: "no revision was promoted yet, so there is nothing to return to" }, signal);
    const cause = causeOf(targetRef.name, promoted, failed, earlier);
    if (!cause) return undefined;
    const target = await deps.kube.find(
      { apiVersion: "apps/v1", kind: "Deployment", namespace: canary.metadata.namespace, name: targetRef.name },
      signal,
    );
    const syncRef = syncOwning(failure, target);
    if (!syncRef)
      return impossible(
        deps,
        failure,
        {
          reason: "NoSync",
          message: `Deployment ${targetRef.name} is not applied by a Sync: traffic has returned, but the change can neither be held back nor reverted in Git`,
        },
        signal,
      );
    const fields = cause.fields.map((field) => ({ ...field, ...managerOf(target, field) }));
    const existing = await deps.kube.list(
      { apiVersion, kind: "Revert" },
      { namespace: canary.metadata.namespace, labelSelector: `${names.canary}=${canary.metadata.name}` },
      signal,
    );
    const name = knownName(canary, cause, existing) ?? revertName(canary.metadata.name, cause);
    const same = existing.find(({ metadata }) => metadata.name === name);
    const held = same
      ? await holdAgain(deps, same as Existing, failure, signal)
      : await create(deps, revertObject(failure, { name, fields, syncRef }), failure, signal);
    return held ? name : undefined;
  };
}

type Existing = KubeObject & Pick<Revert, "status">;

/** Name under which this cause is known already: on a cluster that adopted its branch the id is another cluster's. */
function knownName({ status }: Failure["canary"], { fields }: Cause, existing: readonly KubeObject[]): string | undefined {
  const same = existing.find(({ spec }) => isSameCause((spec as Revert["spec"]).cause, fields));
  return same?.metadata.name ?? (status.refused ?? []).find((refused) => isSameCause(refused.fields, fields))?.revert;
}

async function impossible(
  deps: Deps,
  { canary }: Failure,
  problem: { reason: string; message: string },
  signal: AbortSignal,
): Promise<undefined> {
  await sayOnCanary(deps, canary, problem, signal);
}

/** Name of the Revert of a cause: the same bad change of the same Canary always has the same. */
export function revertName(canary: string, { id }: Cause): string {
  return `${canary}-${id}`;
}

/** The Sync whose labels the target carries; `undefined`: nobody applies it from Git. */
function syncOwning({ canary }: Failure, target: KubeObject | undefined): { name: string; namespace?: string } | undefined {
  const { namespace } = canary.metadata;
  const name = target?.metadata.labels?.[names.syncName];
  const syncNamespace = target?.metadata.labels?.[names.syncNamespace];
  if (!name) return undefined;
  return syncNamespace === undefined || syncNamespace === namespace ? { name } : { name, namespace: syncNamespace };
}

interface Wanted {
  readonly name: string;
  readonly fields: readonly CauseField[];
  readonly syncRef: { name: string; namespace?: string };
}

function revertObject({ canary, evidence, propose }: Failure, { name, fields, syncRef }: Wanted): KubeObject {
  return {
    apiVersion,
    kind: "Revert",
    metadata: {
      name,
      namespace: canary.metadata.namespace,
      labels: { [names.canary]: canary.metadata.name },
      finalizers: [names.finalizer],
    },
    spec: {
      canaryRef: { name: canary.metadata.name },
      syncRef,
      cause: fields,
      strategy: canary.spec.revert.strategy,
      scope: canary.spec.revert.scope,
      // A person who declined it once is not asked again (design rule 7).
      propose: propose && !wasDeclined(canary, name),
      evidence,
    },
  };
}

function wasDeclined({ status }: Failure["canary"], name: string): boolean {
  return (status.refused ?? []).some(({ revert, declined }) => revert === name && declined === true);
}

/** False: see {@link holdAgain}. */
async function create(deps: Deps, wanted: KubeObject, failure: Failure, signal: AbortSignal): Promise<boolean> {
  try {
    await deps.kube.create(wanted, { fieldManager: managers.canary }, signal);
    return true;
  } catch (error) {
    if (!(error instanceof KubeError && error.reason === "AlreadyExists")) throw error;
    const { name, namespace } = wanted.metadata;
    const existing = (await deps.kube.get({ apiVersion, kind: "Revert", namespace, name }, signal)) as Existing;
    return holdAgain(deps, existing, failure, signal);
  }
}

/**
 * A Revert that ended holds again when its cause failed again; one that still holds is left alone. False for one that is being
 * deleted: what it left in Git goes first, and its end brings the Canary back here.
 */
async function holdAgain(
  { kube }: Pick<Deps, "kube">,
  existing: Existing,
  failure: Failure,
  signal: AbortSignal,
): Promise<boolean> {
  const phase = existing.status?.phase;
  if (existing.metadata.deletionTimestamp !== undefined) return false;
  if (!isEnded(phase)) return true;
  const ref = { ...existing, namespace: existing.metadata.namespace, name: existing.metadata.name };
  const propose = failure.propose && phase !== "Declined" && !wasDeclined(failure.canary, ref.name);
  // That a person released it was said of the failure before.
  const unreleased = { annotations: { [names.release]: null } };
  await kube.patch(ref, { metadata: unreleased, spec: { evidence: failure.evidence, propose } }, { fieldManager: managers.canary }, signal);
  const cleared = Object.fromEntries(Object.keys(existing.status).map((field) => [field, null]));
  const status = { ...cleared, ...leftInGit(existing.status), phase: "Planned" };
  await kube.patch(ref, { status }, { fieldManager: managers.status, subresource: "status" }, signal);
  return true;
}

/** The branch of before may still be there: it is ours to replace or to delete. */
function leftInGit({ branch, commit, replaces }: Revert["status"]): Partial<Revert["status"]> {
  const last = commit ?? replaces;
  return branch === undefined || last === undefined ? {} : { branch, replaces: last };
}
