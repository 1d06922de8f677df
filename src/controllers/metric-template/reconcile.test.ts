import { expect, test } from "vitest";
import { apiVersion } from "../../api/meta.ts";
import { type MetricTemplate, metricTemplate } from "../../api/metric-template.ts";
import { systemClock } from "../../lib/clock.ts";
import type { Resources } from "../resources.ts";
import { metricTemplateReconciler } from "./reconcile.ts";

/** Reconciles one template and returns the status that was written. */
async function reconciled(query: string): Promise<MetricTemplate["status"] | undefined> {
  const spec = metricTemplate.spec.parse({ provider: { type: "prometheus", address: "http://prometheus:9090" }, query });
  const template: MetricTemplate = {
    apiVersion,
    kind: "MetricTemplate",
    metadata: { name: "errors", namespace: "shop", generation: 3 },
    spec,
    status: {},
  };
  let written: MetricTemplate["status"] | undefined;
  const templates: Pick<Resources<MetricTemplate>, "find" | "patchStatus"> = {
    find: () => template,
    patchStatus: async (resource, status) => {
      written = status as MetricTemplate["status"];
      return resource;
    },
  };
  await metricTemplateReconciler({ templates: templates as Resources<MetricTemplate>, clock: systemClock })(
    "shop/errors",
    AbortSignal.timeout(1_000),
  );
  return written;
}

test("a query that can be used is Ready, whatever variables its Canaries give it", async () => {
  const status = await reconciled('sum(rate(errors{app="{{ target }}",team="{{ variables.team }}"}[{{ interval }}]))');
  expect(status).toMatchObject({ observedGeneration: 3, conditions: [{ type: "Ready", status: "True", reason: "QueryValid" }] });
});

test.each([
  ["an unknown variable", "errors{{ nope }}", /unknown variable \{\{ nope \}\}/],
  ["an open brace", "errors{{ target", /not closed/],
])("a query with %s is Stalled, naming it", async (_, query, message) => {
  await expect(reconciled(query)).rejects.toThrow(message);
});
