import { describe, expect, test, type TestContext } from "vitest";
import { stage } from "../story.ts";
import { expectNoneFailed, type Team, type TeamOptions } from "../team.ts";

const here = stage();

/** How many answers of a version users got so far. */
const answersOf = (team: Team, tag: string): number => team.users("shop").snapshot().versions.get(tag)?.answered ?? 0;

describe.concurrent.each(["gatewayapi:v1", "nginx"] as const)("with %s", (provider) => {
  const router = provider.replace(/:.*/, "");
  const options: TeamOptions = { services: { shop: { replicas: 2 } }, canary: { provider }, traffic: 20 };
  const isServed = (context: TestContext): void => context.skip(!here.place.routers.includes(provider), `${here.place.name} has no ${provider}`);

  test("a good release is promoted with real traffic and no failed request", async (context) => {
    isServed(context);
    const team = await here.aTeam(context, `good-${router}`, options);
    await team.releases("shop", "2");
    await team.until("users to get both versions", () => answersOf(team, "2") > 0 && team.canary("shop").phase === "Progressing");
    await team.promoted("shop", "2");
    await team.atRest("shop");
    expectNoneFailed(team.users("shop"));
    expect(await team.pulls()).toEqual([]);
  });

  test("a bad release is rolled back, held, and out of Git with the merge of its pull request", async (context) => {
    isServed(context);
    const team = await here.aTeam(context, `bad-${router}`, options);
    await team.releases("shop", "bad");
    expect(await team.rolledBack("shop")).toContain("CheckFailed, the commit's fault");
    await team.held("shop", "1");
    const pull = await team.pullRequest("shop");
    expect(pull.title).toBe('Revert "Release shop bad": shop failed its canary');
    expect(pull.body).toContain("**Nothing.** The cluster runs this already.");
    await team.atRest("shop");
    const [running, answers] = [team.running(), answersOf(team, "bad")];
    await team.merges(pull);
    await team.revertIs("shop", "Merged");
    await team.nothingHeld();
    expect(await team.fileAtMain("apps/shop.yaml")).toContain("serin.dev/shop:1");
    expect(team.running()).toEqual(running);
    expect(answersOf(team, "bad")).toBe(answers);
  });
});
