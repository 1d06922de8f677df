import { keyOf, type KubeObject } from "../../api/object.ts";
import type { Commit } from "../../git/git.ts";
import { subjectOf } from "../../revert/branch.ts";
import { hold } from "../../revert/hold.ts";
import { type Impact, impactOf } from "../../revert/impact.ts";
import { differences, formatPath } from "../../revert/path.ts";
import type { CommitFacts } from "../../revert/pull-request.ts";
import { blame, type Blamed, firstSerinCommit, rendering } from "./blame.ts";
import { objectsAt, type RevertDeps, syncsOf } from "./deps.ts";
import { holdsOf } from "./holds.ts";
import { invert, type Inverse } from "./inverse.ts";
import { type NoPlan, noPlan } from "./no-plan.ts";
import type { Scene } from "./scene.ts";

/** A verified way to undo the cause in Git, and what it moves. */
export interface Plan extends Omit<Inverse, "outcome"> {
  readonly outcome: "plan";
  readonly base: string;
  /** Newest first. */
  readonly commits: readonly CommitFacts[];
  readonly bystanders: readonly CommitFacts[];
  readonly impacts: readonly Impact[];
  /** Fields of the Canary itself that differ between the promoted and the failed commit. */
  readonly canaryChanges: readonly string[];
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
  if (own) return noPlan("Blocked", "SerinCommit", `${own.oid} was made by Serin and is not reverted; change the deciding fields by hand`);
  const inverse = await invert(deps, scene, { commits: blamed.commits, base }, signal);
  if (inverse.outcome === "none") return inverse;
  const impacts = await impactsOf(deps, scene, { base, tree: inverse.tree }, signal);
  if ("broken" in impacts) return noPlan("Blocked", "Blocked", `merging would leave Sync ${impacts.broken} with manifests that do not render`);
  return {
    ...inverse,
    outcome: "plan",
    base,
    commits: blamed.commits.map(factsOf),
    bystanders: blamed.bystanders.map(factsOf),
    impacts,
    canaryChanges: await canaryChanges(deps, scene, blamed, signal),
  };
}

function factsOf({ oid, message, author, time }: Commit): CommitFacts {
  return { oid, subject: subjectOf(message), author: author.name, time };
}

/** What merging changes in every Sync of the repository, against what runs now; or the Sync that would render no more. */
async function impactsOf(
  deps: RevertDeps,
  scene: Scene,
  { base, tree }: { base: string; tree: string },
  signal: AbortSignal,
): Promise<Impact[] | { broken: string }> {
  const own = keyOf(scene.revert.metadata);
  const others = {
    ...deps,
    reverts: { ...deps.reverts, list: () => deps.reverts.list().filter(({ metadata }) => keyOf(metadata) !== own) },
  };
  const impacts: Impact[] = [];
  for (const sync of syncsOf(deps, scene.repository)) {
    const place = { ...scene, sync };
    // Rendered once to see whether it renders, and once as it is: what is held needs the values of Secrets.
    if (!(await rendering(deps, place, base, signal))) continue;
    if (!(await rendering(deps, place, tree, signal))) return { broken: keyOf(sync.metadata) };
    const before = await objectsAt(deps, place, base, signal);
    const after = await objectsAt(deps, place, tree, signal);
    const now = hold(before, await holdsOf(deps, sync, before, signal)).objects;
    const merged = hold(after, await holdsOf(others, sync, after, signal)).objects;
    impacts.push(impactOf(keyOf(sync.metadata), now, merged));
  }
  return impacts;
}

/** Fields in which the Canary itself differs between the two commits (design rule 10): its verdict may rest on them. */
async function canaryChanges(deps: RevertDeps, scene: Scene, { promotedAt, failedAt }: Blamed, signal: AbortSignal): Promise<string[]> {
  if (promotedAt === "" || failedAt === "") return [];
  const [before, after] = await Promise.all([promotedAt, failedAt].map((at) => rendering(deps, scene, at, signal)));
  const specOf = (objects: readonly KubeObject[] | undefined): unknown => {
    const { namespace } = scene.revert.metadata;
    return objects?.find(
      ({ kind, metadata }) => kind === "Canary" && metadata.name === scene.revert.spec.canaryRef.name && metadata.namespace === namespace,
    )?.["spec"];
  };
  const [old, now] = [specOf(before), specOf(after)];
  if (old === undefined && now === undefined) return [];
  return differences(old, now, [{ field: "spec" }]).map(({ path }) => formatPath(path));
}
