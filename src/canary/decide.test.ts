import { describe, expect, test } from "vitest";
import { canarySpec, type CanaryInput } from "../../test/builders.ts";
import type { CanaryStatus } from "../api/canary.ts";
import type { ShareStatus } from "../api/share-evidence.ts";
import { gateDue, isUrgent, shareDue } from "./checks.ts";
import { type Check, decide, type Decision, type Health, type Input, type Seen } from "./decide.ts";
import type { ShareLook, ShareSays } from "./share-look.ts";

const nowMs = Date.parse("2026-11-21T12:00:00Z");
const ago = (seconds: number): string => new Date(nowMs - seconds * 1_000).toISOString();
const hourMs = 3_600_000;
const ready: Health = { state: "ready" };
const progressing: Health = { state: "progressing", reason: "PodsNotReady", message: "too few pods are available", commitsFault: true };
const crashed: Health = { state: "stuck", reason: "CanaryCrashed", message: "container app ends again and again", commitsFault: true };
const message = "a pod that was ready is not any more";
const flapped: Health = { state: "progressing", reason: "ReadinessLost", message, commitsFault: true };
const rescaled: Health = { state: "progressing", reason: "RolloutUnobserved", message: "not taken up yet", commitsFault: true };
const unschedulable: Health = { state: "progressing", reason: "Unschedulable", message: "a pod has no node", commitsFault: false };

function check(
  verdict: Check["verdict"],
  { rollBack = false, primaryPassed }: { rollBack?: boolean; primaryPassed?: boolean } = {},
): Check {
  return {
    verdict,
    rollBack,
    failedChecks: 1,
    message: `the check gave ${verdict}`,
    checks: [{ name: "m", verdict, message: "m", ...(primaryPassed === undefined ? {} : { primaryPassed }) }],
  };
}

const passed = check("pass");
const decisive = check("fail", { rollBack: true, primaryPassed: true });
const open = { open: true, message: "hook agrees" };
const closed = { open: false, message: "hook answers 403" };

/** v2 of a workload on its way, at 20 % and due for its next step, unless said otherwise. */
function rollout(seen: Partial<Seen> = {}, status: CanaryStatus = {}, spec: CanaryInput = {}): Input {
  return {
    spec: canarySpec(spec),
    status: {
      phase: "Progressing",
      canaryWeight: 20,
      trackedRevision: "v2",
      promotedRevision: "v1",
      startedAt: ago(300),
      steppedAt: ago(60),
      lastTransitionTime: ago(300),
      ...status,
    },
    seen: {
      nowMs,
      revision: "v2",
      canary: ready,
      primary: ready,
      primaryServes: true,
      unreadyMs: { canary: hourMs, primary: hourMs },
      check: passed,
      gates: {},
      canaryGone: true,
      onlyConfigs: false,
      complete: true,
      held: false,
      declined: false,
      deleting: false,
      ...seen,
    },
  };
}

const unseen = { check: undefined };
const steps = (analysis: Record<string, unknown>): CanaryInput => ({ analysis });

describe("a run", () => {
  test.each<[string, Input, Decision]>([
    ["shifts one step", rollout(), { do: "shift", weight: 40 }],
    ["never overshoots maxWeight", rollout({}, { canaryWeight: 50 }), { do: "shift", weight: 60 }],
    ["is promoted after the last step's check", rollout({}, { canaryWeight: 60 }), { do: "promote" }],
    ["takes its first step as soon as it is ready", rollout(unseen, { canaryWeight: 0, steppedAt: undefined }), { do: "shift", weight: 20 }],
    ["goes through stepWeights", rollout({}, { canaryWeight: 20 }, steps({ stepWeights: [5, 20, 50] })), { do: "shift", weight: 50 }],
    ["goes on to the next larger step when stepWeights were edited", rollout({}, { canaryWeight: 20 }, steps({ stepWeights: [10, 30] })), { do: "shift", weight: 30 }],
    ["counts a passed blue/green check", rollout({}, { canaryWeight: 0, iterations: 0 }, steps({ iterations: 3 })), { do: "count" }],
    ["gives all traffic after the last blue/green check", rollout({}, { canaryWeight: 0, iterations: 2 }, steps({ iterations: 3 })), { do: "shift", weight: 100 }],
    ["promotes blue/green once real traffic has passed a check", rollout({}, { canaryWeight: 100, iterations: 3 }, steps({ iterations: 3 })), { do: "promote" }],
    ["is promoted without a check by skipAnalysis", rollout(unseen, { canaryWeight: 0 }, { skipAnalysis: true }), { do: "promote" }],
    ["cancels when the promoted spec is back", rollout({ revision: "v1", canary: crashed, check: decisive }), { do: "cancel" }],
    ["cancels when the target is deleted", rollout({ revision: undefined, canary: progressing }), { do: "cancel" }],
    ["restarts on a newer revision", rollout({ revision: "v3", check: decisive }), { do: "start" }],
    ["begins anew when only configs changed: running pods do not notice", rollout({ revision: "v3", onlyConfigs: true }), { do: "cancel" }],
    ["takes the traffic at once when the canary stops being ready", rollout({ canary: progressing, ...unseen }), { do: "shift", weight: 0 }],
    ["counts it when pods that were ready are not any more", rollout({ canary: flapped, ...unseen }), { do: "shift", weight: 0, lost: true }],
    ["waits until as many checks were lost to readiness as threshold says", rollout({ canary: flapped, ...unseen }, { failedChecks: 1 }, steps({ threshold: 3 })), { do: "shift", weight: 0, lost: true }],
    ["never decides by one loss of readiness alone", rollout({ canary: flapped, ...unseen }, {}, steps({ threshold: 1 })), { do: "shift", weight: 0, lost: true }],
    ["goes on when the primary is stuck: it needs the new revision", rollout({ primary: crashed, primaryServes: false }), { do: "shift", weight: 40 }],
  ])("%s", (_, input, want) => {
    expect(decide(input)).toEqual(want);
  });

  test.each<[string, Input, string]>([
    ["between two steps", rollout(unseen, { steppedAt: ago(30) }), "StepNotDue"],
    ["while an autoscaler changes the canary", rollout({ canary: rescaled, ...unseen }), "CanaryNotReady"],
    ["while the canary gets ready", rollout({ canary: progressing, ...unseen }, { canaryWeight: 0 }), "CanaryNotReady"],
    ["on a check without a number", rollout({ check: check("inconclusive") }), "CheckInconclusive"],
    ["on a failed check below the threshold", rollout({ check: check("fail") }), "CheckFailed"],
    ["while the primary grows", rollout({ primary: progressing }), "PrimaryNotReady"],
    ["while the gateway has not taken the route", rollout({ notRouted: "no Gateway has answered yet" }), "RouteNotAccepted"],
    ["until blue/green has measured something", rollout(unseen, { canaryWeight: 0 }, steps({ iterations: 1 })), "CheckNotDue"],
  ])("holds %s", (_, input, reason) => {
    expect(decide(input)).toMatchObject({ do: "hold", reason });
  });

  test("waits for a confirm-promotion hook and goes on when it agrees", () => {
    expect(decide(rollout({ gates: { promotion: closed } }, { canaryWeight: 60 }))).toEqual({
      do: "await",
      phase: "WaitingPromotion",
      message: closed.message,
    });
    expect(decide(rollout({ gates: { promotion: open } }, { canaryWeight: 60, phase: "WaitingPromotion" }))).toEqual({ do: "promote" });
  });
});

describe("a check by thresholds that says nothing", () => {
  const mute = (silence: Check["silence"]) => ({ check: { ...check("inconclusive"), silence } });
  const since = (kind: "noData" | "blind", seconds: number): CanaryStatus => ({ silence: { kind, since: ago(seconds) } });
  const after = (seconds: number): CanaryStatus => ({ firstTrafficAt: ago(seconds) });
  const hold = { do: "hold", reason: "CheckInconclusive" };
  const fails = (reason: string) => ({ do: "rollBack", weight: 0, reason, commitsFault: false });

  test.each<[string, Input, object]>([
    ["without data fails after noDataTimeout", rollout(mute("noData"), since("noData", 300), steps({ onNoData: "fail" })), fails("NoData")],
    ["not before", rollout(mute("noData"), since("noData", 299), steps({ onNoData: "fail" })), hold],
    ["only where it was told so", rollout(mute("noData"), since("noData", 86_400)), hold],
    ["goes on after it where it was told so", rollout(mute("noData"), since("noData", 300), steps({ onNoData: "promote" })), { do: "shift", weight: 40 }],
    ["without an answer fails after the progress deadline", rollout(mute("blind"), since("blind", 600), steps({ onBlind: "fail" })), fails("MetricsUnreadable")],
    ["not before that either", rollout(mute("blind"), since("blind", 599), steps({ onBlind: "fail" })), hold],
    ["nor where it was not told so, whatever is done without data", rollout(mute("blind"), since("blind", 86_400), steps({ onNoData: "fail" })), hold],
    ["is not counted by a silence of another kind", rollout(mute("blind"), since("noData", 86_400), steps({ onBlind: "fail", onNoData: "fail" })), hold],
    ["nor is one that has a number silent", rollout(mute(undefined), since("noData", 86_400), steps({ onNoData: "fail" })), hold],
    ["promotes after maxDuration", rollout(mute("noData"), after(600), steps({ maxDuration: "10m" })), { do: "promote" }],
    ["not before it", rollout(mute("noData"), after(599), steps({ maxDuration: "10m" })), hold],
    ["holds after it where it was told so", rollout(mute("noData"), after(86_400), steps({ maxDuration: "10m", onInconclusive: "hold" })), hold],
    ["fails after it where it was told so", rollout(mute("noData"), after(600), steps({ maxDuration: "10m", onInconclusive: "fail" })), fails("TimeIsUp")],
    ["is none once there is a verdict, however late", rollout({}, after(86_400), steps({ maxDuration: "10m", onInconclusive: "fail" })), { do: "shift", weight: 40 }],
  ])("%s", (_, input, want) => {
    expect(decide(input)).toMatchObject(want);
  });
});

test.each<[string, number, number, object]>([
  ["promotes nothing", 299, 60, { do: "hold", reason: "MinDuration" }],
  ["takes its steps", 299, 20, { do: "shift", weight: 40 }],
  ["promotes when it has passed", 300, 60, { do: "promote" }],
])("a run by thresholds with minDuration %s", (_, seconds, canaryWeight, want) => {
  expect(decide(rollout({}, { firstTrafficAt: ago(seconds), canaryWeight }, steps({ minDuration: "5m" })))).toMatchObject(want);
});

describe("a failure", () => {
  const failing = (seen: Partial<Seen>, status: CanaryStatus = {}): Input => rollout({ ...unseen, ...seen }, status);
  const read: CanaryStatus = { evidence: { acts: true, readAt: ago(1), nextReadAt: ago(-9) } as ShareStatus };
  const overdue = { canaryWeight: 0, steppedAt: ago(601), startedAt: ago(700), lastTransitionTime: ago(700) };
  test.each<[string, Input, { reason: string; commitsFault: boolean }]>([
    ["of the deciding check, which the primary passes", failing({ check: decisive }), { reason: "CheckFailed", commitsFault: true }],
    ["of a check that the primary fails too: a shared outage", failing({ check: check("fail", { rollBack: true, primaryPassed: false }) }), { reason: "CheckFailed", commitsFault: false }],
    ["of a check that nobody could make of the primary", failing({ check: check("fail", { rollBack: true }) }), { reason: "CheckFailed", commitsFault: false }],
    ["by a crash loop", failing({ canary: crashed }), { reason: "CanaryCrashed", commitsFault: true }],
    ["by a crash loop that the primary shares", failing({ canary: crashed, primary: crashed }), { reason: "CanaryCrashed", commitsFault: false }],
    ["by readiness that comes and goes", failing({ canary: flapped }, { failedChecks: 4 }), { reason: "ReadinessLost", commitsFault: true }],
    ["by readiness that is lost for the second time", failing({ canary: flapped }, { failedChecks: 1 }), { reason: "ReadinessLost", commitsFault: true }],
    ["by readiness that comes and goes, and the primary's too", failing({ canary: flapped, primary: flapped }, { failedChecks: 4 }), { reason: "ReadinessLost", commitsFault: false }],
    ["by the deadline while scheduled", failing({ canary: progressing }, { canaryWeight: 0, steppedAt: ago(601), startedAt: ago(700), lastTransitionTime: ago(700) }), { reason: "ProgressDeadlineExceeded", commitsFault: true }],
    ["by the deadline, though the metrics were read a moment ago", failing({ canary: progressing }, { ...read, ...overdue }), { reason: "ProgressDeadlineExceeded", commitsFault: true }],
    ["by the deadline without a node", failing({ canary: unschedulable }, { canaryWeight: 0, steppedAt: undefined, startedAt: ago(601), lastTransitionTime: ago(601) }), { reason: "ProgressDeadlineExceeded", commitsFault: false }],
    ["asked for by a rollback hook", failing({ gates: { rollback: open } }), { reason: "RollbackRequested", commitsFault: false }],
    ["while a promotion waits for its hook", failing({ check: decisive }, { phase: "WaitingPromotion", canaryWeight: 60 }), { reason: "CheckFailed", commitsFault: true }],
    ["though primary, route and hooks are in trouble", failing({ canary: crashed, primary: progressing, notRouted: "x", gates: { promotion: closed, rollout: closed } }), { reason: "CanaryCrashed", commitsFault: false }],
  ])("%s", (_, input, want) => {
    expect(decide(input)).toMatchObject({ do: "rollBack", weight: 0, ...want });
  });

  test.each<[string, Partial<Seen>]>([
    ["once a clock is set ahead", { unreadyMs: { canary: 20_000, primary: hourMs } }],
    ["a moment before its deadline", { unreadyMs: { canary: 599_999, primary: hourMs } }],
    ["while it is ready", { canary: ready }],
  ])("of the deadline is none %s", (_, seen) => {
    expect(decide(failing({ canary: progressing, ...seen }, overdue)).do).not.toBe("rollBack");
  });

  test("of a rollback hook's call is none", () => {
    expect(decide(rollout({ gates: { rollback: closed } }))).toEqual({ do: "shift", weight: 40 });
  });
});

describe("a run that is judged by shares", () => {
  const adaptive = { metrics: undefined, stepWeight: undefined, maxWeight: undefined };
  const fixed = { ...adaptive, stepWeight: 20, maxWeight: 60 };
  const says = (more: Partial<ShareSays> = {}): ShareSays => ({
    kind: "verdict",
    acts: true,
    verdict: "pass",
    reason: "GoodSoFar",
    message: "said with 12 numbers",
    rollBack: false,
    propose: false,
    firstWeight: 7,
    next: { do: "stay" },
    ...more,
  });
  const by = (analysis: object, share: ShareLook | undefined, status: CanaryStatus = {}, seen: Partial<Seen> = {}): Input =>
    rollout({ ...unseen, share, ...seen }, status, steps({ ...analysis }));
  const bad = says({ verdict: "fail", reason: "EvidenceAgainst", rollBack: true, propose: true });
  const returned = { do: "rollBack", weight: 0, reason: "EvidenceAgainst", message: "said with 12 numbers", commitsFault: true };
  const early = { steppedAt: ago(10) };
  const untouched = { canaryWeight: 0, steppedAt: undefined };

  test.each<[string, Input, object]>([
    ["begins with the weight that its traffic calls for", by(adaptive, { kind: "ready", firstWeight: 3 }, untouched), { do: "shift", weight: 3 }],
    ["begins with the first fixed step", by(fixed, { kind: "ready", firstWeight: 3 }, untouched), { do: "shift", weight: 20 }],
    ["does not begin blind", by(adaptive, { kind: "blind", message: "no answer" }, untouched), { do: "hold", reason: "MetricsUnreadable", message: "no answer" }],
    ["does not begin before the past was read", by(adaptive, undefined, untouched), { do: "hold", reason: "EvidenceNotDue" }],
    ["begins its evidence anew at the weight of now", by(adaptive, { kind: "ready", firstWeight: 3 }), { do: "hold", reason: "EvidenceBegins" }],
    ["goes where the evidence allows, whatever the interval", by(adaptive, says({ next: { do: "shift", weight: 30 } }), early), { do: "shift", weight: 30 }],
    ["takes a fixed step when it is due", by(fixed, says({ next: { do: "advance", mayPromote: true } })), { do: "shift", weight: 40 }],
    ["and not before", by(fixed, says({ next: { do: "advance", mayPromote: true } }), early), { do: "hold", reason: "StepNotDue" }],
    ["is promoted after the last fixed step", by(fixed, says({ next: { do: "advance", mayPromote: true } }), { canaryWeight: 60 }), { do: "promote" }],
    ["but not while it warms up", by(fixed, says({ next: { do: "advance", mayPromote: false } }), { canaryWeight: 60 }), { do: "hold", reason: "WarmingUp" }],
    ["and not before minDuration", by({ ...fixed, minDuration: "5m" }, says({ next: { do: "advance", mayPromote: false } }), { firstTrafficAt: ago(299), canaryWeight: 60 }), { do: "hold", reason: "MinDuration" }],
    ["nor by silence or time", by({ ...adaptive, minDuration: "5m" }, says({ next: { do: "promote" } }), { firstTrafficAt: ago(299) }), { do: "hold", reason: "MinDuration" }],
    ["but then", by({ ...adaptive, minDuration: "5m" }, says({ next: { do: "promote" } }), { firstTrafficAt: ago(300) }), { do: "promote" }],
    ["is promoted when that is earned", by(adaptive, says({ next: { do: "promote" } }), early), { do: "promote" }],
    ["waits for a hook first", by(adaptive, says({ next: { do: "promote" } }), early, { gates: { promotion: closed } }), { do: "await", phase: "WaitingPromotion" }],
    ["and asks it once per interval", by(adaptive, says({ next: { do: "promote" } }), { ...early, phase: "WaitingPromotion" }), { do: "hold", reason: "StepNotDue" }],
    ["stays where nothing is earned", by(adaptive, says({ reason: "NotEnoughEvidence" })), { do: "hold", reason: "NotEnoughEvidence" }],
    ["doubts in words that do not flicker", by(adaptive, says({ reason: "Suspicious" })), { do: "hold", message: "the canary looks worse than the primary; it gets no more traffic until that is settled" }],
    ["climbs no route that is not served", by(adaptive, says({ next: { do: "shift", weight: 30 } }), {}, { notRouted: "not yet" }), { do: "hold", reason: "RouteNotAccepted" }],
    ["begins again after its traffic was taken away", by(adaptive, says({ next: { do: "shift", weight: 30 } }), { canaryWeight: 0 }), { do: "shift", weight: 7 }],
    ["is rolled back by evidence, due or not", by(adaptive, bad, early), returned],
    ["also while a hook holds its promotion", by(adaptive, bad, { ...early, phase: "WaitingPromotion" }), returned],
    ["also while the primary gets it", by(adaptive, bad, { phase: "Promoting" }, { primary: progressing }), returned],
    ["is not rolled back by a threshold that is only shown", by(adaptive, undefined, {}, { check: { ...decisive, onlyShown: true } }), { do: "hold", reason: "EvidenceNotDue" }],
    ["and thresholds not by shares that are only shown", rollout({ share: { ...bad, acts: false } }), { do: "shift", weight: 40 }],
  ])("%s", (_, input, want) => {
    expect(decide(input)).toMatchObject(want);
  });

  const due = (input: Input) => shareDue(input.spec, input);
  const evidence = (nextReadAt: string): CanaryStatus => ({ evidence: { acts: true, nextReadAt } as ShareStatus });

  test.each<[string, Input, ReturnType<typeof shareDue>]>([
    ["the past, before the first traffic", by(adaptive, undefined, untouched), "begin"],
    ["not while the canary gets ready", by(adaptive, undefined, untouched, { canary: progressing }), undefined],
    ["what came since, after the next scrape", by(adaptive, undefined, evidence(ago(0))), "follow"],
    ["not before it", by(adaptive, undefined, evidence(ago(-5))), undefined],
    ["also while the primary gets it", by(adaptive, undefined, { ...evidence(ago(0)), phase: "Promoting" }), "follow"],
    ["nothing that begins there", by(adaptive, undefined, { phase: "Promoting" }), undefined],
    ["beside thresholds from the first traffic on", rollout(unseen, untouched), "begin"],
    ["and not from later on", rollout(unseen), undefined],
    ["nothing of a blue/green run", rollout(unseen, untouched, steps({ iterations: 2 })), undefined],
    ["nothing where analysis is skipped", rollout(unseen, untouched, { skipAnalysis: true }), undefined],
  ])("reads %s", (_, input, want) => {
    expect(due(input)).toBe(want);
  });
});

describe("what is asked and what is not waited for", () => {
  const done: CanaryStatus = { phase: "Succeeded", canaryWeight: 0, trackedRevision: "v1" };
  test.each<[string, Input, ReturnType<typeof gateDue>]>([
    ["a start asks confirm-rollout", rollout(unseen, done), "rollout"],
    ["a newer revision in a run does not ask again", rollout({ revision: "v3" }), undefined],
    ["nor does one while a promotion waits", rollout({ revision: "v3" }, { phase: "WaitingPromotion" }), undefined],
    ["a promotion asks confirm-promotion", rollout({}, { canaryWeight: 60 }), "promotion"],
    ["one without analysis asks nobody", rollout(unseen, { canaryWeight: 0 }, { skipAnalysis: true }), undefined],
    ["a step asks nobody", rollout(), undefined],
    ["nor does a failed check", rollout({ check: decisive }), undefined],
  ])("%s", (_, input, want) => {
    expect(gateDue(input)).toBe(want);
  });

  test.each<[string, Decision, CanaryStatus, boolean]>([
    ["less traffic", { do: "shift", weight: 0 }, { canaryWeight: 20 }, true],
    ["more traffic", { do: "shift", weight: 40 }, { canaryWeight: 20 }, false],
    ["the first traffic", { do: "shift", weight: 20 }, {}, false],
    ["a rollback", { do: "rollBack", weight: 0, reason: "CheckFailed", message: "m", commitsFault: true }, {}, true],
    ["a newer revision in a run", { do: "start" }, { phase: "Progressing" }, true],
    ["a start", { do: "start" }, { phase: "Succeeded" }, false],
    ["the promoted spec that is back", { do: "cancel" }, { phase: "Progressing" }, true],
    ["a promotion", { do: "promote" }, { phase: "Progressing" }, false],
  ])("%s is urgent or not", (_, decision, status, want) => {
    expect(isUrgent(decision, status)).toBe(want);
  });
});

describe("the beginning", () => {
  const begin = (seen: Partial<Seen>, status: CanaryStatus = {}): Input => ({ ...rollout({ ...unseen, ...seen }), status });
  test.each<[string, Input, string]>([
    ["pins what the target runs", begin({ primaryServes: false }), "initialise"],
    ["follows a target that is mended before its first primary serves", begin({}, { phase: "Initializing", promotedRevision: "v1" }), "initialise"],
    ["waits for the primary, however long", begin({ primary: crashed }, { phase: "Initializing", promotedRevision: "v2" }), "hold"],
    ["takes over when the primary serves", begin({}, { phase: "Initializing", promotedRevision: "v2" }), "takeOver"],
  ])("%s", (_, input, want) => {
    expect(decide(input).do).toBe(want);
  });

  const at = (phase: "Initialized" | "Succeeded" | "Failed" | "Waiting", seen: Partial<Seen>, status: CanaryStatus = {}): Input =>
    rollout({ ...unseen, ...seen }, { phase, canaryWeight: 0, trackedRevision: "v1", ...status });
  test.each<[string, Input, string]>([
    ["rests on the promoted revision", at("Succeeded", { revision: "v1" }), "hold"],
    ["starts on a newer revision", at("Succeeded", {}), "start"],
    ["waits until the pods of the run before are gone", at("Succeeded", { canaryGone: false }), "hold"],
    ["starts though the primary does not serve: the fix must get out", at("Succeeded", { primary: crashed, primaryServes: false }), "start"],
    ["waits when a confirm-rollout hook does not agree", at("Initialized", { gates: { rollout: closed } }), "await"],
    ["starts when the hook agrees", at("Waiting", { gates: { rollout: open } }, { trackedRevision: "v2" }), "start"],
    ["does not ask again before the interval is over", at("Waiting", {}, { trackedRevision: "v2", steppedAt: ago(10) }), "hold"],
    ["ends quietly when the promoted spec is back while waiting", at("Waiting", { revision: "v1" }), "cancel"],
    ["keeps a failed revision out", at("Failed", {}, { trackedRevision: "v2" }), "hold"],
    ["analyses the next revision after a failure like any other", at("Failed", { revision: "v3" }, { trackedRevision: "v2" }), "start"],
    ["tries a declined revision once more", at("Failed", { declined: true }, { trackedRevision: "v2" }), "start"],
    ["does not while a Revert holds it", at("Failed", { declined: true, held: true }, { trackedRevision: "v2" }), "hold"],
    ["stays failed while a Revert holds the change", at("Failed", { revision: "v1", held: true }, { trackedRevision: "v2" }), "hold"],
    ["settles when the target is back and no Revert holds", at("Failed", { revision: "v1" }, { trackedRevision: "v2" }), "settle"],
  ])("%s", (_, input, want) => {
    expect(decide(input).do).toBe(want);
  });
});

describe("a promotion", () => {
  const promoting = (seen: Partial<Seen>, status: CanaryStatus = {}): Input =>
    rollout({ ...unseen, primary: progressing, ...seen }, { phase: "Promoting", canaryWeight: 60, ...status });
  const late = { steppedAt: ago(601), startedAt: ago(900), lastTransitionTime: ago(601) };
  test.each<[string, Input, Partial<Decision>]>([
    ["waits for the primary", promoting({}), { do: "hold", reason: "PrimaryNotReady" }],
    ["hands the traffic back to the ready primary", promoting({ primary: ready }), { do: "handBack" }],
    ["takes the traffic from a target that became a newer revision", promoting({ revision: "v3" }), { do: "shift", weight: 0 }],
    ["then goes on with the analysed one", promoting({ revision: "v3", primary: ready }, { canaryWeight: 0 }), { do: "handBack" }],
    ["takes the traffic from a canary that dies meanwhile", promoting({ canary: crashed }), { do: "shift", weight: 0 }],
    ["leaves it with a canary that an autoscaler changes", promoting({ canary: rescaled, primary: progressing, primaryServes: false }), { do: "hold", reason: "PrimaryNotReady" }],
    ["fails when the primary never gets ready, back to its old pods", promoting({}, late), { do: "rollBack", weight: 0, reason: "PromotionFailed" }],
    ["also while the metrics are read", promoting({}, { ...late, evidence: { acts: true, readAt: ago(1) } as ShareStatus }), { do: "rollBack", weight: 0, reason: "PromotionFailed" }],
    ["not when only a clock was set ahead", promoting({ unreadyMs: { canary: hourMs, primary: 20_000 } }, late), { do: "hold", reason: "PrimaryNotReady" }],
    ["leaves the traffic on the canary when no primary pod serves", promoting({ primaryServes: false, primary: crashed }, { canaryWeight: 60 }), { do: "rollBack", weight: 60 }],
    ["is cancelled when what was analysed is not to be had any more", promoting({ complete: false }), { do: "cancel" }],
    ["is cancelled when the promoted spec is back", promoting({ revision: "v1" }), { do: "cancel" }],
  ])("%s", (_, input, want) => {
    expect(decide(input)).toMatchObject(want);
  });

  const failed = (seen: Partial<Seen>): Input => rollout({ ...unseen, ...seen }, { phase: "Failed", canaryWeight: 60 });
  test("that failed gives the traffic back as soon as an old primary pod serves", () => {
    expect(decide(failed({ primaryServes: false, primary: progressing }))).toMatchObject({ do: "hold", reason: "PrimaryNotServing" });
    expect(decide(failed({}))).toEqual({ do: "shift", weight: 0 });
  });

  test("ends when requests under way had time to end", () => {
    expect(decide(rollout(unseen, { phase: "Finalising", canaryWeight: 0, steppedAt: ago(1) }))).toMatchObject({
      do: "hold",
      reason: "Draining",
    });
    expect(decide(rollout(unseen, { phase: "Finalising", canaryWeight: 0, steppedAt: ago(3) }))).toEqual({ do: "finish" });
  });
});

describe("a deletion with revertOnDeletion", () => {
  const deleted = (seen: Partial<Seen>, status: CanaryStatus): Input => rollout({ ...unseen, deleting: true, ...seen }, status);
  test.each<[string, Input, Partial<Decision>]>([
    ["begins in the middle of a run", deleted({}, {}), { do: "terminate" }],
    ["lets go at once of a target that never was taken over", deleted({}, { phase: "Initializing" }), { do: "release" }],
    ["keeps the primary serving until the target does", deleted({ canary: progressing }, { phase: "Terminating", canaryWeight: 0 }), { do: "hold", reason: "TargetNotReady" }],
    ["gives the target all traffic when it serves", deleted({}, { phase: "Terminating", canaryWeight: 0 }), { do: "shift", weight: 100 }],
    ["waits for requests under way", deleted({}, { phase: "Terminating", canaryWeight: 100, steppedAt: ago(1) }), { do: "hold", reason: "Draining" }],
    ["lets go then", deleted({}, { phase: "Terminating", canaryWeight: 100 }), { do: "release" }],
    ["lets go when there is no target left", deleted({ revision: undefined }, { phase: "Terminating", canaryWeight: 0 }), { do: "release" }],
  ])("%s", (_, input, want) => {
    expect(decide(input)).toMatchObject(want);
  });
});
