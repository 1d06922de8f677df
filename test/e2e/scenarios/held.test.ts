import { describe, expect, test } from "vitest";
import { deployment, type ServiceOptions } from "../manifests.ts";
import { seen } from "../sight.ts";
import { stage } from "../story.ts";

const here = stage();
const quota = { apiVersion: "v1", kind: "ResourceQuota", metadata: { name: "small" }, spec: { hard: { pods: "1" } } };

describe.concurrent("a release that fails without its commit being to blame is rolled back and held, and nothing is proposed", () => {
  test.for<[string, ServiceOptions, RegExp]>([
    ["no node has what it asks for", { tag: "2", nodeSelector: { disk: "of-gold" } }, /a pod has no node/],
    ["the namespace's quota leaves no room", { tag: "2" }, /exceeded quota/],
    ["the registry does not answer", { tag: "broken-registry" }, /cannot be pulled/],
  ])("%s", async ([what, release, why], context) => {
    const team = await here.aTeam(context, `held-${what.replace(/^.* /, "")}`, { canary: { progressDeadlineSeconds: 5 } });
    if (what.includes("quota")) await team.applies(quota);
    await team.releases("shop", release);
    const verdict = await team.rolledBack("shop");
    expect(verdict).toContain("not the commit's fault");
    expect(verdict).toMatch(why);
    await team.held("shop", "1");
    await team.revertIs("shop", "Planned", "NotTheCommitsFault");
    expect([await team.pulls(), await team.revertBranches()]).toEqual([[], []]);
    // What ships later ships on top of what is held.
    await team.ada.push("Ask for another copy", { "apps/shop.yaml": deployment("shop", { ...release, replicas: 2 }) });
    await team.until("the primary to have two pods", () => {
      const { replicas } = (team.find(seen.deployment, "shop-primary")?.["spec"] ?? {}) as { replicas?: number };
      return replicas === 2 && team.tag("shop") === "1";
    });
  });
});

test.concurrent("a bad version stays out when an image bot bumps it again, and when a bulk edit brings it back", async (context) => {
  const team = await here.aTeam(context, "refused", { services: { shop: {}, cart: {} } });
  await team.releases("shop", "bad");
  await team.rolledBack("shop");
  await team.merges(await team.pullRequest("shop"));
  await team.revertIs("shop", "Merged");
  await team.until("the Canary to be at rest", () => team.canary("shop").phase === "Initialized");
  await team.atRest("shop");
  const answers = (): number => team.users("shop").snapshot().versions.get("bad")?.answered ?? 0;
  const [bad, revision] = [answers(), team.sync().revision];

  const bot = await team.clone("bot", "renovate");
  await bot.push("Update serin.dev/shop to bad", { "apps/shop.yaml": deployment("shop", { tag: "bad" }) });
  await team.until("it to be held", () => team.sync().revision !== revision && (team.sync().holding ?? []).includes("shop"));
  expect(team.tag("shop")).toBe("1");

  await team.ada.push("Two copies of everything", {
    "apps/shop.yaml": deployment("shop", { tag: "bad", replicas: 2 }),
    "apps/cart.yaml": deployment("cart", { replicas: 2 }),
  });
  const replicas = (name: string): unknown => (team.find(seen.deployment, name)?.["spec"] as { replicas?: number } | undefined)?.replicas;
  await team.until("everything to have two copies", () => replicas("shop-primary") === 2 && replicas("cart-primary") === 2);

  expect([team.tag("shop"), team.canary("shop").phase, answers()]).toEqual(["1", "Initialized", bad]);
  expect(await team.pulls()).toHaveLength(1);
  // Another version is no refused one.
  await team.releases("shop", { tag: "3", replicas: 2 });
  await team.promoted("shop", "3");
  await team.nothingHeld();
});
