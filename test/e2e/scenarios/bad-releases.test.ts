import { describe, expect, test } from "vitest";
import { stage } from "../story.ts";

const here = stage();
/** Six steps: what is only sometimes ready has no time to pass them all. */
const stepWeight = 10;

/** What is wrong with each release, its tag, and what Serin says of it. */
const releases = [
  ["answers with errors", "bad", "CheckFailed"],
  ["is slow", "slow", "CheckFailed"],
  ["ends again and again", "crash", "CanaryCrashed"],
  ["does not exist", "missing", "ImageNotFound"],
  ["is ready and unready in turn", "flap", "ReadinessLost"],
] as const;

describe.concurrent.each(releases)("a release that %s", (_, tag, reason) => {
  test("is rolled back and held; a pull request takes it out of Git", async (context) => {
    const team = await here.aTeam(context, `${tag}-by-pull`, { canary: { stepWeight } });
    await team.releases("shop", tag);
    expect(await team.rolledBack("shop")).toContain(`${reason}, the commit's fault`);
    await team.held("shop", "1");

    const pull = await team.pullRequest("shop");
    expect(pull.body).toContain(`\`serin.dev/shop:1\` | \`serin.dev/shop:${tag}\` | yes`);
    expect(await team.revertBranches()).toEqual([pull.head.ref]);
    await team.merges(pull);
    await team.revertIs("shop", "Merged");
    expect(await team.fileAtMain("apps/shop.yaml")).toContain("image: serin.dev/shop:1\n");
    await team.until("the Canary to be at rest", () => team.canary("shop").phase === "Initialized");
  });

  test("is rolled back and held; a push takes it out of Git", async (context) => {
    const team = await here.aTeam(context, `${tag}-by-push`, { canary: { stepWeight, strategy: "Push" } });
    const bad = await team.releases("shop", tag);
    expect(await team.rolledBack("shop")).toContain(`${reason}, the commit's fault`);
    await team.held("shop", "1");

    await team.revertIs("shop", "Merged");
    expect(await team.fileAtMain("apps/shop.yaml")).toContain("image: serin.dev/shop:1\n");
    expect(await team.ada.git("log", "-1", "--format=%an%n%B", "FETCH_HEAD")).toMatch(new RegExp(`^Serin\nRevert "Release shop ${tag}"[^]*commit ${bad}`));
    expect(await team.pulls()).toEqual([]);
    await team.until("the Canary to be at rest", () => team.canary("shop").phase === "Initialized");
  });
});
