import { Registry } from "prom-client";
import { silentLogger } from "../src/lib/log.ts";
import { hookReceiver } from "../src/server/hooks.ts";
import { createMetrics } from "../src/server/metrics/metrics.ts";

/** One metric as it is served at /metrics. */
export interface ServedMetric {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
  readonly help: string;
}

/** Every metric that a controller serves, its own and those of the process. */
export function servedMetrics(): ServedMetric[] {
  const { registry } = createMetrics({ version: "0", isLeading: () => false });
  hookReceiver({ find: async () => undefined, request: async () => {}, nowMs: () => 0, log: silentLogger, registry });
  return metricsIn(registry);
}

function metricsIn(registry: Registry): ServedMetric[] {
  return registry.getMetricsAsArray().map((metric) => {
    const { labelNames = [] } = metric as { labelNames?: readonly string[] };
    return { name: metric.name, type: String(metric.type), labels: labelNames, help: metric.help };
  });
}

/** The table of Serin's own metrics in docs/metrics.md. */
export function metricsTable(): string {
  const own = servedMetrics()
    .filter(({ name }) => name.startsWith("serin_"))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const rows = own.map(({ name, type, labels, help }) => `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(", ")} | ${help} |`);
  return `| Metric | Type | Labels | Meaning |\n|---|---|---|---|\n${rows.join("\n")}\n`;
}
