import { findCondition } from "../../api/conditions.ts";
import { type GitRepository, parseRevision } from "../../api/git-repository.ts";
import { keyOf } from "../../api/object.ts";
import type { Sync } from "../../api/sync.ts";
import { GitError } from "../../git/git.ts";
import { StalledError, WaitingError } from "../../lib/errors.ts";
import type { Resources } from "../resources.ts";
import type { SyncDeps } from "./deps.ts";

/** What is fetched and known of a source. */
export interface Source {
  readonly repository: GitRepository;
  /** `branch@sha1:commit`. */
  readonly revision: string;
  readonly commit: string;
}

/** Things that come by watch are asked for again after this time all the same. */
const waitMs = 30_000;

/** For so long a new source is waited for without a word. */
const unseenMs = 10_000;

/**
 * Whether the Sync's source is so new that it was not looked at yet: its first status will wake the Sync. To say so on each of
 * a thousand Syncs would cost more than they cost themselves.
 */
export function isUnseen({ spec, metadata }: Sync, repositories: Pick<Resources<GitRepository>, "find">, nowMs: number): boolean {
  const repository = repositories.find(keyOf({ namespace: metadata.namespace, name: spec.sourceRef.name }));
  if (!repository || repository.spec.suspend || repository.status.conditions !== undefined) return false;
  const ageMs = nowMs - Date.parse(repository.metadata.creationTimestamp ?? "");
  return ageMs >= 0 && ageMs < unseenMs;
}

/** The Sync's source. Throws WaitingError until it was fetched and its revert branches are known: before that nothing may be written. */
export function sourceOf(sync: Sync, repositories: Pick<Resources<GitRepository>, "find">): Source {
  const { name } = sync.spec.sourceRef;
  const key = keyOf({ namespace: sync.metadata.namespace, name });
  const repository = repositories.find(key);
  if (!repository) throw new WaitingError("SourceNotFound", `GitRepository ${key} does not exist; create it or change spec.sourceRef`, waitMs);
  const { revision, revertBranches } = repository.status;
  const commit = parseRevision(revision)?.commit;
  if (revision === undefined || commit === undefined || revertBranches === undefined) {
    const why = findCondition(repository.status.conditions, "Ready")?.message;
    throw new WaitingError("SourceNotReady", `GitRepository ${key} has no revision yet${why === undefined ? "" : `: ${why}`}`, waitMs);
  }
  return { repository, revision, commit };
}

/** Throws StalledError when the Sync depends on itself, by way of others or not. */
export function refuseCycle(sync: Sync, syncs: Pick<Resources<Sync>, "find">): void {
  const cycle = findCycle(sync, syncs);
  if (cycle) throw new StalledError("DependencyCycle", `spec.dependsOn goes in a circle: ${cycle.join(" → ")}; remove one of them`);
}

/** Throws WaitingError while a Sync that this one depends on is not Ready at its newest. */
export async function awaitDependencies(
  { syncs, rendering }: Pick<SyncDeps, "syncs" | "rendering">,
  sync: Sync,
  source: Source,
  signal: AbortSignal,
): Promise<void> {
  for (const { name } of sync.spec.dependsOn ?? []) {
    const key = keyOf({ namespace: sync.metadata.namespace, name });
    const dependency = syncs.find(key);
    const behind = async (): Promise<boolean> => dependency !== undefined && !(await hasApplied(rendering, dependency, source, signal));
    const sameSource = dependency?.spec.sourceRef.name === sync.spec.sourceRef.name;
    const problem = notReady(dependency) ?? (sameSource && (await behind()) ? `has not applied ${source.revision} yet` : undefined);
    if (problem !== undefined) throw new WaitingError("DependencyNotReady", `Sync ${key}, which spec.dependsOn names, ${problem}`, waitMs);
  }
}

function notReady(dependency: Sync | undefined): string | undefined {
  if (!dependency) return "does not exist";
  const ready = findCondition(dependency.status.conditions, "Ready");
  if (dependency.status.observedGeneration !== dependency.metadata.generation) return "was changed and has not been applied yet";
  return ready?.status === "True" ? undefined : "is not Ready";
}

/** Syncs by the key of their source. */
export const sourceIndex = "sync: source";

/** Whether the revision is applied, or holds nothing new for the Sync: then its status still names an earlier one. */
export async function hasApplied(
  rendering: SyncDeps["rendering"],
  { spec, status }: Sync,
  source: Source,
  signal: AbortSignal,
): Promise<boolean> {
  if (status.lastAppliedRevision === source.revision) return true;
  try {
    return sourceInputs(status) === (await rendering.inputsAt({ spec }, source.repository, source.commit, signal));
  } catch (error) {
    // What is wrong with its folder it says itself, and is not Ready then.
    if (error instanceof StalledError || (error instanceof GitError && error.reason !== "HistoryUnavailable")) return false;
    throw error;
  }
}

/** The part of `status.inputs` that stands for the repository. */
function sourceInputs({ inputs }: Sync["status"]): string | undefined {
  return inputs?.split("-").at(0);
}

/** Names from the Sync back to itself, or `undefined`. Only cycles that it is part of count: others are theirs to tell. */
function findCycle(sync: Sync, syncs: Pick<Resources<Sync>, "find">): string[] | undefined {
  const { namespace, name: start } = sync.metadata;
  const seen = new Set<string>();
  const walk = (name: string, path: readonly string[]): string[] | undefined => {
    if (name === start && path.length > 0) return [...path, name];
    if (seen.has(name)) return undefined;
    seen.add(name);
    const next = name === start ? sync : findLeniently(syncs, keyOf({ namespace, name }));
    for (const dependency of next?.spec.dependsOn ?? []) {
      const found = walk(dependency.name, [...path, name]);
      if (found) return found;
    }
    return undefined;
  };
  return walk(start, []);
}

/** A dependency that does not fit its schema is reported on itself. */
function findLeniently(syncs: Pick<Resources<Sync>, "find">, key: string): Sync | undefined {
  try {
    return syncs.find(key);
  } catch (error) {
    if (error instanceof StalledError) return undefined;
    throw error;
  }
}
