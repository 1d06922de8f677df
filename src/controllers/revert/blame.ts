import type { CauseField } from "../../api/cause.ts";
import type { KubeObject } from "../../api/object.ts";
import { type Commit, GitError } from "../../git/git.ts";
import { StalledError } from "../../lib/errors.ts";
import { sameJson } from "../../lib/json.ts";
import { isSerinCommit } from "../../revert/branch.ts";
import { culprits, disagreeing, type Stage, valuesOf } from "../../revert/culprits.ts";
import { objectsAt, type RevertDeps } from "./deps.ts";
import { type NoPlan, noPlan } from "./no-plan.ts";
import type { Scene } from "./scene.ts";
import { digested } from "./secrets.ts";

/** The commits to undo, newest first, and those in between that stay. */
export interface Blamed {
  readonly outcome: "blamed";
  readonly commits: readonly Commit[];
  readonly bystanders: readonly Commit[];
  /** Commits whose renderings say what was promoted and what failed. */
  readonly promotedAt: string;
  readonly failedAt: string;
}

/** Finds the commits to blame by rendering each and comparing what the target runs (design rules 3 and 4). */
export async function blame(deps: RevertDeps, scene: Scene, signal: AbortSignal): Promise<Blamed | NoPlan> {
  const { spec, status } = scene.revert;
  const named = spec.commits ?? status.commits;
  if (named) return namedCommits(deps, scene, named, signal);
  const { commit: failed, promotedCommit: promoted } = spec.evidence ?? {};
  if (!failed || !promoted) return noPlan("Planned", "NotFromGit", "the target does not say which commit changed it, so no commit can be blamed");
  if (scene.deciding.length === 0) return noPlan("Planned", "NotComparable", "only values of Secrets decide, and they cannot be compared: the key of their digests has been lost");
  try {
    return await search(deps, scene, { failed, promoted }, signal);
  } catch (error) {
    if (!(error instanceof GitError && error.reason === "HistoryUnavailable")) throw error;
    return noPlan("Planned", "HistoryUnavailable", `no commit can be blamed: ${error.message}`);
  }
}

async function namedCommits(deps: RevertDeps, scene: Scene, named: readonly string[], signal: AbortSignal): Promise<Blamed> {
  const commits = await readCommits(deps, scene, named, signal);
  const bystanders = await readCommits(deps, scene, scene.revert.status.bystanders ?? [], signal);
  return { outcome: "blamed", commits, bystanders, promotedAt: commits.at(-1)?.parents[0] ?? "", failedAt: named[0] ?? "" };
}

async function readCommits(deps: RevertDeps, { remote }: Scene, oids: readonly string[], signal: AbortSignal): Promise<Commit[]> {
  return Promise.all(oids.map((oid) => deps.git.commit(remote, oid, signal)));
}

/** Whether the failed values never were in Git: the commit that the target had when it failed says something else. */
export async function neverInGit(deps: RevertDeps, scene: Scene, signal: AbortSignal): Promise<boolean> {
  const { spec, status } = scene.revert;
  const failed = spec.evidence?.commit;
  if (!failed || status.commits !== undefined || spec.commits !== undefined || inConfigs(scene)) return false;
  const values = await rendering(deps, scene, failed, signal).catch((error: unknown) => {
    if (error instanceof GitError && error.reason === "HistoryUnavailable") return undefined;
    throw error;
  });
  return values !== undefined && disagreeing(scene.deciding, valuesIn(scene, values), "failed").length > 0;
}

/**
 * Whether the target's commit is not all there is to know: one that changes only a config does not show on the target.
 */
function inConfigs({ deciding }: Scene): boolean {
  return deciding.some(({ object }) => !object.startsWith("Deployment/"));
}

/** How far behind the commit that the target names the one may lie that changed a config. */
const maxConfigSteps = 50;

async function search(
  deps: RevertDeps,
  scene: Scene,
  { failed, promoted }: { failed: string; promoted: string },
  signal: AbortSignal,
): Promise<Blamed | NoPlan> {
  const way = await wayBack(deps, scene, { failed, promoted }, signal);
  if (way.outcome === "none") return way;
  const fickle = await notTheSameTwice(deps, scene, way.stages, signal);
  if (fickle) return fickle;
  const { commits, bystanders } = culprits(way.stages);
  if (commits.length === 0) return noPlan("Planned", "NotFromGit", `no commit between ${promoted} and ${failed} changed ${scene.deciding.map(({ path }) => path).join(", ")}`);
  const byId = new Map(way.commits.map((commit) => [commit.oid, commit]));
  const pick = (oids: readonly string[]) => oids.flatMap((oid) => byId.get(oid) ?? []);
  return {
    outcome: "blamed",
    commits: pick(commits),
    bystanders: pick(bystanders),
    promotedAt: way.stages.at(-1)?.commit ?? "",
    failedAt: way.stages[0]?.commit ?? "",
  };
}

/** Design rule 3: both ends must render twice the same, else comparing renderings blames anybody. */
async function notTheSameTwice(deps: RevertDeps, scene: Scene, stages: readonly Stage[], signal: AbortSignal): Promise<NoPlan | undefined> {
  for (const { commit, values } of [stages[0], stages.at(-1)].filter((stage) => stage !== undefined)) {
    const again = await rendering({ ...deps, renderAt: deps.renderAnew }, scene, commit, signal);
    if (again && sameJson(valuesIn(scene, again), values)) continue;
    return noPlan("Planned", "NotReproducible", `commit ${commit} does not render the same twice, so no commit can be blamed by rendering`);
  }
  return undefined;
}

/** From the newest commit that says what failed back to the newest before it that says what was promoted. */
async function wayBack(
  deps: RevertDeps,
  scene: Scene,
  { failed, promoted }: { failed: string; promoted: string },
  signal: AbortSignal,
): Promise<({ outcome: "way" } & Way) | NoPlan> {
  const loose = inConfigs(scene);
  const range = await deps.git.history(scene.remote, { from: promoted, to: loose ? scene.head : failed }, signal);
  const commits = [...range, await deps.git.commit(scene.remote, promoted, signal)];
  const all = await stagesOf(deps, scene, commits, signal);
  // With configs HEAD is where to begin, and the promoted values may be newer than the target's own commit, or older.
  const stages = loose ? all.slice(Math.max(0, all.findIndex(({ values }) => agrees(scene, values, "failed")))) : all;
  const wrong = [...disagreements(scene, stages[0], "failed"), ...(loose ? [] : disagreements(scene, stages.at(-1), "promoted"))];
  if (wrong.length > 0) return notFromGit(wrong);
  const way = await backToPromoted(deps, scene, { stages, commits, steps: loose ? maxConfigSteps : 0 }, signal);
  return way ? { outcome: "way", ...way } : notFromGit(disagreements(scene, stages.at(-1), "promoted"));
}

interface Way {
  readonly stages: readonly Stage[];
  readonly commits: readonly Commit[];
}

/** The stages back to the newest that says what was promoted, going on along first parents when none does yet. */
async function backToPromoted(
  deps: RevertDeps,
  scene: Scene,
  { stages, commits, steps }: Way & { steps: number },
  signal: AbortSignal,
): Promise<Way | undefined> {
  const end = stages.findIndex(({ values }) => agrees(scene, values, "promoted"));
  if (end >= 0) return { stages: stages.slice(0, end + 1), commits };
  const [parent] = commits.at(-1)?.parents ?? [];
  if (steps === 0 || parent === undefined) return undefined;
  const commit = await deps.git.commit(scene.remote, parent, signal);
  const more = await stagesOf(deps, scene, [commit], signal);
  return backToPromoted(deps, scene, { stages: [...stages, ...more], commits: [...commits, commit], steps: steps - 1 }, signal);
}

/** A commit in between that does not render on its own is passed over: its change counts for the next one. */
async function stagesOf(deps: RevertDeps, scene: Scene, commits: readonly Commit[], signal: AbortSignal): Promise<Stage[]> {
  const stages: Stage[] = [];
  for (const { oid } of commits) {
    const objects = await rendering(deps, scene, oid, signal);
    if (objects) stages.push({ commit: oid, values: valuesIn(scene, objects) });
  }
  return stages;
}

/** The objects of a commit or tree, Secrets as digests; `undefined` when it does not render. */
export async function rendering(
  deps: RevertDeps,
  scene: Pick<Scene, "sync" | "repository" | "digest">,
  commitOrTree: string,
  signal: AbortSignal,
): Promise<KubeObject[] | undefined> {
  try {
    return digested(await objectsAt(deps, scene, commitOrTree, signal), scene.digest);
  } catch (error) {
    if (error instanceof StalledError) return undefined;
    throw error;
  }
}

function valuesIn({ deciding, revert }: Scene, objects: readonly KubeObject[]): unknown[] {
  return valuesOf(deciding, revert.metadata.namespace ?? "", objects);
}

function agrees(scene: Scene, values: readonly unknown[], which: "promoted" | "failed"): boolean {
  return disagreeing(scene.deciding, values, which).length === 0;
}

function disagreements({ deciding }: Scene, stage: Stage | undefined, which: "promoted" | "failed"): CauseField[] {
  return disagreeing(deciding, stage?.values ?? [], which);
}

/** Design rule 3: the promoted commit renders what was promoted, the failed one what failed; else somebody else did it. */
function notFromGit(wrong: readonly CauseField[]): NoPlan {
  const fields = [...new Set(wrong.map(({ object, path, manager }) => `${object} ${path}${manager === undefined ? "" : ` (set by ${manager})`}`))].join(", ");
  return noPlan("Planned", "NotFromGit", `the manifests do not say what ran in ${fields}`);
}

/**
 * The first of the commits that Serin made, told by its trailer, by the host's merge of its pull request, or by what it
 * changed (design rule 9).
 */
export async function firstSerinCommit(
  deps: RevertDeps,
  scene: Scene,
  commits: readonly Commit[],
  signal: AbortSignal,
): Promise<Commit | undefined> {
  for (const commit of commits) {
    const merged = await Promise.all(commit.parents.slice(1).map((oid) => messageOf(deps, scene, oid, signal)));
    if (isSerinCommit(commit.message, merged) || (await isOurPatch(deps, scene, commit, signal))) return commit;
  }
  return undefined;
}

/** A merged branch's own commit may lie outside of what was fetched: then it cannot be told, and is no one of ours. */
async function messageOf(deps: RevertDeps, { remote }: Scene, oid: string, signal: AbortSignal): Promise<string> {
  try {
    return (await deps.git.commit(remote, oid, signal)).message;
  } catch (error) {
    if (error instanceof GitError && error.reason === "HistoryUnavailable") return "";
    throw error;
  }
}

/** Whether it changes the same files in the same way as a revert commit that is known here: squashed or picked under another name. */
async function isOurPatch(deps: RevertDeps, scene: Scene, commit: Commit, signal: AbortSignal): Promise<boolean> {
  const made = deps.reverts.list().flatMap(({ status }) => (status.commit ? [status.commit] : []));
  if (made.includes(commit.oid)) return true;
  const patch = made.length > 0 ? await patchOf(deps, scene, commit.oid, signal) : undefined;
  if (patch === undefined) return false;
  for (const oid of made) if (patch === (await patchOf(deps, scene, oid, signal))) return true;
  return false;
}

async function patchOf(deps: RevertDeps, { remote }: Scene, oid: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    const [{ parents }, changes] = await Promise.all([deps.git.commit(remote, oid, signal), deps.git.changes(remote, oid, signal)]);
    const paths = changes.map(({ path }) => path).sort();
    // What it leaves is not enough: undoing a change may make of a file just what an earlier commit of somebody else had made of it.
    const objectsIn = async (at: string | undefined) => (at ? deps.git.objectsAt(remote, at, paths, signal) : []);
    const [before, after] = await Promise.all([objectsIn(parents[0]), objectsIn(oid)]);
    const results = paths.map((path, index) => `${path} ${before[index]?.oid ?? ""} ${after[index]?.oid ?? ""}`);
    return results.length > 0 ? results.join("\n") : undefined;
  } catch (error) {
    if (error instanceof GitError && error.reason === "HistoryUnavailable") return undefined;
    throw error;
  }
}
