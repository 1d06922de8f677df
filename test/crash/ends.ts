import { findCondition } from "../../src/api/conditions.ts";
import type { CanaryStatus } from "../../src/api/canary.ts";
import type { CauseField } from "../../src/api/cause.ts";
import type { CommonStatus, Condition } from "../../src/api/meta.ts";
import type { KubeObject } from "../../src/api/object.ts";
import { revisionOf } from "../../src/canary/revision.ts";
import { sameJson } from "../../src/lib/json.ts";
import { parsePath, valueAt, withValueAt } from "../../src/revert/path.ts";
import { objectOf, type Sheet } from "./manifests.ts";
import { contentIn, copyDiffers, templateDiffers } from "./primary.ts";
import { headFiles, ourBranches, sheetsIn } from "./people.ts";
import { revertOf } from "./proposal-promises.ts";
import { mayBeTakenBackUnseen, mayKeepFromProposal } from "./reasons.ts";
import { failedIn, holding, labelled } from "./sync-promises.ts";
import { type Broken, holds, kinds, named, revertSpec, revertStatus, specOf, statusOf } from "./watched.ts";
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
    ...servedAtRest(world, app),
    ...promotedAtRest(world, app, { target, primary }),
  ];
}

/** What failed is held back by a Revert, or the Canary says why it cannot be. */
function heldAtRest(world: CrashWorld, app: string, { conditions }: CanaryStatus): Broken[] {
  const isSaid = findCondition(conditions, "RevertNotPossible")?.status === "True";
  const isHeldOrSaid = heldBy(world, app).length > 0 || isSaid || mayBeTakenBackUnseen(world);
  return brokenIn([[isHeldOrSaid, "what failed is held back, or it is said why not", `Canary ${app} failed`]]);
}

/** Users get a good release. */
function servedAtRest(world: CrashWorld, app: string): Broken[] {
  const serving = world.cluster.serving(`${app}-primary`);
  if (!serving) return [{ promise: "users are served", detail: `no pod of ${app}-primary is ready` }];
  const detail = `${app}-primary runs ${serving.image} with ${serving.config}`;
  return brokenIn([[!isBad(serving), "users are served by what was promoted", detail]]);
}

/** The primary is what was promoted to the last field, and that is what the target names, unless that failed. */
function promotedAtRest(world: CrashWorld, app: string, { target, primary }: { target: KubeObject; primary: KubeObject }): Broken[] {
  const { phase, promotedRevision = "", trackedRevision } = statusOf(named(world, kinds.canary, app));
  const config = (_: string, name: string): KubeObject | undefined => named(world, kinds.configMap, name);
  const { id } = revisionOf(target, config, String);
  const content = contentIn(world, app, promotedRevision);
  const copies = [config("", `${app}-config-primary`)].filter((copy) => copy !== undefined && content?.configs[`ConfigMap/${app}-config`]);
  const differences = [templateDiffers(app, primary, content), ...copies.map((copy) => copy && copyDiffers(copy, content))];
  const difference = differences.find((one) => one !== undefined);
  const isTarget = id === promotedRevision || (phase === "Failed" && id === trackedRevision);
  return brokenIn([
    [difference === undefined, "the primary is what was promoted", `${app}-primary runs ${promotedRevision} ${difference}`],
    [isTarget, "what is promoted is what the target says", `${app}-primary runs ${promotedRevision}, the target is ${id} (${phase})`],
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
    ...head.flatMap((sheet) => differing(world, head, sheet)),
  ];
}

/** A Canary whose release failed is not healthy, and a Sync that waits says so. */
function isExplained({ kube }: CrashWorld, reason: string, message: string): boolean {
  const failed = kube.objects(kinds.canary).filter((canary) => statusOf(canary).phase === "Failed");
  return reason === "HealthCheckFailed" && failed.some(({ metadata }) => message.includes(`Canary/shop/${metadata.name}`));
}

/** What runs differs from HEAD only in fields that a Revert, or a refusal that was never taken back, holds. */
function differing(world: CrashWorld, head: readonly Sheet[], sheet: Sheet): Broken[] {
  const wanted = objectOf(sheet);
  const live = named(world, kindsOf[sheet.kind], sheet.name);
  if (!live) return [];
  const held = heldPaths(world, head, wanted).map((path) => parsePath(path));
  const expected = held.reduce((object, path) => withValueAt(object, path, valueAt(live, path)) as KubeObject, wanted);
  const [given, found] = [wantedOf(expected), wantedOf(live)];
  const detail = `${sheet.kind} ${sheet.name} has ${JSON.stringify(found)}, Git says ${JSON.stringify(given)}`;
  return brokenIn([[sameJson(found, given), inCluster, detail]]);
}

const kindsOf = { Deployment: kinds.deployment, ConfigMap: kinds.configMap, Canary: kinds.canary } as const;

/** What of an object is Git's alone: of a Deployment its pods, how many there are is the Canary's. */
function wantedOf(object: KubeObject): unknown {
  if (object.kind === "ConfigMap") return object["data"];
  return object.kind === "Deployment" ? specOf(object).template : object["spec"];
}

/** Paths at which an object need not be as HEAD says. */
function heldPaths(world: CrashWorld, head: readonly Sheet[], wanted: KubeObject): string[] {
  const app = wanted.metadata.name.replace(/-config$/, "");
  const isFailed = ({ object, path, failed }: CauseField): boolean => {
    const sheet = head.find(({ kind, name }) => object === `${kind}/${name}`);
    return sheet !== undefined && sameJson(valueAt(objectOf(sheet), parsePath(path)), failed);
  };
  const held = heldBy(world, app).flatMap((revert) => revertSpec(revert).cause.filter((field) => field.decides || isFailed(field)));
  const refused = (statusOf(named(world, kinds.canary, app)).refused ?? [])
    .filter(({ declined }) => declined !== true)
    .map(({ fields }) => fields.filter(({ decides }) => decides))
    .filter((fields) => fields.every(isFailed));
  const own = `${wanted.kind}/${wanted.metadata.name}`;
  return [...held, ...refused.flat()].filter(({ object }) => object === own).map(({ path }) => path);
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

/** A Revert that holds is proposed, by one open pull request of its recorded commit, or says why it is not: for a reason that there was. */
function proposalAtRest(world: CrashWorld, revert: KubeObject): Broken[] {
  const { status, reason, message } = ready(revert);
  const { phase, branch, commit } = revertStatus(revert);
  if (mayKeepFromProposal(world, revert, reason)) return [];
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
