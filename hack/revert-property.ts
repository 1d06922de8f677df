import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { treesOf } from "../src/git/history.ts";
import { mergeTrees } from "../src/git/merge.ts";
import { inMemory, type ObjectStore, openObjects } from "../src/git/objects.ts";
import { revert } from "../src/git/revert.ts";
import { readCommit } from "../src/git/tree.ts";
import { type Profile, type RandomHistory, randomHistory, revertByGit } from "../test/random-history.ts";

/**
 * Compares undoing with `git revert` on many random histories, more than `npm test` has time for.
 * Usage: node hack/revert-property.ts [--histories 200] [--seed 1]. Ends with 1 when a clean result differs from git's.
 */
const { values } = parseArgs({ options: { histories: { type: "string", default: "200" }, seed: { type: "string", default: "1" } } });
const dir = mkdtempSync(join(tmpdir(), "serin-property-"));
let wrong = 0;

/** Outcome of one commit in a few words, beside git's. */
function compare(
  history: RandomHistory,
  store: ObjectStore,
  commit: RandomHistory["commits"][number],
): { words: string[]; different: boolean } {
  const git = revertByGit(history, commit);
  const ours = revert(store, { head: history.head, commits: [commit.oid] });
  const different = ours.outcome === "clean" && git.outcome === "clean" && ours.tree !== git.tree;
  const agrees = renamedMerge(store, history.head, commit.oid) === (git.outcome === "clean" ? git.tree : git.outcome);
  const words = [
    `ours ${ours.outcome}, git ${git.outcome}${different ? ", DIFFERENT TREE" : ""}`,
    `one merge with renames ${agrees ? "agrees" : "differs"}`,
  ];
  return { words, different };
}

function renamedMerge(store: ObjectStore, headCommit: string, commit: string): string {
  const { before, after } = treesOf(store, commit);
  const head = readCommit(store, headCommit).tree;
  const { tree } = mergeTrees(inMemory(store), { base: after, ours: head, theirs: before }, { renames: true });
  if (tree === undefined) return "conflict";
  return tree === head ? "empty" : tree;
}

function tally(profile: Profile): Map<string, number> {
  const counts = new Map<string, number>();
  for (let index = 0; index < Number(values.histories); index++) {
    const seed = Number(values.seed) + index;
    const history = randomHistory(join(dir, "repository"), seed, profile);
    const store = openObjects(join(history.dir, ".git"));
    for (const commit of history.commits) {
      const { words, different } = compare(history, store, commit);
      for (const what of words) counts.set(what, (counts.get(what) ?? 0) + 1);
      if (different) process.stdout.write(`different tree: ${profile} seed ${seed} commit ${commit.oid}\n`);
      if (different) wrong++;
    }
    store.close();
  }
  return counts;
}

for (const profile of ["gitops", "nasty"] as const) {
  const counts = tally(profile);
  process.stdout.write(`${profile}\n${[...counts].map(([what, times]) => `  ${String(times).padStart(5)}  ${what}\n`).join("")}`);
}
rmSync(dir, { recursive: true, force: true });
process.exitCode = wrong > 0 ? 1 : 0;
