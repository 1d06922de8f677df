import type { KubeObject } from "../../src/api/object.ts";
import type { Move } from "./moves.ts";
import { contentIn, imageIn } from "./primary.ts";
import { holds, isMeasured, isOver, kinds, revertSpec, revertStatus } from "./watched.ts";
import type { CrashWorld } from "./world.ts";

/** A Revert that holds and is not proposed, in a world at rest. */
interface Unproposed {
  readonly world: CrashWorld;
  readonly revert: KubeObject;
  /** Name of its Canary. */
  readonly app: string;
}

/** Whether something happened that can be why a Revert gives this reason for not being proposed. */
export function mayKeepFromProposal(world: CrashWorld, revert: KubeObject, reason: string): boolean {
  return causes.get(reason)?.({ world, revert, app: appOf(revert) }) ?? false;
}

const causes = new Map<string, (unproposed: Unproposed) => boolean>([
  ["NotTheCommitsFault", (unproposed) => isExcused(unproposed) || isDeclined(unproposed)],
  ["DeclinedBefore", isDeclined],
  // Three others within the hour.
  ["ProposalLimit", ({ world }) => revertsEver(world).size > 3],
  // What was promoted while something was held stands in no commit.
  ["NotFromGit", ({ world, app }) => hasHeldBefore(world, app) || isConfigDeleted(world, app)],
  ["Blocked", hasLaterEdits],
  ["Conflict", hasLaterEdits],
  ["Outdated", hasLaterEdits],
  ["SerinCommit", ({ world }) => world.kube.changes(kinds.revert).some(({ object }) => revertStatus(object).phase === "Merged")],
  ["UndoneByOther", ({ world, app }) => world.kube.objects(kinds.revert).some((other) => holds(other) && appOf(other) !== app)],
  ["BranchDeleted", ({ world }) => did(world, (move) => move.do === "deleteBranch" || (move.do === "close" && move.by === "tidy-bot"))],
  ["BranchTakenOver", ({ world }) => did(world, (move) => move.do === "pushToBranch")],
]);

/**
 * A person may have undone our revert while the Sync was suspended that had not applied it: the cluster never left what failed, so
 * that the Canary sees nothing to try once more (README: Known).
 */
export function mayBeTakenBackUnseen(world: CrashWorld): boolean {
  return did(world, (move) => move.do === "suspendSync" && move.suspend) && did(world, (move) => move.do === "back");
}

function appOf(revert: KubeObject): string {
  return revertSpec(revert).canaryRef.name;
}

function isConfigDeleted(world: CrashWorld, app: string): boolean {
  return did(world, (move) => move.do === "delete" && move.name === `${app}-config`);
}

function did({ schedule }: CrashWorld, isIt: (move: Move) => boolean): boolean {
  return schedule.moves.some(({ move }) => isIt(move));
}

/** Names of all Reverts that ever were, of one app or of all. */
function revertsEver({ kube }: CrashWorld, app?: string): Set<string> {
  const all = kube.changes(kinds.revert).filter(({ object }) => app === undefined || appOf(object) === app);
  return new Set(all.map(({ object }) => object.metadata.name));
}

function hasHeldBefore(world: CrashWorld, app: string): boolean {
  const hasEnded = world.kube.changes(kinds.revert).some(({ object }) => appOf(object) === app && isOver(object));
  return hasEnded || revertsEver(world, app).size > 1;
}

/** Something else than the release can be why it failed, or it could not be told. */
function isExcused({ world, revert, app }: Unproposed): boolean {
  const { evidence } = revertSpec(revert);
  const isTouched = did(world, (move) => (move.do === "pods" || move.do === "restart") && [app, `${app}-primary`].includes(move.of));
  const isDeleted = did(world, (move) => move.do === "delete" && move.name.startsWith(app));
  if (isTouched || isDeleted) return true;
  if (isMeasured(evidence?.reason))
    return world.schedule.faults.length > 0 || did(world, (move) => move.do === "metrics" || move.do === "outage");
  return imageIn(contentIn(world, app, evidence?.revision ?? "")).includes(":u");
}

/** A person has said no, or that a revert of ours is to be undone. */
function isDeclined({ world }: Unproposed): boolean {
  return did(world, (move) => move.do === "deleteRevert" || move.do === "back" || (move.do === "close" && move.by === "ada"));
}

/** Other commits have changed the same file, or could not be read in between. */
function hasLaterEdits({ world }: Unproposed): boolean {
  const edits = ["release", "configure", "mode", "bulk", "back", "tune"];
  return world.schedule.moves.filter(({ move }) => edits.includes(move.do)).length > 1 || did(world, (move) => move.do === "break");
}
