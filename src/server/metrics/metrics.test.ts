import { expect, test } from "vitest";
import type { KubeObject } from "../../api/object.ts";
import type { ObjectChange } from "./changes.ts";
import { createMetrics } from "./metrics.ts";
import type { ObjectSource } from "./objects.ts";

function object(kind: string, name: string, rest: object = {}): KubeObject {
  return { apiVersion: "serin.dev/v1beta1", kind, metadata: { namespace: "shop", name }, ...rest };
}

/** Objects of one kind that a test changes. */
function source(...objects: KubeObject[]) {
  const known = new Map(objects.map((each) => [`${each.metadata.namespace}/${each.metadata.name}`, each]));
  const handlers = new Set<(change: ObjectChange) => void>();
  const found: ObjectSource = {
    list: () => [...known.values()],
    find: (key) => known.get(key),
    onChange: (handler) => {
      handlers.add(handler);
      for (const after of known.values()) handler({ after });
      return () => handlers.delete(handler);
    },
  };
  const tell = (change: ObjectChange): void => {
    for (const handler of handlers) handler(change);
  };
  const put = (after: KubeObject): void => {
    const key = `${after.metadata.namespace}/${after.metadata.name}`;
    const before = known.get(key);
    known.set(key, after);
    tell({ before, after });
  };
  const remove = (name: string): void => {
    const before = known.get(`shop/${name}`);
    known.delete(`shop/${name}`);
    tell({ before });
  };
  return { ...found, put, remove };
}

/** Lines of our own metrics that start with one of these. */
async function lines({ registry }: { registry: { metrics(): Promise<string> } }, ...starts: string[]): Promise<string[]> {
  const all = (await registry.metrics()).split("\n");
  return all.filter((line) => starts.some((start) => line.startsWith(start)));
}

function create(isLeading = true) {
  return createMetrics({ version: "1.2.3", isLeading: () => isLeading });
}

const ready = (status: string, reason: string, type = "Ready") => ({ conditions: [{ type, status, reason }] });

test("the process says its version and whether it leads", async () => {
  expect(await lines(create(), "serin_build_info", "serin_leader")).toEqual(['serin_build_info{version="1.2.3"} 1', "serin_leader 1"]);
  expect(await lines(create(false), "serin_leader")).toEqual(["serin_leader 0"]);
});

test.each<[string, KubeObject, string[]]>([
  [
    "a Canary at weight 20 after a failed check",
    object("Canary", "a", {
      status: {
        phase: "Progressing",
        canaryWeight: 20,
        failedChecks: 1,
        lastTransitionTime: "2026-01-02T03:04:05Z",
        checks: [{ name: "errors", verdict: "fail", value: 7 }, { name: "latency", verdict: "inconclusive" }],
      },
    }),
    [
      'serin_canary_status{namespace="shop",name="a"} 0',
      'serin_canary_phase{namespace="shop",name="a",phase="Progressing"} 1',
      'serin_canary_last_transition_timestamp_seconds{namespace="shop",name="a"} 1767323045',
      'serin_canary_weight{namespace="shop",name="a"} 20',
      'serin_canary_failed_checks{namespace="shop",name="a"} 1',
      'serin_canary_check_value{namespace="shop",name="a",metric="errors"} 7',
      'serin_canary_check_verdict{namespace="shop",name="a",metric="errors",verdict="fail"} 1',
      'serin_canary_check_verdict{namespace="shop",name="a",metric="latency",verdict="inconclusive"} 1',
    ],
  ],
  ["a Canary that failed", object("Canary", "a", { status: { phase: "Failed" } }), [
    'serin_canary_status{namespace="shop",name="a"} 2',
    'serin_canary_phase{namespace="shop",name="a",phase="Failed"} 1',
  ]],
  [
    "a Canary judged by shares whose canary gets no requests",
    object("Canary", "a", { status: { phase: "WaitingPromotion", evidence: { acts: true, reason: "NoTraffic", evidence: 0.8 } } }),
    [
      'serin_canary_status{namespace="shop",name="a"} 0',
      'serin_canary_phase{namespace="shop",name="a",phase="WaitingPromotion"} 1',
      'serin_canary_evidence{namespace="shop",name="a"} 0.8',
      'serin_canary_evidence_reason{namespace="shop",name="a",reason="NoTraffic",acts="true"} 1',
    ],
  ],
  [
    "a Canary judged by thresholds that shares would have rolled back",
    object("Canary", "a", { status: { phase: "Failed", evidence: { acts: false, reason: "EvidenceAgainst", evidence: 21 } } }),
    [
      'serin_canary_status{namespace="shop",name="a"} 2',
      'serin_canary_phase{namespace="shop",name="a",phase="Failed"} 1',
      'serin_canary_evidence{namespace="shop",name="a"} 21',
      'serin_canary_evidence_reason{namespace="shop",name="a",reason="EvidenceAgainst",acts="false"} 1',
    ],
  ],
  [
    "a Canary whose metrics could not be read from the first moment on",
    object("Canary", "a", { status: { ...ready("Unknown", "MetricsUnreadable"), phase: "Progressing" } }),
    [
      'serin_canary_status{namespace="shop",name="a"} 0',
      'serin_canary_phase{namespace="shop",name="a",phase="Progressing"} 1',
      'serin_canary_evidence_reason{namespace="shop",name="a",reason="MetricsUnreadable",acts="true"} 1',
    ],
  ],
  [
    "a Canary at rest, of whose last release the evidence is still known",
    object("Canary", "a", { status: { phase: "Succeeded", evidence: { acts: true, reason: "GoodEnough", evidence: 0.1 } } }),
    ['serin_canary_status{namespace="shop",name="a"} 1', 'serin_canary_phase{namespace="shop",name="a",phase="Succeeded"} 1'],
  ],
  ["a Canary at rest whose metrics cannot be read", object("Canary", "a", { status: { ...ready("Unknown", "MetricsUnreadable"), phase: "Succeeded" } }), [
    'serin_canary_status{namespace="shop",name="a"} 1',
    'serin_canary_phase{namespace="shop",name="a",phase="Succeeded"} 1',
  ]],
  ["a Canary at rest", object("Canary", "a", { status: { phase: "Succeeded" } }), [
    'serin_canary_status{namespace="shop",name="a"} 1',
    'serin_canary_phase{namespace="shop",name="a",phase="Succeeded"} 1',
  ]],
  ["a Canary that nobody has looked at", object("Canary", "a"), ['serin_canary_phase{namespace="shop",name="a",phase=""} 1']],
  [
    "a stalled and suspended Sync",
    object("Sync", "a", { spec: { suspend: true }, status: ready("True", "EmptyRender", "Stalled") }),
    [
      'serin_sync_ready{namespace="shop",name="a"} 0',
      'serin_sync_objects{namespace="shop",name="a"} 0',
      'serin_sync_holding{namespace="shop",name="a"} 0',
      'serin_sync_drift_corrections_total{namespace="shop",name="a"} 0',
      'serin_object_stalled{kind="Sync",namespace="shop",name="a",reason="EmptyRender"} 1',
      'serin_object_suspended{kind="Sync",namespace="shop",name="a"} 1',
    ],
  ],
  [
    "a Sync that holds",
    object("Sync", "a", {
      status: {
        ...ready("True", "ReconciliationSucceeded"),
        appliedAt: "2026-01-02T03:04:05Z",
        holding: ["checkout"],
        inventory: { entries: [{}, {}] },
      },
    }),
    [
      'serin_sync_ready{namespace="shop",name="a"} 1',
      'serin_sync_last_applied_timestamp_seconds{namespace="shop",name="a"} 1767323045',
      'serin_sync_objects{namespace="shop",name="a"} 2',
      'serin_sync_holding{namespace="shop",name="a"} 1',
      'serin_sync_drift_corrections_total{namespace="shop",name="a"} 0',
    ],
  ],
  [
    "a Revert that waits for a person",
    object("Revert", "a", {
      metadata: { namespace: "shop", name: "a", creationTimestamp: "2026-01-02T03:04:05Z" },
      status: { ...ready("False", "Storm"), phase: "Planned", proposedAt: "2026-01-02T03:04:06Z" },
    }),
    [
      'serin_revert_phase{namespace="shop",name="a",phase="Planned",reason="Storm"} 1',
      'serin_revert_created_timestamp_seconds{namespace="shop",name="a"} 1767323045',
      'serin_revert_proposed_timestamp_seconds{namespace="shop",name="a"} 1767323046',
    ],
  ],
  ["an object whose status is nonsense", object("Canary", "a", { status: { phase: 7, canaryWeight: "x", checks: [null, 3, { name: 1 }], evidence: 7 } }), [
    'serin_canary_phase{namespace="shop",name="a",phase=""} 1',
  ]],
])("%s", async (_, one, want) => {
  const metrics = create();
  metrics.objects.follow({ [one.kind]: source(one) });
  const told = await lines(metrics, "serin_canary_", "serin_sync_", "serin_revert_", "serin_object_");
  expect(told.filter((line) => line.includes('namespace="shop"')).toSorted()).toEqual(want.toSorted());
});

test("a Sync is up to date when it applied what its source has, or found nothing new in it", async () => {
  const metrics = create();
  const spec = { sourceRef: { name: "source" } };
  metrics.objects.follow({
    GitRepository: source(object("GitRepository", "source", { status: { revision: "main@sha1:2" } })),
    Sync: source(
      object("Sync", "new", { spec, status: { lastAppliedRevision: "main@sha1:2" } }),
      object("Sync", "old", { spec, status: { lastAppliedRevision: "main@sha1:1" } }),
      object("Sync", "same", { spec, status: { lastAppliedRevision: "main@sha1:1" } }),
      object("Sync", "lost", { spec: { sourceRef: { name: "other" } } }),
    ),
  });
  metrics.objects.isAt({ namespace: "shop", name: "same" }, "main@sha1:2");
  expect(await lines(metrics, "serin_sync_up_to_date{")).toEqual([
    'serin_sync_up_to_date{namespace="shop",name="new"} 1',
    'serin_sync_up_to_date{namespace="shop",name="old"} 0',
    'serin_sync_up_to_date{namespace="shop",name="same"} 1',
  ]);
});

test("an object that is gone has no series, and a replica that follows nothing has none at all", async () => {
  const metrics = create();
  const canaries = source(object("Canary", "a", { status: { phase: "Failed" } }), object("Canary", "b", { status: { phase: "Failed" } }));
  const syncs = source(object("Sync", "a"), object("Sync", "b"));
  const ofObjects = async () => (await lines(metrics, "serin_")).filter((line) => /namespace="|kind="/.test(line));
  expect(await ofObjects()).toEqual([]);
  const stop = metrics.objects.follow({ Canary: canaries, Sync: syncs });
  metrics.objects.applied({ namespace: "shop", name: "a" }, { corrected: 2, durationMs: 100 });
  expect(await lines(metrics, "serin_sync_drift")).toEqual([
    'serin_sync_drift_corrections_total{namespace="shop",name="a"} 2',
    'serin_sync_drift_corrections_total{namespace="shop",name="b"} 0',
  ]);
  canaries.remove("a");
  syncs.remove("a");
  expect((await ofObjects()).filter((line) => line.includes('name="a"'))).toEqual([]);
  expect((await ofObjects()).filter((line) => line.includes('name="b"'))).not.toEqual([]);
  expect(await lines(metrics, "serin_objects{")).toEqual(['serin_objects{kind="Canary"} 1', 'serin_objects{kind="Sync"} 1']);
  stop();
  expect(await ofObjects()).toEqual([]);
});

test.each<[string, object, object, string | undefined]>([
  ["a promotion", { phase: "Finalising" }, { phase: "Succeeded" }, "promoted"],
  ["a rollback", { phase: "Progressing" }, { phase: "Failed" }, "failed"],
  ["a cancelled release", { phase: "Progressing" }, { phase: "Initialized" }, "cancelled"],
  ["a newer revision in its place", { phase: "Progressing", startedAt: "2026-01-02T03:00:00Z" }, { phase: "Progressing", startedAt: "2026-01-02T03:01:00Z" }, "restarted"],
  ["a step", { phase: "Progressing", canaryWeight: 10 }, { phase: "Progressing", canaryWeight: 20 }, undefined],
  ["a first start", { phase: "Initializing" }, { phase: "Initialized" }, undefined],
  ["a settled failure", { phase: "Failed" }, { phase: "Initialized" }, undefined],
  ["the same end once more", { phase: "Succeeded" }, { phase: "Succeeded" }, undefined],
])("%s is counted by its result", async (_, before, after, result) => {
  const metrics = create();
  const canaries = source(object("Canary", "a", { status: { startedAt: "2026-01-02T03:00:00Z", ...before } }));
  metrics.objects.follow({ Canary: canaries });
  const status = { startedAt: "2026-01-02T03:00:00Z", lastTransitionTime: "2026-01-02T03:01:00Z", ...after };
  canaries.put(object("Canary", "a", { status }));
  const counted = (await lines(metrics, "serin_canary_rollouts_total{")).filter((line) => line.endsWith(" 1"));
  expect(counted).toEqual(result === undefined ? [] : [`serin_canary_rollouts_total{result="${result}"} 1`]);
  const durations = await lines(metrics, "serin_canary_rollout_duration_seconds_sum");
  expect(durations).toEqual(result === undefined ? [] : [`serin_canary_rollout_duration_seconds_sum{result="${result}"} 60`]);
});

test("what was there before the replica led is not counted, and neither is what happens after", async () => {
  const metrics = create();
  const canaries = source(object("Canary", "a", { status: { phase: "Failed" } }));
  const stop = metrics.objects.follow({ Canary: canaries });
  stop();
  canaries.put(object("Canary", "a", { status: { phase: "Progressing" } }));
  canaries.put(object("Canary", "a", { status: { phase: "Succeeded" } }));
  expect((await lines(metrics, "serin_canary_rollouts_total{")).every((line) => line.endsWith(" 0"))).toBe(true);
});

test("proposed and ended Reverts are counted once each", async () => {
  const metrics = create();
  const reverts = source(object("Revert", "a", { status: { phase: "Planned" } }), object("Revert", "old", { status: { phase: "Merged" } }));
  metrics.objects.follow({ Revert: reverts });
  for (const phase of ["Proposed", "Proposed", "Merged"]) reverts.put(object("Revert", "a", { status: { phase } }));
  expect(await lines(metrics, "serin_revert_proposals_total", "serin_revert_ended_total{")).toEqual([
    "serin_revert_proposals_total 1",
    'serin_revert_ended_total{phase="Merged"} 1',
    'serin_revert_ended_total{phase="Declined"} 0',
    'serin_revert_ended_total{phase="Superseded"} 0',
  ]);
});

test("reconciles and their queue are told by kind while the controller runs", async () => {
  const metrics = create();
  const stop = metrics.reconciles.started("Sync", () => ({ ready: 3, delayed: 2, longestRunningMs: 1_500 }));
  metrics.reconciles.taken("Sync", 20);
  metrics.reconciles.reconciled("Sync", { result: "success", durationMs: 40 });
  metrics.reconciles.reconciled("Sync", { result: "error", reason: "BuildFailed", durationMs: 40 });
  metrics.reconciles.reconciled("Sync", { result: "waiting", reason: "SourceNotReady", durationMs: 40 });
  expect(metrics.reconciles.running()).toEqual(["Sync"]);
  expect(await lines(metrics, "serin_reconcile_total", "serin_reconcile_errors", "serin_reconcile_duration_seconds_count")).toEqual([
    'serin_reconcile_total{kind="Sync",result="success"} 1',
    'serin_reconcile_total{kind="Sync",result="conflict"} 0',
    'serin_reconcile_total{kind="Sync",result="waiting"} 1',
    'serin_reconcile_total{kind="Sync",result="error"} 1',
    'serin_reconcile_total{kind="Sync",result="stalled"} 0',
    'serin_reconcile_errors_total{kind="Sync",reason="BuildFailed"} 1',
    'serin_reconcile_duration_seconds_count{kind="Sync"} 3',
  ]);
  expect(await lines(metrics, "serin_workqueue_de", "serin_workqueue_lo", "serin_workqueue_latency_seconds_count")).toEqual([
    'serin_workqueue_latency_seconds_count{kind="Sync"} 1',
    'serin_workqueue_depth{kind="Sync"} 3',
    'serin_workqueue_delayed{kind="Sync"} 2',
    'serin_workqueue_longest_running_seconds{kind="Sync"} 1.5',
  ]);
  stop();
  expect(await lines(metrics, "serin_workqueue_depth{", "serin_workqueue_longest_running_seconds{")).toEqual([]);
});

test("calls to the outside are told with why they failed", async () => {
  const { outside, requests, registry } = create();
  outside.git({ operation: "fetch", durationMs: 10 });
  outside.git({ operation: "fetch", reason: "AuthenticationFailed", durationMs: 10 });
  outside.gitHost("gitea", { call: "comment", reason: "Unauthorized", durationMs: 10 });
  outside.query({ result: "number", durationMs: 10 });
  requests({ verb: "apply", code: 409, durationMs: 10 });
  requests({ verb: "get", code: 0, durationMs: 10 });
  const all = await lines({ registry }, "serin_git", "serin_metric", "serin_kube");
  expect(all.filter((line) => !/_bucket|_sum/.test(line))).toEqual([
    'serin_kube_requests_total{verb="apply",code="409"} 1',
    'serin_kube_requests_total{verb="get",code="0"} 1',
    'serin_kube_request_duration_seconds_count{verb="apply"} 1',
    'serin_kube_request_duration_seconds_count{verb="get"} 1',
    'serin_git_operation_duration_seconds_count{operation="fetch"} 2',
    'serin_git_errors_total{operation="fetch",reason="AuthenticationFailed"} 1',
    'serin_git_host_call_duration_seconds_count{host="gitea",call="comment"} 1',
    'serin_git_host_errors_total{host="gitea",reason="Unauthorized"} 1',
    'serin_metric_queries_total{result="number"} 1',
    "serin_metric_query_duration_seconds_count 1",
  ]);
});
