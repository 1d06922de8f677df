import type { Sample } from "../../analysis/sample.ts";
import type { CanaryMetric } from "../../api/analysis.ts";
import type { Canary } from "../../api/canary.ts";
import { parseDurationMs } from "../../lib/duration.ts";
import { StalledError } from "../../lib/errors.ts";
import { MetricError } from "../../metrics/metric-provider.ts";
import { readsFor, type ShareDeps } from "./share.ts";
import { canaryRequestsSince } from "./share-reads.ts";

/** How many requests a check rests on, or why nobody knows. */
export type Requests = Extract<Sample, { kind: "number" | "error" }>;

/**
 * The canary's requests in the shortest window of these metrics, since its first traffic at most. `undefined`: the Canary does not ask
 * for them, or this kind of metric server cannot count them. A server that does not answer is an answer as well.
 */
export async function requestsOfCheck(
  deps: ShareDeps,
  canary: Canary,
  due: readonly CanaryMetric[],
  signal: AbortSignal,
): Promise<Requests | undefined> {
  const { firstTrafficAt } = canary.status;
  if (canary.spec.analysis.minRequests === undefined || firstTrafficAt === undefined) return undefined;
  const window = Math.min(...due.map(({ interval }) => parseDurationMs(interval)));
  try {
    const reads = await readsFor(deps, canary, signal);
    if (!reads) return undefined;
    const fromMs = Math.max(reads.nowMs - window, Date.parse(firstTrafficAt) + reads.aheadMs);
    const value = await canaryRequestsSince(canary, reads, fromMs, signal);
    return { kind: "number", value };
  } catch (error) {
    if (error instanceof MetricError) return { kind: "error", error: error.kind, message: error.message };
    if (error instanceof StalledError) return { kind: "error", error: "query", message: error.message };
    throw error;
  }
}
