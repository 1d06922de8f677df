import { expect, test } from "vitest";
import type { CanaryPhase } from "../../src/api/canary.ts";
import { expectNoneFailed, stage, type Team } from "../e2e/story.ts";
import { seen } from "../e2e/sight.ts";
import { proved, rolledBackAndProposed, timed } from "./world.ts";

const here = stage();

/** Kills the controller the moment the Canary says this phase. */
async function killIn(team: Team, phase: CanaryPhase): Promise<void> {
  const { informers } = here.place;
  const met = Promise.withResolvers<void>();
  const unfollow = informers.of(seen.canary).onChange(({ after }) => {
    const { status } = (after ?? {}) as { status?: { phase?: string } };
    if (after?.metadata.namespace === team.namespace && status?.phase === phase) met.resolve();
  });
  await met.promise;
  unfollow();
  await here.controller.kill();
  await here.controller.restart();
}

const phases: readonly CanaryPhase[] = ["Progressing", "Promoting", "Finalising", "Succeeded"];

test.for(phases)("killed with -9 in phase %s of a good release: it is promoted, and no request fails", async (phase, context) => {
  const team = await here.aTeam(context, `k-${phase.toLowerCase()}`, { services: { shop: { replicas: 2 } } });
  const killed = killIn(team, phase);
  await team.releases("shop", "2");
  await killed;
  const rightAgainMs = await timed(async () => {
    await team.promoted("shop", "2");
    await team.atRest("shop");
  });
  expect(team.revert("shop")).toBeUndefined();
  expectNoneFailed(team.users("shop"));
  proved({
    fault: `kill -9 in phase ${phase}`,
    meanwhile: "the weight stands, no request fails",
    after: "promoted, in the same run",
    rightAgainMs,
  });
});

test("killed with -9 when a release has just failed: it is rolled back and proposed once", async (context) => {
  const team = await here.aTeam(context, "k-failed");
  const killed = killIn(team, "Failed");
  await team.releases("shop", "bad");
  await killed;
  const rightAgainMs = await timed(() => rolledBackAndProposed(team));
  expect(team.canary("shop").canaryWeight).toBe(0);
  proved({ fault: "kill -9 in phase Failed", meanwhile: "traffic is back already or goes back first", after: "held, one branch, one pull request", rightAgainMs });
});
