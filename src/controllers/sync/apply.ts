import { managers } from "../../api/meta.ts";
import { describeRef, groupOf, type KubeObject, type ObjectMeta, type ObjectRef } from "../../api/object.ts";
import { describeHealth, healthOf } from "../../gitops/health.ts";
import { definedScopes } from "../../gitops/namespace.ts";
import { type Stage, stageOf, stages } from "../../gitops/order.ts";
import { isWrite, type Plan, type Step } from "../../gitops/plan.ts";
import { mustTakeOver, takenOver } from "../../gitops/takeover.ts";
import { isSurelyValid } from "../../gitops/vouch.ts";
import { type Kube, KubeError } from "../../kube/kube.ts";
import type { Clock } from "../../lib/clock.ts";
import { settleAll } from "../../lib/parallel.ts";
import type { Live } from "./live.ts";

/** What applying needs. */
interface ApplyDeps {
  readonly kube: Kube;
  readonly live: Live;
  readonly clock: Clock;
}

/** How a plan is applied. */
interface ApplyAs {
  /** User to write as. */
  readonly impersonate: string | undefined;
  /** Ids of objects to be written only in the version that was looked at: a Canary may be taking fields of them. */
  readonly shared: ReadonlySet<string>;
}

/** A step that could not be done. */
export interface Refusal {
  readonly step: Step;
  readonly error: unknown;
}

/** How far a plan was carried out. */
interface Applied {
  readonly done: readonly { readonly step: Step; readonly stored: KubeObject }[];
  readonly refused: readonly Refusal[];
  /** What a later stage waits for; `undefined` when all stages were done. */
  readonly waitingFor?: string | undefined;
}

/** Writes in flight at a time: more gain nothing (measured), fewer take twice as long. */
const inFlight = 16;

/**
 * Carries out a plan, stage by stage. Everything that can be checked beforehand is: when the API server would refuse any of
 * it, nothing is written. Within a stage every object is tried, whatever happens to the others.
 */
export async function applyPlan(deps: ApplyDeps, plan: Plan, as: ApplyAs, signal: AbortSignal): Promise<Applied> {
  const writes = plan.steps.filter(isWrite);
  const doubtful = mustAsk(writes);
  const checked = new Set<Step>();
  const check = async (steps: readonly Step[]): Promise<Refusal[]> => {
    const unchecked = steps.filter((step) => !checked.has(step) && doubtful.has(step));
    for (const step of unchecked) checked.add(step);
    return refusals(unchecked, await settleAll(unchecked, inFlight, (step) => dryRun(deps.kube, step, as.impersonate, signal)));
  };

  const refused = await check(writes.filter((step) => isCheckable(step, plan)));
  if (refused.length > 0) return { done: [], refused };
  const done: Applied["done"][number][] = [];
  for (const stage of stages) {
    const steps = writes.filter(({ ref }) => stageOf(ref) === stage);
    if (steps.length === 0) continue;
    const waitingFor = unready(deps.live, plan, stage) ?? (await unserved(deps.kube, plan, steps, signal));
    if (waitingFor !== undefined) return { done, refused: [], waitingFor };
    const refusedNow = await check(steps);
    if (refusedNow.length > 0) return { done, refused: refusedNow };
    const results = await settleAll(steps, inFlight, (step) => write(deps, step, as, signal));
    results.forEach((result, index) => {
      const step = steps[index];
      if (step && result.status === "fulfilled") done.push({ step, stored: result.value });
    });
    const failed = refusals(steps, results);
    if (failed.length > 0) return { done, refused: failed };
  }
  return { done, refused: [] };
}

/**
 * The steps that the API server is asked about before anything is written. A single write is checked by being made; what only
 * drifted was accepted before. Of what we can vouch for ourselves only one of each kind and namespace is asked about: whether
 * it may be written there at all.
 */
function mustAsk(writes: readonly Step[]): ReadonlySet<Step> {
  if (writes.length < 2) return new Set();
  const fresh = writes.filter(({ action }) => action !== "correct" && action !== "recreate");
  const groups = Map.groupBy(fresh, ({ ref }) => `${kindKey(ref)} ${ref.namespace ?? ""}`);
  const asked = [...groups.values()].flatMap((steps) => {
    const doubtful = steps.filter(({ object, live }) => !isSurelyValid(object, live));
    return doubtful.length > 0 || groups.size === 1 ? doubtful : steps.slice(0, 1);
  });
  return new Set(asked);
}

/** Whether the API server can say now what it thinks of the object: not when its kind or namespace is only about to be made. */
function isCheckable({ ref }: Step, { steps }: Plan): boolean {
  const kinds = definedScopes(steps.map(({ object }) => object));
  if (kinds.has(kindKey(ref))) return false;
  return !steps.some(({ action, ref: other }) => action === "create" && other.kind === "Namespace" && other.name === ref.namespace);
}

/** The first object of an earlier stage that is not ready to be built upon. */
function unready(live: Live, { steps }: Plan, stage: Stage): string | undefined {
  for (const { ref } of steps.filter((step) => stageOf(step.ref) < stage)) {
    const health = healthOf(live.find(ref));
    if (health.state !== "healthy") return describeHealth(ref, health);
  }
  return undefined;
}

/** A kind whose CustomResourceDefinition comes with this plan, and which the API server does not serve yet. */
async function unserved(kube: Kube, plan: Plan, steps: readonly Step[], signal: AbortSignal): Promise<string | undefined> {
  const defined = definedScopes(plan.steps.map(({ object }) => object));
  for (const { ref } of steps.filter((step) => defined.has(kindKey(step.ref)))) {
    if (!(await kube.resource(ref, signal))) return `the API server does not serve ${ref.kind} of ${ref.apiVersion} yet`;
  }
  return undefined;
}

function kindKey({ apiVersion, kind }: ObjectRef): string {
  return `${groupOf(apiVersion)}/${kind}`;
}

async function dryRun(kube: Kube, { object, ref }: Step, impersonate: string | undefined, signal: AbortSignal): Promise<void> {
  await knownKind(kube, ref, signal);
  await kube.apply(object, { fieldManager: managers.sync, dryRun: true, impersonate }, signal);
}

async function write(
  { kube, live, clock }: ApplyDeps,
  { object, ref, entry, live: before }: Step,
  as: ApplyAs,
  signal: AbortSignal,
): Promise<KubeObject> {
  await knownKind(kube, ref, signal);
  const { impersonate } = as;
  const takeOverNow = before !== undefined && mustTakeOver(before);
  if (takeOverNow) await takeOver({ kube, clock }, ref, impersonate, signal);
  const guard = as.shared.has(entry.id) && before && !takeOverNow ? { resourceVersion: before.metadata.resourceVersion } : {};
  const stored = await kube.apply(
    { ...object, metadata: { ...object.metadata, ...guard } as ObjectMeta },
    { fieldManager: managers.sync, impersonate },
    signal,
  );
  live.wrote(stored);
  return stored;
}

/** Makes what was written by hand ours, so that the apply removes what Git does not say. */
async function takeOver(
  { kube, clock }: Pick<ApplyDeps, "kube" | "clock">,
  ref: ObjectRef,
  impersonate: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  const current = await kube.find(ref, signal);
  if (!current || !mustTakeOver(current)) return;
  const managedFields = takenOver(current, clock.nowMs());
  const metadata = { resourceVersion: current.metadata.resourceVersion, managedFields };
  await kube.patch(ref, { metadata }, { fieldManager: managers.sync, impersonate }, signal);
}

async function knownKind(kube: Kube, ref: ObjectRef, signal: AbortSignal): Promise<void> {
  if (await kube.resource(ref, signal)) return;
  throw new KubeError(404, "UnknownKind", `the cluster has no kind ${ref.kind} in ${ref.apiVersion}; install its CustomResourceDefinition or correct apiVersion`);
}

function refusals(steps: readonly Step[], results: readonly PromiseSettledResult<unknown>[]): Refusal[] {
  return results.flatMap((result, index) => {
    const step = steps[index];
    return step && result.status === "rejected" ? [{ step, error: result.reason as unknown }] : [];
  });
}

/** `Deployment/shop/checkout (apps/checkout.yaml:3)`: the object and where it stands in the repository. */
export function describeStep(ref: ObjectRef, place: string | undefined): string {
  return place === undefined ? describeRef(ref) : `${describeRef(ref)} (${place})`;
}
