import type { CanaryStatus } from "../../src/api/canary.ts";
import type { RevisionContent } from "../../src/api/cause.ts";
import type { KubeObject } from "../../src/api/object.ts";
import { revisionAnnotation } from "../../src/canary/workloads.ts";
import type { StoredChange } from "../fakes/memory-kube.ts";
import { contentIn, copyDiffers, isBadContent, templateDiffers } from "./primary.ts";
import { fail, isMeasured, kinds, lastAnswer, named, type Seen, specOf, statusOf } from "./watched.ts";
import { trafficOf } from "./traffic.ts";

/** A step of one Canary, from what its status said to what it says. */
interface Step {
  readonly seen: Seen;
  readonly canary: KubeObject;
  readonly name: string;
  readonly was: CanaryStatus;
  readonly is: CanaryStatus;
}

/** A change of a Canary: of its weight, or of its phase. */
export function onCanary(seen: Seen, { object, before }: StoredChange): void {
  const { name } = object.metadata;
  const step: Step = { seen, canary: object, name, was: statusOf(before), is: statusOf(object) };
  const { phase, promotedRevision, canaryWeight = 0 } = step.is;
  if (phase === "Initializing") onFirst(seen, name, promotedRevision);
  if (canaryWeight > (step.was.canaryWeight ?? 0)) onMoreTraffic(step);
  if (phase === step.was.phase) return;
  if (phase === "Promoting") onPromotion(step);
  if (phase === "Succeeded") onSuccess(step);
  if (phase === "Failed") onFailure(step);
}

function onFirst(seen: Seen, name: string, revision: string | undefined): void {
  allow(seen, name, revision);
  seen.first.add(`${name} ${revision}`);
}

function allow({ allowed }: Seen, name: string, revision: string | undefined): void {
  if (revision !== undefined) allowed.set(name, new Set([...(allowed.get(name) ?? []), revision]));
}

function onSuccess({ seen: { tally, ends }, name }: Step): void {
  tally.promotions += 1;
  if ([...ends.keys()].some((revert) => revert.startsWith(`${name}-`))) tally.laterPromotions += 1;
}

function onFailure({ seen, name, is: { failure, trackedRevision, canaryWeight = 0 } }: Step): void {
  seen.tally.rollbacks += 1;
  const { reason } = failure ?? {};
  if (isMeasured(reason) && !isKnownBad(seen, { name, reason, revision: trackedRevision ?? "" }))
    fail(seen, "unknown is not bad", `Canary ${name} failed its check without a bad answer`);
  if (canaryWeight > 0 && servesIn(seen, `${name}-primary`))
    fail(seen, "a failed canary gets no traffic", `Canary ${name} failed at ${canaryWeight} % while its primary serves`);
}

interface Verdict {
  readonly name: string;
  readonly reason: string | undefined;
  readonly revision: string;
}

function isKnownBad(seen: Seen, { name, reason, revision }: Verdict): boolean {
  if (seen.world.flapped.has(name) || lastAnswer(seen, name)?.bad === true) return true;
  const content = contentIn(seen.world, name, revision);
  // Shares are counted over the whole run: what was bad in it need not serve in its last moment.
  return reason === "EvidenceAgainst" && content !== undefined && isBadContent(name, content);
}

/** The Deployment as the writing process sees it. */
function inView({ replica }: Seen, name: string): KubeObject | undefined {
  return replica?.informers.of(kinds.deployment).find(`shop/${name}`);
}

interface DeploymentStatus {
  readonly observedGeneration?: number;
  readonly updatedReplicas?: number;
  readonly availableReplicas?: number;
}

function servesIn(seen: Seen, name: string): boolean {
  return ((inView(seen, name)?.["status"] as DeploymentStatus | undefined)?.availableReplicas ?? 0) > 0;
}

function isReadyIn(seen: Seen, name: string): boolean {
  const live = inView(seen, name);
  const { observedGeneration = 0, updatedReplicas = 0, availableReplicas = 0 } = (live?.["status"] ?? {}) as DeploymentStatus;
  const isTakenUp = live !== undefined && observedGeneration >= (live.metadata.generation ?? 0);
  return isTakenUp && updatedReplicas > 0 && availableReplicas >= updatedReplicas;
}

/** Weight never rises without ready pods and a passed check of this very revision, and once an interval at most. */
function onMoreTraffic({ seen, name, was, is }: Step): void {
  const promise = "weight never rises without ready pods and a passed check";
  if (!isReadyIn(seen, name)) fail(seen, promise, `Canary ${name}: its pods are not ready`);
  if (is.trackedRevision !== was.trackedRevision) fail(seen, promise, `Canary ${name}: another revision got traffic at once`);
  // The first step of a run is due at once; one that lost its traffic waits like any other.
  const stepMs = Date.parse(was.steppedAt ?? "");
  if (seen.world.time.nowMs - stepMs < 10_000) fail(seen, promise, `Canary ${name}: two steps within its interval`);
  if ((was.canaryWeight ?? 0) === 0) return;
  if (!isPassed(seen, name, stepMs)) fail(seen, promise, `Canary ${name}: no check has passed since the last step`);
}

function isPassed(seen: Seen, name: string, sinceMs: number): boolean {
  const answer = lastAnswer(seen, name);
  return answer !== undefined && answer.atMs >= sinceMs && answer.bad === false;
}

const analysed = "the primary only ever gets an analysed revision";

/** Only what had all its traffic steps and passed the check of the last one is promoted. */
function onPromotion({ seen, canary, name, was, is: { trackedRevision } }: Step): void {
  const { stepWeights = [] } = (canary["spec"] as { analysis: { stepWeights?: number[] } }).analysis;
  const detail = `Canary ${name} promotes ${trackedRevision}`;
  if ((was.canaryWeight ?? 0) < Math.max(...stepWeights)) fail(seen, analysed, `${detail} at weight ${was.canaryWeight}`);
  if (!isPassed(seen, name, Date.parse(was.steppedAt ?? ""))) fail(seen, analysed, `${detail} without a passed check`);
  if (trackedRevision !== was.trackedRevision) fail(seen, analysed, `${detail}, which was not the one that ran`);
  allow(seen, name, trackedRevision);
}

/** A controller's write of a Deployment: a primary or a target. */
export function onDeployment(seen: Seen, { object, before }: StoredChange): void {
  const { name } = object.metadata;
  if (name.endsWith("-primary")) return onPrimary(seen, object);
  const isEmptied = specOf(object).replicas === 0 && before !== undefined && specOf(before).replicas !== 0;
  const weight = trafficOf(seen.world.kube, name) ?? 0;
  const detail = `Deployment ${name} is scaled to zero while the route sends it ${weight} %`;
  if (isEmptied && weight > 0) fail(seen, "pods go after their traffic", detail);
}

function onPrimary(seen: Seen, primary: KubeObject): void {
  const { name } = primary.metadata;
  const app = name.slice(0, -"-primary".length);
  const revision = specOf(primary).template.metadata.annotations?.[revisionAnnotation] ?? "";
  const content = onPromoted(seen, { app, name, revision });
  const difference = templateDiffers(app, primary, content);
  if (difference !== undefined) fail(seen, analysed, `${name} gets ${revision} ${difference}`);
}

/** A controller's write of a primary's copy of a config: as the revision that the primary is to run now reads it. */
export function onCopy(seen: Seen, copy: KubeObject): void {
  const { name } = copy.metadata;
  const app = name.slice(0, -"-config-primary".length);
  const { phase, trackedRevision, promotedRevision } = statusOf(named(seen.world, kinds.canary, app));
  const revision = (phase === "Promoting" ? trackedRevision : promotedRevision) ?? "";
  const difference = copyDiffers(copy, onPromoted(seen, { app, name, revision }));
  if (difference !== undefined) fail(seen, analysed, `${name} gets ${revision} ${difference}`);
}

/** What goes to the primary was analysed, and is good. Returns what the revision consists of. */
function onPromoted(seen: Seen, { app, name, revision }: { app: string; name: string; revision: string }): RevisionContent | undefined {
  const content = contentIn(seen.world, app, revision);
  if (!seen.allowed.get(app)?.has(revision)) fail(seen, analysed, `${name} gets ${revision}`);
  if (content && isBadContent(app, content) && !seen.first.has(`${app} ${revision}`))
    fail(seen, analysed, `${name} gets ${revision}, which is bad: ${JSON.stringify(content)}`);
  return content;
}

/** A controller's write of a route. */
export function onRoute(seen: Seen, route: KubeObject): void {
  const { name } = route.metadata;
  const canary = named(seen.world, kinds.canary, name);
  const weight = trafficOf(seen.world.kube, name) ?? 0;
  const said = statusOf(canary).canaryWeight ?? 0;
  const promise = "the status says first what the cluster follows";
  if (weight > said) fail(seen, promise, `HTTPRoute ${name} gets ${weight} %, its Canary says ${said} %`);
}

/** A Canary's run that ended well leaves the route with no more traffic for the canary than it has decided on. */
export function afterRun(seen: Seen, key: string): void {
  const name = key.slice(key.indexOf("/") + 1);
  const canary = named(seen.world, kinds.canary, name);
  const { phase, canaryWeight = 0 } = statusOf(canary);
  const weight = trafficOf(seen.world.kube, name) ?? 0;
  if (!canary || phase === "Initializing" || isSuspended(canary) || weight <= canaryWeight) return;
  fail(seen, "less traffic is given at once", `Canary ${name} decided on ${canaryWeight} %, and its route still says ${weight} %`);
}

function isSuspended({ spec }: KubeObject): boolean {
  return (spec as { suspend?: boolean }).suspend === true;
}
