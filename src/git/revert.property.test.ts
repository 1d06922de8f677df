import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { type Profile, randomHistory, revertByGit } from "../../test/random-history.ts";
import { openObjects } from "./objects.ts";
import { revert } from "./revert.ts";

const histories = 5;
const seed = Math.floor(Math.random() * 1_000_000);
const dir = mkdtempSync(join(tmpdir(), "serin-property-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function compare(profile: Profile) {
  return Array.from({ length: histories }, (_, index) => seed + index).flatMap((at) => {
    const history = randomHistory(join(dir, `${profile}-${at}`), at, profile);
    const store = openObjects(join(history.dir, ".git"));
    const found = history.commits.map((commit) => ({
      seed: at,
      commit: commit.oid,
      git: revertByGit(history, commit),
      ours: revert(store, { head: history.head, commits: [commit.oid] }),
    }));
    store.close();
    return found;
  });
}

test(`on GitOps histories undoing is what git revert does, down to the conflicting paths (seed ${seed})`, () => {
  for (const { git, ours, ...where } of compare("gitops")) {
    const result = ours.outcome === "clean" ? { outcome: ours.outcome, tree: ours.tree } : ours;
    expect({ ...where, ...result }).toEqual({ ...where, ...git });
  }
});

test(`on nasty histories undoing never gives another tree than git revert does (seed ${seed})`, () => {
  const bothClean = compare("nasty").flatMap(({ git, ours, ...where }) =>
    ours.outcome === "clean" && git.outcome === "clean" ? [{ ...where, tree: ours.tree, wanted: git.tree }] : [],
  );
  expect(bothClean.filter(({ tree, wanted }) => tree !== wanted)).toEqual([]);
  expect(bothClean.length).toBeGreaterThan(0);
});
