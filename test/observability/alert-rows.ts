/** What Prometheus has seen, in promtool's notation, and whether the alert then fires. */
export interface AlertRow {
  readonly alert: string;
  /** A sentence. */
  readonly when: string;
  /** Samples, one a minute from minute 0 on. */
  readonly series: Readonly<Record<string, string>>;
  readonly atMinute: number;
  /** Labels of the alert that fires, beside its severity; missing: none does. */
  readonly fires?: string;
}

const shop = 'namespace="shop",name="checkout"';
const a = 'instance="a",pod="serin-a"';
const b = 'instance="b",pod="serin-b"';
const always = "1+0x60";
const never = "0+0x60";
/** A time that lies so many hours before minute 0. */
const hoursAgo = (hours: number): string => `${-hours * 3_600}+0x60`;

/** For every alert, when it fires and when it does not. */
export const alertRows: readonly AlertRow[] = [
  { alert: "SerinCanaryFailed", when: "a release failed", series: { [`serin_canary_status{${shop},${a}}`]: "2+0x5" }, atMinute: 1, fires: shop },
  { alert: "SerinCanaryFailed", when: "a release is under way", series: { [`serin_canary_status{${shop},${a}}`]: never }, atMinute: 30 },
  {
    alert: "SerinCanaryFailed",
    when: "another replica tells of it now",
    series: { [`serin_canary_status{${shop},${a}}`]: "2 2 2 stale", [`serin_canary_status{${shop},${b}}`]: "_ _ _ 2 2 2 2" },
    atMinute: 5,
    fires: shop,
  },
  {
    alert: "SerinCanaryNotMeasured",
    when: "a check gives no number for a quarter of an hour, though another replica has come to lead",
    series: {
      [`serin_canary_phase{${shop},phase="Progressing",${a}}`]: "1+0x9 stale",
      [`serin_canary_phase{${shop},phase="Progressing",${b}}`]: "_x9 1+0x30",
      [`serin_canary_check_verdict{${shop},metric="errors",verdict="inconclusive",${a}}`]: "1+0x9 stale",
      [`serin_canary_check_verdict{${shop},metric="errors",verdict="inconclusive",${b}}`]: "_x9 1+0x30",
    },
    atMinute: 16,
    fires: `${shop},phase="Progressing"`,
  },
  {
    alert: "SerinCanaryNotMeasured",
    when: "the release has ended meanwhile",
    series: {
      [`serin_canary_phase{${shop},phase="Failed",${a}}`]: always,
      [`serin_canary_check_verdict{${shop},metric="errors",verdict="inconclusive",${a}}`]: always,
    },
    atMinute: 30,
  },
  {
    alert: "SerinCanaryCannotBeJudged",
    when: "for a quarter of an hour the metrics were not read, then had no requests of it, as another replica came to lead",
    series: {
      [`serin_canary_phase{${shop},phase="Progressing",${a}}`]: "1+0x9 stale",
      [`serin_canary_phase{${shop},phase="Progressing",${b}}`]: "_x9 1+0x30",
      [`serin_canary_evidence_reason{${shop},reason="MetricsUnreadable",acts="true",${a}}`]: "1+0x9 stale",
      [`serin_canary_evidence_reason{${shop},reason="NoTraffic",acts="true",${b}}`]: "_x9 1+0x30",
    },
    atMinute: 16,
    fires: `${shop},phase="Progressing"`,
  },
  ...(["Progressing", "WaitingPromotion"] as const).map((phase) => ({
    alert: "SerinCanaryCannotBeJudged",
    when: `its time is up, and it is ${phase}: where that promotes, a hook is all that holds it`,
    series: {
      [`serin_canary_phase{${shop},phase="${phase}",${a}}`]: always,
      [`serin_canary_evidence_reason{${shop},reason="TimeIsUp",acts="true",${a}}`]: always,
    },
    atMinute: 30,
    ...(phase === "Progressing" ? { fires: `${shop},phase="Progressing"` } : {}),
  })),
  {
    alert: "SerinCanaryCannotBeJudged",
    when: "nobody sends it requests while a hook holds it",
    series: {
      [`serin_canary_phase{${shop},phase="WaitingPromotion",${a}}`]: always,
      [`serin_canary_evidence_reason{${shop},reason="NoTraffic",acts="true",${a}}`]: always,
    },
    atMinute: 30,
    fires: `${shop},phase="WaitingPromotion"`,
  },
  ...(["reason=\"NoTraffic\",acts=\"false\"", "reason=\"Suspicious\",acts=\"true\""] as const).map((labels) => ({
    alert: "SerinCanaryCannotBeJudged",
    when: `the release is judged all the same (${labels})`,
    series: {
      [`serin_canary_phase{${shop},phase="Progressing",${a}}`]: always,
      [`serin_canary_evidence_reason{${shop},${labels},${a}}`]: always,
    },
    atMinute: 30,
  })),
  {
    alert: "SerinCanaryCannotBeJudged",
    when: "it was rolled back for that",
    series: {
      [`serin_canary_phase{${shop},phase="Failed",${a}}`]: always,
      [`serin_canary_evidence_reason{${shop},reason="NoTraffic",acts="true",${a}}`]: always,
    },
    atMinute: 30,
  },
  {
    alert: "SerinCanaryCannotBeJudged",
    when: "somebody has suspended it",
    series: {
      [`serin_canary_phase{${shop},phase="Progressing",${a}}`]: always,
      [`serin_canary_evidence_reason{${shop},reason="NoTraffic",acts="true",${a}}`]: always,
      [`serin_object_suspended{kind="Canary",${shop},${a}}`]: always,
    },
    atMinute: 30,
  },
  {
    alert: "SerinCanaryWaitsForHook",
    when: "a hook has held it for five hours",
    series: {
      [`serin_canary_phase{${shop},phase="WaitingPromotion",${a}}`]: always,
      [`serin_canary_last_transition_timestamp_seconds{${shop},${a}}`]: hoursAgo(5),
    },
    atMinute: 1,
    fires: `${shop},phase="WaitingPromotion"`,
  },
  {
    alert: "SerinCanaryWaitsForHook",
    when: "a hook has held it for an hour",
    series: {
      [`serin_canary_phase{${shop},phase="WaitingPromotion",${a}}`]: always,
      [`serin_canary_last_transition_timestamp_seconds{${shop},${a}}`]: hoursAgo(1),
    },
    atMinute: 1,
  },
  {
    alert: "SerinCanaryDoesNotEnd",
    when: "a release has gone on for thirteen hours",
    series: {
      [`serin_canary_phase{${shop},phase="Progressing",${a}}`]: always,
      [`serin_canary_last_transition_timestamp_seconds{${shop},${a}}`]: hoursAgo(13),
    },
    atMinute: 1,
    fires: `${shop},phase="Progressing"`,
  },
  {
    alert: "SerinCanaryDoesNotEnd",
    when: "it has been at rest for days",
    series: {
      [`serin_canary_phase{${shop},phase="Succeeded",${a}}`]: always,
      [`serin_canary_last_transition_timestamp_seconds{${shop},${a}}`]: hoursAgo(100),
    },
    atMinute: 1,
  },
  {
    alert: "SerinRevertStorm",
    when: "three changes failed at once",
    series: {
      [`serin_revert_phase{namespace="a",name="a",phase="Planned",reason="Storm",${a}}`]: always,
      [`serin_revert_phase{namespace="b",name="b",phase="Planned",reason="Storm",${a}}`]: always,
    },
    atMinute: 1,
    fires: "",
  },
  {
    alert: "SerinRevertBlocked",
    when: "no clean inverse exists",
    series: { [`serin_revert_phase{${shop},phase="Blocked",reason="Conflict",${a}}`]: always },
    atMinute: 6,
    fires: `${shop},phase="Blocked",reason="Conflict"`,
  },
  {
    alert: "SerinRevertNotProposed",
    when: "there is no Git host",
    series: { [`serin_revert_phase{${shop},phase="Planned",reason="RevertNotPossible",${a}}`]: always },
    atMinute: 31,
    fires: `${shop},phase="Planned",reason="RevertNotPossible"`,
  },
  {
    alert: "SerinRevertNotProposed",
    when: "nobody wants it proposed",
    series: { [`serin_revert_phase{${shop},phase="Planned",reason="StrategyNone",${a}}`]: always },
    atMinute: 50,
  },
  {
    alert: "SerinRevertWaitsForPerson",
    when: "a pull request is two days old",
    series: {
      [`serin_revert_phase{${shop},phase="Proposed",reason="Proposed",${a}}`]: always,
      [`serin_revert_proposed_timestamp_seconds{${shop},${a}}`]: hoursAgo(48),
    },
    atMinute: 1,
    fires: `${shop},phase="Proposed",reason="Proposed"`,
  },
  {
    alert: "SerinRevertWaitsForPerson",
    when: "it was merged long ago",
    series: {
      [`serin_revert_phase{${shop},phase="Merged",reason="Merged",${a}}`]: always,
      [`serin_revert_proposed_timestamp_seconds{${shop},${a}}`]: hoursAgo(48),
    },
    atMinute: 1,
  },
  { alert: "SerinSyncNotReady", when: "it is not ready for long", series: { [`serin_sync_ready{${shop},${a}}`]: never }, atMinute: 16, fires: shop },
  { alert: "SerinSyncNotReady", when: "it has just become not ready", series: { [`serin_sync_ready{${shop},${a}}`]: never }, atMinute: 10 },
  {
    alert: "SerinSyncNotReady",
    when: "it is suspended",
    series: { [`serin_sync_ready{${shop},${a}}`]: never, [`serin_object_suspended{kind="Sync",${shop},${a}}`]: always },
    atMinute: 30,
  },
  {
    alert: "SerinSyncNotReady",
    when: "it is stalled, of which another alert tells",
    series: { [`serin_sync_ready{${shop},${a}}`]: never, [`serin_object_stalled{kind="Sync",${shop},reason="BuildFailed",${a}}`]: always },
    atMinute: 30,
  },
  {
    alert: "SerinSyncBehind",
    when: "it stays at an older revision",
    series: { [`serin_sync_ready{${shop},${a}}`]: always, [`serin_sync_up_to_date{${shop},${a}}`]: never },
    atMinute: 16,
    fires: shop,
  },
  {
    alert: "SerinSyncBehind",
    when: "it has caught up",
    series: { [`serin_sync_ready{${shop},${a}}`]: always, [`serin_sync_up_to_date{${shop},${a}}`]: "0 0 0 1+0x40" },
    atMinute: 30,
  },
  {
    alert: "SerinDriftComesBack",
    when: "an object is put back every minute",
    series: { [`serin_sync_drift_corrections_total{${shop},${a}}`]: "0+1x60" },
    atMinute: 50,
    fires: shop,
  },
  {
    alert: "SerinDriftComesBack",
    when: "a person tried something twice",
    series: { [`serin_sync_drift_corrections_total{${shop},${a}}`]: "0 1 2 2+0x60" },
    atMinute: 50,
  },
  {
    alert: "SerinSourceFailing",
    when: "the remote does not answer",
    series: { [`serin_git_repository_ready{${shop},${a}}`]: never },
    atMinute: 11,
    fires: shop,
  },
  {
    alert: "SerinObjectStalled",
    when: "somebody must act",
    series: { [`serin_object_stalled{kind="Canary",${shop},reason="ProviderMissing",${a}}`]: always },
    atMinute: 11,
    fires: `kind="Canary",${shop},reason="ProviderMissing"`,
  },
  { alert: "SerinDown", when: "nothing is scraped", series: { "up": always }, atMinute: 6, fires: "" },
  { alert: "SerinDown", when: "a replica stands by", series: { [`serin_leader{${a}}`]: never }, atMinute: 30 },
  {
    alert: "SerinNoLeader",
    when: "both stand by",
    series: { [`serin_leader{${a}}`]: never, [`serin_leader{${b}}`]: never },
    atMinute: 3,
    fires: "",
  },
  {
    alert: "SerinNoLeader",
    when: "the other leads now",
    series: { [`serin_leader{${a}}`]: "1 1 1 0+0x30", [`serin_leader{${b}}`]: "0 0 0 0 1+0x30" },
    atMinute: 10,
  },
  {
    alert: "SerinTwoLeaders",
    when: "both say that they lead",
    series: { [`serin_leader{${a}}`]: always, [`serin_leader{${b}}`]: always },
    atMinute: 3,
    fires: "",
  },
  {
    alert: "SerinReconcileErrors",
    when: "most of them fail",
    series: {
      [`serin_reconcile_total{kind="Sync",result="success",${a}}`]: "0+1x60",
      [`serin_reconcile_total{kind="Sync",result="error",${a}}`]: "0+9x60",
    },
    atMinute: 30,
    fires: 'kind="Sync"',
  },
  {
    alert: "SerinReconcileErrors",
    when: "some of them fail",
    series: {
      [`serin_reconcile_total{kind="Sync",result="success",${a}}`]: "0+9x60",
      [`serin_reconcile_total{kind="Sync",result="error",${a}}`]: "0+1x60",
    },
    atMinute: 30,
  },
  {
    alert: "SerinQueueStuck",
    when: "objects wait and none is worked on",
    series: {
      [`serin_workqueue_depth{kind="Canary",${a}}`]: "5+0x60",
      [`serin_reconcile_total{kind="Canary",result="success",${a}}`]: "7+0x60",
    },
    atMinute: 30,
    fires: 'kind="Canary"',
  },
  {
    alert: "SerinQueueStuck",
    when: "there is nothing to do",
    series: {
      [`serin_workqueue_depth{kind="Canary",${a}}`]: never,
      [`serin_reconcile_total{kind="Canary",result="success",${a}}`]: "7+0x60",
    },
    atMinute: 30,
  },
  {
    alert: "SerinReconcileHangs",
    when: "one has run for twenty minutes",
    series: { [`serin_workqueue_longest_running_seconds{kind="Sync",${a}}`]: "0+60x60" },
    atMinute: 20,
    fires: 'kind="Sync"',
  },
  {
    alert: "SerinQueueSlow",
    when: "most objects wait for a minute",
    series: {
      [`serin_workqueue_latency_seconds_bucket{kind="Sync",le="30",${a}}`]: "0+1x60",
      [`serin_workqueue_latency_seconds_bucket{kind="Sync",le="60",${a}}`]: "0+100x60",
      [`serin_workqueue_latency_seconds_bucket{kind="Sync",le="+Inf",${a}}`]: "0+100x60",
    },
    atMinute: 30,
    fires: 'kind="Sync"',
  },
  {
    alert: "SerinKubeErrors",
    when: "every second request gets no answer",
    series: {
      [`serin_kube_requests_total{verb="get",code="200",${a}}`]: "0+10x60",
      [`serin_kube_requests_total{verb="apply",code="0",${a}}`]: "0+10x60",
    },
    atMinute: 30,
    fires: "",
  },
  {
    alert: "SerinKubeErrors",
    when: "conflicts and missing objects are all there is",
    series: {
      [`serin_kube_requests_total{verb="get",code="404",${a}}`]: "0+10x60",
      [`serin_kube_requests_total{verb="patch",code="409",${a}}`]: "0+10x60",
    },
    atMinute: 30,
  },
  {
    alert: "SerinForbidden",
    when: "requests are forbidden again and again",
    series: { [`serin_kube_requests_total{verb="list",code="403",${a}}`]: "0+1x60" },
    atMinute: 30,
    fires: 'verb="list",code="403"',
  },
  {
    alert: "SerinCannotPush",
    when: "branch protection refuses the branch",
    series: { [`serin_git_errors_total{operation="push",reason="PushRefused",${a}}`]: "0 1+0x60" },
    atMinute: 10,
    fires: 'operation="push",reason="PushRefused"',
  },
  {
    alert: "SerinCannotPush",
    when: "the branch moved meanwhile, so that it is made anew",
    series: { [`serin_git_errors_total{operation="push",reason="StaleRef",${a}}`]: "0 1+0x60" },
    atMinute: 10,
  },
  {
    alert: "SerinGitHostErrors",
    when: "the token has expired",
    series: { [`serin_git_host_errors_total{host="gitea",reason="Unauthorized",${a}}`]: "0+1x60" },
    atMinute: 30,
    fires: 'host="gitea",reason="Unauthorized"',
  },
  {
    alert: "SerinMetricServerUnavailable",
    when: "no query is answered",
    series: {
      [`serin_metric_queries_total{result="number",${a}}`]: "50+0x60",
      [`serin_metric_queries_total{result="unavailable",${a}}`]: "0+6x60",
    },
    atMinute: 20,
    fires: "",
  },
  {
    alert: "SerinMetricServerUnavailable",
    when: "queries are answered, some without data",
    series: {
      [`serin_metric_queries_total{result="number",${a}}`]: "0+6x60",
      [`serin_metric_queries_total{result="noData",${a}}`]: "0+6x60",
    },
    atMinute: 20,
  },
  {
    alert: "SerinWebhooksRefused",
    when: "the secrets differ",
    series: { [`serin_hooks_requests_total{provider="gitea",status="400",${a}}`]: "0+1x60" },
    atMinute: 20,
    fires: 'provider="gitea",status="400"',
  },
  {
    alert: "SerinWebhooksRefused",
    when: "strangers ask for repositories that are not there",
    series: { [`serin_hooks_requests_total{provider="unknown",status="404",${a}}`]: "0+9x60" },
    atMinute: 20,
  },
];
