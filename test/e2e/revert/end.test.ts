import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Revert } from "../../../src/api/revert.ts";
import { type Cluster, conditionText, startCluster } from "../cluster.ts";
import { never, type Site, startSite, startTeam, tokens } from "../world.ts";
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

/** Version 2 failed, and its revert is proposed. */
async function proposed(
  name: string,
  second = { "apps/shop.yaml": deployment("shop", "2") },
): Promise<{ shop: Shop; name: string; revert: Revert }> {
  const shop = await openShop(cluster, await startTeam(site, name), { namespace: name });
  await shop.ship(shopFiles("1"));
  await shop.promote();
  const made = await shop.shipBad(second, "Release shop 2");
  const revert = await shop.runRevert(made);
  expect([revert.status.phase, await shop.image()]).toEqual(["Proposed", "acme/shop:1"]);
  return { shop, name: made, revert };
}

const mergeBy =
  (style: string) =>
  async ({ team }: Shop) =>
    expect(await team.api("POST", "/pulls/1/merge", { do: style })).toMatchObject({ status: 200 });
const closeAs =
  (token: string) =>
  async ({ team }: Shop) =>
    void (await team.api("PATCH", "/pulls/1", { state: "closed" }, token));
const dropBranch = async ({ team }: Shop): Promise<void> =>
  void (await team.api("DELETE", `/branches/${encodeURIComponent(team.branches()[0] ?? "")}`));

describe("rule 7: how a Revert ends", () => {
  test.each<[string, (shop: Shop) => unknown]>([
    ["a merge commit", mergeBy("merge")],
    ["a squash", mergeBy("squash")],
    ["a rebase", mergeBy("rebase")],
    ["somebody who sets the old version by hand", (shop) => shop.team.commit({ "apps/shop.yaml": deployment("shop", "1") }, "Back to 1")],
  ])("Merged by %s: branch gone, pull request closed, nothing changes in the cluster", async (how, act) => {
    const { shop, name } = await proposed(`merged-by-${how.split(" ")[1] ?? ""}`);
    const before = await shop.find("Deployment", "shop", "apps/v1");
    await act(shop);
    await cluster.run("GitRepository", `${shop.namespace}/apps`);
    const revert = await shop.runRevert(name, 2);
    expect([revert.status.phase, conditionText(revert)]).toEqual(["Merged", "True Merged: Git names the promoted values again; nothing is held back"]);
    expect(shop.team.branches()).toEqual([]);
    expect((await shop.team.pulls()).map(({ state }) => state)).toEqual(["closed"]);
    const after = await shop.find("Deployment", "shop", "apps/v1");
    expect([after?.["spec"], after?.metadata.generation]).toEqual([before?.["spec"], before?.metadata.generation]);
  });

  test("a rebase that keeps the content keeps the Revert", async () => {
    const { shop, name } = await proposed("rewritten");
    shop.team.work("commit", "-q", "--amend", "-m", "Release shop 2, reworded");
    shop.team.work("push", "-q", "--force", "origin", "HEAD:refs/heads/main");
    await cluster.run("GitRepository", "rewritten/apps");
    const revert = await shop.runRevert(name);
    expect([revert.status.phase, await shop.image(), (await shop.team.pulls()).map(({ state }) => state)]).toEqual([
      "Proposed",
      "acme/shop:1",
      ["open"],
    ]);
  });

  test("Merged, and refused from then on, when a later commit brings the values back before the merge was even seen", async () => {
    const { shop, name } = await proposed("undone");
    await mergeBy("merge")(shop);
    await shop.ship({ "apps/shop.yaml": deployment("shop", "2") }, "Bump shop to 2");
    const revert = await shop.runRevert(name, 2);
    expect([revert.status.phase, await shop.image(), shop.team.branches()]).toEqual(["Merged", "acme/shop:1", []]);
    expect(conditionText(revert)).toMatch(/^True Merged: It was merged, but a later commit brings the failed values back: .*"Reapply /);
    expect((await shop.find("Sync", "apps", "serin.dev/v1beta1"))?.["status"]).toMatchObject({
      revision: expect.stringContaining("holding shop") as string,
    });
  });

  test("Declined when that commit says that it reverts ours: the change goes out and is tried once more", async () => {
    const { shop, name } = await proposed("reapplied");
    await mergeBy("squash")(shop);
    await shop.ship({ "apps/shop.yaml": deployment("shop", "2") }, `Revert "Revert"\n\nThis reverts commit ${shop.team.bare("rev-parse", "main")}.`);
    const revert = await shop.runRevert(name, 2);
    expect([revert.status.phase, await shop.image()]).toEqual(["Declined", "acme/shop:2"]);
    expect((await shop.find("Canary", "shop", "serin.dev/v1beta1"))?.["status"]).toMatchObject({
      refused: [{ revert: name, declined: true }],
    });
  });

  test("Superseded by a third value: the pull request is closed with a word why, and the fix goes out", async () => {
    const { shop, name } = await proposed("superseded");
    await shop.ship({ "apps/shop.yaml": deployment("shop", "3") }, "Fix it");
    const revert = await shop.runRevert(name, 2);
    expect([revert.status.phase, await shop.image(), shop.team.branches()]).toEqual(["Superseded", "acme/shop:3", []]);
    expect((await shop.team.pulls())[0]).toMatchObject({ state: "closed", merged: false });
    expect((await shop.team.comments(1)).join()).toContain("Git names other values by now");
  });

  test("Declined when a person closes it: the change goes through, the branch goes, and the Canary knows", async () => {
    const { shop, name } = await proposed("declined");
    // That somebody released it from a storm was said of the first time.
    const release = { metadata: { annotations: { "serin.dev/release": "yes" } } };
    await cluster.kube.patch(shop.ref("Revert", name), release, { fieldManager: "test" }, never);
    await closeAs(tokens.person)(shop);
    const revert = await shop.runRevert(name, 2);
    expect([revert.status.phase, await shop.image(), shop.team.branches()]).toEqual(["Declined", "acme/shop:2", []]);
    const canary = await shop.find("Canary", "shop", "serin.dev/v1beta1");
    expect(canary?.["status"]).toMatchObject({ refused: [{ revert: name, declined: true }] });
    // Failing again holds, and opens nothing.
    expect(await shop.fail()).toBe(name);
    const again = await shop.runRevert(name, 2);
    expect([again.status.phase, await shop.image(), shop.team.branches(), (await shop.team.pulls()).length]).toEqual([
      "Planned",
      "acme/shop:1",
      [],
      1,
    ]);
    expect(conditionText(again)).toMatch(/^False DeclinedBefore: a person declined this revert before/);
  });

  test("Declined when the Revert is deleted by hand: the hold ends at once, the object goes when Git is tidied up", async () => {
    const { shop, name } = await proposed("deleted");
    await cluster.kube.delete(shop.ref("Revert", name), {}, never);
    await cluster.run("Sync", "deleted/apps");
    await cluster.run("Revert", `deleted/${name}`);
    await cluster.run("Sync", "deleted/apps");
    expect([await shop.image(), await shop.find("Revert", name, "serin.dev/v1beta1"), shop.team.branches()]).toEqual([
      "acme/shop:2",
      undefined,
      [],
    ]);
    expect((await shop.team.pulls())[0]).toMatchObject({ state: "closed", merged: false });
    expect((await shop.find("Canary", "shop", "serin.dev/v1beta1"))?.["status"]).toMatchObject({
      refused: [{ revert: name, declined: true }],
    });
    // Failing again makes a Revert that holds and proposes nothing.
    expect(await shop.fail()).toBe(name);
    const again = await shop.runRevert(name);
    expect([again.spec.propose, await shop.image(), shop.team.branches()]).toEqual([false, "acme/shop:1", []]);
  });

  test.each<[string, (shop: Shop) => Promise<void>]>([
    ["a bot closes it", closeAs(tokens.bot)],
    ["the branch is deleted", dropBranch],
  ])("%s: pushed and opened once more, then BranchDeleted and still held", async (how, act) => {
    const { shop, name } = await proposed(how.startsWith("a bot") ? "bot" : "missing");
    await act(shop);
    const reopened = await shop.runRevert(name, 2);
    expect([reopened.status.phase, reopened.status.reopened, shop.team.branches().length]).toEqual(["Proposed", true, 1]);
    expect((await shop.team.pulls()).filter(({ state }) => state === "open")).toHaveLength(1);
    const { number } = (await shop.team.pulls()).find(({ state }) => state === "open") ?? { number: 0 };
    if (how.startsWith("a bot")) await shop.team.api("PATCH", `/pulls/${number}`, { state: "closed" }, tokens.bot);
    else await dropBranch(shop);
    const left = await shop.runRevert(name, 2);
    expect(conditionText(left)).toMatch(/^False BranchDeleted: .*removed twice/);
    expect([await shop.image(), (await shop.team.pulls()).filter(({ state }) => state === "open")]).toEqual(["acme/shop:1", []]);
    expect(cluster.events.filter((event) => event.includes("BranchDeleted") && event.includes(`/${shop.namespace}/`))).toHaveLength(1);
  });

  test("unknown keeps everything as it is: the host is down, or answers 401 or 404", async () => {
    const { shop, name, revert } = await proposed("unknown");
    const kept = async (): Promise<void> => {
      const now = await shop.runRevert(name, 2);
      expect([now.status, await shop.image()]).toEqual([revert.status, "acme/shop:1"]);
    };
    const secret = (data: object) =>
      cluster.kube.patch(
        { apiVersion: "v1", kind: "Secret", namespace: "unknown", name: "host" },
        { stringData: data },
        { fieldManager: "test" },
        never,
      );
    const host = (spec: object) =>
      cluster.kube.patch(shop.ref("GitRepository", "apps"), { spec: { host: spec } }, { fieldManager: "test" }, never);
    await cluster.kube.create(
      { apiVersion: "v1", kind: "Secret", metadata: { namespace: "unknown", name: "host" }, stringData: { token: "wrong" } },
      { fieldManager: "test" },
      never,
    );
    await host({ kind: "gitea", secretRef: { name: "host" } });
    await kept();
    await secret({ token: tokens.serin });
    await host({ kind: "gitea", apiURL: `${site.git.url}/api/v1/nowhere` });
    await kept();
    await host({ kind: "gitea", apiURL: "http://127.0.0.1:1/api/v1" });
    await kept();
    await host({ kind: "gitea", apiURL: null, secretRef: null });
    await closeAs(tokens.person)(shop);
    expect((await shop.runRevert(name)).status.phase).toBe("Declined");
  });
});
