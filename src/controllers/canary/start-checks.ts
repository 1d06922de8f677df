import { methodOf } from "../../api/analysis.ts";
import type { Canary } from "../../api/canary.ts";
import { keyOf, type KubeObject } from "../../api/object.ts";
import { selectorsOf } from "../../canary/selector.ts";
import { StalledError } from "../../lib/errors.ts";
import type { Router } from "../../routing/router.ts";
import type { Cluster } from "./cluster.ts";
import { claimNames, claimTarget } from "./handover.ts";
import { type MetricDeps, validateMetric } from "./metrics.ts";
import { requireMetricsServer } from "./share.ts";

/** Something that must be right before a Canary begins anything. */
interface StartCheck {
  /** The field that it is about. */
  readonly field: string;
  /** Throws StalledError naming what is wrong and the way out. */
  run(signal: AbortSignal): Promise<void> | void;
}

/** What the checks look at. */
interface Start extends MetricDeps {
  readonly cluster: Cluster;
  /** All there are. */
  readonly all: readonly Canary[];
  readonly router: Router;
  /** The user's objects that the router needs. */
  readonly inputs: () => readonly KubeObject[];
  readonly target: () => KubeObject | undefined;
}

/** What can be known to be wrong with a Canary before it begins anything, in the order in which it is said. */
export function startChecks(start: Start, canary: Canary): StartCheck[] {
  const { cluster, all, router, inputs, target } = start;
  const { analysis } = canary.spec;
  const metrics = (analysis.metrics ?? []).map((metric, index): StartCheck => ({
    field: `spec.analysis.metrics[${index}]`,
    run: (signal) => validateMetric(start, canary, metric, signal),
  }));
  const countsRequests = methodOf(analysis) === "share" || analysis.minRequests !== undefined;
  const metricsServer: StartCheck = { field: "spec.metricsServer", run: () => void requireMetricsServer(canary, start.defaults) };
  return [
    ...metrics,
    ...(countsRequests ? [metricsServer] : []),
    { field: "spec.autoscalerRef", run: () => requireAutoscaler(cluster, canary) },
    { field: "spec.targetRef", run: () => claimTarget(canary, all) },
    { field: "metadata.name", run: () => claimNames(cluster, canary, router, all) },
    {
      field: canary.spec.ingressRef ? "spec.ingressRef" : "spec.service",
      run: () => void router.routes(canary, { primary: 100, canary: 0 }, inputs()),
    },
    { field: "spec.targetRef", run: () => requireSelector(target()) },
  ];
}

function requireSelector(target: KubeObject | undefined): void {
  if (target) selectorsOf(target);
}

/** Without its autoscaler the primary would keep the replicas of this moment for ever. */
function requireAutoscaler(cluster: Cluster, { metadata, spec: { autoscalerRef } }: Canary): void {
  if (!autoscalerRef || cluster.find({ ...autoscalerRef, namespace: metadata.namespace })) return;
  const autoscaler = `${autoscalerRef.kind} ${keyOf({ namespace: metadata.namespace, name: autoscalerRef.name })}`;
  throw new StalledError("AutoscalerMissing", `${autoscaler}: not found, though spec.autoscalerRef of Canary ${keyOf(metadata)} names it; create it or remove the reference`);
}
