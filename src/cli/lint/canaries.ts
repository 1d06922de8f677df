import type { CanaryMetric } from "../../api/analysis.ts";
import { type Canary, canary as canaryKind } from "../../api/canary.ts";
import { metricTemplate } from "../../api/metric-template.ts";
import { keyOf, type KubeObject, type ObjectRef } from "../../api/object.ts";
import { type Cluster, clusterOf, kindsRead } from "../../controllers/canary/cluster.ts";
import type { CanaryDefaults } from "../../controllers/canary/deps.ts";
import { routerOf } from "../../controllers/canary/provider.ts";
import { startChecks } from "../../controllers/canary/start-checks.ts";
import { refuseGenerated, targetOf } from "../../gitops/handover.ts";
import { systemClock } from "../../lib/clock.ts";
import { StalledError } from "../../lib/errors.ts";
import { checkQuery } from "../../metrics/check-query.ts";
import { metricProviders } from "../../metrics/providers.ts";
import { routers } from "../../routing/routers.ts";
import type { Findings } from "./findings.ts";
import { finder, type GivenCluster, givenCluster, typed } from "./given.ts";
import type { GivenObject } from "./problem.ts";
import { requirePromql } from "./promql.ts";

/** What the checks of objects look at. */
export interface Linted {
  readonly findings: Findings;
  /** All objects of the files. */
  readonly objects: readonly GivenObject[];
  readonly cluster: GivenCluster;
  /** What the controller that will see them is started with. */
  readonly defaults: CanaryDefaults;
}

/** Tells what would stall a Canary: by the very checks that its controller makes before it begins anything. */
export async function lintCanaries(linted: Linted): Promise<void> {
  const { objects, findings } = linted;
  const canaries = typed(canaryKind, objects);
  const all = canaries.map(({ value }) => value);
  const generated = await lintGenerated(findings, objects, all);
  // What was just told is not told again as a name that is taken.
  const others = givenCluster(objects.filter((given) => !generated.has(given)).map(({ object }) => object));
  for (const { given, value } of canaries) await lintCanary({ ...linted, cluster: others }, { given, canary: value, all });
}

/** Objects that a Canary makes by itself and that the files describe all the same. */
async function lintGenerated(findings: Findings, objects: readonly GivenObject[], all: readonly Canary[]): Promise<Set<GivenObject>> {
  const generated = new Set<GivenObject>();
  const refuse = (given: readonly GivenObject[]): void => {
    const [first] = given;
    refuseGenerated(given.map(({ object }) => object), all, () => (first ? `${first.file}:${first.lineOf("")}` : ""));
  };
  // One look at all of them is enough where nothing is wrong.
  try {
    refuse(objects);
  } catch (error) {
    if (!(error instanceof StalledError)) throw error;
    for (const given of objects) if (!(await findings.check(given, "metadata.name", () => refuse([given])))) generated.add(given);
  }
  return generated;
}

interface One {
  readonly given: GivenObject;
  readonly canary: Canary;
  readonly all: readonly Canary[];
}

/** Checks of which nothing can be said while the router is not known. */
const needRouter = new Set(["metadata.name", "spec.service", "spec.ingressRef"]);

async function lintCanary({ findings, cluster: { open, closed, kube }, defaults }: Linted, { given, canary, all }: One): Promise<void> {
  const hasRouter = await findings.check(given, "spec.provider", () => routerOf(defaults, canary));
  const router = routers[hasRouter ? routerOf(defaults, canary) : "gatewayapi:v1"];
  const templates = finder(metricTemplate, open);
  const [named, made] = [clusterOf(open), clusterOf(closed)];
  const checks = startChecks(
    {
      kube,
      informers: open,
      templates,
      metricProviders,
      defaults,
      clock: systemClock,
      all,
      router,
      cluster: { ...made, find: (ref) => (isAutoscalerOf(canary, ref) ? named : made).find(ref) },
      inputs: () => router.inputs(canary).flatMap((ref) => named.find(ref) ?? []),
      target: () => requireTarget(canary, named),
    },
    canary,
  );
  const signal = new AbortController().signal;
  for (const check of checks)
    if (hasRouter || !needRouter.has(check.field)) await findings.check(given, check.field, () => check.run(signal));
  for (const [index, metric] of (canary.spec.analysis.metrics ?? []).entries())
    await findings.check(given, `spec.analysis.metrics[${index}]`, () => requireQuery(canary, metric, templates));
}

function isAutoscalerOf({ spec: { autoscalerRef } }: Canary, { kind, name }: ObjectRef): boolean {
  return autoscalerRef !== undefined && kind === autoscalerRef.kind && name === autoscalerRef.name;
}

/** A Canary waits for its target; in Git it should be there. */
function requireTarget(canary: Canary, cluster: Cluster): KubeObject {
  const target = cluster.find({ ...kindsRead.deployment, namespace: canary.metadata.namespace, name: targetOf(canary).name });
  if (target) return target;
  const key = keyOf({ namespace: canary.metadata.namespace, name: canary.spec.targetRef.name });
  throw new StalledError("TargetMissing", `Deployment ${key}: not found, though spec.targetRef of Canary ${keyOf(canary.metadata)} names it`);
}

type Templates = ReturnType<typeof finder<typeof metricTemplate>>;
const hourMs = 3_600_000;

/** The query as it will be sent must be PromQL. One without variables of the Canary's was looked at with its template. */
function requireQuery(canary: Canary, metric: CanaryMetric, templates: Templates): void {
  const { templateRef } = metric;
  const key = templateRef && keyOf({ namespace: templateRef.namespace ?? canary.metadata.namespace, name: templateRef.name });
  const found = key === undefined ? undefined : templates.find(key);
  const template = found && { label: `MetricTemplate ${key}`, query: found.spec.query };
  if (template ? !template.query.includes("variables.") : metric.query === undefined) return;
  const nowMs = systemClock.nowMs();
  const { canary: query } = checkQuery({ canary, metric, template, source: () => "contour", sinceMs: nowMs - hourMs, nowMs });
  if (query !== undefined) requirePromql(template?.label ?? `Canary ${keyOf(canary.metadata)}, metric ${metric.name}`, query);
}
