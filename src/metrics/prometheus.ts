import { z } from "zod";
import { MetricError, type MetricProvider, type MetricServer, type QueryResult } from "./metric-provider.ts";
import { numberIn } from "./prometheus-numbers.ts";
import { askPrometheus } from "./prometheus-http.ts";
import { prometheusSeries } from "./prometheus-series.ts";

/** A reply is one number; anything much larger is a query that should have been aggregated, or no Prometheus at all. */
const maxReplyBytes = 1024 * 1024;

const point = z.tuple([z.number(), z.string()]);
const success = z.object({
  status: z.literal("success"),
  data: z.discriminatedUnion("resultType", [
    z.object({ resultType: z.literal("vector"), result: z.array(z.object({ value: point.optional() })) }),
    z.object({ resultType: z.literal("scalar"), result: point }),
    z.object({ resultType: z.literal("matrix") }),
    z.object({ resultType: z.literal("string") }),
  ]),
  warnings: z.array(z.string()).optional(),
});
type Answer = z.infer<typeof success>;
/** A Prometheus, or a server that speaks its HTTP API (Thanos, Mimir, VictoriaMetrics). Holds no connection open. */
export function prometheus(server: MetricServer): MetricProvider {
  return {
    query: async (query, signal, atMs) => {
      const form = { query, ...(atMs === undefined ? {} : { time: (atMs / 1_000).toFixed(3) }) };
      const question = { path: "/api/v1/query", form, maxReplyBytes, ifTooLarge: "aggregate the query to one number" } as const;
      return resultOf(await askPrometheus(server, question, { schema: success, signal }));
    },
    series: prometheusSeries(server),
  };
}

function resultOf({ data, warnings = [] }: Answer): QueryResult {
  if (data.resultType === "matrix")
    throw new MetricError("query", "the query gives a range of samples (matrix); a check needs one number, e.g. by rate or avg_over_time");
  if (data.resultType === "string") throw new MetricError("query", "the query gives a string; a check needs a number");
  // A partial answer of several stores comes as a number and a warning: the number may be wrong.
  if (warnings.length > 0) throw new MetricError("unavailable", `the answer came with a warning: ${warnings.join("; ").slice(0, 500)}`);
  if (data.resultType === "scalar") return sampleIn(data.result[1]);
  const [first, ...others] = data.result;
  if (!first) return { kind: "noData", why: "empty" };
  if (others.length > 0) return { kind: "ambiguous", series: data.result.length };
  if (!first.value)
    throw new MetricError("query", "the query gives a native histogram; a check needs a number, e.g. by histogram_quantile");
  return sampleIn(first.value[1]);
}

function sampleIn(text: string): QueryResult {
  const value = numberIn(text);
  return Number.isNaN(value) ? { kind: "noData", why: "nan" } : { kind: "number", value };
}
