import type { SyntaxNodeRef } from "@lezer/common";
import { parser } from "@prometheus-io/lezer-promql";
import { servedMetrics } from "../../hack/metrics-table.ts";

/** Labels that Prometheus gives to what it scrapes. */
const targetLabels = ["instance", "pod", "job", "namespace", "container", "endpoint"];
const histogramSuffix = /_(?:bucket|count|sum)$/;

const served = new Map(servedMetrics().map((metric) => [metric.name, metric]));

/** What is wrong with a query: broken syntax, a metric that Serin does not serve, a label that none of its metrics has. */
export function problemsOf(query: string): string[] {
  const problems: string[] = [];
  const labels = new Set([...targetLabels, "__name__"]);
  const used: string[] = [];
  const text = ({ from, to }: SyntaxNodeRef): string => query.slice(from, to);
  parser.parse(query).iterate({
    enter: (node) => {
      if (node.type.isError) problems.push(`syntax error at ${node.from + 1}`);
      if (node.name === "LabelName") used.push(text(node));
      if (node.name !== "Identifier") return;
      const known = metricOf(text(node));
      if (!known) problems.push(`no metric ${text(node)}`);
      for (const label of known?.labels ?? []) labels.add(label);
    },
  });
  return [...problems, ...used.filter((label) => !labels.has(label)).map((label) => `no label ${label}`)];
}

function metricOf(name: string): { labels: readonly string[] } | undefined {
  const base = served.get(name);
  if (base) return base.type === "histogram" ? undefined : base;
  const histogram = served.get(name.replace(histogramSuffix, ""));
  if (histogram?.type !== "histogram") return undefined;
  return { labels: name.endsWith("_bucket") ? [...histogram.labels, "le"] : histogram.labels };
}
