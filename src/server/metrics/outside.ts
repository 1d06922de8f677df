import { Counter, Histogram, type Registry } from "prom-client";

/** Takes in what the process asks of Git, Git hosts and metric servers. */
export interface OutsideMetrics {
  readonly git: (call: { operation: string; reason?: string | undefined; durationMs: number }) => void;
  readonly gitHost: (host: string, call: { call: string; reason?: string | undefined; durationMs: number }) => void;
  readonly query: (query: { result: string; durationMs: number }) => void;
}

const buckets = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];

/** Registers the metrics about Git, Git hosts and metric servers. */
export function outsideMetrics(registry: Registry): OutsideMetrics {
  return { ...gitMetrics(registry), query: queryMetrics(registry) };
}

function gitMetrics(registry: Registry): Pick<OutsideMetrics, "git" | "gitHost"> {
  const registers = [registry];
  const operations = new Histogram({
    name: "serin_git_operation_duration_seconds",
    help: "Time that one Git operation took; its count is that of the operations.",
    labelNames: ["operation"],
    buckets,
    registers,
  });
  const errors = new Counter({
    name: "serin_git_errors_total",
    help: "Git operations that failed, by reason.",
    labelNames: ["operation", "reason"],
    registers,
  });
  const calls = new Histogram({
    name: "serin_git_host_call_duration_seconds",
    help: "Time that one call of a Git host's API took (to find, open, change or comment a pull request).",
    labelNames: ["host", "call"],
    buckets,
    registers,
  });
  const failed = new Counter({
    name: "serin_git_host_errors_total",
    help: "Calls of a Git host's API that failed, by reason.",
    labelNames: ["host", "reason"],
    registers,
  });
  return {
    git: ({ operation, reason, durationMs }) => {
      operations.observe({ operation }, durationMs / 1_000);
      if (reason !== undefined) errors.inc({ operation, reason });
    },
    gitHost: (host, { call, reason, durationMs }) => {
      calls.observe({ host, call }, durationMs / 1_000);
      if (reason !== undefined) failed.inc({ host, reason });
    },
  };
}

function queryMetrics(registry: Registry): OutsideMetrics["query"] {
  const registers = [registry];
  const total = new Counter({
    name: "serin_metric_queries_total",
    help: "Queries to metric servers by what they gave: number, series (raw samples), noData, ambiguous, refused (the query is wrong), unavailable, aborted.",
    labelNames: ["result"],
    registers,
  });
  const duration = new Histogram({
    name: "serin_metric_query_duration_seconds",
    help: "Time that one query to a metric server took.",
    buckets,
    registers,
  });
  return ({ result, durationMs }) => {
    total.inc({ result });
    duration.observe(durationMs / 1_000);
  };
}
