import { describe, expect, test } from "vitest";
import { systemClock } from "../../../src/lib/clock.ts";
import { hasTool } from "../../tools.ts";
import { canary, type CanaryOptions, configMap, deployment, type Files } from "../manifests.ts";
import { seen } from "../sight.ts";
import type { Pull } from "../git-api.ts";
import { stage } from "../story.ts";
import type { Team } from "../team.ts";

const here = stage();

/** What a pull request says that merging it changes in the cluster. */
const moves = ({ body }: Pull): string => /### What merging changes in the cluster\n([^]*?)\n\n/.exec(body)?.[1] ?? "";
const nothing = "**Nothing.** The cluster runs this already.";
/** What it says that it takes back, and leaves, of the commits. */
const undone = ({ body }: Pull): string => /### What is undone\n([^]*?)\n\n###/.exec(body)?.[1] ?? "";

const tagAt = async (team: Team, path: string): Promise<string> => /image: \S+:(\S+)/.exec(await team.fileAtMain(path))?.[1] ?? "";

const five = ["basket", "cart", "mail", "search", "shop"];
const fiveServices = Object.fromEntries(five.map((name) => [name, {}]));
/** All five in one go; the shop's is bad. */
const tagOf = (name: string): string => (name === "shop" ? "bad" : "2");
const releaseOfFive: Files = Object.fromEntries(five.map((name) => [`apps/${name}.yaml`, deployment(name, { tag: tagOf(name) })]));

describe.concurrent("a commit that releases five services, of which one fails", () => {
  test("the four others stay, and the pull request names them", async (context) => {
    const team = await here.aTeam(context, "five", { services: fiveServices, traffic: 3 });
    const commit = await team.ada.push("Release all five", releaseOfFive);
    await team.rolledBack("shop");
    const pull = await team.pullRequest("shop");
    expect(undone(pull)).toContain(`${commit} Release all five, by Ada`);
    expect(undone(pull)).toContain("only what the canary needs:\n- `apps/shop.yaml`");
    expect(undone(pull)).toContain(
      "What else they changed stays:\n- `apps/basket.yaml`\n- `apps/cart.yaml`\n- `apps/mail.yaml`\n- `apps/search.yaml`",
    );
    expect(moves(pull)).toBe(nothing);
    for (const name of five.slice(0, 4)) await team.promoted(name, "2");
    await team.merges(pull);
    await team.revertIs("shop", "Merged");
    expect(await Promise.all(five.map((name) => tagAt(team, `apps/${name}.yaml`)))).toEqual(["2", "2", "2", "2", "1"]);
    for (const name of five.slice(0, 4)) expect([name, team.tag(`${name}-primary`)]).toEqual([name, "2"]);
  });

  test("with scope Commit all five go, and the pull request says that merging moves the four", async (context) => {
    const team = await here.aTeam(context, "five-at-once", { services: fiveServices, canary: { scope: "Commit" }, traffic: 3 });
    await team.ada.push("Release all five", releaseOfFive);
    await team.rolledBack("shop");
    const pull = await team.pullRequest("shop");
    expect(undone(pull)).not.toContain("stays");
    for (const name of five.slice(0, 4)) expect(moves(pull)).toContain(`changed: \`Deployment/${team.namespace}/${name}\``);
    expect(moves(pull)).not.toContain(`\`Deployment/${team.namespace}/shop\``);
    for (const name of five.slice(0, 4)) await team.promoted(name, "2");
    await team.merges(pull);
    await team.revertIs("shop", "Merged");
    for (const name of five) await team.promoted(name, "1");
  });

  test("in one file: the shop's hunk goes, the others' stay", async (context) => {
    const all = (tag: (name: string) => string): Files => ({
      ...Object.fromEntries(five.map((name) => [`apps/${name}.yaml`, null])),
      "apps/all.yaml": five.map((name) => deployment(name, { tag: tag(name) })).join("---\n"),
    });
    const team = await here.aTeam(context, "five-hunks", { services: fiveServices, files: () => all(() => "1"), traffic: 3 });
    await team.ada.push("Release all five", all(tagOf));
    await team.rolledBack("shop");
    const pull = await team.pullRequest("shop");
    expect(undone(pull)).toContain("only what the canary needs:\n- `apps/all.yaml (hunk 5 of 5)`");
    expect(moves(pull)).toBe(nothing);
    for (const name of five.slice(0, 4)) await team.promoted(name, "2");
    await team.merges(pull);
    await team.revertIs("shop", "Merged");
    expect((await team.fileAtMain("apps/all.yaml")).match(/image: .*/g)).toEqual(["2", "2", "2", "2", "1"].map((tag) => `image: serin.dev/shop:${tag}`));
  });

  test.skipIf(!hasTool("kustomize"))("in one hunk that cannot be parted: the pull request says that merging moves the four", async (context) => {
    const lines = (tag: (name: string) => string): Files => ({
      "apps/kustomization.yaml": [
        "resources:",
        ...five.flatMap((name) => [`  - ${name}.yaml`, `  - ${name}-canary.yaml`]),
        "images:",
        ...five.map((name) => `  - { name: ${name}, newName: serin.dev/shop, newTag: "${tag(name)}" }`),
        "",
      ].join("\n"),
    });
    const named = Object.fromEntries(five.map((name) => [`apps/${name}.yaml`, deployment(name).replace("serin.dev/shop:1", name)]));
    const team = await here.aTeam(context, "five-lines", { services: fiveServices, files: () => ({ ...named, ...lines(() => "1") }), traffic: 3 });
    await team.ada.push("Release all five", lines(tagOf));
    await team.rolledBack("shop");
    const pull = await team.pullRequest("shop");
    expect(undone(pull)).toContain("- `apps/kustomization.yaml`");
    for (const name of five.slice(0, 4)) expect(moves(pull)).toContain(`changed: \`Deployment/${team.namespace}/${name}\``);
    expect(moves(pull)).toContain("`serin.dev/shop:2` → `serin.dev/shop:1`");
  });
});

test.concurrent("thirty tags bumped in one file by one commit, of which one is bad: one line goes, the rest stays", async (context) => {
  const watched = ["cart", "mail", "shop"];
  const names = [...watched, ...Array.from({ length: 27 }, (_, index) => `job-${index + 1}`)].sort();
  const file = (tag: (name: string) => string): string => names.map((name) => deployment(name, { tag: tag(name) })).join("---\n");
  const team = await here.aTeam(context, "thirty", {
    services: Object.fromEntries(watched.map((name) => [name, {}])),
    files: () => ({ "apps/all.yaml": file(() => "1"), ...Object.fromEntries(watched.map((name) => [`apps/${name}.yaml`, null])) }),
  });
  const bumped = file(tagOf);
  await team.ada.push("Bump everything", { "apps/all.yaml": bumped });
  await team.rolledBack("shop");
  const pull = await team.pullRequest("shop");
  expect(undone(pull)).toContain("`apps/all.yaml (hunk 30 of 30)`");
  expect(moves(pull)).toBe(nothing);
  await team.promoted("cart", "2");
  await team.promoted("mail", "2");
  await team.until("the others to run theirs", () => names.every((name) => watched.includes(name) || team.tag(name) === "2"));
  await team.merges(pull);
  await team.revertIs("shop", "Merged");
  expect(await team.fileAtMain("apps/all.yaml")).toBe(bumped.replace("serin.dev/shop:bad", "serin.dev/shop:1").trim());
});

test.skipIf(!hasTool("kustomize")).concurrent("base changed, three overlays, only one broken: merging would move the two others, so it is asked for, not pushed", async (context) => {
  const regions = ["asia", "eu", "us"];
  const options: CanaryOptions = { strategy: "Push" };
  const overlay = (region: string, host: string): Files => ({
    [`overlays/${region}/settings.yaml`]: configMap("settings", { ERROR_PERCENT: region === "asia" ? "100" : "0" }),
    [`overlays/${region}/kustomization.yaml`]: `resources: [../../base, settings.yaml]
namePrefix: ${region}-
labels:
  - pairs: { app: ${region}-shop }
    includeSelectors: true
patches:
  - target: { kind: Canary }
    patch: |-
      - { op: replace, path: /spec/targetRef/name, value: ${region}-shop }
      - { op: replace, path: /spec/service/hosts/0, value: ${host} }
`,
  });
  const base = (settings?: string): Files => ({
    "base/shop.yaml": deployment("shop", settings === undefined ? {} : { settings }),
    "base/canary.yaml": canary("shop", "replaced.example", options),
    "base/kustomization.yaml": "resources: [shop.yaml, canary.yaml]\n",
  });
  const team = await here.aTeam(context, "overlays", {
    services: {},
    users: regions.map((region) => `${region}-shop`),
    syncs: regions.map((region) => `overlays/${region}`),
    files: ({ host }) => Object.assign(base(), ...regions.map((region) => overlay(region, host(`${region}-shop`)))) as Files,
  });
  await team.ada.push("Read the settings", base("settings"));
  expect(await team.rolledBack("asia-shop")).toContain("CheckFailed, the commit's fault");
  await team.until("the others to be promoted", () => ["eu-shop", "us-shop"].every((name) => team.canary(name).phase === "Succeeded"));
  const pull = await team.pullRequest("asia-shop");
  expect(undone(pull)).toContain("`base/shop.yaml");
  expect(moves(pull)).not.toContain("asia");
  for (const region of ["eu", "us"]) {
    expect(moves(pull)).toContain(`In Sync \`${team.namespace}/${region}\``);
    expect(moves(pull)).toContain(`changed: \`Deployment/${team.namespace}/${region}-shop\``);
  }
  expect(team.list(seen.revert).map(({ metadata }) => metadata.name)).toHaveLength(1);
});

test.skipIf(!hasTool("kustomize")).concurrent("two canaries broken by one commit: one pull request, which undoes both", async (context) => {
  const tags = (tag: string): Files => ({
    "apps/kustomization.yaml": `resources: [shop.yaml, shop-canary.yaml, cart.yaml, cart-canary.yaml]\nimages:\n  - name: serin.dev/shop\n    newTag: "${tag}"\n`,
  });
  const team = await here.aTeam(context, "two-broken", { services: { shop: {}, cart: {} }, files: () => tags("1") });
  await team.ada.push("Release everything", tags("bad"));
  await Promise.all([team.rolledBack("shop"), team.rolledBack("cart")]);
  const [shop, cart] = await Promise.all([team.revertSettles("shop"), team.revertSettles("cart")]);
  expect([shop, cart].sort()).toEqual(["Planned UndoneByOther", "Proposed Proposed"]);
  const [pull, ...more] = await team.pulls();
  if (!pull) throw new Error("no pull request");
  expect(more).toEqual([]);
  // What merging moves depends on whether the other had failed already when it was opened.
  expect(undone(pull)).toContain("`apps/kustomization.yaml");
  await team.held("shop", "1");
  await team.held("cart", "1");
  await team.merges(pull);
  await team.revertIs("shop", "Merged");
  await team.revertIs("cart", "Merged");
  await team.nothingHeld();
  expect(await team.pulls()).toHaveLength(1);
});

test.concurrent("a bad ConfigMap with an unchanged image is rolled back, held and reverted like a release", async (context) => {
  const settings = (percent: string): Files => ({ "apps/settings.yaml": configMap("settings", { TITLE: "Shop", ERROR_PERCENT: percent }) });
  const team = await here.aTeam(context, "bad-config", { services: { shop: { settings: "settings" } }, files: () => settings("0") });
  await team.ada.push("Tune the shop", settings("100"));
  expect(await team.rolledBack("shop")).toContain("CheckFailed, the commit's fault");
  const live = (name: string): unknown => team.find(seen.configMap, name)?.["data"];
  const promoted = { TITLE: "Shop", ERROR_PERCENT: "0" };
  await team.until("the ConfigMap to be held", () => (live("settings") as { ERROR_PERCENT?: string } | undefined)?.ERROR_PERCENT === "0");
  expect(live("settings-primary") ?? live("shop-settings-primary")).toEqual(promoted);
  const pull = await team.pullRequest("shop");
  expect(pull.body).toContain("| `ConfigMap/settings data.ERROR_PERCENT` | `0` | `100` | yes |");
  expect(moves(pull)).toBe(nothing);
  await team.merges(pull);
  await team.revertIs("shop", "Merged");
  expect(await team.fileAtMain("apps/settings.yaml")).toBe(settings("0")["apps/settings.yaml"]?.trim());
});

describe.concurrent("a bad change that came", () => {
  /** Two services; on a branch the shop is broken and the cart released. */
  async function branchOff(team: Team): Promise<void> {
    await team.ada.git("fetch", "--quiet", "origin", "main");
    await team.ada.git("checkout", "--quiet", "-b", "feature", "FETCH_HEAD");
    await team.ada.commit("Write it down", { "README.md": "What we do\n" });
    await team.ada.commit("Release cart 2", { "apps/cart.yaml": deployment("cart", { tag: "2" }) });
    await team.ada.commit("Release shop bad", { "apps/shop.yaml": deployment("shop", { tag: "bad" }) });
  }

  async function isUndone(team: Team): Promise<string> {
    await team.rolledBack("shop");
    const pull = await team.pullRequest("shop");
    expect(undone(pull)).toContain("only what the canary needs:\n- `apps/shop.yaml`");
    expect(moves(pull)).toBe(nothing);
    await team.promoted("cart", "2");
    await team.merges(pull);
    await team.revertIs("shop", "Merged");
    expect([await tagAt(team, "apps/shop.yaml"), await tagAt(team, "apps/cart.yaml")]).toEqual(["1", "2"]);
    expect(await team.fileAtMain("README.md")).toBe("What we do");
    return undone(pull);
  }

  test("with a merge commit is undone against its mainline", async (context) => {
    const team = await here.aTeam(context, "merge-commit", { services: { shop: {}, cart: {} } });
    await branchOff(team);
    await team.ada.git("checkout", "--quiet", "main");
    await team.ada.git("merge", "--quiet", "--no-ff", "-m", "Merge the feature", "feature");
    await team.ada.git("push", "--quiet", "origin", "HEAD:refs/heads/main");
    expect(await isUndone(team)).toContain("Merge the feature, by Ada");
  });

  test("in a squash of three is undone as far as the canary needs it", async (context) => {
    const team = await here.aTeam(context, "squashed", { services: { shop: {}, cart: {} } });
    await branchOff(team);
    await team.ada.git("push", "--quiet", "origin", "HEAD:refs/heads/feature");
    const { status, json } = await team.api("POST", "/pulls", { head: "feature", base: "main", title: "The feature", body: "" });
    expect(status).toBe(201);
    await team.merges(json as Pull, "squash");
    expect(await isUndone(team)).toContain("The feature");
  });
});

test.concurrent("a revert is pushed while other teams push all the time: it gets in, and none of theirs is lost", async (context) => {
  const team = await here.aTeam(context, "busy", { canary: { strategy: "Push" } });
  const bob = await team.clone("bot", "Bob");
  await team.releases("shop", "bad");
  let pushed = 0;
  const stop = new AbortController();
  context.onTestFinished(() => stop.abort());
  const pushing = (async () => {
    for (; !stop.signal.aborted; await systemClock.sleep(300)) {
      await bob.push(`Note ${pushed + 1}`, { "apps/notes.yaml": configMap("notes", { number: String(pushed + 1) }) });
      pushed += 1;
    }
  })();
  await team.rolledBack("shop");
  await team.revertIs("shop", "Merged");
  stop.abort();
  await pushing;
  const log = await team.fileAtMain("apps/notes.yaml").then(() => team.ada.git("log", "--format=%s", "FETCH_HEAD"));
  const subjects = log.split("\n");
  expect(subjects.filter((subject) => subject.startsWith("Revert"))).toEqual(['Revert "Release shop bad"']);
  expect(subjects.filter((subject) => subject.startsWith("Note"))).toEqual(Array.from({ length: pushed }, (_, index) => `Note ${pushed - index}`));
  expect(await tagAt(team, "apps/shop.yaml")).toBe("1");
  await team.until("the last of them to be applied", () => (team.find(seen.configMap, "notes")?.["data"] as { number?: string } | undefined)?.number === String(pushed));
});
