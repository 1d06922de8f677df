import type { CanaryMetric } from "../api/analysis.ts";
import type { Canary } from "../api/canary.ts";
import type { ProxyName, Version } from "../api/proxies.ts";
import { parseDurationMs } from "../lib/duration.ts";
import { StalledError } from "../lib/errors.ts";
import { builtinMetrics, isBuiltin, type QueryInput, sources } from "./queries.ts";
import { type QueryTemplate, renderTemplate, type TemplateNames, tellsSidesApart, usesInterval } from "./template.ts";
import { formatWindow, windowMs } from "./window.ts";

/** What a metric's query is made from. */
export interface CheckQueryInput {
  readonly canary: Canary;
  readonly metric: CanaryMetric;
  /** The proxy whose metrics the built-in queries read; asked only for these. Throws StalledError when there is none. */
  readonly source: () => ProxyName;
  /** The MetricTemplate that `templateRef` names; without one the metric's own `query` is used. */
  readonly template?: QueryTemplate | undefined;
  /** When this revision first got traffic; `undefined` before that. */
  readonly sinceMs: number | undefined;
  readonly nowMs: number;
}

/** One metric's queries, ready to send. `undefined` in place of a query: it is too early to ask. */
export interface CheckQuery {
  readonly canary: string | undefined;
  /** The same question about the primary. Missing when the query cannot tell the two apart. */
  readonly primary?: string;
}

/** The queries of one metric. Pure. Throws StalledError for a query that cannot be written. */
export function checkQuery(input: CheckQueryInput): CheckQuery {
  const { metric, canary } = input;
  const template = input.template ?? inlineTemplate(canary, metric);
  if (template) return templateQuery(input, template);
  if (isBuiltin(metric.name)) return builtinQuery(input, sources[input.source()][metric.name]);
  throw new StalledError(
    "InvalidQuery",
    `${labelOf(canary, metric)}: not one of ${builtinMetrics.join(", ")}; give it a templateRef or a query`,
  );
}

function builtinQuery({ canary, metric, sinceMs, nowMs }: CheckQueryInput, write: (input: QueryInput) => string): CheckQuery {
  const window = windowMs(parseDurationMs(metric.interval), sinceMs, nowMs);
  if (window === undefined) return { canary: undefined };
  const { namespace, target, service, ingress } = templateNames(canary);
  const query = (side: Version) =>
    write({ namespace, target, service, ingress, port: canary.spec.service.port, interval: formatWindow(window), side });
  return { canary: query("canary"), primary: query("primary") };
}

function templateQuery({ canary, metric, sinceMs, nowMs }: CheckQueryInput, template: QueryTemplate): CheckQuery {
  const intervalMs = parseDurationMs(metric.interval);
  const window = windowMs(intervalMs, sinceMs, nowMs);
  const render = (side: Version) =>
    renderTemplate(template, {
      names: templateNames(canary),
      interval: formatWindow(window ?? intervalMs),
      variables: metric.templateVariables ?? {},
      side,
    });
  // Rendered even when it is too early, so that a broken query is said at once and not after the first step.
  const query = render("canary");
  // A window written out in the query cannot be shortened; only after the metric's interval does it show this revision alone.
  const tooEarly = window === undefined || sinceMs === undefined || (!usesInterval(template) && nowMs - sinceMs < intervalMs);
  if (tooEarly) return { canary: undefined };
  return tellsSidesApart(template) ? { canary: query, primary: render("primary") } : { canary: query };
}

function inlineTemplate(canary: Canary, metric: CanaryMetric): QueryTemplate | undefined {
  return metric.query === undefined ? undefined : { label: labelOf(canary, metric), query: metric.query };
}

function labelOf({ metadata }: Canary, { name }: CanaryMetric): string {
  return `Canary ${metadata.namespace ?? "default"}/${metadata.name}, metric ${name}`;
}

/** The names that queries of this Canary may use, as Flagger gives them. */
function templateNames({ metadata, spec }: Canary): TemplateNames {
  const target = spec.targetRef.name;
  return {
    name: metadata.name,
    namespace: metadata.namespace ?? "default",
    target,
    service: spec.service.name ?? target,
    ingress: spec.ingressRef?.name ?? target,
    route: target,
  };
}
