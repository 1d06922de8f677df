import { MetricError, type MetricProvider, type QueryResult } from "./metric-provider.ts";

/** What one check got to see. Everything but a number leaves the check undecided. */
type Measurement =
  | QueryResult
  | { readonly kind: "tooEarly" } // not enough time since this revision's first traffic
  | { readonly kind: "error"; readonly error: MetricError["kind"]; readonly message: string };

/**
 * Runs one query for a check. A server that is down or refuses the query is a measurement too; only an abort throws.
 * @param query `undefined` when it is too early to ask
 */
export async function measure(provider: MetricProvider, query: string | undefined, signal: AbortSignal): Promise<Measurement> {
  if (query === undefined) return { kind: "tooEarly" };
  try {
    return await provider.query(query, signal);
  } catch (err) {
    if (err instanceof MetricError) return { kind: "error", error: err.kind, message: err.message };
    throw err;
  }
}
