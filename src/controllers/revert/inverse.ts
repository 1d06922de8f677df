import type { CauseField } from "../../api/cause.ts";
import type { KubeObject } from "../../api/object.ts";
import type { FileChange } from "../../git/git.ts";
import type { Digest } from "../../lib/digest.ts";
import { standingOf, valuesOf } from "../../revert/culprits.ts";
import { type Selection, smallestPart } from "../../revert/scope.ts";
import { type Blamed, rendering } from "./blame.ts";
import type { RevertDeps } from "./deps.ts";
import { type NoPlan, noPlan } from "./no-plan.ts";
import type { Scene } from "./scene.ts";
import { isComparable } from "./secrets.ts";

/** A verified way to undo the cause in Git. */
export interface Inverse {
  readonly outcome: "inverse";
  readonly tree: string;
  /** Files it changes. */
  readonly changed: readonly string[];
  /** For people: which part of which file goes, and which files of the commits stay. */
  readonly undone: readonly string[];
  readonly stays: readonly string[];
}

/**
 * Finds the smallest inverse that undoes the cause, or with scope Commit the whole one, and checks it by rendering
 * (design rule 5).
 * @param base commit that the result is based on
 */
export async function invert(
  deps: RevertDeps,
  scene: Scene,
  { commits, base }: Pick<Blamed, "commits"> & { base: string },
  signal: AbortSignal,
): Promise<Inverse | NoPlan> {
  const oids = commits.map(({ oid }) => oid);
  const parts = partsOf(await Promise.all(oids.map((oid) => deps.git.changes(scene.remote, oid, signal))));
  const conflicts = new Set<string>();
  const achieved = new Set<number>();
  const attempt = (selection: readonly Selection[] | undefined) =>
    tryInverse(deps, scene, { base, oids, selection, conflicts, achieved }, signal);
  const found = scene.revert.spec.scope === "Commit" ? await wholly(attempt) : await smallestPart(parts, attempt);
  if (!found) return blocked(oids, base, conflicts);
  const selected = new Set(found.selection.map(({ path }) => path));
  return {
    outcome: "inverse",
    ...found.result,
    undone: found.selection.map((file) => describeSelection(file, parts)),
    stays: found.selection.length === 0 ? [] : parts.map(({ path }) => path).filter((path) => !selected.has(path)),
  };
}

type Result = Pick<Inverse, "tree" | "changed">;

async function wholly(
  attempt: (selection: undefined) => Promise<Result | undefined>,
): Promise<{ selection: Selection[]; result: Result } | undefined> {
  const result = await attempt(undefined);
  return result && { selection: [], result };
}

function blocked(oids: readonly string[], base: string, conflicts: ReadonlySet<string>): NoPlan {
  const paths = [...conflicts].sort();
  const why = paths.length > 0 ? `${paths.join(", ")} changed since` : "undoing them does not bring the promoted values back";
  const commands = `git switch --create undo ${base} && git revert --no-commit ${oids.join(" ")}`;
  return noPlan("Blocked", "Blocked", `no clean inverse: ${why}. By hand: ${commands}, then resolve, commit and merge`, paths);
}

/** Hunks can be told apart only when one commit alone changed the file. */
function partsOf(changes: readonly (readonly FileChange[])[]): { path: string; hunks: number }[] {
  const parts = new Map<string, number>();
  for (const { path, hunks, kind } of changes.flat()) {
    const apart = changes.length === 1 && kind === "modified" && !parts.has(path);
    parts.set(path, apart ? hunks : 0);
  }
  return [...parts].map(([path, hunks]) => ({ path, hunks })).sort((a, b) => (a.path < b.path ? -1 : 1));
}

interface Attempted {
  readonly base: string;
  readonly oids: readonly string[];
  readonly selection: readonly Selection[] | undefined;
  /** Paths that stood in the way, gathered over all attempts. */
  readonly conflicts: Set<string>;
  /** Positions of following fields that the first success brought back: a smaller part must bring them back too. */
  readonly achieved: Set<number>;
}

async function tryInverse(deps: RevertDeps, scene: Scene, attempted: Attempted, signal: AbortSignal): Promise<Result | undefined> {
  const { base, oids, selection, conflicts } = attempted;
  const result = await deps.git.revert(scene.remote, { head: base, commits: oids, ...(selection ? { only: selection } : {}) }, signal);
  if (result.outcome === "conflict") for (const path of result.paths) conflicts.add(path);
  if (result.outcome !== "clean") return undefined;
  const objects = await rendering(deps, scene, result.tree, signal);
  if (!objects || !undoesCause(scene, objects, attempted.achieved)) return undefined;
  return { tree: result.tree, changed: result.changed };
}

/** Whether every deciding field has its promoted value, and every following one that was brought back before. */
function undoesCause({ revert, cause, digest }: Scene, objects: readonly KubeObject[], achieved: Set<number>): boolean {
  const values = valuesOf(cause, revert.metadata.namespace ?? "", objects);
  const isBack = cause.map((field, position) => isPromoted(field, values[position], digest));
  const undone = cause.every(({ decides }, position) => (!decides && !achieved.has(position)) || isBack[position]);
  if (undone && achieved.size === 0) for (const [position, back] of isBack.entries()) if (back) achieved.add(position);
  return undone;
}

function isPromoted(field: CauseField, value: unknown, digest: Digest): boolean {
  return !isComparable(field, digest) || standingOf([field], [value]) === "promoted";
}

function describeSelection({ path, hunks }: Selection, parts: readonly { path: string; hunks: number }[]): string {
  const count = parts.find((part) => part.path === path)?.hunks ?? 0;
  return hunks ? `${path} (hunk ${hunks.map((hunk) => hunk + 1).join(", ")} of ${count})` : path;
}
