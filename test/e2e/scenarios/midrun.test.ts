import { describe, expect, test } from "vitest";
import { httpRoute, service } from "../manifests.ts";
import { seen } from "../sight.ts";
import { stage } from "../story.ts";
import { expectNoneFailed, type Team } from "../team.ts";

const here = stage();
/** Six steps, so that there is a middle. */
const stepWeight = 10;

/** Releases version 2 and waits until some of the traffic is on it. */
async function inTheMiddle(team: Team): Promise<void> {
  await team.releases("shop", "2");
  await team.until("a weight of 20", () => (team.canary("shop").canaryWeight ?? 0) >= 20);
}

const answersOf = (team: Team): number => team.users("shop").snapshot().answered;
const failuresOf = (team: Team): number => {
  const { failed, lost } = team.users("shop").snapshot();
  return failed + lost;
};

/** Users go on for a while, and none of them gets an error from now on. */
async function isServedWell(team: Team): Promise<void> {
  const [answered, failed] = [answersOf(team), failuresOf(team)];
  await team.until("users to go on", () => answersOf(team) > answered + 30);
  expect(failuresOf(team)).toBe(failed);
}

const replicasOf = (team: Team, name: string): unknown => (team.find(seen.deployment, name)?.["spec"] as { replicas?: number } | undefined)?.replicas;

describe.concurrent("in the middle of a release", () => {
  test("its Canary is taken out of Git: the Deployment gets pods and traffic back, and no request fails", async (context) => {
    const team = await here.aTeam(context, "canary-out", {
      services: { shop: { replicas: 2 } },
      canary: { stepWeight, revertOnDeletion: true },
      files: () => ({ "apps/shop-service.yaml": service("shop") }),
    });
    await inTheMiddle(team);
    await team.ada.push("Go without a Canary", {
      "apps/shop-canary.yaml": null,
      "apps/shop-route.yaml": httpRoute("shop-direct", team.host("shop"), "shop"),
    });
    await team.until("the Canary and all it made to be gone", () => {
      const left = [seen.canary, seen.deployment, seen.service].flatMap((kind) => team.list(kind).map(({ metadata }) => `${kind.kind} ${metadata.name}`));
      return left.join() === "Deployment shop,Service shop";
    });
    expect([team.tag("shop"), replicasOf(team, "shop")]).toEqual(["2", 2]);
    await isServedWell(team);
    expectNoneFailed(team.users("shop"));
  });

  test("its Canary is deleted with kubectl: Git brings it back, and what was released is what it begins with", async (context) => {
    const team = await here.aTeam(context, "canary-deleted", { canary: { stepWeight } });
    const before = team.find(seen.canary, "shop")?.metadata.uid;
    await inTheMiddle(team);
    await team.deletes(seen.canary, "shop");
    await team.until("another Canary to begin", () => {
      const again = team.find(seen.canary, "shop")?.metadata.uid;
      return again !== undefined && again !== before && team.canary("shop").phase === "Initialized";
    });
    await team.promoted("shop", "2");
    await team.atRest("shop");
    await isServedWell(team);
    await team.releases("shop", "3");
    await team.promoted("shop", "3");
    expect(await team.pulls()).toEqual([]);
  });

  test("its Deployment is deleted: all traffic returns to the primary at once, Git brings the Deployment back, and it is promoted after all", async (context) => {
    const team = await here.aTeam(context, "target-deleted", { services: { shop: { replicas: 2 } }, canary: { stepWeight } });
    await inTheMiddle(team);
    const uid = team.find(seen.deployment, "shop")?.metadata.uid;
    await team.deletes(seen.deployment, "shop");
    await team.until("all traffic to be back", () => team.canary("shop").canaryWeight === 0);
    await team.until("Git to bring it back", () => ![undefined, uid].includes(team.find(seen.deployment, "shop")?.metadata.uid));
    expect([team.tag("shop"), team.tag("shop-primary")]).toEqual(["2", "1"]);
    await isServedWell(team);
    await team.promoted("shop", "2");
    await team.atRest("shop");
    // What was on its way to the pods that were taken away is all that users may lose.
    expect(failuresOf(team)).toBeLessThan(10);
    expect(await team.pulls()).toEqual([]);
  });

  test("an autoscaler changes the replicas of both: nobody puts them back, the run goes on, and no request fails", async (context) => {
    const team = await here.aTeam(context, "scaled", { services: { shop: { replicas: 2 } }, canary: { stepWeight, autoscaled: true } });
    await team.until("the primary to have an autoscaler of its own", () => team.find(seen.autoscaler, "shop-primary"));
    await inTheMiddle(team);
    const { startedAt } = team.canary("shop");
    // As the autoscaler does it.
    await team.patches(seen.deployment, "shop", { spec: { replicas: 3 } }, "scale");
    await team.patches(seen.deployment, "shop-primary", { spec: { replicas: 4 } }, "scale");
    await team.until("the pods to be there", () => team.list(seen.pod).filter(({ status }) => (status as { phase?: string }).phase === "Running").length >= 7);
    const weight = team.canary("shop").canaryWeight ?? 0;
    await team.until("the run to go on", () => (team.canary("shop").canaryWeight ?? 0) > weight);
    expect([replicasOf(team, "shop"), replicasOf(team, "shop-primary")]).toEqual([3, 4]);
    await team.promoted("shop", "2");
    await team.atRest("shop");
    expect([team.canary("shop").startedAt, replicasOf(team, "shop-primary")]).toEqual([startedAt, 4]);
    expectNoneFailed(team.users("shop"));
  });
});
