import type { MetricTemplateSpec } from "../api/metric-template.ts";
import type { MetricProvider, MetricServer } from "./metric-provider.ts";
import { prometheus } from "./prometheus.ts";

/** Metric servers by the names that users write in `provider.type`. */
type MetricProviderName = MetricTemplateSpec["provider"]["type"];

/** How to talk to each kind of server. One more is one file and one line here. */
export const metricProviders = { prometheus } satisfies Record<MetricProviderName, (server: MetricServer) => MetricProvider>;
