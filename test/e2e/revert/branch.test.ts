import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { apiVersion } from "../../../src/api/meta.ts";
import { hasTool } from "../../tools.ts";
import { applyAll, type Cluster, conditionText, startCluster } from "../cluster.ts";
import { never, type Site, startSite, startTeam } from "../world.ts";
import { deployment, shopFiles } from "./manifests.ts";
import { openShop, type Shop, type ShopOptions } from "./release.ts";

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

const minute = 60_000;
const bad = { "apps/shop.yaml": deployment("shop", "2") };

async function open(name: string, options: ShopOptions = {}, on = cluster): Promise<Shop> {
  const shop = await openShop(on, await startTeam(site, name), { namespace: name, ...options });
  await shop.ship(shopFiles("1"));
  await shop.promote();
  return shop;
}

/** A key pair, and what makes the GitRepository sign with it. */
function signingKey(name: string): { secret: (namespace: string) => Parameters<typeof applyAll>[1]; spec: object; publicKey: string } {
  const file = join(site.dir, name);
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "serin", "-f", file]);
  const identity = readFileSync(file, "utf8");
  return {
    secret: (namespace) => [
      { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
      { apiVersion: "v1", kind: "Secret", metadata: { namespace, name: "signing" }, stringData: { identity } },
    ],
    spec: { commit: { signingKey: { secretRef: { name: "signing" } } } },
    publicKey: readFileSync(`${file}.pub`, "utf8"),
  };
}

describe("rule 6: the branch", () => {
  test.skipIf(!hasTool("ssh-keygen"))("deterministic name, one commit on HEAD, its trailers as git reads them, signed with the key", async () => {
    const key = signingKey("key-1");
    await applyAll(cluster, key.secret("signed"));
    const shop = await open("signed", { repository: key.spec });
    const culprit = await shop.ship(bad, "Release 2");
    const name = await shop.fail();
    const revert = await shop.runRevert(name);
    const branch = `serin/revert/prod-eu/signed/shop/${name.slice("shop-".length)}`;
    expect([shop.team.branches(), shop.team.bare("rev-list", `main..${branch}`), shop.team.bare("rev-parse", `${branch}^`)]).toEqual([
      [branch],
      revert.status.commit,
      culprit,
    ]);
    const uid = (await cluster.kube.get({ apiVersion: "v1", kind: "Namespace", name: "kube-system" }, never)).metadata.uid;
    expect(shop.team.bare("log", "-1", "--format=%(trailers:only,unfold)", branch).split("\n")).toEqual([
      "Serin-Cluster: prod-eu",
      `Serin-Cluster-UID: ${uid}`,
      "Serin-Sync: signed/apps",
      "Serin-Canary: signed/shop",
      `Serin-Reverts: ${culprit}`,
      "Serin-Scope: Canary",
      `Serin-Revert: ${name}`,
      expect.stringMatching(/^Serin-Analysis: CheckFailed of v1-[0-9a-f]{10} at 20[-0-9T:]+Z$/),
    ]);
    const signers = join(site.dir, "signers");
    execFileSync("sh", ["-c", `printf 'serin@serin.dev %s' "$KEY" > ${signers}`], { env: { ...process.env, KEY: key.publicKey } });
    expect(() =>
      shop.team.bare("-c", `gpg.ssh.allowedSignersFile=${signers}`, "-c", "gpg.format=ssh", "verify-commit", branch),
    ).not.toThrow();
  });

  test("made anew only when it no longer merges cleanly, at most every 15 minutes, and not after an approval unless in conflict", async () => {
    // Version 2 also changes a following field, far enough below to be a hunk of its own.
    const lines = (tag: string, ...env: string[]): Record<string, string> => ({ "apps/shop.yaml": deployment("shop", tag, { env }) });
    const shop = await openShop(cluster, await startTeam(site, "rebuilt"), { namespace: "rebuilt" });
    await shop.ship({ ...shopFiles("1"), ...lines("1", "{ name: MODE, value: slow }") });
    await shop.promote();
    const name = await shop.shipBad(lines("2", "{ name: MODE, value: fast }"), "Release 2");
    const first = (await shop.runRevert(name)).status.commit;
    const commitNow = async (): Promise<string | undefined> => (await shop.runRevert(name)).status.commit;
    // HEAD moves, and the branch still merges: nobody touches it.
    await shop.ship({ "README.md": "Hi\n" });
    cluster.clock.jump(14 * minute);
    expect(await commitNow()).toBe(first);
    // A conflict, but too soon after the branch was written; then, although it was approved, it is made anew.
    await shop.ship(lines("2", "{ name: MODE, value: fast }", "{ name: MORE, value: yes }"));
    expect(await commitNow()).toBe(first);
    expect((await shop.team.api("POST", "/pulls/1/reviews", { event: "APPROVED" })).status).toBe(200);
    cluster.clock.jump(2 * minute);
    const again = await shop.runRevert(name);
    const branch = again.status.branch ?? "";
    expect(again.status.commit).not.toBe(first);
    expect([shop.team.bare("rev-parse", branch), shop.team.bare("rev-list", "--count", `main..${branch}`)]).toEqual([
      again.status.commit,
      "1",
    ]);
    expect((await shop.team.pulls()).map(({ state }) => state)).toEqual(["open"]);
    expect((await shop.team.api("POST", "/pulls/1/merge", { do: "merge" })).status).toBe(200);
  });

  test("in conflict without another way, the pull request stays open and the Revert proposed; both say so, once", async () => {
    const shop = await open("conflict");
    const name = await shop.shipBad(bad, "Release 2");
    await shop.runRevert(name);
    const reformatted = deployment("shop", "2").replace("name: app\n          image: acme/shop:2", "image: 'acme/shop:2'\n          name: app");
    await shop.ship({ "apps/shop.yaml": reformatted }, "Reformat");
    const soon = await shop.runRevert(name);
    expect([soon.status.phase, conditionText(soon)]).toEqual(["Proposed", expect.stringMatching(/^Unknown Outdated: http.*pulls\/1 no longer merges/)]);
    cluster.clock.jump(16 * minute);
    const stuck = await shop.runRevert(name, 2);
    expect([stuck.status.phase, stuck.status.conflicts, conditionText(stuck)]).toEqual([
      "Proposed",
      ["apps/shop.yaml"],
      expect.stringMatching(/^False Conflict: http.*pulls\/1 no longer merges and cannot be made anew: .*git revert --no-commit/),
    ]);
    expect([(await shop.team.pulls()).map(({ state }) => state), await shop.image()]).toEqual([["open"], "acme/shop:1"]);
    expect((await shop.team.comments(1)).filter((text) => text.startsWith("This no longer merges"))).toHaveLength(1);
    expect(cluster.events.filter((event) => event.startsWith("Warning Conflict"))).toHaveLength(1);
    await shop.ship(bad, "Undo the reformatting");
    const again = await shop.runRevert(name);
    expect([again.status.conflicts, conditionText(again)]).toEqual([undefined, expect.stringMatching(/^True Proposed: /)]);
  });

  test("a branch that someone else pushed to is theirs: left alone, also at the end", async () => {
    const shop = await open("theirs");
    const name = await shop.shipBad(bad, "Release 2");
    const { status } = await shop.runRevert(name);
    shop.team.work("fetch", "-q", "origin", status.branch ?? "");
    shop.team.work("checkout", "-q", "FETCH_HEAD");
    const theirs = shop.team.commitHere({ "notes.txt": "more\n" }, "Add notes");
    shop.team.work("push", "-q", "origin", `HEAD:refs/heads/${status.branch ?? ""}`);
    shop.team.work("checkout", "-q", "main");
    const taken = await shop.runRevert(name, 3);
    expect(conditionText(taken)).toMatch(/^False BranchTakenOver: someone else pushed/);
    expect(cluster.events.filter((event) => event.includes("BranchTakenOver") && event.includes("theirs/"))).toHaveLength(1);
    // Closing theirs declines nothing.
    await shop.team.api("PATCH", "/pulls/1", { state: "closed" });
    expect([(await shop.runRevert(name)).status.phase, await shop.image()]).toEqual(["Proposed", "acme/shop:1"]);
    await shop.ship({ "apps/shop.yaml": deployment("shop", "3") });
    expect((await shop.runRevert(name, 2)).status.phase).toBe("Superseded");
    expect(shop.team.bare("rev-parse", status.branch ?? "")).toBe(theirs);
  });

  test("pushed by compare-and-swap: a branch that is there already is not overwritten", async () => {
    const shop = await open("swap");
    const name = await shop.shipBad(bad, "Release 2");
    const branch = `serin/revert/prod-eu/swap/shop/${name.slice("shop-".length)}`;
    shop.team.work("push", "-q", "origin", `main:refs/heads/${branch}`);
    const before = shop.team.bare("rev-parse", branch);
    const revert = await shop.runRevert(name, 2);
    expect([shop.team.bare("rev-parse", branch), await shop.image(), conditionText(revert)]).toEqual([
      before,
      "acme/shop:1",
      expect.stringMatching(/^False BranchTakenOver/),
    ]);
  });
});

describe("rule 6: a fresh cluster", () => {
  /** The shop of a cluster that is gone, with its revert proposed. */
  async function left(name: string, options: ShopOptions = {}): Promise<{ shop: Shop; name: string; branch: string }> {
    const shop = await open(name, options);
    const made = await shop.shipBad(bad, "Release 2");
    const { status } = await shop.runRevert(made);
    return { shop, name: made, branch: status.branch ?? "" };
  }

  async function fresh<T>(act: (on: Cluster) => Promise<T>, name?: string): Promise<T> {
    const on = await startCluster(site, { name });
    try {
      return await act(on);
    } finally {
      await on.close();
    }
  }

  /** The images that were ever written to the target. */
  async function boots(on: Cluster, shop: Shop, options: ShopOptions = {}): Promise<{ image: string; rebuilt: Shop }> {
    const rebuilt = await openShop(on, shop.team, { namespace: shop.namespace, ...options });
    await rebuilt.sync();
    return { image: await rebuilt.image(), rebuilt };
  }

  test("adopts its branch before anything is applied and does not boot the bad version; the pull request goes on", async () => {
    const { shop, name } = await left("adopted");
    await fresh(async (on) => {
      const { image, rebuilt } = await boots(on, shop);
      expect(image).toBe("acme/shop:1");
      expect((await rebuilt.find("Deployment", "shop", "apps/v1"))?.metadata.generation).toBe(1);
      const revert = await rebuilt.runRevert(name);
      expect([revert.status.phase, revert.status.pullRequest?.number, shop.team.branches().length]).toEqual(["Proposed", 1, 1]);
      expect(on.events.filter((event) => event.includes("BranchAdopted"))).toHaveLength(1);
      await shop.team.api("POST", "/pulls/1/merge", { do: "merge" });
      await on.run("GitRepository", "adopted/apps");
      expect([(await rebuilt.runRevert(name, 2)).status.phase, await rebuilt.image(), shop.team.branches()]).toEqual([
        "Merged",
        "acme/shop:1",
        [],
      ]);
    });
  });

  test.each([
    ["Secret", "stringData", "secretRef", (value: string) => Buffer.from(value).toString("base64")],
    ["ConfigMap", "data", "configMapRef", (value: string) => value],
  ] as const)("adopts a branch that undoes only a %s's value, and holds it by what the branch renders", async (kind, field, ref, stored) => {
    const namespace = `adopted-${kind.toLowerCase()}`;
    const login = (password: string) => ({
      "apps/login.yaml": `apiVersion: v1\nkind: ${kind}\nmetadata: { name: login }\n${field}:\n  password: ${password}\n`,
    });
    const reading = deployment("shop", "1", { envFrom: `[{ ${ref}: { name: login } }]` });
    const shop = await openShop(cluster, await startTeam(site, namespace), { namespace });
    await shop.ship({ ...shopFiles("1"), "apps/shop.yaml": reading, ...login("old-password") });
    await shop.promote();
    const name = await shop.shipBad(login("new-password"), "Rotate the password");
    await shop.runRevert(name);
    await fresh(async (on) => {
      const { rebuilt } = await boots(on, shop);
      expect((await rebuilt.find(kind, "login"))?.["data"]).toEqual({ password: stored("old-password") });
      const revert = await rebuilt.runRevert(name, 2);
      expect([revert.status.phase, revert.status.pullRequest?.number, shop.team.branches().length]).toEqual(["Proposed", 1, 1]);
      await shop.team.api("POST", "/pulls/1/merge", { do: "merge" });
      await on.run("GitRepository", `${namespace}/apps`);
      expect((await rebuilt.runRevert(name, 2)).status.phase).toBe("Merged");
      // Refused stays refused, here as there.
      await rebuilt.promote();
      await rebuilt.ship(login("new-password"), "Rotate it again");
      expect((await rebuilt.find(kind, "login"))?.["data"]).toEqual({ password: stored("old-password") });
      // And what a person lets out and fails here is the same cause, though this cluster's digests are others.
      await rebuilt.ship({}, `Reapply ${name}`);
      expect((await rebuilt.find(kind, "login"))?.["data"]).toEqual({ password: stored("new-password") });
      expect(await rebuilt.fail()).toBe(name);
    });
  });

  test("leaves branches of other clusters alone", async () => {
    const { shop } = await left("foreign");
    await fresh(async (on) => {
      expect((await boots(on, shop)).image).toBe("acme/shop:2");
      expect(on.events.filter((event) => event.includes("Branch"))).toEqual([]);
    }, "prod-us");
  });

  const smuggled = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: more }\n";
  /** The branch with our message and these files instead of what we made. */
  const rewritten = (files: Record<string, string>) => ({ team }: Shop, branch: string): void => {
    team.work("fetch", "-q", "origin", branch);
    team.work("checkout", "-q", "FETCH_HEAD");
    const message = team.work("log", "-1", "--format=%B");
    team.work("reset", "-q", "--hard", "HEAD^");
    team.commitHere(files, message);
    team.work("push", "-q", "--force", "origin", `HEAD:refs/heads/${branch}`);
    team.work("checkout", "-q", "main");
  };

  test.each<[string, (shop: Shop, branch: string) => void]>([
    ["another tree", rewritten({ "apps/shop.yaml": deployment("shop", "666") })],
    // The cause is undone as it should be, so only comparing the trees tells.
    ["more than the revert", rewritten({ "apps/shop.yaml": deployment("shop", "1"), "apps/more.yaml": smuggled })],
    ["no trailers", ({ team }, branch) => team.work("push", "-q", "--force", "origin", `main:refs/heads/${branch}`)],
    ["commits that are not in HEAD's history", ({ team }) => {
      team.work("reset", "-q", "--hard", "HEAD^");
      team.commitHere(bad, "Release 2, elsewhere");
      team.work("push", "-q", "--force", "origin", "HEAD:refs/heads/main");
    }],
  ])("a branch with %s is an event, never an action", async (what, forge) => {
    const { shop, branch } = await left(`forged-${what.split(" ")[0] ?? ""}`);
    forge(shop, branch);
    await fresh(async (on) => {
      expect((await boots(on, shop)).image).toBe("acme/shop:2");
      expect(await on.kube.list({ apiVersion, kind: "Revert" }, {}, never)).toEqual([]);
      expect(on.events.filter((event) => event.startsWith(`Warning BranchNotAdopted branch ${branch}`))).not.toEqual([]);
    });
  });

  test.skipIf(!hasTool("ssh-keygen"))("with a signing key only a branch that it signed is adopted", async () => {
    const key = signingKey("key-2");
    await applyAll(cluster, key.secret("trusted"));
    const signed = await left("trusted", { repository: key.spec });
    const unsigned = await left("untrusted");
    await fresh(async (on) => {
      await applyAll(on, [...key.secret("trusted"), ...key.secret("untrusted")]);
      expect((await boots(on, signed.shop, { repository: key.spec })).image).toBe("acme/shop:1");
      expect((await boots(on, unsigned.shop, { repository: key.spec })).image).toBe("acme/shop:2");
    });
  });

  test("an empty clone says nothing against a branch: its adoption and the first apply wait for the fetch", async () => {
    const { shop } = await left("restarted");
    shop.team.commit({ "README.md": "Hi\n" });
    await fresh(async (on) => {
      const rebuilt = await openShop(on, shop.team, { namespace: "restarted" });
      await on.run("GitRepository", "restarted/apps");
      await on.run("Sync", "restarted/apps");
      await on.world.git.forget({ url: shop.team.cloneUrl, timeoutMs: 0 });
      await on.run("Sync", "restarted/apps");
      expect([await rebuilt.find("Deployment", "shop", "apps/v1"), on.events.filter((event) => event.includes("Branch"))]).toEqual([undefined, []]);
      await rebuilt.sync();
      expect(await rebuilt.image()).toBe("acme/shop:1");
    });
  });

  test("a Git server that fails for a moment delays the first apply, and never boots the bad version", async () => {
    const { shop } = await left("flaky");
    let failures = 2;
    const on = await startCluster(site, {
      wrap: (world) => ({
        ...world,
        git: { ...world.git, revert: async (...args) => {
          failures -= 1;
          if (failures >= 0) throw new Error("connection reset");
          return world.git.revert(...args);
        } },
      }),
    });
    const rebuilt = await openShop(on, shop.team, { namespace: "flaky" });
    await rebuilt.sync();
    expect(await rebuilt.find("Deployment", "shop", "apps/v1")).toBeUndefined();
    await rebuilt.sync();
    await rebuilt.sync();
    expect(await rebuilt.image()).toBe("acme/shop:1");
    await on.close();
  });
});

describe("rule 11: after a start, and when a namespace goes", () => {
  test("branch and pull request are read before anything is changed: what happened meanwhile counts", async () => {
    const shop = await open("restart");
    const name = await shop.shipBad(bad, "Release 2");
    await shop.runRevert(name);
    await shop.team.api("PATCH", "/pulls/1", { state: "closed" });
    const restarted = await cluster.restarted();
    await restarted.run("Revert", `restart/${name}`);
    await restarted.close();
    await cluster.settle();
    expect([(await shop.revert(name)).status.phase, (await shop.team.pulls()).length]).toEqual(["Declined", 1]);
  });

  test("a Revert restored from a backup after its merge ends, and pushes nothing", async () => {
    const shop = await open("restored");
    const name = await shop.shipBad(bad, "Release 2");
    const { status, spec } = await shop.runRevert(name);
    await shop.team.api("POST", "/pulls/1/merge", { do: "merge", delete_branch_after_merge: true });
    await cluster.run("GitRepository", "restored/apps");
    await shop.runRevert(name, 2);
    await cluster.kube.delete(shop.ref("Revert", name), {}, never);
    await cluster.run("Revert", `restored/${name}`);
    await applyAll(cluster, [
      { apiVersion, kind: "Revert", metadata: { namespace: "restored", name, finalizers: ["serin.dev/finalizer"] }, spec: { ...spec } },
    ]);
    await cluster.kube.patch(shop.ref("Revert", name), { status }, { fieldManager: "velero", subresource: "status" }, never);
    expect((await shop.runRevert(name, 2)).status.phase).toBe("Merged");
    expect([shop.team.branches(), (await shop.team.pulls()).length]).toEqual([[], 1]);
  });

  test("a Namespace that goes takes no branch with it", async () => {
    const shop = await open("going");
    const name = await shop.shipBad(bad, "Release 2");
    await shop.runRevert(name);
    await cluster.kube.delete({ apiVersion: "v1", kind: "Namespace", name: "going" }, {}, never);
    await cluster.settle();
    await cluster.kube.delete(shop.ref("Revert", name), {}, never).catch(() => {});
    await cluster.run("Revert", `going/${name}`);
    expect(await shop.find("Revert", name, apiVersion)).toBeUndefined();
    expect([shop.team.branches().length, (await shop.team.pulls())[0]?.state]).toEqual([1, "open"]);
  });

  test("a Revert whose Sync is gone can be deleted, and says what stays", async () => {
    const shop = await open("orphan");
    const name = await shop.shipBad(bad, "Release 2");
    await shop.runRevert(name);
    await cluster.kube.patch(shop.ref("Sync", "apps"), { metadata: { finalizers: [] } }, { fieldManager: "test" }, never);
    await cluster.kube.delete(shop.ref("Sync", "apps"), {}, never);
    expect(conditionText((await cluster.run("Revert", `orphan/${name}`), await shop.revert(name)))).toMatch(/^False SyncNotFound/);
    await cluster.kube.delete(shop.ref("Revert", name), {}, never);
    await cluster.run("Revert", `orphan/${name}`);
    expect(await shop.find("Revert", name, apiVersion)).toBeUndefined();
    expect(cluster.events.filter((event) => event.includes("NotTidiedUp") && event.includes("/orphan/"))).toHaveLength(1);
  });
});
