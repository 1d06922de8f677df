import type { CanaryMetric } from "../../api/analysis.ts";
import type { Canary, RouterName } from "../../api/canary.ts";
import type { Judgement } from "../../analysis/threshold.ts";
import type { MetricTemplate } from "../../api/metric-template.ts";
import type { Router } from "../../routing/router.ts";
import type { Events, Informers, Kube } from "../../kube/kube.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Logger } from "../../lib/log.ts";
import type { MetricProvider, MetricServer } from "../../metrics/metric-provider.ts";
import type { EnsureRevert } from "../failure.ts";
import type { Resources } from "../resources.ts";

/** What a Canary uses that does not say it itself. */
export interface CanaryDefaults {
  /** Missing: a Canary without `spec.provider` is Stalled. */
  readonly provider?: RouterName | undefined;
  /** Address of a Prometheus. Missing: a Canary that needs one and names none is Stalled. */
  readonly metricsServer?: string | undefined;
}

/** Everything the Canary's controller needs of the world. */
export interface CanaryDeps {
  readonly kube: Kube;
  readonly informers: Informers;
  readonly events: Events;
  readonly clock: Clock;
  readonly log: Logger;
  readonly canaries: Resources<Canary>;
  readonly templates: Resources<MetricTemplate>;
  readonly routers: Readonly<Record<RouterName, Router>>;
  readonly metricProviders: Readonly<Record<"prometheus", (server: MetricServer) => MetricProvider>>;
  readonly ensureRevert: EnsureRevert;
  readonly defaults: CanaryDefaults;
}

/** One look at a release: asks the metric servers and judges. A server that is down makes it inconclusive; only an abort throws. */
export type RunCheck = (canary: Canary, due: readonly CanaryMetric[], signal: AbortSignal) => Promise<Judgement>;
