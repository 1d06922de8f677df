import { z } from "zod";
import type { HistogramPoint, Matcher, RawSeries, Selector, SeriesReader } from "../lib/series.ts";
import { MetricError, type MetricServer } from "./metric-provider.ts";
import { askPrometheus } from "./prometheus-http.ts";
import { numberIn } from "./prometheus-numbers.ts";
import { exactly, quote } from "./promql.ts";

/** Two minutes of the latency buckets of a hundred pods are some megabytes. */
const limits = { maxReplyBytes: 32 * 1024 * 1024, ifTooLarge: "these are more series than one service has" } as const;

const point = z.tuple([z.number(), z.string()]);
/** Of a native histogram: how its boundaries are meant, lower, upper, count. */
const bucket = z.tuple([z.number(), z.string(), z.string(), z.string()]);
const histogram = z.tuple([z.number(), z.object({ count: z.string(), buckets: z.array(bucket).default([]) })]);
const success = z.object({
  status: z.literal("success"),
  data: z.object({
    resultType: z.literal("matrix"),
    result: z.array(
      z.object({
        metric: z.record(z.string(), z.string()),
        values: z.array(point).default([]),
        histograms: z.array(histogram).optional(),
      }),
    ),
  }),
  warnings: z.array(z.string()).optional(),
});
type Answer = z.infer<typeof success>;
const time = z.object({ status: z.literal("success"), data: z.object({ resultType: z.literal("scalar"), result: point }) });

/** Raw samples of a Prometheus. Throws {@link MetricError}, also when the answer is only a part: a missing store is no silence. */
export function prometheusSeries(server: MetricServer): SeriesReader {
  return {
    nowMs: async (signal) => {
      const question = { path: "/api/v1/query", form: { query: "time()" }, ...limits } as const;
      const { data } = await askPrometheus(server, question, { schema: time, signal });
      return Math.round(Number(data.result[1]) * 1_000);
    },
    samples: async (selector, { atMs, rangeMs }, signal) => {
      const form = { query: `${selectorText(selector)}[${Math.round(rangeMs)}ms]`, time: seconds(atMs) };
      return seriesIn(await askPrometheus(server, { path: "/api/v1/query", form, ...limits }, { schema: success, signal }));
    },
    steps: async (selector, { fromMs, untilMs, stepMs }, signal) => {
      const form = { query: selectorText(selector), start: seconds(fromMs), end: seconds(untilMs), step: seconds(stepMs) };
      return seriesIn(await askPrometheus(server, { path: "/api/v1/query_range", form, ...limits }, { schema: success, signal }));
    },
  };
}

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(3);
}

function selectorText({ metric, matchers }: Selector): string {
  return `${metric}{${matchers.map(matcherText).join(",")}}`;
}

function matcherText(matcher: Matcher): string {
  if ("startsWith" in matcher) return `${matcher.label}=~${quote(`${exactly(matcher.startsWith)}.*`)}`;
  const [first, ...others] = matcher.oneOf;
  if (first !== undefined && others.length === 0) return `${matcher.label}=${quote(first)}`;
  return `${matcher.label}=~${quote(matcher.oneOf.map(exactly).join("|"))}`;
}

function seriesIn({ data, warnings = [] }: Answer): RawSeries[] {
  if (warnings.length > 0) throw new MetricError("unavailable", `the answer came with a warning: ${warnings.join("; ").slice(0, 500)}`);
  return data.result.map(({ metric: { __name__: _name, ...labels }, values, histograms }) => ({
    labels,
    points: values.map(([at, value]) => ({ atMs: Math.round(at * 1_000), value: numberIn(value) })),
    ...(histograms ? { histograms: histograms.map(histogramPoint) } : {}),
  }));
}

function histogramPoint([at, { count, buckets }]: z.infer<typeof histogram>): HistogramPoint {
  return {
    atMs: Math.round(at * 1_000),
    count: Number(count),
    buckets: buckets
      .map(([, lower, upper, inside]) => ({ lower: numberIn(lower), upper: numberIn(upper), count: Number(inside) }))
      .toSorted((a, b) => a.upper - b.upper),
  };
}
