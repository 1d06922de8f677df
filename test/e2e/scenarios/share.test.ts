import { describe, expect, test } from "vitest";
import { expectNoneFailed, stage, type TeamOptions } from "../story.ts";

const here = stage();
/** Nothing is said of how to judge: no metrics, no thresholds, no weights. */
const options: TeamOptions = { canary: { byShare: true }, traffic: 40 };

describe.concurrent("a release that is judged by its share of the bad requests", () => {
  test("is promoted when it is no worse, by weights that its traffic earned", async (context) => {
    const team = await here.aTeam(context, "share-good", options);
    await team.releases("shop", "2");
    await team.promoted("shop", "2");
    await team.atRest("shop");
    expectNoneFailed(team.users("shop"));
    expect(await team.pulls()).toEqual([]);
  });

  test("waits, and says so, while nobody asks it for anything", async (context) => {
    const team = await here.aTeam(context, "share-alone", { ...options, users: [] });
    const isAtRest = () => team.canary("shop").phase === "Initialized";
    await team.until("the Canary to be at rest", isAtRest);
    await team.releases("shop", "2");
    await team.until("the Canary to say that there is no traffic", () => team.canary("shop").evidence?.reason === "NoTraffic");
    expect(team.canary("shop")).toMatchObject({ phase: "Progressing", failedChecks: 0, verdict: "inconclusive" });
    await team.releases("shop", "1");
    await team.until("the Canary to be at rest again", isAtRest);
    expect(await team.pulls()).toEqual([]);
  });

  test.for([
    ["fails each time", "bad"],
    ["fails three times of ten", "poor"],
    ["is slow", "slow"],
  ] as const)("is rolled back when it %s, and the pull request says how sure that is", async ([, tag], context) => {
    const team = await here.aTeam(context, `share-${tag}`, options);
    await team.releases("shop", tag);
    expect(await team.rolledBack("shop")).toContain("the commit's fault");
    await team.held("shop", "1");
    const pull = await team.pullRequest("shop");
    expect(pull.body).toContain("would ever look this bad in fewer than 1 of 20 rollouts");
    expect(pull.body).toMatch(/\n\| 5 % \| \S+ \| \d+, \d+ failed \| \d+, 0 failed \| [\d.]+ \|/);
    await team.merges(pull);
    await team.revertIs("shop", "Merged");
  });
});
