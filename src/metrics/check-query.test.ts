import { expect, test } from "vitest";
import type { CanaryMetric } from "../api/analysis.ts";
import { canary as canaryKind, type Canary } from "../api/canary.ts";
import { parseObject } from "../api/meta.ts";
import { checkQuery, type CheckQueryInput } from "./check-query.ts";
import { measure } from "./measure.ts";
import { MetricError, type MetricProvider } from "./metric-provider.ts";
import { prometheus } from "./prometheus.ts";
import { metricProviders } from "./providers.ts";
import { sources } from "./queries.ts";

function canary(metric: Partial<CanaryMetric>, service: object = {}): Canary {
  const spec = {
    targetRef: { kind: "Deployment", name: "web" },
    service: { port: 8080, ...service },
    analysis: { stepWeight: 10, metrics: [{ name: "request-success-rate", thresholdRange: { min: 99 }, ...metric }] },
  };
  const parsed = parseObject(canaryKind, {
    apiVersion: "serin.dev/v1beta1",
    kind: "Canary",
    metadata: { name: "checkout", namespace: "shop" },
    spec,
  });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.value as Canary;
}

const nowMs = 1_000_000_000;

function queries(metric: Partial<CanaryMetric>, { agoMs, ...more }: Partial<CheckQueryInput> & { agoMs?: number } = {}) {
  const subject = canary(metric);
  return checkQuery({
    canary: subject,
    metric: subject.spec.analysis.metrics![0]!,
    source: () => "contour",
    sinceMs: nowMs - (agoMs ?? 600_000),
    nowMs,
    ...more,
  });
}

test("a ready-made metric asks the proxy about both sides, no further back than the first traffic", () => {
  const input = { namespace: "shop", target: "web", service: "web", ingress: "web", port: 8080, interval: "7s" } as const;
  expect(queries({}, { agoMs: 7_900 })).toEqual({
    canary: sources.contour["request-success-rate"]({ ...input, side: "canary" }),
    primary: sources.contour["request-success-rate"]({ ...input, side: "primary" }),
  });
});

test("in the first second of traffic nothing is asked", () => {
  expect(queries({}, { agoMs: 900 })).toEqual({ canary: undefined });
  expect(queries({}, { sinceMs: undefined })).toEqual({ canary: undefined });
  expect(queries({ name: "errors", query: "sum(rate(x[{{ interval }}]))" }, { agoMs: 900 })).toEqual({ canary: undefined });
});

test("an inline query has the variables of a template", () => {
  const metric = {
    name: "errors",
    interval: "2m",
    query: 'sum(rate(x{app="{{ target }}",code=~"{{ variables.code }}"}[{{ interval }}]))',
    templateVariables: { code: "5.." },
  };
  expect(queries(metric)).toEqual({
    canary: 'sum(rate(x{app="web",code=~"5.."}[120s]))',
    primary: 'sum(rate(x{app="web-primary",code=~"5.."}[120s]))',
  });
});

test("a template comes before the ready-made query, and the primary is not asked what is the same for both", () => {
  const template = { label: "MetricTemplate shop/success", query: 'sum(rate(x{namespace="{{ namespace }}"}[{{ interval }}]))' };
  expect(queries({ templateRef: { name: "success" } }, { template })).toEqual({ canary: 'sum(rate(x{namespace="shop"}[60s]))' });
});

test("a query with a window of its own waits until that shows this revision alone", () => {
  const metric = { name: "errors", interval: "30s", query: 'sum(rate(x{app="{{ target }}"}[30s]))' };
  expect(queries(metric, { agoMs: 29_900 })).toEqual({ canary: undefined });
  expect(queries(metric, { agoMs: 30_000 })).toMatchObject({ canary: 'sum(rate(x{app="web"}[30s]))' });
});

test("a query that cannot be written says so at once, with the Canary and metric it is in", () => {
  expect(() => queries({ name: "errors", query: "{{ nothing }}" }, { sinceMs: undefined })).toThrow(
    "Canary shop/checkout, metric errors: unknown variable {{ nothing }}",
  );
  expect(() => queries({ name: "errors" })).toThrow(
    "Canary shop/checkout, metric errors: not one of request-success-rate, request-duration; give it a templateRef or a query",
  );
});

test("a measurement says what happened instead of throwing, but for an abort", async () => {
  const signal = new AbortController().signal;
  const provider = (answer: () => ReturnType<MetricProvider["query"]>): MetricProvider => ({ query: answer });
  expect(
    await measure(
      provider(async () => ({ kind: "number", value: 1 })),
      "up",
      signal,
    ),
  ).toEqual({ kind: "number", value: 1 });
  expect(
    await measure(
      provider(() => Promise.reject(new MetricError("unavailable", "down"))),
      "up",
      signal,
    ),
  ).toEqual({ kind: "error", error: "unavailable", message: "down" });
  expect(
    await measure(
      provider(() => Promise.reject(new Error("asked"))),
      undefined,
      signal,
    ),
  ).toEqual({ kind: "tooEarly" });
  await expect(
    measure(
      provider(() => Promise.reject(new Error("shutting down"))),
      "up",
      signal,
    ),
  ).rejects.toThrow("shutting down");
});

test("every provider that a MetricTemplate may name is there", () => {
  expect(metricProviders.prometheus).toBe(prometheus);
});
