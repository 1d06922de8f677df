import { messageOf } from "../../lib/errors.ts";
import { startEmbedded } from "./embedded.ts";
import type { MetricsOptions, RunningMetrics } from "./metrics.ts";
import { startPrometheus } from "./prometheus-process.ts";

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
