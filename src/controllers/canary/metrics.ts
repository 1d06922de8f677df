import { checkOf } from "../../analysis/check.ts";
import type { MetricSample } from "../../analysis/sample.ts";
import { judge, type Judgement } from "../../analysis/threshold.ts";
import type { CanaryMetric } from "../../api/analysis.ts";
import type { Canary } from "../../api/canary.ts";
import { type KindRef, keyOf } from "../../api/object.ts";
import type { ProxyName } from "../../api/proxies.ts";
import type { Kube } from "../../kube/kube.ts";
import { StalledError } from "../../lib/errors.ts";
import { isRecord } from "../../lib/json.ts";
import { checkQuery, type CheckQuery } from "../../metrics/check-query.ts";
import { measure } from "../../metrics/measure.ts";
import type { MetricProvider } from "../../metrics/metric-provider.ts";
import { isBuiltin, sourceFor } from "../../metrics/queries.ts";
import type { QueryTemplate } from "../../metrics/template.ts";
import { metricAuth } from "./metric-auth.ts";
import type { Requests } from "./check-requests.ts";
import type { CanaryDeps } from "./deps.ts";
import { routerOf } from "./provider.ts";

/** Limit of one query: shorter than any sensible interval is long. */
export const queryTimeoutMs = 5_000;

/** What measuring needs. */
export interface MetricDeps extends Pick<CanaryDeps, "informers" | "metricProviders" | "defaults" | "clock"> {
  readonly kube: Pick<Kube, "find">;
  readonly templates: Pick<CanaryDeps["templates"], "find">;
}
type Deps = MetricDeps;

/** What a check is made of. */
interface Check {
  readonly due: readonly CanaryMetric[];
  /** How many requests it rests on; `undefined` where that does not matter. */
  readonly requests: Promise<Requests | undefined>;
}

/**
 * Measures these metrics of the canary, and of the primary where the canary fails, and judges them. What cannot be
 * measured is inconclusive, also a template that has gone: nothing but an abort throws.
 */
export async function runCheck(deps: Deps, canary: Canary, check: Check, signal: AbortSignal): Promise<Judgement> {
  const { threshold, minRequests } = canary.spec.analysis;
  const samples = Promise.all(check.due.map((metric) => sample(deps, canary, metric, signal)));
  const [measured, requests] = await Promise.all([samples, check.requests]);
  const state = { failedChecks: canary.status.failedChecks ?? 0, threshold };
  // A check of which nobody knows how many requests it rests on cannot be scored.
  if (requests?.kind === "error") return judge(check.due.map((metric) => ({ metric, canary: requests })), state);
  return judge(measured, { ...state, requests: requests?.value, minRequests });
}

/** Throws StalledError when this metric of a Canary could never be measured: said before a run, not during it. */
export async function validateMetric(deps: Deps, canary: Canary, metric: CanaryMetric, signal: AbortSignal): Promise<void> {
  await providerOf(deps, canary, metric, signal);
  await queryOf(deps, canary, metric, signal);
}

async function sample(deps: Deps, canary: Canary, metric: CanaryMetric, signal: AbortSignal): Promise<MetricSample> {
  try {
    const provider = await providerOf(deps, canary, metric, signal);
    const query = await queryOf(deps, canary, metric, signal);
    const measured = { metric, canary: await measure(provider, query.canary, signal) };
    // The primary is asked only when the canary fails: to tell a bad release from a shared outage.
    if (query.primary === undefined || checkOf(measured).verdict !== "fail") return measured;
    return { ...measured, primary: await measure(provider, query.primary, signal) };
  } catch (error) {
    if (!(error instanceof StalledError)) throw error;
    return { metric, canary: { kind: "error", error: "query", message: error.message } };
  }
}

async function queryOf(deps: Deps, canary: Canary, metric: CanaryMetric, signal: AbortSignal): Promise<CheckQuery> {
  const { firstTrafficAt, startedAt } = canary.status;
  // A blue/green run has no first step: whoever tests it may begin as soon as it runs.
  const since = firstTrafficAt ?? (canary.spec.analysis.iterations === undefined ? undefined : startedAt);
  const template = templateOf(deps.templates, canary, metric);
  const builtIn = template === undefined && metric.query === undefined && isBuiltin(metric.name);
  const source: ProxyName = builtIn ? await sourceOf(deps, canary, signal) : "contour";
  const sinceMs = since === undefined ? undefined : Date.parse(since);
  return checkQuery({ canary, metric, template, source: () => source, sinceMs, nowMs: deps.clock.nowMs() });
}

function templateOf(templates: Deps["templates"], canary: Canary, metric: CanaryMetric): QueryTemplate | undefined {
  if (!metric.templateRef) return undefined;
  const key = templateKey(canary, metric.templateRef);
  const template = templates.find(key);
  if (!template) throw new StalledError("MetricTemplateMissing", `MetricTemplate ${key}: not found, though metric ${metric.name} of Canary ${keyOf(canary.metadata)} names it`);
  return { label: `MetricTemplate ${key}`, query: template.spec.query };
}

function templateKey(
  { metadata }: Canary,
  { name, namespace = metadata.namespace }: { name: string; namespace?: string | undefined },
): string {
  return keyOf({ namespace, name });
}

async function providerOf(
  { kube, templates, metricProviders, defaults }: Deps,
  canary: Canary,
  metric: CanaryMetric,
  signal: AbortSignal,
): Promise<MetricProvider> {
  const template = metric.templateRef && templates.find(templateKey(canary, metric.templateRef));
  if (metric.templateRef && !template) templateOf(templates, canary, metric);
  if (template) {
    const { type, address, secretRef } = template.spec.provider;
    const auth = secretRef && (await metricAuth(kube, { namespace: template.metadata.namespace, name: secretRef.name }, signal));
    return metricProviders[type]({ address, auth, timeoutMs: queryTimeoutMs });
  }
  const address = canary.spec.metricsServer ?? defaults.metricsServer;
  if (address !== undefined) return metricProviders.prometheus({ address, timeoutMs: queryTimeoutMs });
  throw new StalledError("MetricsServerMissing", `Canary ${keyOf(canary.metadata)}: spec.metricsServer is not set and the controller has no default; set one of them, or give metric ${metric.name} a templateRef`);
}

/** Whose metrics the built-in queries read: that of the class behind the Gateway or Ingress. */
export async function sourceOf(deps: Deps, canary: Canary, signal: AbortSignal): Promise<ProxyName> {
  return routerOf(deps.defaults, canary) === "nginx" ? ingressSource(deps, canary, signal) : gatewaySource(deps, canary, signal);
}

async function gatewaySource(deps: Deps, canary: Canary, signal: AbortSignal): Promise<ProxyName> {
  const [ref] = canary.spec.service.gatewayRefs ?? [];
  if (!ref) throw new StalledError("GatewayMissing", `Canary ${keyOf(canary.metadata)}: spec.service.gatewayRefs must name a Gateway, by whose class the queries are chosen`);
  const apiVersion = "gateway.networking.k8s.io/v1";
  const gateway = keyOf({ namespace: ref.namespace ?? canary.metadata.namespace, name: ref.name });
  const name = await read(deps, { apiVersion, kind: "Gateway", key: gateway, field: "gatewayClassName" }, signal);
  if (name === undefined) throw new StalledError("GatewayMissing", `Gateway ${gateway}: not found, though spec.service.gatewayRefs of Canary ${keyOf(canary.metadata)} names it`);
  const controller = await read(deps, { apiVersion, kind: "GatewayClass", key: name, field: "controllerName" }, signal);
  if (controller === undefined) throw new StalledError("GatewayClassMissing", `GatewayClass ${name}: not found, though Gateway ${gateway} is of it`);
  return sourceFor({ kind: "GatewayClass", name, controller });
}

async function ingressSource(deps: Deps, canary: Canary, signal: AbortSignal): Promise<ProxyName> {
  const apiVersion = "networking.k8s.io/v1";
  const key = keyOf({ namespace: canary.metadata.namespace, name: canary.spec.ingressRef?.name ?? "" });
  const name = await read(deps, { apiVersion, kind: "Ingress", key, field: "ingressClassName" }, signal);
  const controller =
    name === undefined ? undefined : await read(deps, { apiVersion, kind: "IngressClass", key: name, field: "controller" }, signal);
  // An Ingress without a class, or of a class without an object, belongs to the provider that the Canary names.
  return sourceFor({ kind: "IngressClass", name: name ?? "nginx", controller: controller ?? "k8s.io/ingress-nginx" });
}

/** A text field of an object's spec, from the shared copy. */
async function read(
  { informers }: Deps,
  { apiVersion, kind, key, field }: KindRef & { key: string; field: string },
  signal: AbortSignal,
): Promise<string | undefined> {
  const informer = informers.of({ apiVersion, kind });
  await informer.whenSynced(signal);
  const spec = informer.find(key)?.["spec"];
  const value = isRecord(spec) ? spec[field] : undefined;
  return typeof value === "string" ? value : undefined;
}
