import { request } from "undici";
import type { Load } from "../../sandbox/load/load.ts";
import { cart, shop } from "./manifests.ts";
import { type Narrator, narrate } from "./narrator.ts";
import type { Screen } from "./screen.ts";
import type { Stage } from "./stage.ts";
import { createView, type View } from "./view.ts";

/** What the story is played with. */
export interface Play {
  readonly screen: Screen;
  readonly stage: Stage;
  readonly startLoad: () => Load;
}

/** Limit of each thing that is waited for. */
const patienceMs = 60_000;

/**
 * Plays a good and a bad release. Throws, saying what was expected, when it does not come out.
 * @returns who goes on telling what happens, until stopped
 */
export async function play({ screen, stage, startLoad }: Play, signal: AbortSignal): Promise<Narrator> {
  const view = createView(stage.informers);
  screen.chapter("Shop 1 is put under a Canary");
  await until({ view, signal }, "the canary to be initialized", () => view.canary()?.phase === "Initialized");
  const load = startLoad();
  screen.say("users are here: 50 requests a second through the gateway");
  const narrator = narrate({ screen, view, load, nowMs: () => performance.now() });
  const scene: Scene = { screen: after(screen, narrator), stage, view, signal };
  try {
    await until(scene, "the first answers", () => load.snapshot().answered > 20);
    await goodRelease(scene, load);
    await badRelease(scene, load);
    await merge(scene);
    summarize(scene.screen, load);
    return narrator;
  } catch (error) {
    narrator.stop();
    throw error;
  }
}

/** A screen on which what already happened is told before what the story says about it. */
function after(screen: Screen, narrator: Narrator): Screen {
  return {
    ...screen,
    chapter: (text) => {
      narrator.look();
      screen.chapter(text);
    },
    say: (text, detail) => {
      narrator.look();
      screen.say(text, detail);
    },
  };
}

interface Scene {
  readonly screen: Screen;
  readonly stage: Stage;
  readonly view: View;
  readonly signal: AbortSignal;
}

async function goodRelease(scene: Scene, load: Load): Promise<void> {
  const { screen, stage, view, signal } = scene;
  screen.chapter("A good release: Ada pushes shop 2");
  const commit = await stage.shopTeam.push("Release shop 2", { "apps/shop.yaml": shop("2") }, signal);
  screen.say(`${commit.slice(0, 7)} Release shop 2`);
  const before = load.snapshot();
  await until(
    scene,
    "shop 2 to be promoted",
    () => view.canary()?.phase === "Succeeded" && view.image("shop-primary") === "serin.dev/shop:2",
  );
  const after = load.snapshot();
  screen.say(`promoted; users lost ${after.failed + after.lost - before.failed - before.lost} of ${after.sent - before.sent} requests`);
}

async function badRelease(scene: Scene, load: Load): Promise<void> {
  const { screen, stage, view, signal } = scene;
  screen.chapter("A bad release: shop 3 answers three of ten requests with an error");
  const commit = await stage.shopTeam.push("Release shop 3", { "apps/shop.yaml": shop("3") }, signal);
  screen.say(`${commit.slice(0, 7)} Release shop 3`);
  const before = load.snapshot();
  await until(scene, "the bad release to be rolled back", () => view.revert() !== undefined && view.canary()?.weight === 0);
  const after = load.snapshot();
  screen.say(
    `traffic is back; users lost ${after.failed + after.lost - before.failed - before.lost} of ${after.sent - before.sent} requests`,
  );
  await until(
    scene,
    "the change to be held back",
    () => view.image("shop") === "serin.dev/shop:2" && view.sync()?.revision?.includes("holding shop") === true,
  );
  screen.say(`Git still says shop 3, the cluster runs ${short(view.sync()?.revision ?? "")}`);
  await until(scene, "the pull request", () => view.revert()?.pullRequest !== undefined);
  screen.say(`pull request: ${view.revert()?.pullRequest ?? ""}`);
  await otherTeamShips(scene);
}

async function otherTeamShips(scene: Scene): Promise<void> {
  const { screen, stage, view, signal } = scene;
  const commit = await stage.cartTeam.push("Release cart 2", { "apps/cart.yaml": cart("2") }, signal);
  screen.say(`${commit.slice(0, 7)} Release cart 2, from Bob's team, which has nothing to do with it`);
  await until(scene, "the other team's release", () => view.image("cart") === "serin.dev/shop:2");
  expect(view.image("shop") === "serin.dev/shop:2", "shop 3 to be held back while cart 2 ships");
  screen.say("cart 2 is out, shop 3 is still held back");
}

async function merge(scene: Scene): Promise<void> {
  const { screen, stage, view, signal } = scene;
  screen.chapter("Ada merges the pull request");
  await until(scene, "the failed canary to be scaled down", () => replicas(view, "shop") === 0);
  const before = generations(view);
  const url = `${stage.gitApi.url}/pulls/${view.revert()?.number ?? 0}/merge`;
  const { statusCode, body } = await request(url, {
    method: "POST",
    headers: { authorization: `token ${stage.gitApi.token}`, "content-type": "application/json" },
    body: JSON.stringify({ Do: "merge" }),
    signal,
  });
  const answer = await body.text();
  expect(statusCode === 200, `the pull request to merge, not ${statusCode} ${answer.slice(0, 200)}`);
  await until(scene, "the Revert to end as Merged", () => view.revert()?.phase === "Merged");
  await until(
    scene,
    "the Sync to hold nothing",
    () => view.sync()?.ready === "True" && view.sync()?.revision?.includes("holding") === false,
  );
  await until(scene, "the canary to be at rest", () => view.canary()?.phase !== "Failed");
  const now = generations(view);
  expect(now === before, `nothing to change in the cluster, but generations moved from ${before} to ${now}`);
  screen.say("Git says again what the cluster runs; nothing changed in the cluster");
}

/** Which specs the workloads have: a change of any shows. */
function generations(view: View): string {
  return ["shop", "shop-primary", "cart"].map((name) => `${name} ${view.deployment(name)?.metadata.generation ?? 0}`).join(", ");
}

function short(revision: string): string {
  return revision.replace(/([0-9a-f]{7})[0-9a-f]{33}/g, "$1…");
}

function replicas(view: View, name: string): number | undefined {
  return (view.deployment(name)?.["spec"] as { replicas?: number } | undefined)?.replicas;
}

function summarize(screen: Screen, load: Load): void {
  const { sent, failed, lost, latencyMs } = load.snapshot();
  const share = sent === 0 ? 0 : ((failed + lost) / sent) * 100;
  screen.chapter("The end");
  screen.say(`${sent} requests, ${failed} failed, ${lost} lost: ${share.toFixed(2)} %; p99 ${latencyMs?.p99.toFixed(0) ?? "–"} ms`);
}

function expect(came: boolean, expected: string): void {
  if (!came) throw new Error(`the story did not come out: expected ${expected}`);
}

/** Waits until something is so, looking again whenever anything that the story is about changes. */
async function until({ view, signal }: Pick<Scene, "view" | "signal">, expected: string, condition: () => boolean): Promise<void> {
  const deadline = AbortSignal.timeout(patienceMs);
  const either = AbortSignal.any([signal, deadline]);
  while (!condition()) {
    if (signal.aborted) throw signal.reason;
    if (deadline.aborted) throw new Error(`the story did not come out: waited ${patienceMs / 1_000} s for ${expected}; ${view.describe()}`);
    await view.changed(either);
  }
}
