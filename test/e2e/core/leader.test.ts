import { expect, test } from "vitest";
import { proved, timed } from "../outcome.ts";
import { stage } from "../story.ts";
import { expectNoneFailed } from "../team.ts";

const here = stage({ name: "one", observed: true });

test("a leader that is frozen longer than its Lease writes nothing when it goes on: the other replica has the work", async (context) => {
  const one = here.controller;
  const two = await here.place.startController({ name: "two", observed: true });
  const leads = (logs: readonly string[]): boolean => /"(leading|no longer leading)"/.exec(logs.filter((line) => line.includes("leading")).at(-1) ?? "")?.[1] === "leading";
  const team = await here.aTeam(context, "frozen", { services: { shop: { replicas: 2 } }, canary: { stepWeight: 5 } });
  expect([leads(one.logs), leads(two.logs)]).toEqual([true, false]);
  // Leases do not count: taking part in the election is what a replica is for.
  const writesOf = ({ writes }: { writes: readonly string[] }): string[] => writes.filter((write) => !write.includes("/leases"));
  expect(writesOf(two)).toEqual([]);

  await team.releases("shop", "2");
  await team.until("a weight of 10", () => (team.canary("shop").canaryWeight ?? 0) >= 10);
  one.freeze();
  const [wrote, weight] = [writesOf(one).length, team.canary("shop").canaryWeight ?? 0];
  const rightAgainMs = await timed(async () => {
    await team.until("the other replica to lead", () => leads(two.logs));
    await team.until("the run to go on", () => (team.canary("shop").canaryWeight ?? 0) > weight);
  });
  one.thaw();
  await team.until("the first replica to notice", () => !leads(one.logs));
  await team.promoted("shop", "2");
  await team.atRest("shop");

  expect(writesOf(one).slice(wrote)).toEqual([]);
  expectNoneFailed(team.users("shop"));
  proved({
    fault: "leader frozen for longer than its Lease, then continued",
    meanwhile: "the weight stands until the Lease is out",
    after: "the replica leads and promotes; the frozen one has written nothing",
    rightAgainMs,
  });
});
