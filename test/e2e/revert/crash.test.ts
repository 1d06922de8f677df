import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { World } from "../../../src/controllers/wiring.ts";
import type { GitHost } from "../../../src/githost/git-host.ts";
import { type Cluster, startCluster } from "../cluster.ts";
import { type Site, startSite, startTeam, type Team } from "../world.ts";
import { deployment, shopFiles } from "./manifests.ts";
import { openShop, type Shop } from "./release.ts";

let site: Site;
let cluster: Cluster;
beforeAll(async () => {
  site = await startSite();
  cluster = await startCluster(site);
});
afterAll(async () => {
  await cluster.close();
  await site.close();
});

/** Ends the process at its n-th write to the API server, Git or the host: before it, or after it before the answer came. */
interface Death {
  readonly at: number;
  readonly answered: boolean;
  writes: number;
  dead: boolean;
}

function mortal(death: Death): (world: World) => World {
  const write = <Args extends unknown[], R>(call: (...args: Args) => Promise<R>) => async (...args: Args): Promise<R> => {
    if (death.dead) throw new Error("the process is dead");
    death.writes += 1;
    if (death.writes !== death.at) return call(...args);
    death.dead = true;
    if (death.answered) await call(...args);
    throw new Error("the process died");
  };
  return (world) => {
    const { kube, git } = world;
    const host = (inner: GitHost): GitHost => ({
      ...inner,
      createPullRequest: write((...args) => inner.createPullRequest(...args)),
      updatePullRequest: write((...args) => inner.updatePullRequest(...args)),
      comment: write((...args) => inner.comment(...args)),
    });
    const { github, gitea } = world.hosts;
    return {
      ...world,
      kube: {
        ...kube,
        create: write((...args) => kube.create(...args)),
        apply: write((...args) => kube.apply(...args)),
        patch: write((...args) => kube.patch(...args)),
        delete: write((...args) => kube.delete(...args)),
      },
      git: { ...git, createCommit: write((...args) => git.createCommit(...args)), push: write((...args) => git.push(...args)) },
      hosts: { github, gitea: (options) => host(gitea(options)) },
    };
  };
}

async function bad(name: string): Promise<{ shop: Shop; name: string; team: Team }> {
  const team = await startTeam(site, name);
  const shop = await openShop(cluster, team, { namespace: name });
  await shop.ship(shopFiles("1"));
  await shop.promote();
  return { shop, team, name: await shop.shipBad({ "apps/shop.yaml": deployment("shop", "2") }, "Release 2") };
}

/** Runs Revert and Sync in processes that die one after the other, each a write later than the one before, until one lives through. */
async function throughDeaths(
  shop: Shop,
  run: (process: Cluster) => Promise<unknown>,
  answered: boolean,
): Promise<{ deaths: number; events: string[] }> {
  const events: string[] = [];
  for (let at = 1; ; at += 1) {
    const death: Death = { at, answered, writes: 0, dead: false };
    const process = await cluster.restarted({ wrap: mortal(death) });
    await run(process);
    await process.close();
    await cluster.settle();
    events.push(...process.events);
    // The hold never gaps.
    expect(await shop.image()).toBe("acme/shop:1");
    if (!death.dead) return { deaths: at - 1, events };
  }
}

describe.each([["before", false], ["after", true]])("killed %s its n-th write and run again, for every n", (when, answered) => {
  test("a proposal ends with one branch, one commit and one pull request", async () => {
    const { shop, name, team } = await bad(`propose-${when}`);
    const { deaths, events } = await throughDeaths(shop, async (process) => {
      await process.run("Revert", `${shop.namespace}/${name}`);
      await process.run("Sync", `${shop.namespace}/apps`);
    }, answered);
    expect(deaths).toBeGreaterThan(2);
    expect(events.filter((event) => event.startsWith("Normal Proposed")).length).toBeLessThanOrEqual(1);
    const { status } = await shop.runRevert(name);
    expect([
      status.phase,
      team.branches().length,
      team.bare("rev-list", "--count", `main..${status.branch ?? ""}`),
      (await team.pulls()).length,
    ]).toEqual(["Proposed", 1, "1", 1]);
    expect(team.bare("rev-parse", status.branch ?? "")).toBe(status.commit);
  });

  test("a branch made anew stays one branch, one commit and one pull request", async () => {
    const lines = (tag: string, ...env: string[]): Record<string, string> => ({ "apps/shop.yaml": deployment("shop", tag, { env }) });
    const team = await startTeam(site, `anew-${when}`);
    const shop = await openShop(cluster, team, { namespace: `anew-${when}` });
    await shop.ship({ ...shopFiles("1"), ...lines("1", "{ name: MODE, value: slow }") });
    await shop.promote();
    const name = await shop.shipBad(lines("2", "{ name: MODE, value: fast }"), "Release 2");
    const first = (await shop.runRevert(name)).status.commit;
    await shop.ship(lines("2", "{ name: MODE, value: fast }", "{ name: MORE, value: yes }"));
    cluster.clock.jump(16 * 60_000);
    await throughDeaths(shop, (process) => process.run("Revert", `${shop.namespace}/${name}`), answered);
    const { status } = await shop.runRevert(name);
    expect(status.commit).not.toBe(first);
    expect([
      status.phase,
      team.bare("rev-parse", status.branch ?? ""),
      team.bare("rev-list", "--count", `main..${status.branch ?? ""}`),
      (await team.pulls()).length,
    ]).toEqual(["Proposed", status.commit, "1", 1]);
  });

  test("one that a bot closed is opened once more", async () => {
    const { shop, name, team } = await bad(`reopen-${when}`);
    await shop.runRevert(name);
    await team.api("PATCH", "/pulls/1", { state: "closed" }, "token-of-renovate");
    await throughDeaths(shop, (process) => process.run("Revert", `${shop.namespace}/${name}`), answered);
    expect([
      (await shop.runRevert(name)).status.phase,
      team.branches().length,
      (await team.pulls()).filter(({ state }) => state === "open").length,
    ]).toEqual(["Proposed", 1, 1]);
  });

  test("its end leaves no branch and one word of why", async () => {
    const { shop, name, team } = await bad(`end-${when}`);
    await shop.runRevert(name);
    team.commit({ "apps/shop.yaml": deployment("shop", "1") }, "Back to 1 by hand");
    await cluster.run("GitRepository", `${shop.namespace}/apps`);
    await throughDeaths(
      shop,
      async (process) => {
        await process.run("Revert", `${shop.namespace}/${name}`);
        await process.run("Sync", `${shop.namespace}/apps`);
      },
      answered,
    );
    expect([
      (await shop.runRevert(name)).status.phase,
      team.branches(),
      (await team.pulls()).map(({ state }) => state),
      (await team.comments(1)).length,
    ]).toEqual(["Merged", [], ["closed"], 1]);
  });

  test("the hand-over of a failure makes one Revert that holds", async () => {
    const team = await startTeam(site, `handover-${when}`);
    const shop = await openShop(cluster, team, { namespace: `handover-${when}` });
    await shop.ship(shopFiles("1"));
    await shop.promote();
    await shop.ship({ "apps/shop.yaml": deployment("shop", "2") }, "Release 2");
    const names = new Set<string>();
    for (let at = 1; ; at += 1) {
      const death: Death = { at, answered, writes: 0, dead: false };
      const process = await cluster.restarted({ wrap: mortal(death) });
      names.add(await shop.fail({ from: process }).catch(() => ""));
      await process.close();
      if (!death.dead) break;
    }
    names.delete("");
    expect([names.size, await shop.image()]).toEqual([1, "acme/shop:1"]);
  });
});
