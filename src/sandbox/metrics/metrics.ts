import type { Clock } from "../../lib/clock.ts";
import type { Logger } from "../../lib/log.ts";

/** What a metric server of the sandbox scrapes, and how. */
export interface MetricsOptions {
  /** Addresses of what exposes metrics in Prometheus' text format. Asked again before each round of scrapes. */
  readonly targets: () => readonly string[];
  readonly scrapeIntervalMs: number;
  /** Default: a free one. */
  readonly port?: number | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  /** Ends start-up and scraping; `close` is still needed. */
  readonly signal: AbortSignal;
}

/** A metric server of the sandbox, ready for queries. */
export interface RunningMetrics {
  readonly kind: "prometheus" | "embedded";
  /** Address for queries, on 127.0.0.1. */
  readonly url: string;
  /** Stops it and removes its files. Idempotent. */
  close(): Promise<void>;
}
