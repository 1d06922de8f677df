import { Counter, Gauge, Histogram, type Registry } from "prom-client";

/** How a controller's queue is at this moment. */
interface QueueState {
  readonly ready: number;
  readonly delayed: number;
  readonly longestRunningMs: number;
}

/** Takes in what controllers do, by the kind of their objects. */
export interface ReconcileMetrics {
  started(kind: string, queue: () => QueueState): () => void;
  taken(kind: string, waitedMs: number): void;
  reconciled(kind: string, outcome: { result: string; reason?: string | undefined; durationMs: number }): void;
  /** Kinds whose controllers run now. */
  running(): readonly string[];
}

const results = ["success", "conflict", "waiting", "error", "stalled"] as const;
const workBuckets = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Registers the metrics about reconciles and their queues. */
export function reconcileMetrics(registry: Registry): ReconcileMetrics {
  const registers = [registry];
  const labelNames = ["kind"] as const;
  const queues = new Map<string, () => QueueState>();
  const total = new Counter({
    name: "serin_reconcile_total",
    help: "Reconciles that ended: success, conflict (tried again at once), waiting (for something else), error (tried again), stalled.",
    labelNames: ["kind", "result"],
    registers,
  });
  const errors = new Counter({
    name: "serin_reconcile_errors_total",
    help: "Reconciles that ended with an error or stalled, by the reason that the condition Ready gives.",
    labelNames: ["kind", "reason"],
    registers,
  });
  const duration = new Histogram({
    name: "serin_reconcile_duration_seconds",
    help: "Time that one reconcile took.",
    labelNames,
    buckets: workBuckets,
    registers,
  });
  const latency = new Histogram({
    name: "serin_workqueue_latency_seconds",
    help: "Time that an object waited for a worker.",
    labelNames,
    buckets: workBuckets,
    registers,
  });
  queueGauges(registry, queues);
  return {
    started: (kind, queue) => {
      queues.set(kind, queue);
      for (const result of results) total.inc({ kind, result }, 0);
      return () => queues.delete(kind);
    },
    taken: (kind, waitedMs) => latency.observe({ kind }, waitedMs / 1_000),
    reconciled: (kind, { result, reason, durationMs }) => {
      total.inc({ kind, result });
      if ((result === "error" || result === "stalled") && reason !== undefined) errors.inc({ kind, reason });
      duration.observe({ kind }, durationMs / 1_000);
    },
    running: () => [...queues.keys()],
  };
}

function queueGauges(registry: Registry, queues: ReadonlyMap<string, () => QueueState>): void {
  const gauges: readonly [name: string, help: string, value: (state: QueueState) => number][] = [
    ["serin_workqueue_depth", "Objects that wait for a worker.", ({ ready }) => ready],
    ["serin_workqueue_delayed", "Objects that wait for their time: an interval, or the next try.", ({ delayed }) => delayed],
    [
      "serin_workqueue_longest_running_seconds",
      "How long the longest of the reconciles under way has taken so far.",
      ({ longestRunningMs }) => longestRunningMs / 1_000,
    ],
  ];
  for (const [name, help, value] of gauges) {
    const gauge = new Gauge({ name, help, labelNames: ["kind"], registers: [registry], collect });
    function collect(): void {
      gauge.reset();
      for (const [kind, queue] of queues) gauge.set({ kind }, value(queue()));
    }
  }
}

/** Takes in every request to the API server. */
export type RequestMetrics = (request: { verb: string; code: number; durationMs: number }) => void;

const requestBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Registers the metrics about requests to the API server. */
export function requestMetrics(registry: Registry): RequestMetrics {
  const registers = [registry];
  const total = new Counter({
    name: "serin_kube_requests_total",
    help: "Requests to the Kubernetes API server, by verb and HTTP status; code 0: there was no answer.",
    labelNames: ["verb", "code"],
    registers,
  });
  const duration = new Histogram({
    name: "serin_kube_request_duration_seconds",
    help: "Time until the Kubernetes API server began to answer.",
    labelNames: ["verb"],
    buckets: requestBuckets,
    registers,
  });
  return ({ verb, code, durationMs }) => {
    total.inc({ verb, code });
    duration.observe({ verb }, durationMs / 1_000);
  };
}
