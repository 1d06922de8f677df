import { expect, test } from "vitest";
import type { CanaryStatus } from "../api/canary.ts";
import type { Check, Decision, Seen } from "./decide.ts";
import { eventsOf } from "./events.ts";
import { nextStatus } from "./status.ts";

const nowMs = Date.parse("2026-11-21T12:00:00Z");
const now = "2026-11-21T12:00:00.000Z";
const failing: Check = {
  verdict: "fail",
  failedChecks: 2,
  rollBack: true,
  message: "m is 3",
  checks: [{ name: "m", verdict: "fail", value: 3, message: "m is 3" }],
};
const mute = (message: string): Check => ({
  verdict: "inconclusive",
  failedChecks: 1,
  rollBack: false,
  message,
  checks: [{ name: "m", verdict: "inconclusive", message }],
});
const running: CanaryStatus = {
  phase: "Progressing",
  canaryWeight: 20,
  trackedRevision: "v2",
  trackedCommit: "b".repeat(40),
  promotedRevision: "v1",
  promotedCommit: "a".repeat(40),
  failedChecks: 1,
  startedAt: "2026-11-21T11:00:00.000Z",
  firstTrafficAt: "2026-11-21T11:01:00.000Z",
};

function next(status: CanaryStatus, decision: Decision, seen: Partial<Seen> = {}): CanaryStatus {
  const all: Seen = {
    nowMs,
    revision: "v2",
    canary: { state: "ready" },
    primary: { state: "ready" },
    primaryServes: true,
    unreadyMs: { canary: 0, primary: 0 },
    gates: {},
    canaryGone: false,
    onlyConfigs: false,
    complete: true,
    held: false,
    declined: false,
    deleting: false,
    ...seen,
  };
  return nextStatus(status, decision, {
    seen: all,
    generation: 4,
    requestedAt: undefined,
    commit: "c".repeat(40),
    configs: {},
    targetReplicas: 3,
  });
}

const hold: Decision = { do: "hold", reason: "StepNotDue", message: "later" };
const rollBack: Decision = { do: "rollBack", weight: 0, reason: "CheckFailed", message: "m is 3", commitsFault: true };

test.each<[string, CanaryStatus, Partial<CanaryStatus>]>([
  ["a start measures nothing of before", next(running, { do: "start" }, { revision: "v3" }), { phase: "Progressing", canaryWeight: 0, trackedRevision: "v3", trackedCommit: "c".repeat(40), failedChecks: 0, firstTrafficAt: undefined, steppedAt: undefined, startedAt: now }],
  ["a shift remembers the first traffic", next({ ...running, canaryWeight: 0, firstTrafficAt: undefined }, { do: "shift", weight: 20 }), { canaryWeight: 20, firstTrafficAt: now, steppedAt: now }],
  ["lost readiness is a failed check", next(running, { do: "shift", weight: 0, lost: true }), { phase: "Progressing", canaryWeight: 0, failedChecks: 2 }],
  ["later ones keep it", next(running, { do: "shift", weight: 40 }), { canaryWeight: 40, firstTrafficAt: running.firstTrafficAt }],
  ["a check takes its interval and counts", next(running, hold, { check: failing }), { failedChecks: 2, verdict: "fail", steppedAt: now }],
  ["a rollback says why, from which weight and whether it is the commit's fault", next(running, rollBack, { check: failing }), { phase: "Failed", canaryWeight: 0, verdict: "fail", failure: { reason: "CheckFailed", message: "m is 3", failedAt: "2026-11-21T12:00:00Z", weight: 20, propose: true } }],
  ["the primary's revision is promoted when it serves", next({ ...running, phase: "Promoting" }, { do: "handBack" }), { phase: "Finalising", canaryWeight: 0, promotedRevision: "v2", promotedCommit: "b".repeat(40) }],
  [
    "what was refused once and is promoted after all is refused no more",
    next(
      {
        ...running,
        phase: "Finalising",
        refused: [
          { revert: "a", fields: [], revision: "v2" },
          { revert: "b", fields: [], revision: "v3" },
        ],
      },
      { do: "finish" },
    ),
    { phase: "Succeeded", refused: [{ revert: "b", fields: [], revision: "v3" }] },
  ],
  ["a cancelled run leaves no failure", next(running, { do: "cancel" }, { revision: "v1" }), { phase: "Initialized", canaryWeight: 0, trackedRevision: "v1", failedChecks: 0, failure: undefined }],
  ["a canary that loses its traffic while its promotion waits climbs again", next({ ...running, phase: "WaitingPromotion" }, { do: "shift", weight: 0 }), { phase: "Progressing", canaryWeight: 0 }],
])("%s", (_, status, want) => {
  expect(status).toMatchObject(want);
  expect(status.observedGeneration).toBe(4);
});

test("the same decision twice changes nothing", () => {
  const once = next(running, hold);
  expect(next(once, hold)).toEqual(once);
});

const timeIsUp = { ...running, evidence: { acts: true, reason: "TimeIsUp", message: "the time is up" } as CanaryStatus["evidence"] };
const unheard: Decision = { do: "await", phase: "WaitingPromotion", message: "gate says 403" };
const silent: Decision = { do: "hold", reason: "NoTraffic", message: "no requests" };

const readyOf = ({ conditions }: CanaryStatus) => conditions?.find(({ type }) => type === "Ready");

test.each<[string, CanaryStatus, { status: string; reason: string }]>([
  ["True at rest", next({ ...running, phase: "Finalising" }, { do: "finish" }), { status: "True", reason: "Succeeded" }],
  ["Unknown in a run", next(running, hold), { status: "Unknown", reason: "Progressing" }],
  ["False after a failure, with its reason", next(running, rollBack), { status: "False", reason: "CheckFailed" }],
  ["still False when nothing new happens", next(next(running, rollBack), { do: "hold", reason: "RevisionFailed", message: "x" }), { status: "False", reason: "CheckFailed" }],
  ["False without a target", next({ ...running, phase: "Succeeded" }, { do: "hold", reason: "TargetMissing", message: "gone" }), { status: "False", reason: "TargetMissing" }],
  ["the last word between two steps", next(next(running, hold, { check: { ...failing, verdict: "inconclusive", rollBack: false } }), hold), { status: "Unknown", reason: "CheckInconclusive" }],
  ["what the evidence last said between two steps", next(timeIsUp, hold), { status: "Unknown", reason: "TimeIsUp" }],
  ["the hook that holds a promotion, also between two times that it is asked", next(next(timeIsUp, unheard), hold), { status: "Unknown", reason: "WaitingPromotion" }],
  ["what came in its way since", next(next(next(timeIsUp, unheard), silent), hold), { status: "Unknown", reason: "TimeIsUp" }],
])("Ready is %s", (_, status, want) => {
  expect(readyOf(status)).toMatchObject(want);
});

test("Reconciling stands only while something is under way", () => {
  const types = (status: CanaryStatus) => status.conditions?.map(({ type }) => type);
  expect(types(next(running, hold))).toEqual(["Ready", "Reconciling"]);
  expect(types(next(next(running, hold), rollBack))).toEqual(["Ready"]);
});

const told = (before: CanaryStatus, after: CanaryStatus) => eventsOf(before, after).map(({ reason, message }) => `${reason}: ${message}`);

test.each<[string, CanaryStatus, Decision, Partial<Seen>, string[]]>([
  ["a start", { ...running, phase: "Succeeded", canaryWeight: 0 }, { do: "start" }, {}, ["CanaryStarted"]],
  ["a restart", running, { do: "start" }, { revision: "v3" }, ["AnalysisRestarted: a newer revision v3 of commit ccccccc takes the place of v2; canary weight 20 → 0"]],
  ["a step", running, { do: "shift", weight: 40 }, {}, ["WeightShifted: v2: canary weight 20 → 40"]],
  ["traffic lost to pods that are not ready", running, { do: "shift", weight: 0 }, {}, ["TrafficReturned: v2: canary weight 20 → 0: the canary does not serve"]],
  ["a rollback", running, rollBack, { check: failing }, ["CanaryRolledBack: v2 failed (CheckFailed): m is 3; canary weight 20 → 0"]],
  ["a failed check below the threshold", running, hold, { check: failing }, ["CheckFailed"]],
  ["a check that says nothing", running, hold, { check: mute("no data") }, ["CheckInconclusive: no data"]],
  ["one that says nothing for the same reason as the one before", next(running, hold, { check: mute("no data") }), hold, { check: mute("no data") }, []],
  ["one that says nothing for another reason", next(running, hold, { check: mute("no data") }), hold, { check: mute("no answer") }, ["CheckInconclusive: no answer"]],
  ["a promotion", { ...running, phase: "Finalising", canaryWeight: 0 }, { do: "finish" }, {}, ["CanaryPromoted"]],
  ["a wait for people", running, { do: "await", phase: "WaitingPromotion", message: "hook" }, {}, ["WaitingForPromotion"]],
  ["nothing", running, hold, {}, []],
])("the events of %s", (_, before, decision, ...rest) => {
  const [seen, want] = rest;
  const after = next(before, decision, seen);
  const starts = (text: string): RegExp => new RegExp(`^${text.replaceAll(/[()]/g, "\\$&")}`);
  expect(told(before, after)).toEqual(want.map((text) => expect.stringMatching(starts(text)) as string));
  expect(told(after, after)).toEqual([]);
});
