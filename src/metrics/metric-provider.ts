import type { SeriesReader } from "../lib/series.ts";

/** What a query gave. Silence, NaN and ambiguity are values, not errors: none of them says that a release is bad. */
export type QueryResult =
  | { readonly kind: "number"; readonly value: number } // finite or ±Infinity
  | { readonly kind: "noData"; readonly why: "empty" | "nan" }
  | { readonly kind: "ambiguous"; readonly series: number }; // more than one series: the query must aggregate

/** The server could not answer, or refused. Never a reason to fail a release. */
export class MetricError extends Error {
  /** `query`: the server refused the query itself (4xx), a person must mend it. `unavailable`: down, slow, 5xx, HTML. */
  readonly kind: "query" | "unavailable";

  constructor(kind: "query" | "unavailable", message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "MetricError";
    this.kind = kind;
  }
}

/** A server that answers queries. */
export interface MetricProvider {
  /** Value of an instant query at `atMs` (default: the server's now). Throws {@link MetricError}. */
  query(query: string, signal: AbortSignal, atMs?: number): Promise<QueryResult>;
  /** Raw samples; its methods throw {@link MetricError}. Missing: this kind of server gives none. */
  readonly series?: SeriesReader | undefined;
}

/** How to reach a metric server. */
export interface MetricServer {
  readonly address: string;
  readonly auth?: { readonly username: string; readonly password: string } | { readonly token: string } | undefined;
  /** Limit of one query. */
  readonly timeoutMs: number;
}
