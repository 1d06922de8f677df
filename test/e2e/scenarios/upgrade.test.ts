import { spawnSync } from "node:child_process";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { seen } from "../sight.ts";
import { stage } from "../story.ts";
import { expectNoneFailed } from "../team.ts";

const here = stage();
const root = resolve(import.meta.dirname, "../../..");

/** Builds a Serin that says it is of this version. Returns its program. */
function bundleOf(version: string, dir: string): string {
  const { status, stderr } = spawnSync(process.execPath, [join(root, "hack/bundle.ts"), "--version-string", version, "--out", dir], { encoding: "utf8" });
  if (status !== 0) throw new Error(`the bundle is not built: ${stderr}`);
  return join(dir, "serin.mjs");
}

test("the controller is upgraded in the middle of releases: nothing is restarted, both runs go on, and what was held stays held", async (context) => {
  const version = "99.0.0-next";
  const program = bundleOf(version, join(here.place.dir, "next"));
  const [running, failed] = await Promise.all([
    here.aTeam(context, "upgraded", { services: { shop: { replicas: 2 }, cart: {} }, canary: { stepWeight: 5 } }),
    here.aTeam(context, "upgraded-held", {}),
  ]);
  await failed.releases("shop", "bad");
  await failed.held("shop", "1");
  const pull = await failed.pullRequest("shop");
  await failed.atRest("shop");
  await running.releases("shop", "2");
  const before = await running.until("a weight of 10", () => {
    const status = running.canary("shop");
    return (status.canaryWeight ?? 0) >= 10 && status;
  });

  await here.controller.kill();
  const things = [running.running(), failed.running()];
  await here.controller.restart({ program });
  expect(here.controller.logs.findLast((line) => line.includes("controller started"))).toContain(`"version":"${version}"`);
  const weight = running.canary("shop").canaryWeight ?? 0;
  await running.until("the run to go on", () => (running.canary("shop").canaryWeight ?? 0) > weight);
  expect([running.running(), failed.running()]).toEqual(things);

  await running.promoted("shop", "2");
  expect(running.canary("shop").startedAt).toBe(before.startedAt);
  expect(running.canary("cart").phase).toBe("Initialized");
  expectNoneFailed(running.users("shop"));
  expectNoneFailed(running.users("cart"));
  expect([failed.tag("shop"), failed.canary("shop").phase, (await failed.pulls()).map(({ number }) => number)]).toEqual(["1", "Failed", [pull.number]]);
  await failed.merges(pull);
  await failed.revertIs("shop", "Merged");
  expect(failed.list(seen.revert)).toHaveLength(1);
});
