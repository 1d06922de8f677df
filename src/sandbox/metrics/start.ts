import type { Clock } from "../../lib/clock.ts";
import { messageOf } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import { startEmbedded } from "./embedded.ts";
import { startPrometheus } from "./prometheus-process.ts";

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

/** Starts the real Prometheus where there is one on PATH, else the embedded one. Both answer the queries that Serin ships alike. */
export async function startMetrics(options: MetricsOptions): Promise<RunningMetrics> {
  try {
    const found = await startPrometheus(options);
    if (found) return found;
    options.log.info({}, "no prometheus on PATH, metrics are embedded");
  } catch (err) {
    if (options.signal.aborted) throw err;
    options.log.warn({ error: messageOf(err) }, "prometheus does not start, metrics are embedded");
  }
  return startEmbedded(options);
}
