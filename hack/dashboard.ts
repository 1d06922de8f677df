/** A query and how its lines are called. */
type Query = readonly [expression: string, legend: string];

interface Panel {
  readonly title: string;
  /** What a reader should make of it. */
  readonly description: string;
  readonly type: "stat" | "timeseries" | "state-timeline" | "table";
  readonly unit: "short" | "percent" | "s" | "ops" | "bytes" | "none";
  readonly queries: readonly Query[];
  /** Of 24. */
  readonly width: number;
}

interface Section {
  readonly title: string;
  readonly panels: readonly Panel[];
}

const chosen = '{namespace=~"$namespace"}';

/** What the leader of the moment says, whichever replica that is. */
function told(metric: string, labels = ""): string {
  return `max without (instance, pod) (${metric}{namespace=~"$namespace"${labels === "" ? "" : `, ${labels}`}})`;
}

function perSecond(metric: string, by: string): string {
  return `sum by (${by}) (rate(${metric}[$__rate_interval]))`;
}

function quantile(q: number, metric: string, by: string): string {
  return `histogram_quantile(${q}, sum by (le${by === "" ? "" : `, ${by}`}) (rate(${metric}_bucket[$__rate_interval])))`;
}

function stat(title: string, description: string, expression: string): Panel {
  return { title, description, type: "stat", unit: "short", queries: [[expression, ""]], width: 4 };
}

function graph(title: string, description: string, unit: Panel["unit"], ...queries: Query[]): Panel {
  return { title, description, type: "timeseries", unit, queries, width: 8 };
}

const canary = "{{namespace}}/{{name}}";
/** Reasons of a share verdict that hold a release where it is until something else changes. */
const unjudged = 'acts="true", reason=~"MetricsUnreadable|NoTraffic|TrafficNotSplit|TimeIsUp"';

const fleet: Section = {
  title: "Now",
  panels: [
    stat("Releases under way", "Canaries that are analysed, promoted or wait for a hook.", `count(${told("serin_canary_status")} == 0) or vector(0)`),
    stat("Failed releases", "Canaries whose last release was rolled back.", `count(${told("serin_canary_status")} == 2) or vector(0)`),
    stat("Open reverts", "Bad changes that are held in the cluster and still in Git.", `count(${told("serin_revert_phase", 'phase=~"Planned|Proposed|Blocked"')}) or vector(0)`),
    stat("Syncs not ready", "Folders of Git that are not in the cluster as they should be.", `count(${told("serin_sync_ready")} == 0) or vector(0)`),
    stat("Stalled objects", "Objects that need a person.", `count(${told("serin_object_stalled")}) or vector(0)`),
    stat("Leaders", "Exactly one replica leads.", "sum(serin_leader)"),
  ],
};

const releases: Section = {
  title: "Releases",
  panels: [
    {
      title: "Canaries",
      description: "Under way, at rest, or failed.",
      type: "state-timeline",
      unit: "none",
      queries: [[told("serin_canary_status"), canary]],
      width: 16,
    },
    graph("Weight of the new version", "Share of traffic, in percent.", "percent", [told("serin_canary_weight"), canary]),
    graph("What checks measured", "In each metric's own unit.", "none", [told("serin_canary_check_value"), `${canary} {{metric}}`]),
    graph("Failed checks", "Of the release under way, or the last one.", "short", [told("serin_canary_failed_checks"), canary]),
    graph("Without a number", "Checks without one, and share verdicts that cannot be made: they hold a release where it is.", "short",
      [`sum by (namespace, name, metric) (${told("serin_canary_check_verdict", 'verdict="inconclusive"')})`, `${canary} {{metric}}`],
      [`sum by (namespace, name, reason) (${told("serin_canary_evidence_reason", unjudged)})`, `${canary} {{reason}}`]),
    graph("Evidence against the new version", "By its share of the bad requests; by default it gets no more traffic at 4.5 and loses it at 20.", "none", [
      told("serin_canary_evidence"),
      canary,
    ]),
    graph("Releases that ended", "Within an hour, by result.", "short", ["sum by (result) (increase(serin_canary_rollouts_total[1h]))", "{{result}}"]),
    graph("How long releases take", "Half of those within a day were faster, a tenth slower.", "s", [
      "histogram_quantile(0.5, sum by (le) (increase(serin_canary_rollout_duration_seconds_bucket[1d])))",
      "median",
    ], ["histogram_quantile(0.9, sum by (le) (increase(serin_canary_rollout_duration_seconds_bucket[1d])))", "90 %"]),
  ],
};

const reverts: Section = {
  title: "Reverts",
  panels: [
    {
      title: "Open reverts",
      description: "How far each is, and why it waits.",
      type: "table",
      unit: "none",
      queries: [[told("serin_revert_phase", 'phase=~"Planned|Proposed|Blocked"'), ""]],
      width: 8,
    },
    graph("Age of open reverts", "Since the release failed.", "s", [
      `time() - ${told("serin_revert_created_timestamp_seconds")} and on (namespace, name) ${told("serin_revert_phase", 'phase=~"Planned|Proposed|Blocked"')}`,
      canary,
    ]),
    graph("Proposed and ended", "Within a day.", "short",
      ["sum(increase(serin_revert_proposals_total[1d]))", "proposed"],
      ["sum by (phase) (increase(serin_revert_ended_total[1d]))", "{{phase}}"]),
  ],
};

const syncs: Section = {
  title: "Syncs",
  panels: [
    {
      title: "Not ready or behind",
      description: "Syncs that are not what their source says.",
      type: "table",
      unit: "none",
      queries: [[`${told("serin_sync_ready")} == 0 or ${told("serin_sync_up_to_date")} == 0`, ""]],
      width: 8,
    },
    graph("Since the last change", "Time since each Sync last applied something.", "s", [
      `time() - ${told("serin_sync_last_applied_timestamp_seconds")}`,
      canary,
    ]),
    graph("Objects", "In the inventory of each Sync.", "short", [told("serin_sync_objects"), canary]),
    graph("Held changes", "Canaries whose failed change a Sync holds back.", "short", [`${told("serin_sync_holding")} > 0`, canary]),
    graph("Drift put back", "Objects within an hour.", "short", [
      `sum without (instance, pod) (increase(serin_sync_drift_corrections_total${chosen}[1h])) > 0`,
      canary,
    ]),
    graph("Time to apply", "Of the differences of one Sync.", "s",
      [quantile(0.5, "serin_sync_apply_duration_seconds", ""), "median"],
      [quantile(0.99, "serin_sync_apply_duration_seconds", ""), "99 %"]),
    graph("Sources not ready", "GitRepositories that could not be fetched.", "short", [`${told("serin_git_repository_ready")} == 0`, canary]),
    graph("Age of the fetched commit", "Since its author made it.", "s", [
      `time() - ${told("serin_git_repository_commit_timestamp_seconds")}`,
      canary,
    ]),
    graph("Suspended", "Objects that somebody has told to rest.", "short", [
      `count by (kind) (${told("serin_object_suspended")})`,
      "{{kind}}",
    ]),
  ],
};

const outside: Section = {
  title: "Git, its hosts and metric servers",
  panels: [
    graph("Git operations", "By what is done.", "ops", [perSecond("serin_git_operation_duration_seconds_count", "operation"), "{{operation}}"]),
    graph("Time of Git operations", "99th percentile.", "s", [quantile(0.99, "serin_git_operation_duration_seconds", "operation"), "{{operation}}"]),
    graph("Git errors", "By reason.", "ops", [perSecond("serin_git_errors_total", "operation, reason"), "{{operation}} {{reason}}"]),
    graph("Calls of Git hosts", "Pull requests found, opened, changed, commented.", "ops", [
      perSecond("serin_git_host_call_duration_seconds_count", "host, call"),
      "{{host}} {{call}}",
    ]),
    graph("Errors of Git hosts", "By reason.", "ops", [perSecond("serin_git_host_errors_total", "host, reason"), "{{host}} {{reason}}"]),
    graph("Webhooks", "By sender and answer.", "ops", [perSecond("serin_hooks_requests_total", "provider, status"), "{{provider}} {{status}}"]),
    graph("Queries to metric servers", "By what they gave.", "ops", [perSecond("serin_metric_queries_total", "result"), "{{result}}"]),
    graph("Time of queries", "To metric servers.", "s",
      [quantile(0.5, "serin_metric_query_duration_seconds", ""), "median"],
      [quantile(0.99, "serin_metric_query_duration_seconds", ""), "99 %"]),
  ],
};

const controller: Section = {
  title: "The controller",
  panels: [
    graph("Reconciles", "By kind and result.", "ops", [perSecond("serin_reconcile_total", "kind, result"), "{{kind}} {{result}}"]),
    graph("Time of a reconcile", "99th percentile.", "s", [quantile(0.99, "serin_reconcile_duration_seconds", "kind"), "{{kind}}"]),
    graph("Reconcile errors", "By reason.", "ops", [perSecond("serin_reconcile_errors_total", "kind, reason"), "{{kind}} {{reason}}"]),
    graph("Queue depth", "Objects that wait for a worker, and for their time.", "short",
      ["max by (kind) (serin_workqueue_depth)", "{{kind}}"],
      ["max by (kind) (serin_workqueue_delayed)", "{{kind}} delayed"]),
    graph("Time in the queue", "99th percentile.", "s", [quantile(0.99, "serin_workqueue_latency_seconds", "kind"), "{{kind}}"]),
    graph("Longest reconcile under way", "It hangs when this only rises.", "s", ["max by (kind) (serin_workqueue_longest_running_seconds)", "{{kind}}"]),
    graph("Requests to the API server", "By verb and answer.", "ops", [perSecond("serin_kube_requests_total", "verb, code"), "{{verb}} {{code}}"]),
    graph("Time of requests", "99th percentile until the answer began.", "s", [quantile(0.99, "serin_kube_request_duration_seconds", "verb"), "{{verb}}"]),
    graph("Objects", "Of each kind.", "short", ["max by (kind) (serin_objects)", "{{kind}}"]),
    graph("CPU", "Of each replica, without Git.", "percent", [
      "100 * rate(process_cpu_seconds_total[$__rate_interval]) * on (instance) group_left (version) serin_build_info",
      "{{instance}} {{version}}",
    ]),
    graph("Memory", "Of each replica, without Git.", "bytes", [
      "process_resident_memory_bytes * on (instance) group_left (version) serin_build_info",
      "{{instance}} {{version}}",
    ]),
    graph("Event loop", "How late the process came to its work, at the 99th percentile.", "s", [
      "nodejs_eventloop_lag_p99_seconds * on (instance) group_left (version) serin_build_info",
      "{{instance}} {{version}}",
    ]),
  ],
};

const datasource = { type: "prometheus", uid: "${datasource}" };
const height = { stat: 4, timeseries: 8, "state-timeline": 8, table: 8 } as const satisfies Record<Panel["type"], number>;

interface Laid {
  readonly panel: object;
  readonly x: number;
  readonly y: number;
}

/** Panels of a section in rows of 24, from line `top` on. */
function lay({ title, panels }: Section, top: number): { readonly laid: Laid[]; readonly bottom: number } {
  let [x, y, line] = [0, top + 1, 0];
  const laid: Laid[] = [{ panel: { type: "row", title, collapsed: false, panels: [], gridPos: { h: 1, w: 24, x: 0, y: top } }, x: 0, y: top }];
  for (const panel of panels) {
    if (x + panel.width > 24) [x, y, line] = [0, y + line, 0];
    laid.push({ panel: draw(panel, x, y), x, y });
    x += panel.width;
    line = Math.max(line, height[panel.type]);
  }
  return { laid, bottom: y + line };
}

const states = {
  "0": { text: "under way", color: "blue", index: 0 },
  "1": { text: "at rest", color: "green", index: 1 },
  "2": { text: "failed", color: "red", index: 2 },
};

function draw({ title, description, type, unit, queries, width }: Panel, x: number, y: number): object {
  const isTable = type === "table";
  return {
    type,
    title,
    description,
    datasource,
    gridPos: { h: height[type], w: width, x, y },
    targets: queries.map(([expr, legendFormat], index) => ({
      refId: String.fromCharCode(65 + index),
      datasource,
      expr,
      ...(legendFormat === "" ? {} : { legendFormat }),
      ...(isTable ? { format: "table", instant: true } : {}),
    })),
    fieldConfig: {
      defaults: { unit, ...(type === "state-timeline" ? { mappings: [{ type: "value", options: states }] } : { min: 0 }) },
      overrides: [],
    },
    options: optionsOf(type),
    ...(isTable ? { transformations: [{ id: "organize", options: { excludeByName: { Time: true, Value: true, job: true, container: true, endpoint: true } } }] } : {}),
  };
}

function optionsOf(type: Panel["type"]): object {
  if (type === "stat") return { reduceOptions: { calcs: ["lastNotNull"] }, colorMode: "value" };
  if (type === "timeseries") return { legend: { displayMode: "list", placement: "bottom" }, tooltip: { mode: "multi", sort: "desc" } };
  return type === "state-timeline" ? { mergeValues: true, showValue: "never" } : {};
}

/** The Grafana dashboard of Serin as JSON text. */
export function dashboardJson(): string {
  let top = 0;
  const panels: object[] = [];
  for (const section of [fleet, releases, reverts, syncs, outside, controller]) {
    const { laid, bottom } = lay(section, top);
    panels.push(...laid.map(({ panel }) => panel));
    top = bottom;
  }
  const namespaces = 'label_values({__name__=~"serin_canary_phase|serin_sync_ready"}, namespace)';
  const dashboard = {
    title: "Serin",
    uid: "serin",
    description: "Releases, reverts, syncs, and the controller behind them. Generated by hack/dashboard.ts.",
    tags: ["serin"],
    schemaVersion: 39,
    refresh: "30s",
    time: { from: "now-6h", to: "now" },
    timezone: "",
    templating: {
      list: [
        { name: "datasource", label: "Prometheus", type: "datasource", query: "prometheus" },
        {
          name: "namespace",
          label: "Namespace",
          type: "query",
          datasource,
          query: { query: namespaces, refId: "namespace" },
          refresh: 2,
          multi: true,
          includeAll: true,
          allValue: ".*",
          current: { text: "All", value: "$__all" },
        },
      ],
    },
    panels: panels.map((panel, index) => ({ id: index + 1, ...panel })),
  };
  return `${JSON.stringify(dashboard, undefined, 2)}\n`;
}
