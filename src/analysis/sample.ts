import type { CanaryMetric } from "../api/analysis.ts";
import type { CheckResult } from "../api/canary.ts";

/** What one look at a release says. Only numbers can pass or fail. */
export type Verdict = CheckResult["verdict"];

/** What one query gave. Everything but a number leaves a check undecided. */
export type Sample =
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "noData"; readonly why: "empty" | "nan" }
  | { readonly kind: "ambiguous"; readonly series: number }
  | { readonly kind: "tooEarly" }
  | { readonly kind: "error"; readonly error: "query" | "unavailable"; readonly message: string };

/** One metric, measured. */
export interface MetricSample {
  readonly metric: CanaryMetric;
  readonly canary: Sample;
  /** The same query for the primary in the same window; missing when it was not asked. */
  readonly primary?: Sample | undefined;
}
