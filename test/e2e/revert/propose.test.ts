import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { apiVersion, names } from "../../../src/api/meta.ts";
import { GitError } from "../../../src/git/git.ts";
import { hasTool } from "../../tools.ts";
import { applyAll, type Cluster, conditionText, patchStatus, startCluster } from "../cluster.ts";
import { never, type Site, startSite, startTeam } from "../world.ts";
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

const hour = 60 * 60_000;

async function open(name: string, files: Record<string, string> = shopFiles("1"), options: ShopOptions = {}): Promise<Shop> {
  const shop = await openShop(cluster, await startTeam(site, name), { namespace: name, ...options });
  await shop.ship(files);
  await shop.promote();
  return shop;
}

const bad = { "apps/shop.yaml": deployment("shop", "2") };
const fileAt = (shop: Shop, path: string): string => shop.team.bare("show", `${shop.team.branches()[0] ?? ""}:${path}`);
const diffOf = (shop: Shop): string => shop.team.bare("diff", "--stat=200", "main", shop.team.branches()[0] ?? "");
const config = (name: string, level: string): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name} }\ndata:\n  level: ${level}\n`;
const release = (shop: Shop, name: string) =>
  cluster.kube.patch(
    shop.ref("Revert", name),
    { metadata: { annotations: { [names.release]: "yes" } } },
    { fieldManager: "kubectl" },
    never,
  );

/** Several shops in one repository and one Sync; the first is promoted with all. */
async function openMany(
  name: string,
  count: number,
  { on = cluster, ...options }: { revert?: string; on?: Cluster } = {},
): Promise<{ shop: Shop; names: string[]; files: (tag: string) => Record<string, string> }> {
  const all = Array.from({ length: count }, (_, index) => `svc-${index + 1}`);
  const files = (tag: string) =>
    Object.fromEntries(
      all.flatMap((one) => [
        [`apps/${one}.yaml`, deployment(one, tag)],
        [`apps/${one}-canary.yaml`, canaryOf(one, options)],
      ]),
    );
  const shop = await openShop(on, await startTeam(site, name), { namespace: name });
  await shop.ship(files("1"));
  for (const one of all) await shop.promote(one);
  return { shop, names: all, files };
}

describe("rule 3: proposed only when it is the commit's fault", () => {
  test("not its fault: held, nothing proposed, until a person releases it", async () => {
    const shop = await open("not-its-fault");
    const name = await shop.shipBad(bad, "Release 2", { reason: "Unschedulable", propose: false });
    const held = await shop.runRevert(name, 2);
    expect([held.status.phase, await shop.image(), shop.team.branches()]).toEqual(["Planned", "acme/shop:1", []]);
    expect(conditionText(held)).toContain(`False NotTheCommitsFault: Unschedulable is not known to be the commit's fault; to propose it: kubectl -n not-its-fault annotate revert ${name} serin.dev/release=yes`);
    expect(cluster.events.filter((event) => event.includes("-n not-its-fault "))).toHaveLength(1);
    await release(shop, name);
    expect((await shop.runRevert(name)).status.phase).toBe("Proposed");
  });

  test("NotFromGit names the fields and who set them", async () => {
    const shop = await open("by-hand");
    await cluster.kube.patch(
      { apiVersion: "apps/v1", kind: "Deployment", namespace: "by-hand", name: "shop" },
      { spec: { template: { spec: { containers: [{ name: "app", image: "acme/shop:9", ports: [{ containerPort: 8080 }] }] } } } },
      { fieldManager: "kubectl-edit" },
      never,
    );
    const name = await shop.fail();
    const held = await shop.runRevert(name);
    expect(conditionText(held)).toContain("False NotFromGit: the manifests do not say what ran in Deployment/shop spec.template.spec.containers[app].image (set by kubectl-edit)");
    expect([await shop.image(), shop.team.branches()]).toEqual(["acme/shop:1", []]);
  });

  test("NotReproducible when a commit does not render the same twice", async () => {
    const before = new Set<string>();
    const fickle = await cluster.restarted({
      wrap: (world) => ({
        ...world,
        renderers: world.renderers.map((renderer) => ({
          ...renderer,
          render: async (...args) => {
            const rendered = JSON.stringify(await renderer.render(...args));
            const first = !before.has(rendered);
            before.add(rendered);
            return JSON.parse(first ? rendered : rendered.replaceAll("acme/shop:", "acme/shop:again-")) as Awaited<
              ReturnType<typeof renderer.render>
            >;
          },
        })),
      }),
    });
    const shop = await openShop(fickle, await startTeam(site, "fickle"), { namespace: "fickle" });
    await shop.ship(shopFiles("1"));
    await shop.promote();
    const held = await shop.runRevert(await shop.shipBad(bad));
    expect(conditionText(held)).toMatch(/False NotReproducible: commit [0-9a-f]{40} does not render the same twice/);
    expect([await shop.image(), shop.team.branches()]).toEqual(["acme/shop:1", []]);
    await fickle.close();
  });

  test("NothingToReturnTo when nothing was ever promoted: the Canary says so", async () => {
    const shop = await openShop(cluster, await startTeam(site, "first-ever"), { namespace: "first-ever" });
    await shop.ship(shopFiles("1"));
    expect(await shop.fail()).toBe("");
    expect(conditionText(await shop.find("Canary", "shop", apiVersion), "RevertNotPossible")).toContain("True NothingToReturnTo: no revision was promoted yet");
  });

  test("a storm: the third different change within ten minutes stays Planned, with one alert, until a person releases it", async () => {
    const { shop, names: all } = await openMany("storm", 4);
    const reverts: string[] = [];
    for (const one of all) {
      await shop.ship({ [`apps/${one}.yaml`]: deployment(one, "2") }, `Release ${one}`);
      reverts.push(await shop.fail({ canary: one }));
      await shop.runRevert(reverts.at(-1) ?? "");
      cluster.clock.jump(60_000);
    }
    const phases = await Promise.all(reverts.map(async (name) => (await shop.revert(name)).status.phase));
    expect(phases).toEqual(["Proposed", "Proposed", "Planned", "Planned"]);
    expect(await Promise.all(all.map((one) => shop.image(one)))).toEqual(all.map((one) => `acme/${one}:1`));
    expect(cluster.events.filter((event) => event.startsWith("Warning Storm"))).toHaveLength(1);
    // Calm weather does not release them, a person does.
    cluster.clock.jump(2 * hour);
    expect((await shop.runRevert(reverts[2] ?? "")).status.phase).toBe("Planned");
    await release(shop, reverts[2] ?? "");
    expect((await shop.runRevert(reverts[2] ?? "")).status.phase).toBe("Proposed");
  });

  test("a storm that several Reverts see at once is told by one of them", async () => {
    const on = await startCluster(site);
    const { shop, names: all } = await openMany("squall", 4, { on });
    const reverts: string[] = [];
    for (const one of all) {
      await shop.ship({ [`apps/${one}.yaml`]: deployment(one, "2") }, `Release ${one}`);
      reverts.push(await shop.fail({ canary: one }));
    }
    await Promise.all(reverts.map((name) => on.run("Revert", `squall/${name}`)));
    expect([on.events.filter((event) => event.startsWith("Warning Storm")).length, shop.team.branches()]).toEqual([1, []]);
    await on.close();
  });

  test("five services broken by one commit are no storm, but at most three are proposed an hour", async () => {
    const { shop, names: all, files } = await openMany("five", 5);
    await shop.ship(files("2"), "Upgrade all five");
    const reverts: string[] = [];
    for (const one of all) reverts.push(await shop.fail({ canary: one }));
    // All at once: two that look at the same moment must not pass together.
    await Promise.all(reverts.map((name) => cluster.run("Revert", `five/${name}`)));
    expect(await Promise.all(all.map((one) => shop.image(one)))).toEqual(all.map((one) => `acme/${one}:1`));
    const open5 = (await shop.team.pulls()).length;
    expect([open5, shop.team.branches().length]).toEqual([3, 3]);
    const said = await Promise.all(reverts.map(async (name) => conditionText(await shop.revert(name))));
    expect(said.filter((text) => text.startsWith("False ProposalLimit"))).toHaveLength(2);
    expect(cluster.last().requeueAfterMs).toBeLessThanOrEqual(60_000);
    cluster.clock.jump(hour);
    for (const name of reverts) await cluster.run("Revert", `five/${name}`);
    expect((await shop.team.pulls()).length).toBe(5);
    // Each branch undoes its own part only.
    for (const branch of shop.team.branches()) expect(shop.team.bare("diff", "--name-only", "main", branch).split("\n")).toHaveLength(1);
  });
});

describe("after a start", () => {
  test("an empty clone says nothing: it is proposed once the source is fetched, though HEAD is the same", async () => {
    const shop = await open("empty-clone", shopFiles("1"));
    for (const text of ["a", "b", "c"]) shop.team.commit({ "README.md": text });
    const name = await shop.shipBad(bad, "Release 2");
    await cluster.world.git.forget({ url: shop.team.cloneUrl, timeoutMs: 0 });
    await cluster.run("Revert", `empty-clone/${name}`);
    expect([conditionText(await shop.revert(name)), cluster.last().requeueAfterMs]).toEqual([expect.not.stringContaining("HistoryUnavailable"), 5_000]);
    await cluster.run("GitRepository", "empty-clone/apps");
    expect((await shop.runRevert(name)).status.phase).toBe("Proposed");
  });
});

describe("what a remote does not give", () => {
  test("is asked for again, though HEAD is the same", async () => {
    const shop = await open("no-history", shopFiles("1"));
    const name = await shop.shipBad(bad, "Release 2");
    let refusals = 1;
    const on = await cluster.restarted({
      wrap: (world) => ({
        ...world,
        git: { ...world.git, history: async (...args) => {
          refusals -= 1;
          if (refusals >= 0) throw new GitError("HistoryUnavailable", "further back than the remote gives");
          return world.git.history(...args);
        } },
      }),
    });
    await on.run("Revert", `no-history/${name}`);
    expect(conditionText(await shop.revert(name))).toMatch(/^False HistoryUnavailable: no commit can be blamed: further back/);
    await on.run("Revert", `no-history/${name}`);
    expect((await shop.revert(name)).status.phase).toBe("Proposed");
    await on.close();
  });
});

describe("rule 4: which commits", () => {
  const cases: [string, (shop: Shop) => string[]][] = [
    ["several commits that each change a deciding field", (shop) => [
      shop.team.commit({ "apps/shop.yaml": deployment("shop", "2") }, "Release 2"),
      shop.team.commit({ "apps/shop.yaml": deployment("shop", "3") }, "Release 3"),
    ]],
    ["not those in between that change something else", (shop) => {
      const first = shop.team.commit({ "apps/shop.yaml": deployment("shop", "2") }, "Release 2");
      shop.team.commit({ "README.md": "Hello\n" }, "Say hello");
      return [first];
    }],
    ["a merge, against its first parent", (shop) => {
      shop.team.work("checkout", "-q", "-b", "feature", "main");
      shop.team.commitHere({ "apps/shop.yaml": deployment("shop", "2") }, "Work on 2");
      shop.team.work("checkout", "-q", "main");
      shop.team.work("merge", "-q", "--no-ff", "-m", "Merge feature", "feature");
      shop.team.work("push", "-q", "origin", "main");
      return [shop.team.work("rev-parse", "main")];
    }],
    ["only the later one, when an earlier failure and its revert lie in between", (shop) => {
      shop.team.commit({ "apps/shop.yaml": deployment("shop", "7") }, "Release 7");
      shop.team.commit({ "apps/shop.yaml": deployment("shop", "1") }, "Revert \"Release 7\"");
      return [shop.team.commit({ "apps/shop.yaml": deployment("shop", "2") }, "Release 2")];
    }],
    ["a commit that changes only a config", (shop) => [shop.team.commit({ "apps/settings.yaml": config("settings", "debug") }, "Talk more")]],
  ];
  test.each(cases)("%s", async (what, act) => {
    const files = {
      ...shopFiles("1"),
      "apps/shop.yaml": deployment("shop", "1", { envFrom: "[{ configMapRef: { name: settings } }]" }),
      "apps/settings.yaml": config("settings", "info"),
    };
    const shop = await open(`commits-${cases.findIndex(([title]) => title === what)}`, what.includes("config") ? files : shopFiles("1"));
    const commits = act(shop);
    await shop.sync();
    const revert = await shop.runRevert(await shop.fail());
    expect([revert.status.phase, revert.status.commits]).toEqual(["Proposed", commits.reverse()]);
    expect(fileAt(shop, "apps/shop.yaml")).toContain("acme/shop:1");
    for (const commit of commits) expect((await shop.team.pulls())[0]?.body).toContain(commit);
  });

  test("after a failure was merged away the next one is found too", async () => {
    const shop = await open("twice");
    const first = await shop.shipBad(bad);
    await shop.runRevert(first);
    await shop.team.api("POST", "/pulls/1/merge", { do: "squash" });
    await cluster.run("GitRepository", "twice/apps");
    await shop.runRevert(first, 2);
    await cluster.run("Canary", "twice/shop"); // settles
    const commit = await shop.ship({ "apps/shop.yaml": deployment("shop", "3") }, "Release 3");
    cluster.clock.jump(hour);
    const revert = await shop.runRevert(await shop.fail());
    expect([revert.status.phase, revert.status.commits, conditionText(revert)]).toEqual([
      "Proposed",
      [commit],
      expect.stringContaining("Waiting for a person"),
    ]);
  });
});

describe("rule 5: what goes and what stays", () => {
  const long = (tag: string, replicas: number, note: string): string =>
    deployment("shop", tag).replace("replicas: 2", `replicas: ${replicas}`).replace("containerPort: 8080", `containerPort: 8080 # ${note}`);

  test("scope Canary: hunk by hunk and file by file, the rest stays and is listed; merging moves nothing", async () => {
    const shop = await open("scope-canary", { ...shopFiles("1"), "apps/shop.yaml": `# shop\n\n\n\n\n\n\n${deployment("shop", "1")}`, "apps/cart.yaml": deployment("cart", "1") });
    await shop.ship({ "apps/shop.yaml": `# the shop\n\n\n\n\n\n\n${deployment("shop", "2")}`, "apps/cart.yaml": deployment("cart", "2"), "README.md": "Hi\n" }, "Upgrade everything");
    const revert = await shop.runRevert(await shop.fail());
    expect(revert.status.phase).toBe("Proposed");
    expect(fileAt(shop, "apps/shop.yaml")).toMatch(/^# the shop[^]*acme\/shop:1/);
    expect(fileAt(shop, "apps/cart.yaml")).toContain("acme/cart:2");
    const body = (await shop.team.pulls())[0]?.body ?? "";
    expect(body).toContain("- `apps/shop.yaml (hunk 2 of 2)`");
    expect(body).toMatch(/What else they changed stays:\n- `README.md`\n- `apps\/cart.yaml`/);
    expect(body).toContain("**Nothing.** The cluster runs this already.");
  });

  test("scope Commit: all of it, and the pull request says what merging would move, in every Sync, deletions first", async () => {
    const shop = await open("scope-commit", {
      ...shopFiles("1", { revert: "{ strategy: Push, scope: Commit }" }),
      "apps/cart.yaml": deployment("cart", "1"),
      "other/tool.yaml": deployment("tool", "1"),
    });
    await applyAll(cluster, [
      {
        apiVersion,
        kind: "Sync",
        metadata: { namespace: "scope-commit", name: "other" },
        spec: { sourceRef: { name: "apps" }, path: "./other", interval: "10m", prune: true, targetNamespace: "scope-commit" },
      },
    ]);
    for (let times = 0; times < 2; times += 1) await cluster.run("Sync", "scope-commit/other");
    await shop.ship(
      {
        ...bad,
        "apps/cart.yaml": deployment("cart", "2"),
        "apps/new.yaml": config("new", "info"),
        "other/tool.yaml": deployment("tool", "2"),
      },
      "Upgrade everything",
    );
    const revert = await shop.runRevert(await shop.fail());
    // Push becomes PullRequest, because merging moves something.
    expect([revert.status.phase, revert.status.pullRequest?.number]).toEqual(["Proposed", 1]);
    expect(fileAt(shop, "apps/cart.yaml")).toContain("acme/cart:1");
    const body = (await shop.team.pulls())[0]?.body ?? "";
    expect(body).toContain("In Sync `scope-commit/apps`:\n- **deleted**: `ConfigMap/scope-commit/new`\n- changed: `Deployment/scope-commit/cart`\n  - `spec.template.spec.containers[app].image`: `acme/cart:2` → `acme/cart:1`");
    expect(body).toContain("In Sync `scope-commit/other`:\n- changed: `Deployment/scope-commit/tool`");
  });

  test("strategy Push: straight to the branch when merging moves nothing", async () => {
    const shop = await open("push", shopFiles("1", { revert: "{ strategy: Push }" }), { noHost: true });
    const name = await shop.shipBad(bad);
    const pushed = await shop.runRevert(name);
    expect([pushed.status.phase, pushed.status.branch, shop.team.branches()]).toEqual(["Proposed", undefined, []]);
    expect(shop.team.bare("log", "-1", "--format=%an %s", "main")).toBe("Serin Revert \"Change\"");
    expect((await shop.runRevert(name, 2)).status.phase).toBe("Merged");
    expect([await shop.image(), shop.team.bare("rev-list", "--count", "main")]).toEqual(["acme/shop:1", "3"]);
  });

  test.skipIf(!hasTool("kustomize"))("Push becomes PullRequest when a file outside of the Sync's folder is touched", async () => {
    const base = (tag: string): string => `apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [shop.yaml, canary.yaml]\nimages:\n  - { name: acme/shop, newTag: "${tag}" }\n`;
    const shop = await open("push-outside", {
      "apps/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [../apps-base]\n",
      "apps-base/kustomization.yaml": base("1"),
      "apps-base/shop.yaml": deployment("shop", "0"),
      "apps-base/canary.yaml": canaryOf("shop", { revert: "{ strategy: Push }" }),
    });
    const revert = await shop.runRevert(await shop.shipBad({ "apps-base/kustomization.yaml": base("2") }));
    expect([revert.status.phase, revert.status.pullRequest?.number, diffOf(shop)]).toEqual([
      "Proposed",
      1,
      expect.stringContaining("apps-base/kustomization.yaml"),
    ]);
  });

  test("Blocked: no clean inverse; the paths and the git commands are in the status, and it is held", async () => {
    const shop = await open("blocked");
    const culprit = await shop.ship(bad, "Release 2");
    const name = await shop.fail();
    // The very lines around the image change, and the image does not.
    await shop.ship({ "apps/shop.yaml": deployment("shop", "2").replace("name: app\n          image: acme/shop:2", "image: 'acme/shop:2'\n          name: app") }, "Reformat");
    const head = shop.team.bare("rev-parse", "main");
    const revert = await shop.runRevert(name, 2);
    expect([revert.status.phase, revert.status.conflicts, await shop.image(), shop.team.branches()]).toEqual([
      "Blocked",
      ["apps/shop.yaml"],
      "acme/shop:1",
      [],
    ]);
    expect(conditionText(revert)).toContain(
      `False Blocked: no clean inverse: apps/shop.yaml changed since. By hand: git switch --create undo ${head} && git revert --no-commit ${culprit}, then resolve`,
    );
    expect(cluster.events.filter((event) => event.startsWith("Warning Blocked") && event.includes(culprit))).toHaveLength(1);
    await shop.ship(bad, "Undo the reformatting");
    expect((await shop.runRevert(name)).status.phase).toBe("Proposed");
  });

  test("one that would leave another Sync with manifests that do not render is not proposed", async () => {
    const shop = await open("breaks", { ...shopFiles("1", { revert: "{ scope: Commit }" }), "other/old.yaml": config("old", "info") });
    await applyAll(cluster, [
      {
        apiVersion,
        kind: "Sync",
        metadata: { namespace: "breaks", name: "other" },
        spec: { sourceRef: { name: "apps" }, path: "./other", interval: "10m", prune: true, targetNamespace: "breaks" },
      },
    ]);
    await cluster.settle();
    await shop.ship({ ...bad, "other/new.yaml": config("new", "info"), "other/old.yaml": null }, "Rename what the other Sync has");
    const name = await shop.fail();
    await shop.ship({ "other/copy.yaml": config("old", "info") }, "Bring the old one back in another file");
    const revert = await shop.runRevert(name);
    expect([conditionText(revert), await shop.image()]).toEqual([expect.stringContaining("False Blocked: merging would leave Sync breaks/other with manifests that do not render"), "acme/shop:1"]);
    // Nothing in Git changes, and it is asked again all the same.
    await cluster.kube.patch(shop.ref("Sync", "other"), { spec: { path: "./apps" } }, { fieldManager: "test" }, never);
    expect((await shop.runRevert(name)).status.phase).toBe("Proposed");
  });

  test("a revert that does not undo the cause is not proposed", async () => {
    const shop = await open("no-use", { ...shopFiles("1"), "apps/shop.yaml": long("1", 2, "a") });
    await shop.ship({ "apps/shop.yaml": long("2", 2, "a") }, "Release 2");
    const name = await shop.fail();
    await patchStatus(cluster, shop.ref("Revert", name), { commits: [shop.team.commit({ "README.md": "Hi\n" })] });
    await shop.sync();
    const revert = await shop.runRevert(name);
    expect(conditionText(revert)).toContain("False Blocked: no clean inverse: undoing them does not bring the promoted values back");
  });
});

describe("rule 9: one Revert per Canary and cause", () => {
  test("when another's branch undoes this cause too, it is named and no second pull request is opened, not even at once", async () => {
    const { shop, names: all, files } = await openMany("undone", 2, { revert: "{ scope: Commit }" });
    await shop.ship(files("2"), "Upgrade both");
    const reverts = [await shop.fail({ canary: all[0] ?? "" }), await shop.fail({ canary: all[1] ?? "" })];
    await Promise.all(reverts.map((name) => cluster.run("Revert", `undone/${name}`)));
    expect((await shop.team.pulls()).length).toBe(1);
    await cluster.run("Revert", `undone/${reverts[1]}`);
    expect(conditionText(await shop.revert(reverts[1] ?? ""))).toMatch(/^False UndoneByOther: http:.*\/pulls\/1 undoes this cause too/);
    await shop.team.api("POST", "/pulls/1/merge", { do: "merge" });
    await cluster.run("GitRepository", "undone/apps");
    for (const name of reverts) expect((await shop.runRevert(name)).status.phase).toBe("Merged");
  });

  test("when another's branch that undoes this cause too is removed for good, this one is proposed by its own", async () => {
    const { shop, names: all, files } = await openMany("removed", 2, { revert: "{ scope: Commit }" });
    await shop.ship(files("2"), "Upgrade both");
    const [first, second] = [await shop.fail({ canary: all[0] ?? "" }), await shop.fail({ canary: all[1] ?? "" })];
    const { branch = "" } = (await shop.runRevert(first)).status;
    for (const _ of ["once", "twice"]) {
      await shop.team.api("DELETE", `/branches/${encodeURIComponent(branch)}`);
      await cluster.run("Revert", `removed/${first}`);
    }
    expect(conditionText(await shop.revert(first))).toContain("False BranchDeleted");
    expect((await shop.runRevert(second)).status.phase).toBe("Proposed");
  });

  const ways: [string, (shop: Shop, commit: string, branch: string) => void][] = [
    ["its trailers, picked by hand", (shop, commit) => void shop.team.work("cherry-pick", "--allow-empty", commit)],
    ["the host's merge of its pull request", (shop, commit, branch) => void shop.team.work("merge", "-q", "--no-ff", "-m", `Merge pull request 'x' (#1) from ${branch} into main`, commit)],
    ["what it changes, under another message", (shop, commit) => {
      shop.team.work("cherry-pick", "--no-commit", commit);
      shop.team.work("commit", "-q", "-m", "Back to 1");
    }],
  ];
  test.each(ways)("never reverts a commit that Serin made, told by %s", async (how, bring) => {
    const shop = await open(`own-${ways.findIndex(([title]) => title === how)}`);
    const first = await shop.shipBad(bad, "Release 2");
    const { status } = await shop.runRevert(first);
    // Somebody insists on version 2, it is promoted, and then our revert comes along all the same: version 1 fails.
    shop.team.work("fetch", "-q", "origin", "main", status.commit ?? "");
    await shop.team.api("PATCH", "/pulls/1", { state: "closed" });
    expect((await shop.runRevert(first, 2)).status.phase).toBe("Declined");
    await shop.promote();
    expect(await shop.image()).toBe("acme/shop:2");
    bring(shop, status.commit ?? "", status.branch ?? "");
    shop.team.work("push", "-q", "origin", "HEAD:refs/heads/main");
    await shop.sync();
    cluster.clock.jump(hour);
    const revert = await shop.runRevert(await shop.fail());
    expect([conditionText(revert), (await shop.team.pulls()).length, await shop.image()]).toEqual([
      expect.stringContaining("False SerinCommit:"),
      1,
      "acme/shop:2",
    ]);
  });
});

describe("rule 12: what is missing is said on the Canary", () => {
  test("no Git host", async () => {
    const shop = await open("no-host", shopFiles("1"), { noHost: true });
    const name = await shop.shipBad(bad);
    await shop.runRevert(name);
    expect(conditionText(await shop.find("Canary", "shop", apiVersion), "RevertNotPossible")).toContain("True RevertNotPossible: GitRepository no-host/apps names no Git host: set spec.host");
    await cluster.kube.patch(shop.ref("GitRepository", "apps"), { spec: { host: { kind: "gitea" } } }, { fieldManager: "test" }, never);
    expect((await shop.runRevert(name)).status.phase).toBe("Proposed");
    expect(conditionText(await shop.find("Canary", "shop", apiVersion), "RevertNotPossible")).toBe("");
  });

  test("no cluster name", async () => {
    const shop = await open("no-name");
    const name = await shop.shipBad(bad);
    const nameless = await cluster.restarted({ name: "" });
    await nameless.run("Revert", `no-name/${name}`);
    await nameless.close();
    expect(conditionText(await shop.find("Canary", "shop", apiVersion), "RevertNotPossible")).toContain(
      "the controller has no cluster name",
    );
  });

  test("no Sync that owns the target", async () => {
    const shop = await open("no-sync");
    await cluster.kube.patch(
      { apiVersion: "apps/v1", kind: "Deployment", namespace: "no-sync", name: "shop" },
      { metadata: { labels: { [names.syncName]: null } }, spec: { template: { metadata: { annotations: { a: "b" } } } } },
      { fieldManager: "kubectl" },
      never,
    );
    expect(await shop.fail()).toBe("");
    expect(conditionText(await shop.find("Canary", "shop", apiVersion), "RevertNotPossible")).toContain("True NoSync: Deployment shop is not applied by a Sync");
  });

  test("strategy None: held, and Git is left as it is", async () => {
    const shop = await open("none", shopFiles("1", { revert: "{ strategy: None }" }));
    const revert = await shop.runRevert(await shop.shipBad(bad));
    expect([conditionText(revert), await shop.image(), shop.team.branches()]).toEqual([
      expect.stringContaining("False StrategyNone"),
      "acme/shop:1",
      [],
    ]);
  });
});
