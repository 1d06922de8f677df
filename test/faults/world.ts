import { type Control, createControl } from "../../hack/control-plane/control.ts";
import { type Facts, type PartName, readFacts } from "../../hack/control-plane/facts.ts";
import { systemClock } from "../../src/lib/clock.ts";
import type { Stage } from "../e2e/story.ts";
import { expectNoneFailed, type Team } from "../e2e/team.ts";
import { seen } from "../e2e/sight.ts";

/** Where everything of the control plane is. Throws outside of one. */
export function factsHere(): Facts {
  const facts = readFacts(process.env);
  if (!facts) throw new Error("faults are made on the control plane: npm run test:faults");
  return facts;
}

/** A control of the parts that is given back at the end of the process. */
export function controlHere(): Control {
  return createControl(factsHere());
}

/** Stops a part and starts it again when the work is done, also when that fails. Returns when the part answers again. */
export async function without(control: Control, part: PartName, work: () => Promise<void>): Promise<void> {
  await control.stop(part, "SIGKILL");
  try {
    await work();
  } finally {
    await control.start(part);
  }
}

/** Waits in real time: a fault has to last. */
export async function lasting(seconds: number): Promise<void> {
  await systemClock.sleep(seconds * 1_000);
}

/** Two teams whose releases are under way: one is fine, the other one answers with errors as soon as it gets requests. */
export async function twoReleases(
  here: Stage,
  test: Parameters<Stage["aTeam"]>[0],
  { name, stepWeight = 5 }: { name: string; stepWeight?: number },
): Promise<{ good: Team; bad: Team }> {
  const [good, bad] = await Promise.all([
    here.aTeam(test, `${name}-good`, { services: { shop: { replicas: 2 } }, canary: { stepWeight } }),
    here.aTeam(test, `${name}-bad`, { canary: { stepWeight } }),
  ]);
  return { good, bad };
}

/** Starts the good release and waits until its canary has some of the traffic. */
export async function underWay(team: Team, tag = "2"): Promise<void> {
  await team.releases("shop", tag);
  await team.until("the canary to have traffic", () => (team.canary("shop").canaryWeight ?? 0) >= 5);
}

/** The release went through without a failed request, in one run, and nobody wants it reverted. */
export async function promotedUnharmed(team: Team, tag: string, startedAt: string | undefined): Promise<void> {
  await team.promoted("shop", tag);
  await team.atRest("shop");
  if (team.canary("shop").startedAt !== startedAt) throw new Error(`${team.namespace}: the run was started anew`);
  if (team.revert("shop")) throw new Error(`${team.namespace}: a good release has a Revert`);
  expectNoneFailed(team.users("shop"));
}

/** The release is out of the cluster, which is held at the tag that was promoted last, and its revert is proposed, once. */
export async function rolledBackAndProposed(team: Team, promoted = "1"): Promise<void> {
  await team.rolledBack("shop");
  await team.held("shop", promoted);
  const pull = await team.pullRequest("shop");
  const branches = await team.revertBranches();
  if (branches.length !== 1 || branches[0] !== pull.head.ref) throw new Error(`${team.namespace}: branches are ${branches.join()}`);
  if ((await team.pulls()).length !== 1) throw new Error(`${team.namespace}: there is more than one pull request`);
  if (team.list(seen.revert).length !== 1) throw new Error(`${team.namespace}: there is more than one Revert`);
}
