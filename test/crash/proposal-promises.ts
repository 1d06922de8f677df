import { names } from "../../src/api/meta.ts";
import type { KubeObject } from "../../src/api/object.ts";
import type { RevertPhase } from "../../src/api/revert.ts";
import { readCommit } from "../../src/git/tree.ts";
import { sameJson } from "../../src/lib/json.ts";
import { parseBranchName } from "../../src/revert/branch.ts";
import { isAncestor, type RefMove } from "../fakes/memory-git.ts";
import type { HostedPull } from "../fakes/memory-git-host.ts";
import type { StoredChange } from "../fakes/memory-kube.ts";
import type { Tally } from "./tally.ts";
import { fail, isMeasured, isOver, kinds, lastAnswer, lastNumber, named, revertSpec, revertStatus, type Seen } from "./watched.ts";

const one = "one branch, one commit and one pull request for each cause";

/** How an end is counted. */
const endedAs: Partial<Record<RevertPhase, keyof Tally>> = { Merged: "merged", Declined: "declined", Superseded: "superseded" };

/** A Revert that begins or ends. */
export function onRevert(seen: Seen, { type, object, before }: StoredChange): void {
  const { name } = object.metadata;
  const end = endOf(object);
  if (end && end !== endOf(before)) onEnd(seen, name, end);
  if (type === "ADDED" || (isOver(before) && !isOver(object))) seen.begins.set(name, (seen.begins.get(name) ?? 0) + 1);
  if (type === "ADDED") onFirstRevert(seen, object);
}

function endOf(revert: KubeObject | undefined): keyof Tally | undefined {
  return endedAs[revertStatus(revert).phase ?? "Planned"];
}

function onEnd({ tally, ends }: Seen, name: string, end: keyof Tally): void {
  tally[end] += 1;
  if (end !== "declined") ends.set(name, (ends.get(name) ?? 0) + 1);
}

/** Something is only proposed when what ran was bad by itself. */
function onFirstRevert(seen: Seen, revert: KubeObject): void {
  const { propose, evidence, canaryRef } = revertSpec(revert);
  if (!propose || !isMeasured(evidence?.reason)) return;
  const primary = `${canaryRef.name}-primary`;
  // Shares are counted over the whole run: the primary need not serve in its last moment.
  const answer = evidence?.share ? lastNumber(seen, primary) : lastAnswer(seen, primary);
  if (answer?.bad !== false)
    fail(seen, "unknown is not bad", `${revert.metadata.name} is to be proposed, and the primary did not pass the same check`);
}

/** A controller's push. */
export function onMoved(seen: Seen, move: RefMove): void {
  if (seen.othersAtWork || move.after === undefined) return;
  if (move.ref === "refs/heads/main") onMain(seen, move.before, move.after);
  else onBranch(seen, move, move.after);
}

function onMain(seen: Seen, before: string | undefined, after: string): void {
  const { parents } = readCommit(seen.world.source.store, after);
  const isOneMore = parents.length === 1 && parents[0] === before;
  seen.tally.pushes += 1;
  if (!isOneMore) fail(seen, one, `main is moved to ${after}, which is not one commit on top of it`);
}

function onBranch(seen: Seen, { ref, before }: RefMove, after: string): void {
  const { store, refs } = seen.world.source;
  const { parents, tree, message } = readCommit(store, after);
  const last = before === undefined ? undefined : readCommit(store, before);
  if (last && sameJson([last.tree, last.parents, last.message], [tree, parents, message]))
    fail(seen, one, `${ref} is pushed anew, and nothing about its commit but the time has changed`);
  const [older = "", ...others] = parents;
  const isOnMain = isAncestor(store, { older, newer: refs.get("refs/heads/main") ?? "" });
  if (others.length > 0 || !isOnMain) fail(seen, one, `${ref} is not one commit on main`);
  const { commit } = revertStatus(named(seen.world, kinds.revert, revertOf(ref.slice("refs/heads/".length))));
  if (commit !== after) fail(seen, "what is pushed was recorded before", `${ref} is at ${after}, its Revert says ${commit}`);
}

/** Looks at pull requests that controllers opened since the last look. */
export function checkPulls(seen: Seen): void {
  if (seen.othersAtWork) return;
  const pulls = seen.world.hosted.pulls();
  for (const [index, pull] of pulls.entries()) {
    const before = seen.pulls[index];
    if (!before) onMade(seen, pull);
    if (pull.state === "open" && before?.state !== "open") onOpened(seen, pull);
  }
  seen.pulls = pulls;
}

/** While a Revert holds it has one pull request, which is opened again and not made anew. */
function onMade(seen: Seen, { head, number }: HostedPull): void {
  const times = seen.begins.get(revertOf(head)) ?? 0;
  if (seen.proposedIn.get(head) === times) fail(seen, one, `pull request ${number} is made for ${head}, which has one`);
  seen.proposedIn.set(head, times);
  seen.tally.proposals += 1;
}

function onOpened(seen: Seen, { head, number }: HostedPull): void {
  const others = seen.world.hosted.pulls().filter((pull) => pull.head === head && pull.number !== number);
  if (others.some(({ state }) => state === "open")) fail(seen, one, `a second pull request is open for ${head}`);
  const endsThen = seen.closedByPerson.get(head);
  const revert = named(seen.world, kinds.revert, revertOf(head));
  const released = revert?.metadata.annotations?.[names.release] !== undefined;
  if (endsThen !== undefined && endsThen === (seen.ends.get(revertOf(head)) ?? 0) && !released)
    fail(seen, "what a person declined is not proposed again", `pull request ${number} for ${head}`);
}

/** Name of the Revert whose branch this is. */
export function revertOf(head: string): string {
  const parsed = parseBranchName(head);
  return parsed ? `${parsed.canary}-${parsed.id}` : "";
}
