import { findCondition } from "../../api/conditions.ts";
import { type GitRepository, parseRevision } from "../../api/git-repository.ts";
import { keyOf } from "../../api/object.ts";
import type { Sync } from "../../api/sync.ts";
import { StalledError, WaitingError } from "../../lib/errors.ts";
import type { Resources } from "../resources.ts";

/** What is fetched and known of a source. */
export interface Source {
  readonly repository: GitRepository;
  /** `branch@sha1:commit`. */
  readonly revision: string;
  readonly commit: string;
}

/** Things that come by watch are asked for again after this time all the same. */
const waitMs = 30_000;

/** The Sync's source. Throws WaitingError until it was fetched and its revert branches are known: before that nothing may be written. */
export function sourceOf(sync: Sync, repositories: Resources<GitRepository>): Source {
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

/** Throws WaitingError while a Sync that this one depends on is not Ready at its newest, and StalledError for a cycle. */
export function awaitDependencies(sync: Sync, revision: string, syncs: Resources<Sync>): void {
  const cycle = findCycle(sync, syncs);
  if (cycle) throw new StalledError("DependencyCycle", `spec.dependsOn goes in a circle: ${cycle.join(" → ")}; remove one of them`);
  for (const { name } of sync.spec.dependsOn ?? []) {
    const key = keyOf({ namespace: sync.metadata.namespace, name });
    const problem = notReady(syncs.find(key), sync, revision);
    if (problem !== undefined) throw new WaitingError("DependencyNotReady", `Sync ${key}, which spec.dependsOn names, ${problem}`, waitMs);
  }
}

function notReady(dependency: Sync | undefined, sync: Sync, revision: string): string | undefined {
  if (!dependency) return "does not exist";
  const ready = findCondition(dependency.status.conditions, "Ready");
  if (dependency.status.observedGeneration !== dependency.metadata.generation) return "was changed and has not been applied yet";
  if (ready?.status !== "True") return "is not Ready";
  const sameSource = dependency.spec.sourceRef.name === sync.spec.sourceRef.name;
  return sameSource && dependency.status.lastAppliedRevision !== revision ? `has not applied ${revision} yet` : undefined;
}

/** Names from the Sync back to itself, or `undefined`. Only cycles that it is part of count: others are theirs to tell. */
function findCycle(sync: Sync, syncs: Resources<Sync>): string[] | undefined {
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
function findLeniently(syncs: Resources<Sync>, key: string): Sync | undefined {
  return syncs.list().find(({ metadata }) => keyOf(metadata) === key);
}
