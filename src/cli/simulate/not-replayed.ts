import { type CanaryMetric, methodOf } from "../../api/analysis.ts";
import type { CanarySpec } from "../../api/canary.ts";
import { successMetricOf } from "./replay.ts";

/** What of a Canary is not replayed, each by its field and with the reason, one a line. Silence would look as if it had passed. */
export function notReplayed(spec: CanarySpec): string[] {
  const { analysis } = spec;
  return [
    ...(spec.skipAnalysis ? ["spec.skipAnalysis promotes without checks: not replayed, releases are judged here as they would be without it"] : []),
    ...(analysis.metrics ?? []).flatMap((metric, index) => metricLines(metric, `spec.analysis.metrics[${index}]`)),
    ...(analysis.metrics && !successMetricOf(analysis)
      ? [`spec.analysis.metrics has no request-success-rate: threshold is replayed with spec.analysis.slo (${analysis.slo} %) in its place`]
      : []),
    ...(analysis.iterations === undefined
      ? []
      : [`spec.analysis.iterations (${analysis.iterations}) split no traffic: not replayed, threshold and fixed steps are replayed with a split`]),
    ...undecidedLines(analysis),
    ...(analysis.onBlind === "hold"
      ? []
      : [`spec.analysis.onBlind (${analysis.onBlind}): not replayed, samples do not say when the metric server did not answer`]),
    ...(analysis.webhooks ?? []).map(({ name }, index) => `spec.analysis.webhooks[${index}] (${name}) asks a person or a program: not replayed`),
  ];
}

function metricLines({ name, query, templateRef }: CanaryMetric, path: string): string[] {
  const field = `${path} (${name})`;
  if (templateRef) return [`${field} is the query of MetricTemplate ${templateRef.name}: not replayed`];
  if (query !== undefined) return [`${field} is your own query: not replayed`];
  if (name !== "request-duration") return [];
  return [`${field} is a percentile, of which the samples hold only what was slower than --latency's bounds: not replayed`];
}

/** The shares are played with these, the threshold is not. */
function undecidedLines(analysis: CanarySpec["analysis"]): string[] {
  if (methodOf(analysis) !== "threshold") return [];
  const { onNoData, maxDuration } = analysis;
  return [
    ...(onNoData === "hold" ? [] : [`spec.analysis.onNoData (${onNoData}): not replayed for threshold, a check without a request holds`]),
    ...(maxDuration === undefined ? [] : [`spec.analysis.maxDuration (${maxDuration}): not replayed for threshold, a check that says nothing holds`]),
  ];
}
