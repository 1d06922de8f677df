import { expect, test } from "vitest";
import { canarySpec, type CanaryInput } from "../../test/builders.ts";
import type { CanarySpec, CanaryStatus } from "../api/canary.ts";
import { checksDue } from "./checks.ts";
import { type Check, decide, type Decision, type Health, type Phase, type Seen } from "./decide.ts";
import { nextStatus } from "./status.ts";
import { drainMs, msUntilDeadline, msUntilDrained, msUntilStep } from "./steps.ts";
import { primaryRevision } from "./workloads.ts";

/** One step that the machine can take. */
interface Transition {
  readonly spec: CanarySpec;
  readonly before: CanaryStatus;
  readonly seen: Seen;
  readonly decision: Decision;
  readonly after: CanaryStatus;
}

const startMs = Date.parse("2026-11-21T12:00:00Z");
const trouble = { reason: "X", message: "x", commitsFault: true };
const healths: readonly Health[] = [{ state: "ready" }, { state: "progressing", ...trouble }, { state: "stuck", ...trouble }];
const primaries: readonly Pick<Seen, "primary" | "primaryServes">[] = [
  { primary: { state: "ready" }, primaryServes: true },
  { primary: { state: "progressing", ...trouble }, primaryServes: true },
  { primary: { state: "progressing", ...trouble }, primaryServes: false },
  { primary: { state: "stuck", ...trouble }, primaryServes: false },
];
const gate = (open: boolean) => ({ open, message: "hook" });
const gatings: readonly Seen["gates"][] = [
  {},
  { rollout: gate(false), promotion: gate(false), rollback: gate(false) },
  { rollback: gate(true) },
];
const reverts = [
  { held: false, declined: false },
  { held: true, declined: false },
  { held: false, declined: true },
];
/** Whatever is not ready has not been for long: the deadline goes by the times of the status. */
const unreadyMs = { canary: 3_600_000, primary: 3_600_000 };
/** Not due yet, drained, due, overdue. */
const waitsMs = [1_000, drainMs, 60_000, 700_000];
const specs: [string, CanaryInput][] = [
  ["stepWeight", { analysis: { stepWeight: 40, maxWeight: 60, threshold: 2 } }],
  ["stepWeights", { analysis: { stepWeights: [30, 100], threshold: 1 } }],
  ["iterations", { analysis: { iterations: 2, threshold: 2 } }],
  ["skipAnalysis", { skipAnalysis: true }],
];

/** Every combination of the choices of each field. */
function combinations<T extends object>(choices: { readonly [Field in keyof T]: readonly T[Field][] }): T[] {
  const fields = Object.entries(choices) as [string, readonly unknown[]][];
  return fields.reduce<object[]>(
    (all, [field, values]) => all.flatMap((each) => values.map((value) => ({ ...each, [field]: value }))),
    [{}],
  ) as T[];
}

interface Choice {
  readonly revision: string | undefined;
  readonly canary: Health;
  readonly primary: (typeof primaries)[number];
  readonly gates: Seen["gates"];
  readonly revert: (typeof reverts)[number];
  readonly notRouted: string | undefined;
  readonly deleting: boolean;
  readonly canaryGone: boolean;
  readonly onlyConfigs: boolean;
  readonly complete: boolean;
}

const usual = {
  revision: ["v1", "v2", "v3", undefined],
  canary: healths,
  primary: primaries,
  gates: gatings,
  revert: reverts.slice(0, 1),
  notRouted: [undefined],
  deleting: [false, true],
  canaryGone: [true],
  onlyConfigs: [false],
  complete: [true],
};
/** Choices that matter only in some phases. */
const special: Partial<Record<Phase, object>> = {
  Initialized: { canaryGone: [true, false] },
  Failed: { revert: reverts, canaryGone: [true, false] },
  Progressing: { notRouted: [undefined, "not yet"], onlyConfigs: [false, true] },
  Promoting: { complete: [true, false] },
};
const choicesOf = new Map<Phase | undefined, Choice[]>();

/** Every observation that may matter in this state. */
function* observations(spec: CanarySpec, status: CanaryStatus, nowMs: number): Generator<Seen> {
  const choices = choicesOf.get(status.phase) ?? combinations<Choice>({ ...usual, ...(status.phase ? special[status.phase] : {}) });
  choicesOf.set(status.phase, choices);
  for (const { primary, revert, ...choice } of choices) {
    const seen = { nowMs, unreadyMs, ...choice, ...primary, ...revert };
    for (const check of checksOf(spec, status, seen)) yield { ...seen, check };
  }
}

function checksOf(spec: CanarySpec, status: CanaryStatus, seen: Seen): (Check | undefined)[] {
  if (checksDue(spec, { status, seen }).length === 0) return [undefined];
  const failedChecks = status.failedChecks ?? 0;
  const judged = (verdict: Check["verdict"], failures: number): Check => ({
    verdict,
    failedChecks: failures,
    rollBack: verdict === "fail" && failures >= spec.analysis.threshold,
    message: verdict,
    checks: [],
  });
  return [undefined, judged("pass", failedChecks), judged("inconclusive", failedChecks), judged("fail", failedChecks + 1)];
}

function next(spec: CanarySpec, before: CanaryStatus, seen: Seen): Transition {
  return transitions(spec, before)(seen);
}

/** Steps from one state. What the next status is made from is the same for most observations: made once. */
function transitions(spec: CanarySpec, before: CanaryStatus): (seen: Seen) => Transition {
  const made = new Map<string, CanaryStatus>();
  return (seen) => {
    const decision = decide({ spec, status: before, seen });
    const key = JSON.stringify([decision, seen.revision, seen.check?.verdict]);
    const after =
      made.get(key) ??
      nextStatus(before, decision, { seen, generation: 1, requestedAt: undefined, commit: seen.revision, configs: {}, targetReplicas: 2 });
    made.set(key, after);
    return { spec, before, seen, decision, after };
  };
}

/** What of a status matters for what comes next: of its times, how long ago the last step was, and the deadline. */
function keyOf(spec: CanarySpec, status: CanaryStatus, nowMs: number): string {
  const { phase, canaryWeight, failedChecks, iterations, trackedRevision, promotedRevision } = status;
  const waits = [msUntilDrained(status, nowMs), msUntilStep(spec, status, nowMs), msUntilDeadline(spec, status, { nowMs, unreadyMs })].map(
    (wait) => wait > 0,
  );
  // Beyond its limit a count says nothing new: without this a machine that never ends would be walked for ever.
  const counts = [Math.min(failedChecks ?? 0, spec.analysis.threshold + 1), Math.min(iterations ?? 0, (spec.analysis.iterations ?? 0) + 1)];
  return JSON.stringify([phase, canaryWeight, counts, trackedRevision, promotedRevision, waits]);
}

/** Visits every reachable state once, every observation in it once. */
function* walk(spec: CanarySpec): Generator<Transition> {
  const known = new Set<string>();
  const waiting: { status: CanaryStatus; nowMs: number }[] = [{ status: {}, nowMs: startMs }];
  for (let state = waiting.pop(); state; state = waiting.pop()) {
    const step = transitions(spec, state.status);
    const reached = new Set<CanaryStatus>();
    const { status: from, nowMs: at } = state;
    for (const seen of observations(spec, from, at)) {
      const transition = step(seen);
      yield transition;
      if (transition.decision.do !== "release") reached.add(transition.after);
    }
    const later = combinations<{ status: CanaryStatus; wait: number }>({ status: [...reached], wait: waitsMs });
    for (const { status, nowMs } of later.map(({ status: after, wait }) => ({ status: after, nowMs: at + wait }))) {
      const key = keyOf(spec, status, nowMs);
      if (!known.has(key)) waiting.push({ status, nowMs });
      known.add(key);
    }
  }
}

const weightOf = ({ canaryWeight = 0 }: CanaryStatus): number => canaryWeight;
const judged: ReadonlySet<Phase | undefined> = new Set(["Progressing", "WaitingPromotion"]);
const sinceStepMs = ({ before, seen }: Transition): number =>
  before.steppedAt === undefined ? Infinity : seen.nowMs - Date.parse(before.steppedAt);

/** Each promise, broken: what is wrong with a transition. */
const broken: Record<string, (transition: Transition) => boolean> = {
  "weight is a percentage": ({ after }) => weightOf(after) < 0 || weightOf(after) > 100,
  "weight rises only on ready pods of the tracked revision": ({ before, after, seen }) =>
    weightOf(after) > weightOf(before) &&
    (seen.canary.state !== "ready" || (after.phase !== "Terminating" && seen.revision !== after.trackedRevision)),
  "weight rises only on a passed check, but for the first step": ({ spec, before, after, seen }) =>
    weightOf(after) > weightOf(before) &&
    after.phase !== "Terminating" &&
    seen.check?.verdict !== "pass" &&
    (weightOf(before) > 0 || spec.analysis.iterations !== undefined),
  "weight rises only on a route that is served": ({ before, after, seen }) =>
    weightOf(after) > weightOf(before) && seen.notRouted !== undefined,
  "one step per interval": (transition) =>
    (transition.decision.do === "count" || weightOf(transition.after) > weightOf(transition.before)) &&
    transition.after.phase !== "Terminating" &&
    sinceStepMs(transition) < 60_000,
  "the primary gets only the analysed revision": ({ spec, before, after, seen, decision }) => {
    const [was, is] = [primaryRevision(before), primaryRevision(after)];
    if (was === is || decision.do === "initialise") return false;
    const analysed =
      judged.has(before.phase) &&
      is === seen.revision &&
      is === before.trackedRevision &&
      (spec.skipAnalysis || seen.check?.verdict === "pass");
    return !analysed && is !== before.promotedRevision;
  },
  "a failed canary has traffic only while nothing else serves": ({ after, seen }) => after.phase === "Failed" && weightOf(after) > 0 && (seen.primaryServes || seen.canary.state !== "ready"),
  "a canary that cannot serve loses its traffic at once": ({ before, after, seen }) =>
    before.phase !== "Terminating" &&
    after.phase !== "Terminating" &&
    weightOf(before) > 0 &&
    seen.canary.state !== "ready" &&
    weightOf(after) > 0,
  "a stuck canary fails, whatever hooks, routes, metrics and primary say": ({ before, after, seen }) =>
    judged.has(before.phase) &&
    !seen.deleting &&
    seen.revision === before.trackedRevision &&
    seen.revision !== before.promotedRevision &&
    seen.canary.state === "stuck" &&
    after.phase !== "Failed",
  "the deciding check takes all traffic back at once": ({ before, after, seen }) =>
    judged.has(before.phase) && seen.check?.rollBack === true && weightOf(after) > 0,
  "a wish to roll back is followed at once, whatever canary, primary and routes say": ({ before, after, seen }) =>
    judged.has(before.phase) &&
    !seen.deleting &&
    seen.revision === before.trackedRevision &&
    seen.revision !== before.promotedRevision &&
    seen.gates.rollback?.open === true &&
    after.phase !== "Failed",
  "a canary that is not ready by its deadline fails, whatever the primary says": ({ spec, before, after, seen }) =>
    judged.has(before.phase) &&
    !seen.deleting &&
    seen.revision === before.trackedRevision &&
    seen.revision !== before.promotedRevision &&
    seen.canary.state === "progressing" &&
    msUntilDeadline(spec, before, seen) === 0 &&
    after.phase !== "Failed",
  "a promotion that is overdue ends, whatever the primary says": ({ spec, before, after, seen }) =>
    before.phase === "Promoting" &&
    seen.primary.state !== "ready" &&
    msUntilDeadline(spec, before, seen) === 0 &&
    after.phase === "Promoting" &&
    weightOf(after) === weightOf(before),
  "a failed revision is not tried again, unless a person declined its Revert": ({ before, after, seen }) =>
    before.phase === "Failed" && seen.revision === before.trackedRevision && !seen.declined && judged.has(after.phase),
  "a run begins on fresh pods": ({ before, after, seen }) => !judged.has(before.phase) && judged.has(after.phase) && !seen.canaryGone,
  "only a revision that is still to be had is promoted": ({ before, after, seen }) => before.phase === "Promoting" && after.phase === "Finalising" && !seen.complete,
  "a newer revision never gets an older one's traffic": ({ before, after, seen }) =>
    before.phase !== "Terminating" &&
    !seen.deleting &&
    seen.revision !== before.trackedRevision &&
    seen.primaryServes &&
    weightOf(after) > 0,
  "nothing measured counts for another revision": ({ before, after }) =>
    before.trackedRevision !== after.trackedRevision &&
    before.phase !== undefined &&
    ((after.failedChecks ?? 0) > 0 || (after.iterations ?? 0) > 0 || after.verdict !== undefined || after.firstTrafficAt !== undefined),
  "no verdict but a failed check, a dead canary or a wish fails a run": ({ before, after, seen }) =>
    judged.has(before.phase) &&
    after.phase === "Failed" &&
    seen.check?.verdict !== "fail" &&
    seen.canary.state === "ready" &&
    seen.gates.rollback?.open !== true,
  "a promotion ends a passed run alone": ({ spec, after, before, seen }) =>
    after.phase === "Promoting" && before.phase !== "Promoting" && !spec.skipAnalysis && seen.check?.verdict !== "pass",
  "who holds says why": ({ decision }) => decision.do === "hold" && (decision.reason === "" || decision.message === ""),
};

test.each(specs)("every state reachable with %s keeps every promise, and comes to rest once all goes well", (_, input) => {
  const spec = canarySpec(input);
  const found = new Map<string, string>();
  const reached = new Map<CanaryStatus, number>();
  for (const transition of walk(spec)) {
    for (const [promise, isBroken] of Object.entries(broken)) {
      if (!found.has(promise) && isBroken(transition)) found.set(promise, JSON.stringify({ ...transition, spec: undefined }));
    }
    if (found.size > 0) break;
    if (transition.decision.do !== "release") reached.set(transition.after, transition.seen.nowMs);
  }
  expect(Object.fromEntries(found)).toEqual({});
  const phases = new Set([...reached.keys()].map(({ phase }) => phase));
  expect(
    ["Failed", "Finalising", "Initialized", "Initializing", "Progressing", "Promoting", "Succeeded", "Terminating", "Waiting"].filter(
      (phase) => !phases.has(phase as Phase),
    ),
  ).toEqual([]);
  const states = new Map([...reached].map(([status, nowMs]) => [keyOf(spec, status, nowMs), { status, nowMs }]));
  expect([...states].filter(([, { status, nowMs }]) => !settled(spec, status, nowMs)).map(([key]) => key)).toEqual([]);
});

/** Whether a good release of the tracked revision comes to rest within a bounded number of steps. */
function settled(spec: CanarySpec, from: CanaryStatus, fromMs: number): boolean {
  let status = from;
  const revision = from.trackedRevision ?? "v1";
  for (let step = 1; step <= 20; step += 1) {
    const nowMs = fromMs + step * 60_000;
    const deleting = status.phase === "Terminating";
    const seen: Seen = {
      nowMs,
      unreadyMs,
      revision,
      canary: { state: "ready" },
      primary: { state: "ready" },
      primaryServes: true,
      gates: {},
      canaryGone: true,
      onlyConfigs: false,
      complete: true,
      held: false,
      declined: false,
      deleting,
    };
    const check = checksOf(spec, status, seen)[1];
    const transition = next(spec, status, { ...seen, check });
    if (transition.decision.do === "release") return true;
    status = transition.after;
    if (["Initialized", "Succeeded", "Failed"].includes(status.phase ?? "") && weightOf(status) === 0) return true;
  }
  return false;
}
