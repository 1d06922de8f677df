import { expect, test } from "vitest";
import type { Proposal } from "../../revert/end.ts";
import type { RevertDeps } from "./deps.ts";
import { createMemory } from "./memory.ts";
import { propose } from "./propose.ts";
import type { Scene } from "./scene.ts";

const untouched = new Proxy({}, {
  get: (_, name) => {
    throw new Error(`${String(name)} is used`);
  },
});
const pullRequest = {
  number: 7,
  url: "https://git.example/pulls/7",
  state: "closed",
  headCommit: "c",
  title: "",
  body: "",
  approved: false,
} as const;
const revert = {
  metadata: { namespace: "shop", name: "checkout-6d1f0a2" },
  status: { phase: "Proposed", branch: "b", commit: "c", pullRequest },
};

// HEAD could not be read, or its end would have been decided on already.
const settled: Proposal[] = ["unknown", "merged", "closedByPerson", "closedByBot", "branchMissing"];

test.each(settled)("a proposal that is %s is left as it is", async (proposal) => {
  const deps = { ...(untouched as RevertDeps), memory: createMemory() };
  const scene = { revert, repository: { metadata: { namespace: "shop", name: "apps" } } } as unknown as Scene;
  const published = { proposal, pullRequest, branchCommit: "c", branchIsOurs: true };
  await expect(propose(deps, scene, { host: untouched as never, published }, new AbortController().signal)).resolves.toBeUndefined();
});
