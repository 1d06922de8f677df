import { nextConditions } from "../../api/conditions.ts";
import { names } from "../../api/meta.ts";
import type { MetricTemplate } from "../../api/metric-template.ts";
import { keyOf } from "../../api/object.ts";
import type { Reconcile } from "../../kube/kube.ts";
import type { Clock } from "../../lib/clock.ts";
import { renderTemplate } from "../../metrics/template.ts";
import type { Resources } from "../resources.ts";

/** What checking a MetricTemplate needs. */
interface MetricTemplateDeps {
  readonly templates: Resources<MetricTemplate>;
  readonly clock: Clock;
}

/** Says of each MetricTemplate whether its query can be used: Ready, or Stalled naming what is wrong with it. */
export function metricTemplateReconciler({ templates, clock }: MetricTemplateDeps): Reconcile {
  return async (key, signal) => {
    const template = templates.find(key);
    if (!template || template.metadata.deletionTimestamp !== undefined) return {};
    checkTemplate(`MetricTemplate ${keyOf(template.metadata)}`, template.spec.query);
    const { generation = 0, annotations } = template.metadata;
    const requestedAt = annotations?.[names.requestedAt];
    const conditions = nextConditions(
      template.status.conditions,
      { ready: "True", state: "done", reason: "QueryValid", message: "the query can be used" },
      { generation, nowMs: clock.nowMs() },
    );
    await templates.patchStatus(
      template,
      {
        ...template.status,
        observedGeneration: generation,
        ...(requestedAt === undefined ? {} : { lastHandledReconcileAt: requestedAt }),
        conditions,
      },
      signal,
    );
    return {};
  };
}

const exampleNames = { name: "x", namespace: "x", target: "x", service: "x", ingress: "x", route: "x" };

/**
 * The query with an example in place of each variable. Throws StalledError for one that no Canary could use; which variables
 * there are only the Canary knows.
 */
export function checkTemplate(label: string, query: string): string {
  const variables = Object.fromEntries([...query.matchAll(/variables\.([\w-]+)/g)].map(([, key]) => [key, "1"]));
  return renderTemplate({ label, query }, { names: exampleNames, interval: "1m", variables, side: "canary" });
}
