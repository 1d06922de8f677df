import { findCondition } from "../../src/api/conditions.ts";
import type { CanaryStatus } from "../../src/api/canary.ts";
import type { CommonStatus, Condition } from "../../src/api/meta.ts";
import type { KubeObject } from "../../src/api/object.ts";
import type { Sheet } from "./manifests.ts";
import { headFiles, ourBranches, sheetsIn } from "./people.ts";
import { revertOf } from "./proposal-promises.ts";
import { failedIn, holding, labelled } from "./sync-promises.ts";
import { type Broken, holds, imageOf, kinds, named, revertSpec, revertStatus, specOf, statusOf } from "./watched.ts";
import { isBad, trafficOf } from "./traffic.ts";
import type { CrashWorld } from "./world.ts";

/** What is wrong with a world that has come to rest; `undefined`: it is as was promised. */
export function atRest(world: CrashWorld): Broken | undefined {
  const found = [
    ...world.schedule.shape.apps.flatMap((app) => releaseAtRest(world, app)),
    ...["shop", "other"].flatMap((name) => syncAtRest(world, name)),
    ...world.kube.objects(kinds.revert).flatMap((revert) => revertAtRest(world, revert)),
    ...branchesAtRest(world),
  ];
  return found[0];
}

/** A promise that is broken unless something is so. */
type Check = readonly [isKept: boolean, promise: string, detail: string];

function brokenIn(checks: readonly Check[]): Broken[] {
  return checks.flatMap(([isKept, promise, detail]) => (isKept ? [] : [{ promise, detail }]));
}

const inCluster = "what is in Git is in the cluster";
const restPhases = new Set(["Initialized", "Succeeded", "Failed"]);

function releaseAtRest(world: CrashWorld, app: string): Broken[] {
  const canary = named(world, kinds.canary, app);
  const [target, primary] = [named(world, kinds.deployment, app), named(world, kinds.deployment, `${app}-primary`)];
  const { phase = "none", canaryWeight } = statusOf(canary);
  if (!target || !primary) return [{ promise: inCluster, detail: `${app} has no ${target ? "primary" : "target"}` }];
  const weight = trafficOf(world.kube, app);
  const { replicas = 1 } = specOf(target);
  const { reason, message } = ready(canary);
  const where = `Canary ${app} in ${phase} (${reason}: ${message})`;
  return [
    ...brokenIn([
      [restPhases.has(phase), "every release comes to an end", where],
      [canaryWeight === 0 && weight === 0, "a failed canary ends at 0 %", `${where}: ${canaryWeight} % said, ${weight} % routed`],
      [replicas === 0, "a canary that ended has no pods", `${where}: ${replicas} replicas`],
    ]),
    ...(phase === "Failed" ? heldAtRest(world, app, statusOf(canary)) : []),
    ...servedAtRest(world, app, phase === "Failed" ? undefined : imageOf(target)),
  ];
}

/** What failed is held back by a Revert, or the Canary says why it cannot be. */
function heldAtRest(world: CrashWorld, app: string, { conditions }: CanaryStatus): Broken[] {
  const isSaid = findCondition(conditions, "RevertNotPossible")?.status === "True";
  return brokenIn([[heldBy(world, app).length > 0 || isSaid, "what failed is held back, or it is said why not", `Canary ${app} failed`]]);
}

/** Users get a good release, and where none failed the one that the target names. */
function servedAtRest(world: CrashWorld, app: string, wanted: string | undefined): Broken[] {
  const serving = world.cluster.serving(`${app}-primary`);
  if (!serving) return [{ promise: "users are served", detail: `no pod of ${app}-primary is ready` }];
  const { image } = serving;
  return brokenIn([
    [!isBad(serving), "users are served by what was promoted", `${app}-primary runs ${image} with ${serving.config}`],
    [wanted === undefined || image === wanted, "what is promoted is what the target says", `${app}-primary runs ${image}, not ${wanted}`],
  ]);
}

function ready(object: KubeObject | undefined): Pick<Condition, "status" | "reason" | "message"> {
  const { conditions } = (object?.["status"] ?? {}) as CommonStatus;
  return findCondition(conditions, "Ready") ?? { status: "Unknown", reason: "", message: "" };
}

/** The cluster has what HEAD says, no more and no less, but for what is held back. */
function syncAtRest(world: CrashWorld, name: string): Broken[] {
  const { status, reason, message } = ready(named(world, kinds.sync, name));
  const head = [...sheetsIn(headFiles(world))].filter(([file]) => file.startsWith(`${name}/`)).flatMap(([, sheets]) => sheets);
  const wanted = head.map(({ kind, name: own }) => `${kind}/${own}`);
  const there = labelled({ world }, name).map(({ kind, metadata }) => `${kind}/${metadata.name}`);
  const missing = wanted.filter((object) => !there.includes(object));
  const left = there.filter((object) => !wanted.includes(object));
  // What left Git stays until everything that was applied is healthy.
  const mayStay = reason === "HealthCheckFailed";
  const isSaid = status === "True" || isExplained(world, reason, message);
  return [
    ...brokenIn([
      [isSaid, "every Sync is Ready or says why not", `Sync ${name}: ${reason}: ${message}`],
      [missing.length === 0, inCluster, `Sync ${name} lacks ${missing.join(", ")}`],
      [left.length === 0 || mayStay, "what left Git left the cluster", `Sync ${name} still has ${left.join(", ")}`],
    ]),
    ...head.flatMap((sheet) => differing(world, sheet)),
  ];
}

/** A Canary whose release failed is not healthy, and a Sync that waits says so. */
function isExplained({ kube }: CrashWorld, reason: string, message: string): boolean {
  const failed = kube.objects(kinds.canary).filter((canary) => statusOf(canary).phase === "Failed");
  return reason === "HealthCheckFailed" && failed.some(({ metadata }) => message.includes(`Canary/shop/${metadata.name}`));
}

/** What runs differs from HEAD only where a Revert, or a refusal that was never taken back, holds it. */
function differing(world: CrashWorld, { kind, name, values }: Sheet): Broken[] {
  const app = kind === "Deployment" ? name : name.replace(/-config$/, "");
  if (kind === "Canary" || isHeld(world, app)) return [];
  const live = named(world, kind === "Deployment" ? kinds.deployment : kinds.configMap, name);
  const wanted = kind === "Deployment" ? values["image"] : Object.values(values)[0];
  const found = live && (kind === "Deployment" ? imageOf(live) : firstValue(live));
  return brokenIn([[!live || found === wanted, inCluster, `${name} has ${found}, Git says ${wanted}`]]);
}

function firstValue({ data }: KubeObject): string | undefined {
  return Object.values(data as Readonly<Record<string, string>>)[0];
}

function isHeld(world: CrashWorld, app: string): boolean {
  const refused = statusOf(named(world, kinds.canary, app)).refused ?? [];
  return refused.length > 0 || heldBy(world, app).length > 0;
}

function heldBy({ kube }: CrashWorld, app: string): KubeObject[] {
  return kube.objects(kinds.revert).filter((revert) => holds(revert) && revertSpec(revert).canaryRef.name === app);
}

function revertAtRest(world: CrashWorld, revert: KubeObject): Broken[] {
  const { name, deletionTimestamp } = revert.metadata;
  const { status, message } = ready(revert);
  const goes: Check = [deletionTimestamp === undefined, "what is deleted goes", `Revert ${name} is still there`];
  if (!holds(revert)) return brokenIn([goes, [status === "True", tidied, `Revert ${name}: ${message}`]]);
  const live = [kinds.deployment, kinds.configMap].flatMap((kind) => world.kube.objects(kind));
  const failed = live.flatMap((object) => failedIn(revert, object)).map(({ object, path }) => `${object} ${path}`);
  return [
    ...brokenIn([goes, [failed.length === 0, holding, `${failed.join(", ")} at the failed value while ${name} holds`]]),
    ...proposalAtRest(world, revert),
  ];
}

/** What keeps a proposal from being made, and is said. */
const reasons = new Set([
  "NotTheCommitsFault",
  "DeclinedBefore",
  "Storm",
  "ProposalLimit",
  "NotFromGit",
  "NothingToReturnTo",
  "HistoryUnavailable",
  "NotComparable",
  "Blocked",
  "Conflict",
  "SerinCommit",
  "UndoneByOther",
  "BranchDeleted",
  "BranchTakenOver",
  "Outdated",
]);

/** A Revert that holds is proposed, by one open pull request of its recorded commit, or says why it is not. */
function proposalAtRest(world: CrashWorld, revert: KubeObject): Broken[] {
  const { status, reason, message } = ready(revert);
  const { phase, branch, commit } = revertStatus(revert);
  if (reasons.has(reason)) return [];
  const open = world.hosted.pulls().filter((pull) => pull.head === branch && pull.state === "open");
  const at = world.source.refs.get(`refs/heads/${branch}`);
  const isOpen = branch === undefined || (open.length === 1 && at === commit);
  const where = `Revert ${revert.metadata.name} in ${phase} (${reason}: ${message})`;
  const detail = `${where}: ${open.length} open, branch at ${at}, recorded ${commit}`;
  return brokenIn([[phase === "Proposed" && status === "True" && isOpen, "what holds is proposed or says why not", detail]]);
}

const tidied = "what ended is tidied up";

/** No branch of ours stays behind without a Revert that holds, but those that somebody else pushed to. */
function branchesAtRest(world: CrashWorld): Broken[] {
  const active = new Set(world.kube.objects(kinds.revert).filter(holds).map(({ metadata }) => metadata.name));
  return ourBranches(world.source.refs).flatMap((ref) => {
    const branch = ref.slice("refs/heads/".length);
    const theirs = world.source.files(world.source.refs.get(ref) ?? "").has("shop/theirs.md");
    return brokenIn([[theirs || active.has(revertOf(branch)), tidied, `${branch} is still there`]]);
  });
}
