import { collectDefaultMetrics, Gauge, Registry } from "prom-client";
import { type ObjectMetrics, objectMetrics } from "./objects.ts";
import { type OutsideMetrics, outsideMetrics } from "./outside.ts";
import { type ReconcileMetrics, reconcileMetrics, type RequestMetrics, requestMetrics } from "./work.ts";

/** All metrics of the process: whoever does something is given its part, knowing nothing of Prometheus. */
export interface Metrics {
  /** Served at /metrics. */
  readonly registry: Registry;
  readonly reconciles: ReconcileMetrics;
  readonly requests: RequestMetrics;
  readonly outside: OutsideMetrics;
  readonly objects: ObjectMetrics;
}

/** What the process says of itself. */
interface MetricsOptions {
  readonly version: string;
  /** Whether this replica leads now. */
  readonly isLeading: () => boolean;
}

/** Watching the event loop every 10 ms, prom-client's default, costs more than all else of an idle controller. */
const eventLoopMonitoringPrecision = 100;

/** The metrics of one process, nothing counted yet. */
export function createMetrics({ version, isLeading }: MetricsOptions): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision });
  const build = new Gauge({ name: "serin_build_info", help: "1, with the version of Serin.", labelNames: ["version"], registers });
  build.set({ version }, 1);
  new Gauge({
    name: "serin_leader",
    help: "1 for the replica that leads, 0 for one that stands by.",
    registers,
    collect(): void {
      this.set(isLeading() ? 1 : 0);
    },
  });
  return {
    registry,
    reconciles: reconcileMetrics(registry),
    requests: requestMetrics(registry),
    outside: outsideMetrics(registry),
    objects: objectMetrics(registry),
  };
}
