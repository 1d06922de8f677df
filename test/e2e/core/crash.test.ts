import { describe, expect, test } from "vitest";
import { stage } from "../story.ts";
import { expectNoneFailed } from "../team.ts";

describe("kill -9 in the middle of a release", () => {
  const here = stage();

  test("weights stand while the controller is dead, the run goes on where it was, and no request fails", async (context) => {
    const [good, bad] = await Promise.all([
      here.aTeam(context, "killed-good", { services: { shop: { replicas: 2 } }, canary: { stepWeight: 10 } }),
      here.aTeam(context, "killed-bad", { canary: { stepWeight: 10 } }),
    ]);
    await good.releases("shop", "2");
    const before = await good.until("a weight of 20", () => {
      const status = good.canary("shop");
      return (status.canaryWeight ?? 0) >= 20 && status;
    });
    await bad.releases("shop", "bad");
    await bad.until("the bad release to get traffic", () => (bad.canary("shop").canaryWeight ?? 0) > 0);
    await here.controller.kill();
    const dead = good.canary("shop");
    const answered = (): number => good.users("shop").snapshot().answered;
    const atDeath = answered();
    await good.until("users to go on for two seconds", () => answered() > atDeath + 20);
    expect(good.canary("shop")).toEqual(dead);
    await here.controller.restart();

    await good.promoted("shop", "2");
    await good.atRest("shop");
    expect(good.canary("shop").startedAt).toBe(before.startedAt);
    expectNoneFailed(good.users("shop"));

    expect(await bad.rolledBack("shop")).toContain("CheckFailed, the commit's fault");
    await bad.held("shop", "1");
    const pull = await bad.pullRequest("shop");
    expect(await bad.revertBranches()).toEqual([pull.head.ref]);
  });
});
