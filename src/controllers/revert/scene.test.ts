import { expect, test } from "vitest";
import { memoryRemote } from "../../../test/fakes/memory-git.ts";
import { memoryHost } from "../../../test/fakes/memory-git-host.ts";
import type { GitHost } from "../../githost/git-host.ts";
import type { RevertDeps } from "./deps.ts";
import { observeProposal, type Scene } from "./scene.ts";

const branch = "serin/revert/prod/shop/checkout/6d1f0a2";
const ref = `refs/heads/${branch}`;
const { signal } = new AbortController();

/** A proposal that stands open, and what is seen of it when something happens while the host is asked. */
async function proposed() {
  const source = memoryRemote();
  const hosted = memoryHost(source);
  source.move(ref, source.commit({ "shop.txt": "bad" }));
  const commit = source.commit({ "shop.txt": "good" }, { branch });
  const open = await hosted.host.createPullRequest({ head: branch, base: "main", title: "Revert", body: "" }, signal);
  const status = { branch, commit, pushedAt: "2026-01-02T03:00:00Z", pullRequest: { number: open.number, url: open.url } };
  const scene = { revert: { metadata: { namespace: "shop", name: "checkout-6d1f0a2" }, status } } as Scene;
  const seeWhile = (happens: () => void) => {
    const findPullRequest: GitHost["findPullRequest"] = (...args) => (happens(), hosted.host.findPullRequest(...args));
    const git = { listRefs: async () => [...source.refs].map(([name, at]) => ({ name, commit: at })) };
    return observeProposal({ git } as unknown as RevertDeps, scene, { ...hosted.host, findPullRequest }, signal);
  };
  return { seeWhile, source, hosted, number: open.number };
}

test("a branch that is deleted while the host is asked is missing, not declined", async () => {
  const { seeWhile, source } = await proposed();
  await expect(seeWhile(() => source.move(ref, undefined))).resolves.toMatchObject({ proposal: "branchMissing" });
});

test("a pull request that a person closes while the host is asked is declined", async () => {
  const { seeWhile, hosted, number } = await proposed();
  await expect(seeWhile(() => hosted.close(number, "ada"))).resolves.toMatchObject({ proposal: "closedByPerson", branchIsOurs: true });
});

test("a pull request that is merged with its branch while the host is asked is merged", async () => {
  const { seeWhile, source, hosted, number } = await proposed();
  const merge = () => {
    hosted.merge(number, "merge");
    source.move(ref, undefined);
  };
  await expect(seeWhile(merge)).resolves.toMatchObject({ proposal: "merged" });
});
