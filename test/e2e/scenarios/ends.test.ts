import { describe, expect, test } from "vitest";
import { deployment } from "../manifests.ts";
import { seen } from "../sight.ts";
import type { Pull } from "../git-api.ts";
import { stage } from "../story.ts";
import type { Team } from "../team.ts";

const here = stage();

/** The bad release is out of the cluster, and how to get it out of Git is proposed. */
async function proposed(team: Team): Promise<Pull> {
  await team.releases("shop", "bad");
  await team.rolledBack("shop");
  await team.held("shop", "1");
  return team.pullRequest("shop");
}

describe.concurrent("a revert that is proposed", () => {
  test.for(["merge", "squash", "rebase"] as const)("ends when the host's button merges it by %s; nothing is restarted", async (style, context) => {
    const team = await here.aTeam(context, `by-${style}`);
    const pull = await proposed(team);
    await team.atRest("shop");
    const running = team.running();
    await team.merges(pull, style);
    await team.revertIs("shop", "Merged");
    await team.nothingHeld();
    expect(await team.fileAtMain("apps/shop.yaml")).toContain("image: serin.dev/shop:1\n");
    expect(team.running()).toEqual(running);
    await team.until("its branch to be gone", async () => (await team.revertBranches()).length === 0);
  });

  test("is declined by closing it: the change is tried once more, and failing again is held and proposes nothing", async (context) => {
    const team = await here.aTeam(context, "declined");
    const pull = await proposed(team);
    const { startedAt } = team.canary("shop");
    await team.closes(pull);
    await team.until("another try", () => team.canary("shop").phase === "Progressing" && team.canary("shop").startedAt !== startedAt);
    await team.rolledBack("shop");
    await team.held("shop", "1");
    await team.revertIs("shop", "Planned", "DeclinedBefore");
    expect((await team.pulls()).map(({ state }) => state)).toEqual(["closed"]);
    expect(await team.revertBranches()).toEqual([]);
    expect(await team.fileAtMain("apps/shop.yaml")).toContain("image: serin.dev/shop:bad\n");
  });

  test("is superseded by a fix: closed with a word why, and the fix is analysed and promoted", async (context) => {
    const team = await here.aTeam(context, "superseded");
    const pull = await proposed(team);
    await team.releases("shop", "2", "Fix it");
    await team.revertIs("shop", "Superseded");
    await team.promoted("shop", "2");
    await team.until("the pull request to be closed", async () => (await team.pulls())[0]?.state === "closed");
    expect(await team.comments(pull)).toEqual([expect.stringContaining("Git names other values by now")]);
    await team.nothingHeld();
  });

  test("comes back once when its branch is deleted; deleted again, it waits for a person, and the change is held all the time", async (context) => {
    const team = await here.aTeam(context, "deleted-branch");
    const pull = await proposed(team);
    const deletesBranch = async (): Promise<void> => {
      const { status } = await team.api("DELETE", `/branches/${encodeURIComponent(pull.head.ref)}`);
      expect(status).toBe(204);
    };
    await deletesBranch();
    await team.until("the branch to be back, with an open pull request", async () => {
      const [branches, pulls] = [await team.revertBranches(), await team.pulls()];
      return branches.includes(pull.head.ref) && pulls.some(({ state }) => state === "open");
    });
    await team.revertIs("shop", "Proposed", "Proposed");
    await deletesBranch();
    await team.until("Serin to say that it waits", () => team.ready(seen.revert, team.revert("shop")?.metadata.name ?? "").includes("BranchDeleted"));
    expect(await team.revertBranches()).toEqual([]);
    expect([team.tag("shop"), team.canary("shop").phase, team.sync().holding]).toEqual(["1", "Failed", ["shop"]]);
  });

  test("is declined by deleting the Revert: the change is tried once more, and failing again is held and proposes nothing", async (context) => {
    const team = await here.aTeam(context, "deleted-revert");
    await proposed(team);
    const { startedAt } = team.canary("shop");
    const first = team.revert("shop")?.metadata ?? { name: "" };
    await team.deletes(seen.revert, first.name);
    await team.until("another try", () => team.canary("shop").phase === "Progressing" && team.canary("shop").startedAt !== startedAt);
    await team.rolledBack("shop");
    await team.held("shop", "1");
    const second = await team.revertIs("shop", "Planned", "DeclinedBefore");
    expect(second.metadata.uid).not.toBe(first.uid);
    expect((await team.pulls()).map(({ state }) => state)).toEqual(["closed"]);
    expect(await team.revertBranches()).toEqual([]);
  });
});

test.concurrent("a revert that has no clean inverse is blocked and says how to do it by hand, while other teams ship", async (context) => {
  const team = await here.aTeam(context, "conflict", { services: { shop: {}, cart: {} } });
  const bad = await team.releases("shop", "bad");
  // Nothing that runs changes by this, but the line beside it does.
  const later = await team.releases("shop", { tag: "bad", comment: "signed off by Ada" }, "Say who signed it off");
  await team.rolledBack("shop");
  await team.held("shop", "1");
  const blocked = await team.revertIs("shop", "Blocked");
  expect(blocked.status.conflicts).toEqual(["apps/shop.yaml"]);
  const how = team.ready(seen.revert, blocked.metadata.name);
  expect(how).toContain(`git switch --create undo ${later} && git revert --no-commit ${bad}`);
  expect([await team.pulls(), await team.revertBranches()]).toEqual([[], []]);

  await team.releases("cart", "2", "Release cart 2, which has nothing to do with it");
  await team.promoted("cart", "2");
  expect(team.tag("shop")).toBe("1");

  await team.ada.push("Undo it by hand", { "apps/shop.yaml": deployment("shop", { comment: "signed off by Ada" }) });
  await team.revertIs("shop", "Merged");
  await team.nothingHeld();
});
