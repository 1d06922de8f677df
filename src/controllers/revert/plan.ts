import { keyOf, type KubeObject } from "../../api/object.ts";
import type { Commit, FileChange } from "../../git/git.ts";
import { StalledError } from "../../lib/errors.ts";
import { isSerinCommit, subjectOf } from "../../revert/branch.ts";
import { culprits, disagreeing, type Stage, standingOf, valuesOf } from "../../revert/culprits.ts";
import { hold } from "../../revert/hold.ts";
import { type Impact, impactOf } from "../../revert/impact.ts";
import type { CommitFacts } from "../../revert/pull-request.ts";
import { type Selection, smallestPart } from "../../revert/scope.ts";
import { objectsAt, type RevertDeps } from "./deps.ts";
import { holdsOf } from "./holds.ts";
import type { Scene } from "./scene.ts";

/** A verified way to undo the cause in Git, and what it moves. */
export interface Plan {
  readonly outcome: "plan";
  readonly base: string;
  readonly tree: string;
  /** Newest first. */
  readonly commits: readonly CommitFacts[];
  readonly bystanders: readonly CommitFacts[];
  /** Files it changes. */
  readonly changed: readonly string[];
  /** For people: which part of which file goes, and which files of the commits stay. */
  readonly undone: readonly string[];
  readonly stays: readonly string[];
  readonly impacts: readonly Impact[];
}

/** Why nothing can be proposed. The hold goes on all the same. */
export interface NoPlan {
  readonly outcome: "none";
  /** `Blocked`: no clean inverse. The others say why it is not Git's business. */
  readonly phase: "Planned" | "Blocked";
  readonly reason: string;
  readonly message: string;
  readonly conflicts?: readonly string[] | undefined;
}

/**
 * Finds the commits to blame by rendering each, the smallest inverse that undoes the cause, and what merging it would move
 * (design rules 3, 4, 5, 9). Writes only Git objects.
 * @param base commit that the inverse is based on
 */
export async function planRevert(deps: RevertDeps, scene: Scene, base: string, signal: AbortSignal): Promise<Plan | NoPlan> {
  const blamed = await blame(deps, scene, signal);
  if (blamed.outcome === "none") return blamed;
  const own = await firstSerinCommit(deps, scene, blamed.commits, signal);
  if (own) return none("Blocked", "SerinCommit", `${own.oid} was made by Serin and is not reverted; change the deciding fields by hand`);
  return invert(deps, scene, { ...blamed, base }, signal);
}

interface Blamed {
  readonly outcome: "blamed";
  readonly commits: readonly Commit[];
  readonly bystanders: readonly Commit[];
}

function none(phase: NoPlan["phase"], reason: string, message: string, conflicts?: readonly string[]): NoPlan {
  return { outcome: "none", phase, reason, message, conflicts };
}

async function blame(deps: RevertDeps, scene: Scene, signal: AbortSignal): Promise<Blamed | NoPlan> {
  const { spec, status } = scene.revert;
  const named = spec.commits ?? status.commits;
  if (named) return { outcome: "blamed", commits: await readCommits(deps, scene, named, signal), bystanders: await readCommits(deps, scene, status.bystanders ?? [], signal) };
  const { commit: failed, promotedCommit: promoted } = spec.evidence ?? {};
  if (!failed || !promoted) return none("Planned", "NotFromGit", "the target does not say which commit changed it, so no commit can be blamed");
  const range = await deps.git.history(scene.remote, { from: promoted, to: failed }, signal);
  const start = await deps.git.commit(scene.remote, promoted, signal);
  const stages = await stagesOf(deps, scene, [...range, start], signal);
  const wrong = provenance(scene, stages);
  if (wrong) return wrong;
  const { commits, bystanders } = culprits(stages);
  if (commits.length === 0) return none("Planned", "NotFromGit", `no commit between ${promoted} and ${failed} changed ${scene.deciding.map(({ path }) => path).join(", ")}`);
  const byId = new Map([...range, start].map((commit) => [commit.oid, commit]));
  const pick = (oids: readonly string[]) => oids.flatMap((oid) => byId.get(oid) ?? []);
  return { outcome: "blamed", commits: pick(commits), bystanders: pick(bystanders) };
}

async function readCommits(deps: RevertDeps, { remote }: Scene, oids: readonly string[], signal: AbortSignal): Promise<Commit[]> {
  return Promise.all(oids.map((oid) => deps.git.commit(remote, oid, signal)));
}

/** A commit in between that does not render on its own is passed over: its change counts for the next one. */
async function stagesOf(deps: RevertDeps, scene: Scene, commits: readonly Commit[], signal: AbortSignal): Promise<Stage[]> {
  const stages: Stage[] = [];
  for (const { oid } of commits) {
    const objects = await rendering(deps, scene, oid, signal);
    if (objects) stages.push({ commit: oid, values: valuesOf(scene.deciding, scene.revert.metadata.namespace ?? "", objects) });
  }
  return stages;
}

async function rendering(deps: RevertDeps, scene: Scene, commitOrTree: string, signal: AbortSignal): Promise<KubeObject[] | undefined> {
  try {
    return await objectsAt(deps, scene, commitOrTree, signal);
  } catch (error) {
    if (error instanceof StalledError) return undefined;
    throw error;
  }
}

/** Design rule 3: the promoted commit renders what was promoted, the failed one what failed; else somebody else did it. */
function provenance({ deciding }: Scene, stages: readonly Stage[]): NoPlan | undefined {
  const newest = stages[0];
  const oldest = stages.at(-1);
  const wrong = [...disagreeing(deciding, newest?.values ?? [], "failed"), ...disagreeing(deciding, oldest?.values ?? [], "promoted")];
  if (wrong.length === 0) return undefined;
  const fields = [...new Set(wrong.map(({ object, path }) => `${object} ${path}`))].join(", ");
  return none("Planned", "NotFromGit", `the manifests do not say what ran in ${fields}; see kubectl get --show-managed-fields for who set it`);
}

async function firstSerinCommit(deps: RevertDeps, { remote }: Scene, commits: readonly Commit[], signal: AbortSignal): Promise<Commit | undefined> {
  const recorded = new Set(deps.reverts.list().flatMap(({ status }) => (status.tree ? [status.tree] : [])));
  for (const commit of commits) {
    const merged = await Promise.all(commit.parents.slice(1).map((oid) => messageOfCommit(deps, remote, oid, signal)));
    if (isSerinCommit(commit.message, merged) || recorded.has(commit.tree)) return commit;
  }
  return undefined;
}

/** A merged branch's own commit may lie outside of what was fetched: then it cannot be told, and is no one of ours. */
async function messageOfCommit(deps: RevertDeps, remote: Scene["remote"], oid: string, signal: AbortSignal): Promise<string> {
  try {
    return (await deps.git.commit(remote, oid, signal)).message;
  } catch {
    return "";
  }
}

interface Inverse {
  readonly tree: string;
  readonly changed: readonly string[];
}

async function invert(deps: RevertDeps, scene: Scene, blamed: Blamed & { base: string }, signal: AbortSignal): Promise<Plan | NoPlan> {
  const oids = blamed.commits.map(({ oid }) => oid);
  const changes = await Promise.all(oids.map((oid) => deps.git.changes(scene.remote, oid, signal)));
  const parts = partsOf(changes);
  const conflicts = new Set<string>();
  const achieved = new Set<number>();
  const attempt = (selection: readonly Selection[] | undefined) => tryInverse(deps, scene, { base: blamed.base, oids, selection, conflicts, achieved }, signal);
  const found = scene.revert.spec.scope === "Commit" ? await wholly(attempt) : await smallestPart(parts, attempt);
  if (!found) return blocked(blamed, conflicts);
  const selected = new Set(found.selection.map(({ path }) => path));
  return {
    outcome: "plan",
    base: blamed.base,
    ...found.result,
    commits: blamed.commits.map(factsOf),
    bystanders: blamed.bystanders.map(factsOf),
    undone: found.selection.map((file) => describeSelection(file, parts)),
    stays: found.selection.length === 0 ? [] : parts.map(({ path }) => path).filter((path) => !selected.has(path)),
    impacts: await impactsOf(deps, scene, { base: blamed.base, tree: found.result.tree }, signal),
  };
}

async function wholly(attempt: (selection: undefined) => Promise<Inverse | undefined>): Promise<{ selection: Selection[]; result: Inverse } | undefined> {
  const result = await attempt(undefined);
  return result && { selection: [], result };
}

function blocked({ commits, base }: Blamed & { base: string }, conflicts: ReadonlySet<string>): NoPlan {
  const oids = commits.map(({ oid }) => oid).join(" ");
  const why = conflicts.size > 0 ? `${[...conflicts].sort().join(", ")} changed since` : "undoing them does not bring the promoted values back";
  return none("Blocked", "Blocked", `no clean inverse: ${why}. By hand: git revert --no-commit ${oids} on ${base}, then resolve`, [...conflicts].sort());
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

async function tryInverse(deps: RevertDeps, scene: Scene, attempted: Attempted, signal: AbortSignal): Promise<Inverse | undefined> {
  const { base, oids, selection, conflicts } = attempted;
  const result = await deps.git.revert(scene.remote, { head: base, commits: oids, ...(selection ? { only: selection } : {}) }, signal);
  if (result.outcome === "conflict") for (const path of result.paths) conflicts.add(path);
  if (result.outcome !== "clean") return undefined;
  const objects = await rendering(deps, scene, result.tree, signal);
  if (!objects || !undoesCause(scene, objects, attempted.achieved)) return undefined;
  return { tree: result.tree, changed: result.changed };
}

/** Whether every deciding field has its promoted value, and every following one that was brought back before. */
function undoesCause({ revert }: Scene, objects: readonly KubeObject[], achieved: Set<number>): boolean {
  const { cause } = revert.spec;
  const values = valuesOf(cause, revert.metadata.namespace ?? "", objects);
  const isBack = cause.map((field, position) => field.secret === true || standingOf([field], [values[position]]) === "promoted");
  const undone = cause.every(({ decides }, position) => (!decides && !achieved.has(position)) || isBack[position]);
  if (undone && achieved.size === 0) for (const [position, back] of isBack.entries()) if (back) achieved.add(position);
  return undone;
}

function describeSelection({ path, hunks }: Selection, parts: readonly { path: string; hunks: number }[]): string {
  const count = parts.find((part) => part.path === path)?.hunks ?? 0;
  return hunks ? `${path} (hunk ${hunks.map((hunk) => hunk + 1).join(", ")} of ${count})` : path;
}

function factsOf({ oid, message, author, time }: Commit): CommitFacts {
  return { oid, subject: subjectOf(message), author: author.name, time };
}

/** What merging changes in every Sync of the repository, against what runs now. */
async function impactsOf(deps: RevertDeps, scene: Scene, { base, tree }: { base: string; tree: string }, signal: AbortSignal): Promise<Impact[]> {
  const { namespace, name } = scene.repository.metadata;
  const syncs = deps.syncs.list().filter(({ metadata, spec }) => metadata.namespace === namespace && spec.sourceRef.name === name);
  const own = keyOf(scene.revert.metadata);
  const others = { ...deps, reverts: { ...deps.reverts, list: () => deps.reverts.list().filter(({ metadata }) => keyOf(metadata) !== own) } };
  const impacts: Impact[] = [];
  for (const sync of syncs) {
    const before = await rendering(deps, { ...scene, sync }, base, signal);
    const after = await rendering(deps, { ...scene, sync }, tree, signal);
    if (!before || !after) continue;
    const now = hold(before, await holdsOf(deps, sync, before, signal)).objects;
    const merged = hold(after, await holdsOf(others, sync, after, signal)).objects;
    impacts.push(impactOf(keyOf(sync.metadata), now, merged));
  }
  return impacts;
}
