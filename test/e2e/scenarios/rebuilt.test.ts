import { rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { seen } from "../sight.ts";
import { clusterObjects } from "../start-of-team.ts";
import { stage } from "../story.ts";

const here = stage();

test("a cluster is built anew from Git while a revert is proposed: it finds the branch, and the bad version never runs", async (context) => {
  const team = await here.aTeam(context, "rebuilt");
  const { kube, dir } = here.place;
  const limit = (): AbortSignal => AbortSignal.timeout(20_000);
  await team.releases("shop", "bad");
  await team.rolledBack("shop");
  await team.held("shop", "1");
  const pull = await team.pullRequest("shop");
  const answers = (): number => team.users("shop").snapshot().versions.get("bad")?.answered ?? 0;
  const seenByUsers = answers();

  await kube.delete({ ...seen.namespace, name: team.namespace }, {}, limit());
  await team.until("everything to be gone", () => team.find(seen.namespace, team.namespace) === undefined);
  expect(await team.revertBranches()).toEqual([pull.head.ref]);
  expect((await team.pulls()).map(({ state }) => state)).toEqual(["open"]);
  await here.controller.kill();
  rmSync(join(dir, `cache-${here.controller.name}`), { recursive: true });
  await here.controller.restart();
  const tags: (string | undefined)[] = [];
  for (const object of clusterObjects(team, {})) await kube.apply(object, { fieldManager: "platform-team" }, limit());
  await team.until("the shop to be put under its Canary", () => {
    tags.push(team.tag("shop"), team.tag("shop-primary"));
    return team.canary("shop").phase === "Initialized";
  });
  await team.held("shop", "1");
  const adopted = await team.revertIs("shop", "Proposed");
  expect([adopted.status.branch, adopted.status.pullRequest?.number]).toEqual([pull.head.ref, pull.number]);
  expect([...new Set(tags)].filter((tag) => tag !== undefined)).toEqual(["1"]);

  await team.atRest("shop");
  const running = team.running();
  await team.merges(pull);
  await team.revertIs("shop", "Merged");
  await team.nothingHeld();
  expect([team.running(), answers()]).toEqual([running, seenByUsers]);
  expect(await team.fileAtMain("apps/shop.yaml")).toContain("image: serin.dev/shop:1\n");
});
