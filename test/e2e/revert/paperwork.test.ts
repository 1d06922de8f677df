import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kinds } from "../../../src/api/kinds.ts";
import { apiVersion } from "../../../src/api/meta.ts";
import { type Cluster, conditionText, startCluster } from "../cluster.ts";
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

const plainHash = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 12);
const bad = { "apps/shop.yaml": deployment("shop", "2") };

async function open(name: string, files: Record<string, string> = shopFiles("1"), options: ShopOptions = {}): Promise<Shop> {
  const shop = await openShop(cluster, await startTeam(site, name), { namespace: name, ...options });
  await shop.ship(files);
  await shop.promote();
  return shop;
}

describe("rule 10: the paperwork", () => {
  test("no value of a Secret in status, commit, pull request, events or logs, whatever becomes of it", async () => {
    const values = ["old-hunter2", "new-hunter2", "side-hunter2"];
    const secret = (name: string, value: string): string => `apiVersion: v1\nkind: Secret\nmetadata: { name: ${name} }\ntype: Opaque\nstringData:\n  password: ${value}\n`;
    const target = (tag: string): string => deployment("shop", tag, { envFrom: "[{ secretRef: { name: login } }]" });
    const files = {
      "apps/shop.yaml": target("1"),
      "apps/canary.yaml": canaryOf("shop", { revert: "{ scope: Commit }" }),
      "apps/login.yaml": secret("login", "old-hunter2"),
    };
    const shop = await open("no-secrets", files);
    const name = await shop.shipBad(
      {
        "apps/shop.yaml": target("2"),
        "apps/login.yaml": secret("login", "new-hunter2"),
        "apps/side.yaml": secret("side", "side-hunter2"),
      },
      "Release 2",
    );
    const revert = await shop.runRevert(name, 2);
    await shop.ship({ "apps/login.yaml": secret("login", "new-hunter2 ") });
    await shop.runRevert(name, 2);
    const pull = (await shop.team.pulls())[0];
    expect(pull?.body).toContain("`Secret/login data.password` | changed | changed | follows");
    expect(pull?.body).toContain("**deleted**: `Secret/no-secrets/side`");
    const texts = [
      pull?.title,
      pull?.body,
      ...(await shop.team.comments(1)),
      ...cluster.events,
      ...cluster.logs,
      shop.team.bare("log", "-1", "--format=%B", revert.status.branch ?? ""),
    ];
    for (const { kind } of kinds)
      for (const { metadata, ...object } of await cluster.kube.list({ apiVersion, kind }, {}, never))
        texts.push(JSON.stringify([object, metadata.annotations]));
    const paper = texts.join("\n");
    expect(paper).toContain(name);
    const forms = values.flatMap((value) => [value, Buffer.from(value).toString("base64")]);
    // Nor a plain hash of one: whoever guesses a short password could check the guess.
    const hashes = forms.flatMap((text) => [text, JSON.stringify(text)].map(plainHash));
    const kept = await cluster.kube.list({ apiVersion: "apps/v1", kind: "ControllerRevision" }, { namespace: "no-secrets" }, never);
    expect(JSON.stringify(kept)).toContain("hmac:");
    for (const form of [...forms, ...hashes]) expect(`${paper}${JSON.stringify(kept)}`).not.toContain(form);
  });

  test("when the Canary's own spec changed between promoted and failed, the pull request says so first", async () => {
    const shop = await open("canary-changed", shopFiles("1", { min: 99 }));
    await shop.ship({ ...shopFiles("2", { min: 95 }) }, "Release 2 with a laxer check");
    const revert = await shop.runRevert(await shop.fail());
    expect(revert.status.phase).toBe("Proposed");
    expect((await shop.team.pulls())[0]?.body).toMatch(/^> \*\*The Canary itself changed in between:\*\* `spec\.analysis\.metrics\[request-success-rate\]\.thresholdRange\.min`/);
  });

  test("it says what failed, against what, which commit by whom, what merging changes and what closing means", async () => {
    const shop = await open("says-all");
    const commit = await shop.ship(bad, "Release <b>2</b> @everyone");
    await shop.runRevert(await shop.fail());
    const [pull] = await shop.team.pulls();
    for (const text of ["| `request-success-rate` | 40 % | 100 % | at least 99 % | **failed** |", `- ${commit} Release &lt;b>2&lt;/b> @\u200beveryone, by Ada`, "**Nothing.** The cluster runs this already.", "- **Close**: the change goes out as it is and is tried once more"]) {
      expect(pull?.body).toContain(text);
    }
  });
});

describe("a host that refuses", () => {
  const refusals: [string, ShopOptions, (shop: Shop) => Promise<unknown>, RegExp][] = [
    ["a token that may not push", { token: tokens.readOnly }, async () => {}, /^False AuthenticationFailed: .*403/],
    ["a token that may not open pull requests", { repository: { host: { kind: "gitea", secretRef: { name: "host" } } } }, (shop) => cluster.kube.create({ apiVersion: "v1", kind: "Secret", metadata: { namespace: shop.namespace, name: "host" }, stringData: { token: tokens.readOnly } }, { fieldManager: "test" }, never), /^False HostUnauthorized: .*token does not have at least one of required scope/],
    ["an archived repository", {}, (shop) => shop.team.api("PATCH", "", { archived: true }), /^False (HostRepositoryArchived|PushRefused|AuthenticationFailed): .*archived/],
    ["credentials that are missing", { repository: { host: { kind: "gitea", secretRef: { name: "gone" } } } }, async () => {}, /^False SecretNotFound: Secret .*\/gone does not exist/],
  ];
  test.each(refusals)("%s: said in its own words, held, and nothing is lost", async (what, options, prepare, said) => {
    const namespace = `refuses-${refusals.findIndex(([title]) => title === what)}`;
    const shop = await open(namespace, shopFiles("1"), options);
    await prepare(shop);
    const culprit = await shop.ship(bad, "Release 2").catch(() => "");
    const name = await shop.fail();
    const revert = await shop.runRevert(name, 3);
    expect([conditionText(revert), await shop.image(), (await shop.team.pulls()).length]).toEqual([
      expect.stringMatching(said),
      "acme/shop:1",
      0,
    ]);
    expect(conditionText(await shop.find("Canary", "shop", apiVersion), "RevertNotPossible")).toMatch(
      what.startsWith("an archived") ? /.*/ : /^True /,
    );
    expect(
      cluster.events.filter((event) => event.startsWith("Warning") && event.includes(conditionText(revert).split(": ")[1] ?? "?")).length,
    ).toBeLessThanOrEqual(1);
    // Mended by a person, it goes on where it stood.
    await shop.team.api("PATCH", "", { archived: false });
    await cluster.kube.patch(
      { apiVersion: "v1", kind: "Secret", namespace, name: "git" },
      { stringData: { password: tokens.serin } },
      { fieldManager: "test" },
      never,
    );
    await cluster.kube.patch(
      shop.ref("GitRepository", "apps"),
      { spec: { host: { kind: "gitea", secretRef: null } } },
      { fieldManager: "test" },
      never,
    );
    const mended = await shop.runRevert(name, 2);
    expect([mended.status.phase, mended.status.commits, shop.team.branches().length, (await shop.team.pulls()).length]).toEqual([
      "Proposed",
      [culprit],
      1,
      1,
    ]);
    expect(conditionText(await shop.find("Canary", "shop", apiVersion), "RevertNotPossible")).toBe("");
  });

  test("a protected branch with strategy Push: the host's words, held, and pushed once it is allowed", async () => {
    const shop = await open("protected", shopFiles("1", { revert: "{ strategy: Push }" }));
    const culprit = await shop.ship(bad, "Release 2");
    await shop.team.api("POST", "/branch_protections", { rule_name: "main" });
    const name = await shop.fail();
    const refused = await shop.runRevert(name, 3);
    expect([conditionText(refused), await shop.image(), shop.team.bare("rev-parse", "main")]).toEqual([
      expect.stringMatching(/^False PushRefused: .*Not allowed to push to protected branch main/),
      "acme/shop:1",
      culprit,
    ]);
    expect(cluster.events.filter((event) => event.startsWith("Warning PushRefused"))).toHaveLength(1);
    await shop.team.api("DELETE", "/branch_protections/main");
    await shop.runRevert(name);
    expect((await shop.runRevert(name)).status.phase).toBe("Merged");
    expect([await shop.image(), shop.team.bare("rev-list", "--count", `${culprit}..main`)]).toEqual(["acme/shop:1", "1"]);
  });

  test("a host that is down delays the paperwork only; the words do not flicker", async () => {
    const shop = await open("down", shopFiles("1"), { repository: { host: { kind: "gitea", apiURL: "http://127.0.0.1:1/api/v1" } } });
    const name = await shop.shipBad(bad, "Release 2");
    await shop.runRevert(name);
    const first = await shop.revert(name);
    const events = cluster.events.length;
    const later = await shop.runRevert(name, 3);
    expect([await shop.image(), later.status, cluster.events.length]).toEqual(["acme/shop:1", first.status, events]);
    await cluster.kube.patch(
      shop.ref("GitRepository", "apps"),
      { spec: { host: { kind: "gitea", apiURL: null } } },
      { fieldManager: "test" },
      never,
    );
    const back = await shop.runRevert(name);
    expect([back.status.phase, conditionText(back), (await shop.team.pulls()).length]).toEqual([
      "Proposed",
      expect.stringContaining("Waiting for a person"),
      1,
    ]);
  });
});
