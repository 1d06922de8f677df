import { appendFileSync } from "node:fs";
import { type Control, createControl } from "../../hack/control-plane/control.ts";
import { type Facts, type PartName, readFacts } from "../../hack/control-plane/facts.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { expectNoneFailed, type Stage, type Team } from "../e2e/story.ts";
import { seen } from "../e2e/sight.ts";

/** What a scenario has shown: one line of the table in docs/reliability.md. */
export interface Outcome {
  readonly fault: string;
  /** What happens meanwhile. */
  readonly meanwhile: string;
  /** How it ends. */
  readonly after: string;
  /** From the end of the fault until all is as it should be. */
  readonly rightAgainMs: number;
}

/** Where the lines go; without it the suite only tests. */
const resultsVariable = "SERIN_FAULTS_RESULTS";

/** Keeps a line for docs/reliability.md. Called after the last expectation: a scenario that fails leaves none. */
export function proved(outcome: Outcome): void {
  const file = process.env[resultsVariable];
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(outcome)}\n`);
}

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

/** Milliseconds that the work took. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = systemClock.nowMs();
  await work();
  return systemClock.nowMs() - start;
}

/** Two teams whose releases are under way: one is fine, the other one answers with errors as soon as it gets requests. */
export async function twoReleases(here: Stage, test: Parameters<Stage["aTeam"]>[0], name: string): Promise<{ good: Team; bad: Team }> {
  const [good, bad] = await Promise.all([
    here.aTeam(test, `${name}-good`, { services: { shop: { replicas: 2 } }, canary: { stepWeight: 5 } }),
    here.aTeam(test, `${name}-bad`, { canary: { stepWeight: 5 } }),
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
