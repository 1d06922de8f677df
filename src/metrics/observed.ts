import { MetricError, type MetricProvider } from "./metric-provider.ts";

/** What a query gave, in one word. */
export const queryResults = ["number", "noData", "ambiguous", "refused", "unavailable", "aborted"] as const;

/** One query to a metric server. */
interface AskedQuery {
  readonly result: (typeof queryResults)[number];
  readonly durationMs: number;
}

/** Told of every query, for our own metrics. Must be cheap and must not throw. */
export type QueryObserver = (query: AskedQuery) => void;

/** The same provider, with an observer that hears of every query. */
export function observedProvider(provider: MetricProvider, observer: QueryObserver): MetricProvider {
  return {
    query: async (...args) => {
      const startedMs = performance.now();
      const tell = (result: AskedQuery["result"]): void => observer({ result, durationMs: performance.now() - startedMs });
      try {
        const result = await provider.query(...args);
        tell(result.kind);
        return result;
      } catch (error) {
        tell(error instanceof MetricError ? failures[error.kind] : "aborted");
        throw error;
      }
    },
  };
}

const failures = { query: "refused", unavailable: "unavailable" } as const satisfies Record<MetricError["kind"], string>;
