import type { CauseField } from "../../api/cause.ts";
import { names } from "../../api/meta.ts";
import type { KubeObject } from "../../api/object.ts";
import type { RevertStatus } from "../../api/revert.ts";
import type { Sync } from "../../api/sync.ts";
import { type Digest, isDigestBy } from "../../lib/digest.ts";
import { messageOf, WaitingError } from "../../lib/errors.ts";
import { type Step, parsePath, valueAt } from "../../revert/path.ts";
import { objectsAt, repositoryOf, type RevertDeps } from "./deps.ts";
import { renderedSecret } from "./secrets.ts";

type Deps = Pick<RevertDeps, "kube" | "log" | "git" | "remoteOf" | "repositories" | "renderAt">;

/** Where a Secret's value is held. */
export interface SecretPlace {
  readonly canary: string;
  readonly namespace: string;
  /** Name of the Deployment. */
  readonly target: string;
  readonly sync: Sync;
  readonly rendered: readonly KubeObject[];
  readonly digest: Digest;
  /** The branch whose rendering has the promoted values. */
  readonly branch?: Pick<RevertStatus, "branch" | "commit" | "tree"> | undefined;
}

/** How long to wait for Git when nothing else knows a promoted value. */
const retryMs = 10_000;

/**
 * The field of a Secret with its promoted value; `undefined` when it is to be left alone. The value is taken from where it
 * still is: the primary's copy, the live Secret that is held already, or the rendering of the revert branch. Throws
 * WaitingError rather than let a failed value out.
 */
export async function heldSecret(deps: Deps, place: SecretPlace, field: CauseField, signal: AbortSignal): Promise<CauseField | undefined> {
  const { digest, rendered } = place;
  const at: Place = { ...place, name: field.object.slice("Secret/".length), path: parsePath(field.path) };
  const now = valueIn(rendered, at);
  const known = [field.promoted, field.failed].some((value) => isDigestBy(digest, value));
  const isFailed = known && field.failed === (now === undefined ? undefined : digest(now));
  if (!field.decides && !isFailed) return undefined;
  if (known && field.promoted === undefined) return { ...field, decides: true };
  const promoted = await promotedValue(deps, at, field, signal);
  if (promoted !== undefined) return { ...field, promoted, decides: true };
  if (!isFailed) return undefined;
  throw new WaitingError("HeldValueUnknown", `the promoted value of ${field.object} ${field.path}, which is held back, is neither in the cluster nor to be had from Git now`, retryMs);
}

interface Place extends SecretPlace {
  readonly name: string;
  readonly path: readonly Step[];
}

async function promotedValue(deps: Deps, place: Place, field: CauseField, signal: AbortSignal): Promise<string | undefined> {
  const { digest, target, name, path } = place;
  const isKnown = isDigestBy(digest, field.promoted);
  const fits = (value: unknown): value is string => typeof value === "string" && (!isKnown || digest(value) === field.promoted);
  for (const copy of [`${target}-${name}-primary`, `${name}-primary`]) {
    const secret = await find(deps, place, copy, signal);
    const value = secret && isCopyOf(secret, place.canary) ? valueAt(secret, path) : undefined;
    if (fits(value)) return value;
  }
  const live = isKnown ? valueAt(await find(deps, place, name, signal), path) : undefined;
  if (fits(live)) return live;
  const branch = valueIn(await branchRendering(deps, place, signal), place);
  return fits(branch) ? branch : undefined;
}

function find({ kube }: Deps, { namespace }: Place, name: string, signal: AbortSignal): Promise<KubeObject | undefined> {
  return kube.find({ apiVersion: "v1", kind: "Secret", namespace, name }, signal);
}

/** Copies carry their Canary's label; somebody else's Secret of that name is none. */
function isCopyOf({ metadata }: KubeObject, canary: string): boolean {
  return metadata.labels?.[names.canary] === canary;
}

function valueIn(rendered: readonly KubeObject[], { name, namespace, path }: Place): string | undefined {
  const written = rendered.find(({ kind, metadata }) => kind === "Secret" && metadata.name === name && metadata.namespace === namespace);
  const value = written && valueAt({ data: renderedSecret(written) }, path);
  return typeof value === "string" ? value : undefined;
}

async function branchRendering(deps: Deps, { sync, branch }: Place, signal: AbortSignal): Promise<KubeObject[]> {
  const repository = repositoryOf(deps, sync);
  if (!repository || !branch?.tree || !branch.branch || !branch.commit) return [];
  const scene = { sync, repository };
  try {
    return await objectsAt(deps, scene, branch.tree, signal);
  } catch (error) {
    if (signal.aborted) throw error;
    deps.log.debug({ branch: branch.branch, error: messageOf(error) }, "revert branch is not here, fetching it");
  }
  try {
    const remote = await deps.remoteOf(repository, signal);
    await deps.git.fetch(remote, [{ name: `refs/heads/${branch.branch}`, commit: branch.commit }], { depth: 1 }, signal);
    return await objectsAt(deps, scene, branch.tree, signal);
  } catch (error) {
    if (signal.aborted) throw error;
    deps.log.debug({ branch: branch.branch, error: messageOf(error) }, "revert branch cannot be rendered");
    return [];
  }
}
