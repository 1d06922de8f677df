import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CauseField } from "../../../src/api/cause.ts";
import type { KubeObject } from "../../../src/api/object.ts";
import { type Cluster, startCluster } from "../cluster.ts";
import { never, type Site, startSite, startTeam, tokens } from "../world.ts";
import { canaryOf, deployment, shopFiles } from "./manifests.ts";
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

const v1beta1 = "serin.dev/v1beta1";

async function open(name: string, files: Record<string, string>, options: ShopOptions = {}): Promise<Shop> {
  const shop = await openShop(cluster, await startTeam(site, name), { namespace: name, ...options });
  await shop.ship(files);
  await shop.promote();
  return shop;
}

const shown = ({ object, path, decides }: CauseField): string => `${object} ${path}${decides ? "" : " follows"}`;
const dataOf = async (shop: Shop, kind: string, name: string): Promise<unknown> => (await shop.find(kind, name))?.["data"];
const base64 = (text: string): string => Buffer.from(text).toString("base64");
const config = (name: string, lines: string): string => `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name} }\ndata:\n  ${lines}\n`;
const secret = (name: string, value: string): string => `apiVersion: v1\nkind: Secret\nmetadata: { name: ${name} }\ntype: Opaque\nstringData:\n  password: ${value}\n  # and more\n`;
const using = (...refs: string[]): string => `[${refs.join(", ")}]`;
/** A shop whose login, of which nothing else changes, is a Secret. */
const withSecret = (name: string): Promise<Shop> =>
  open(name, {
    ...shopFiles("1"),
    "apps/shop.yaml": deployment("shop", "1", { envFrom: using("{ secretRef: { name: login } }") }),
    "apps/login.yaml": secret("login", "old-password"),
  });
const revisionText = async (shop: Shop): Promise<string> => {
  const { revision } = ((await shop.find("Sync", "apps", v1beta1))?.["status"] ?? {}) as { revision?: string };
  return revision ?? "";
};
const specOf = (object: KubeObject | undefined) =>
  object?.["spec"] as { template: { metadata: object; spec: { containers: { image: string; env?: unknown[] }[] } } };

describe("rule 1: the cause", () => {
  test("an image decides; what else changed in the target and its configs follows", async () => {
    const files = {
      ...shopFiles("1"),
      "apps/shop.yaml": deployment("shop", "1", { envFrom: using("{ configMapRef: { name: settings } }") }),
      "apps/settings.yaml": config("settings", "level: info"),
    };
    const shop = await open("cause-image", files);
    const name = await shop.shipBad({
      "apps/shop.yaml": deployment("shop", "2", {
        envFrom: using("{ configMapRef: { name: settings } }"),
        env: ["{ name: A, value: b }"],
        annotations: "{ checksum/config: abc }",
      }),
      "apps/settings.yaml": config("settings", "level: debug"),
    });
    const { spec } = await shop.revert(name);
    expect(spec.cause.map(shown).sort()).toEqual([
      "ConfigMap/settings data.level follows",
      "Deployment/shop spec.template.metadata.annotations follows",
      "Deployment/shop spec.template.spec.containers[app].env follows",
      "Deployment/shop spec.template.spec.containers[app].image",
    ]);
  });

  test("without an image all that is not derived decides; a Secret's value is never shown", async () => {
    const env = { envFrom: using("{ secretRef: { name: login } }"), annotations: "{ checksum/config: aaa }" };
    const shop = await open("cause-secret", {
      ...shopFiles("1"),
      "apps/shop.yaml": deployment("shop", "1", env),
      "apps/login.yaml": secret("login", "old-password"),
    });
    const name = await shop.shipBad({
      "apps/login.yaml": secret("login", "new-password"),
      "apps/shop.yaml": deployment("shop", "1", { ...env, annotations: "{ checksum/config: bbb }" }),
    });
    const { spec } = await shop.revert(name);
    expect(spec.cause.map(shown).sort()).toEqual([
      'Deployment/shop spec.template.metadata.annotations["checksum/config"] follows',
      "Secret/login data.password",
    ]);
    const digest = expect.stringMatching(/^hmac:[0-9a-f]{8}:[0-9a-f]{16}$/) as string;
    expect(spec.cause.find(({ secret: isSecret }) => isSecret)).toEqual({
      object: "Secret/login",
      path: "data.password",
      promoted: digest,
      failed: digest,
      secret: true,
      decides: true,
    });
  });

  test("a build stamp, changed by more than half of the last ten revisions, only follows", async () => {
    const stamped = (build: number, level: string): Record<string, string> => ({
      "apps/shop.yaml": deployment("shop", "1", { annotations: `{ build: "${build}" }`, env: [`{ name: LEVEL, value: ${level} }`] }),
    });
    const shop = await open("cause-stamp", { ...shopFiles("1"), ...stamped(0, "info") });
    for (let build = 1; build <= 7; build += 1) {
      await shop.ship(stamped(build, "info"));
      await shop.promote();
    }
    const name = await shop.shipBad(stamped(8, "debug"));
    expect((await shop.revert(name)).spec.cause.map(shown)).toEqual(["Deployment/shop spec.template.metadata.annotations.build follows", "Deployment/shop spec.template.spec.containers[app].env[LEVEL].value"]);
  });
});

describe("rule 2: hold", () => {
  test("later commits ship, also those to the held workload, and the Sync's revision says what it holds", async () => {
    const shop = await open("hold-ships", { ...shopFiles("1"), "apps/cart.yaml": deployment("cart", "1") });
    const name = await shop.shipBad({ "apps/shop.yaml": deployment("shop", "2") });
    expect([await shop.image(), await revisionText(shop)]).toEqual([
      "acme/shop:1",
      expect.stringMatching(/^main@sha1:[0-9a-f]{40} holding shop$/),
    ]);
    await shop.runRevert(name);
    const other = await shop.ship({ "apps/cart.yaml": deployment("cart", "7") }, "Another team's release");
    expect(cluster.events).toContain(`Normal Applied main@sha1:${other} holding shop: changed Deployment/hold-ships/cart`);
    const fix = await shop.ship(
      { "apps/shop.yaml": deployment("shop", "2", { env: ["{ name: PATIENCE, value: more }"] }) },
      "Be more patient",
    );
    expect([await shop.image("cart"), await shop.image()]).toEqual(["acme/cart:7", "acme/shop:1"]);
    expect(specOf(await shop.find("Deployment", "shop", "apps/v1")).template.spec.containers[0]?.env).toEqual([
      { name: "PATIENCE", value: "more" },
    ]);
    // Its pull request is told once, and only of what changes this workload.
    await shop.runRevert(name, 2);
    const restarted = await cluster.restarted();
    await restarted.run("Revert", `hold-ships/${name}`);
    await restarted.close();
    const comments = await shop.team.comments(1);
    expect(comments).toHaveLength(1);
    expect(comments[0]).toContain(`${fix} Be more patient, by Ada, changes \`shop\` too.`);
    expect(comments[0]).toContain("If this is meant as the fix, close this pull request");
  });

  test("a tracked config has its promoted data; one that others use too stays at HEAD", async () => {
    const both = using("{ configMapRef: { name: own } }", "{ configMapRef: { name: shared } }");
    const files = (level: string, tag: string): Record<string, string> => ({
      "apps/shop.yaml": deployment("shop", tag, { envFrom: both }),
      "apps/cart.yaml": deployment("cart", "1", { envFrom: using("{ configMapRef: { name: shared } }") }),
      "apps/own.yaml": config("own", `level: ${level}`),
      "apps/shared.yaml": config("shared", `level: ${level}`),
    });
    const shop = await open("hold-configs", { ...files("info", "1"), "apps/canary.yaml": canaryOf("shop") });
    await shop.shipBad(files("debug", "2"));
    expect([await dataOf(shop, "ConfigMap", "own"), await dataOf(shop, "ConfigMap", "shared"), await shop.image()]).toEqual([
      { level: "info" },
      { level: "debug" },
      "acme/shop:1",
    ]);
  });

  test("a Secret is held by the primary's copy; later values of other keys ship", async () => {
    const shop = await withSecret("hold-secret");
    const name = await shop.shipBad({ "apps/login.yaml": secret("login", "new-password") });
    expect(await dataOf(shop, "Secret", "login")).toEqual({ password: base64("old-password") });
    const revert = await shop.runRevert(name);
    expect([revert.status.phase, (await shop.team.pulls()).length]).toEqual(["Proposed", 1]);
    await shop.ship({ "apps/login.yaml": `${secret("login", "new-password")}  user: ada\n` });
    expect(await dataOf(shop, "Secret", "login")).toEqual({ password: base64("old-password"), user: base64("ada") });
    // Merged by its content: the digest at HEAD is the promoted one again.
    expect((await shop.team.api("POST", "/pulls/1/merge", { do: "merge" })).status).toBe(200);
    await cluster.run("GitRepository", "hold-secret/apps");
    expect((await shop.runRevert(name, 2)).status.phase).toBe("Merged");
    expect(await dataOf(shop, "Secret", "login")).toEqual({ password: base64("old-password"), user: base64("ada") });
  });

  test("it needs no Git host, no branch and no plan: held while nothing can be proposed", async () => {
    const shop = await open("hold-alone", shopFiles("1"), { noHost: true });
    const name = await shop.shipBad({ "apps/shop.yaml": deployment("shop", "2") });
    // Whoever looks at it before its controller does sees a phase already.
    expect((await shop.revert(name)).status).toEqual({ phase: "Planned" });
    await shop.runRevert(name, 2);
    expect([await shop.image(), shop.team.branches()]).toEqual(["acme/shop:1", []]);
  });
});

describe("rule 8: refused stays refused", () => {
  /** Version 2 failed, its revert was merged, and version 3 is promoted. */
  async function refusedAndOver(name: string): Promise<{ shop: Shop; name: string; ours: string; merge: string }> {
    const shop = await open(name, shopFiles("1"));
    const made = await shop.shipBad({ "apps/shop.yaml": deployment("shop", "2") });
    const { status } = await shop.runRevert(made);
    await shop.team.api("POST", "/pulls/1/merge", { do: "merge" }, tokens.person);
    await cluster.run("GitRepository", `${name}/apps`);
    expect((await shop.runRevert(made, 2)).status.phase).toBe("Merged");
    const merge = shop.team.bare("rev-parse", "main");
    await shop.ship({ "apps/shop.yaml": deployment("shop", "3") });
    await shop.promote();
    return { shop, name: made, ours: status.commit ?? "", merge };
  }

  test("an image bot that brings it back is held at what is promoted by now, without a new canary", async () => {
    const { shop } = await refusedAndOver("refused");
    await shop.ship({ "apps/shop.yaml": deployment("shop", "2") }, "Bump shop to 2");
    expect([await shop.image(), await revisionText(shop)]).toEqual(["acme/shop:3", expect.stringContaining("holding shop")]);
    await shop.ship({ "apps/shop.yaml": deployment("shop", "4") });
    expect(await shop.image()).toBe("acme/shop:4");
  });

  test("also in the first moment after a restart", async () => {
    const { shop } = await refusedAndOver("refused-restart");
    shop.team.commit({ "apps/shop.yaml": deployment("shop", "2") }, "Bump shop to 2");
    const restarted = await cluster.restarted();
    await restarted.run("GitRepository", "refused-restart/apps");
    await restarted.run("Sync", "refused-restart/apps");
    await restarted.close();
    expect(await shop.image()).toBe("acme/shop:3");
  });

  test("a Secret's refused value too, held by a digest that is worth nothing to whoever may not read Secrets", async () => {
    const shop = await withSecret("refused-secret");
    const made = await shop.shipBad({ "apps/login.yaml": secret("login", "new-password") });
    await shop.runRevert(made);
    await shop.team.api("POST", "/pulls/1/merge", { do: "merge" }, tokens.person);
    await cluster.run("GitRepository", "refused-secret/apps");
    expect((await shop.runRevert(made, 2)).status.phase).toBe("Merged");
    await shop.ship({ "apps/login.yaml": secret("login", "third-password") });
    await shop.promote();
    await shop.ship({ "apps/login.yaml": secret("login", "new-password") }, "Rotate it again");
    expect([await dataOf(shop, "Secret", "login"), await revisionText(shop)]).toEqual([
      { password: base64("third-password") },
      expect.stringContaining("holding shop"),
    ]);
    await shop.ship({ "apps/login.yaml": secret("login", "fourth-password") });
    expect(await dataOf(shop, "Secret", "login")).toEqual({ password: base64("fourth-password") });
    // And what a person takes back goes out.
    await shop.ship({ "apps/login.yaml": secret("login", "new-password") }, `Reapply ${made}`);
    expect(await dataOf(shop, "Secret", "login")).toEqual({ password: base64("new-password") });
  });

  test.each<[string, (of: { ours: string; merge: string; name: string }) => string]>([
    ["reverts our commit", ({ ours }) => `Revert "Revert"\n\nThis reverts commit ${ours}.`],
    ["reverts the merge of our pull request", ({ merge }) => `Revert "Merge"\n\nThis reverts commit ${merge}, reversing changes.`],
    ["names our pull request", () => "Try shop 2 again\n\nReverts acme/apps#1"],
    ["names the Revert", ({ name }) => `Reapply ${name}`],
  ])("not when a commit's message %s, however many commits follow", async (how, message) => {
    const { shop, ...of } = await refusedAndOver(`taken-back-by-${how.replaceAll(" ", "-").toLowerCase()}`);
    await shop.ship({ "apps/shop.yaml": deployment("shop", "2") }, message(of));
    expect(await shop.image()).toBe("acme/shop:2");
    await shop.ship({ "apps/other.yaml": config("other", "a: b") }, "Something else");
    expect(await shop.image()).toBe("acme/shop:2");
  });

  test("not when the image's digest differs", async () => {
    const digest = (hex: string): string => deployment("shop", `2@sha256:${hex.repeat(64)}`);
    const shop = await open("refused-digest", shopFiles("1"));
    const name = await shop.shipBad({ "apps/shop.yaml": digest("a") });
    await shop.runRevert(name);
    await shop.ship({ "apps/shop.yaml": deployment("shop", "3") });
    await shop.runRevert(name, 2);
    await shop.promote();
    await shop.ship({ "apps/shop.yaml": digest("a") });
    expect(await shop.image()).toBe("acme/shop:3");
    await shop.ship({ "apps/shop.yaml": digest("b") });
    expect(await shop.image()).toBe(`acme/shop:2@sha256:${"b".repeat(64)}`);
  });

  test("not when a person declined the Revert", async () => {
    const shop = await open("refused-declined", shopFiles("1"));
    const name = await shop.shipBad({ "apps/shop.yaml": deployment("shop", "2") });
    await shop.runRevert(name);
    await cluster.kube.delete(shop.ref("Revert", name), {}, never);
    await cluster.run("Revert", `refused-declined/${name}`);
    await shop.ship({ "apps/shop.yaml": deployment("shop", "3") });
    await shop.ship({ "apps/shop.yaml": deployment("shop", "2") });
    expect(await shop.image()).toBe("acme/shop:2");
  });
});
