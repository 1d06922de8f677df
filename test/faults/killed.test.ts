import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import type { CanaryPhase } from "../../src/api/canary.ts";
import { canary, deployment } from "../e2e/manifests.ts";
import { proved, timed } from "../e2e/outcome.ts";
import { stage } from "../e2e/story.ts";
import { expectNoneFailed, type Team } from "../e2e/team.ts";
import { seen } from "../e2e/sight.ts";
import { rolledBackAndProposed } from "./world.ts";

const here = stage();

/** Kills the controller the moment the Canary says this phase. */
async function killIn(team: Team, phase: CanaryPhase): Promise<void> {
  const { informers } = here.place;
  const met = Promise.withResolvers<void>();
  const unfollow = informers.of(seen.canary).onChange(({ after }) => {
    const { status } = (after ?? {}) as { status?: { phase?: string } };
    if (after?.metadata.namespace === team.namespace && status?.phase === phase) met.resolve();
  });
  await met.promise;
  unfollow();
  await here.controller.kill();
  await here.controller.restart();
}

const phases: readonly CanaryPhase[] = ["Progressing", "Promoting", "Finalising", "Succeeded"];

test.for(phases)("killed with -9 in phase %s of a good release: it is promoted, and no request fails", async (phase, context) => {
  const team = await here.aTeam(context, `k-${phase.toLowerCase()}`, { services: { shop: { replicas: 2 } } });
  const killed = killIn(team, phase);
  await team.releases("shop", "2");
  await killed;
  const rightAgainMs = await timed(async () => {
    await team.promoted("shop", "2");
    await team.atRest("shop");
  });
  expect(team.revert("shop")).toBeUndefined();
  expectNoneFailed(team.users("shop"));
  proved({
    fault: `kill -9 in phase ${phase}`,
    meanwhile: "the weight stands, no request fails",
    after: "promoted, in the same run",
    rightAgainMs,
  });
});

test("killed with -9 in phase Initializing: the new service gets its primary and route, once", async (context) => {
  const team = await here.aTeam(context, "k-initializing");
  const killed = killIn(team, "Initializing");
  await team.ada.push("Add a service", { "apps/late.yaml": deployment("late"), "apps/late-canary.yaml": canary("late", team.host("late")) });
  await killed;
  const rightAgainMs = await timed(() => team.until("the new service to be served", () => team.canary("late").phase === "Initialized"));
  expect(team.tag("late-primary")).toBe("1");
  await team.releases("shop", "2");
  await team.promoted("shop", "2");
  expectNoneFailed(team.users("shop"));
  proved({ fault: "kill -9 in phase Initializing", meanwhile: "other services are served as before", after: "the primary serves, as if nothing had been", rightAgainMs });
});

test("killed with -9 in phase WaitingPromotion: it waits on, and goes on when the gate opens", async (context) => {
  const team = await here.aTeam(context, "k-waiting", { services: { shop: { replicas: 2 } } });
  const gate = await startGate();
  const webhooks = [{ name: "gate", type: "confirm-promotion", url: gate.url }];
  await team.patches(seen.canary, "shop", { spec: { analysis: { webhooks } } });
  const killed = killIn(team, "WaitingPromotion");
  await team.releases("shop", "2");
  await killed;
  const { startedAt, canaryWeight } = team.canary("shop");
  const asked = gate.asked();
  const rightAgainMs = await timed(() => team.until("the gate to be asked again", () => gate.asked() > asked));
  expect(team.canary("shop")).toMatchObject({ phase: "WaitingPromotion", startedAt, canaryWeight });
  gate.open();
  await team.promoted("shop", "2");
  await team.atRest("shop");
  expect(team.canary("shop").startedAt).toBe(startedAt);
  expectNoneFailed(team.users("shop"));
  proved({ fault: "kill -9 in phase WaitingPromotion", meanwhile: "the weight stands, nothing is promoted", after: "asks the gate again; promoted when it opens", rightAgainMs });
});

test("killed with -9 in phase Terminating: the target gets its pods and traffic back, and no request fails", async (context) => {
  const team = await here.aTeam(context, "k-terminating", { services: { shop: { replicas: 2 } }, canary: { revertOnDeletion: true } });
  const killed = killIn(team, "Terminating");
  await team.ada.push("No canary any more", { "apps/shop-canary.yaml": null });
  await killed;
  const rightAgainMs = await timed(async () => {
    await team.until("the Canary to be gone", () => !team.find(seen.canary, "shop"));
    await team.until("its primary to be gone", () => !team.find(seen.deployment, "shop-primary"));
  });
  expect(team.find(seen.deployment, "shop")).toMatchObject({ spec: { replicas: 2 } });
  expectNoneFailed(team.users("shop"));
  proved({ fault: "kill -9 in phase Terminating", meanwhile: "the primary serves", after: "the target serves with its own replicas, nothing of the Canary is left", rightAgainMs });
});

test("killed with -9 when a release has just failed: it is rolled back and proposed once", async (context) => {
  const team = await here.aTeam(context, "k-failed");
  const killed = killIn(team, "Failed");
  await team.releases("shop", "bad");
  await killed;
  const rightAgainMs = await timed(() => rolledBackAndProposed(team));
  expect(team.canary("shop").canaryWeight).toBe(0);
  proved({ fault: "kill -9 in phase Failed", meanwhile: "traffic is back already or goes back first", after: "held, one branch, one pull request", rightAgainMs });
});

/** A gate that is shut until it is opened. */
async function startGate(): Promise<{ url: string; asked(): number; open(): void }> {
  let [asked, status] = [0, 403];
  const server = createServer((request, response) => {
    asked++;
    request.resume().once("end", () => response.writeHead(status).end());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    asked: () => asked,
    open: () => void (status = 200),
  };
}
