import type { RawSeries } from "../lib/series.ts";
import { MetricError, type MetricProvider } from "./metric-provider.ts";

/** What a query gave, in one word. */
export const queryResults = ["number", "series", "noData", "ambiguous", "refused", "unavailable", "aborted"] as const;

/** One query to a metric server. */
interface AskedQuery {
  readonly result: (typeof queryResults)[number];
  readonly durationMs: number;
}

/** Told of every query, for our own metrics. Must be cheap and must not throw. */
export type QueryObserver = (query: AskedQuery) => void;

/** The same provider, with an observer that hears of every query. */
export function observedProvider(provider: MetricProvider, observer: QueryObserver): MetricProvider {
  const watched = async <T>(work: () => Promise<T>, resultOf: (answer: T) => AskedQuery["result"]): Promise<T> => {
    const startedMs = performance.now();
    const tell = (result: AskedQuery["result"]): void => observer({ result, durationMs: performance.now() - startedMs });
    try {
      const answer = await work();
      tell(resultOf(answer));
      return answer;
    } catch (error) {
      tell(error instanceof MetricError ? failures[error.kind] : "aborted");
      throw error;
    }
  };
  const { series } = provider;
  const found = (answer: readonly RawSeries[]): AskedQuery["result"] => (answer.length > 0 ? "series" : "noData");
  return {
    query: (...args) => watched(() => provider.query(...args), ({ kind }) => kind),
    series: series && {
      nowMs: (...args) => watched(() => series.nowMs(...args), () => "number"),
      samples: (...args) => watched(() => series.samples(...args), found),
      steps: (...args) => watched(() => series.steps(...args), found),
    },
  };
}

const failures = { query: "refused", unavailable: "unavailable" } as const satisfies Record<MetricError["kind"], string>;
