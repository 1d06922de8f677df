import { expect, test } from "vitest";
import { proved, timed } from "../e2e/outcome.ts";
import { stage } from "../e2e/story.ts";
import { promotedUnharmed, underWay } from "./world.ts";

const here = stage({ name: "one" });

const leads = (logs: readonly string[]): boolean =>
  logs.filter((line) => /"(no longer )?leading"/.test(line)).at(-1)?.includes('"leading"') === true;

test("the leader is killed and its replica takes over when the Lease is out", async (context) => {
  const two = await here.place.startController({ name: "two" });
  const team = await here.aTeam(context, "led", { services: { shop: { replicas: 2 } }, canary: { stepWeight: 5 } });
  await underWay(team);
  const { startedAt } = team.canary("shop");
  expect(leads(two.logs)).toBe(false);
  await here.controller.kill();
  const rightAgainMs = await timed(() => team.until("the other replica to lead", () => leads(two.logs)));
  await promotedUnharmed(team, "2", startedAt);
  proved({
    fault: "leader killed, one replica left",
    meanwhile: "the weight stands for at most the Lease's 15 s",
    after: "the replica leads, the run goes on and is promoted",
    rightAgainMs,
  });
});
