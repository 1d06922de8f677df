import type { KubeObject } from "../api/object.ts";
import { StalledError } from "../lib/errors.ts";
import { isRecord } from "../lib/json.ts";

/** Labels that may tell the primary's pods from the canary's, in the order in which they are looked for. */
export const selectorLabels = ["app", "name", "app.kubernetes.io/name"] as const;

/** How the pods of the target are selected, and how those of its primary. */
export interface Selectors {
  /** The label whose value differs. */
  readonly label: string;
  /** Its value on the target's pods; the primary's have `<value>-primary`. */
  readonly value: string;
  readonly target: Readonly<Record<string, string>>;
  readonly primary: Readonly<Record<string, string>>;
}

/** The selectors of a Deployment and its primary. Throws StalledError when no label of the target can tell them apart. */
export function selectorsOf(target: KubeObject): Selectors {
  const { name, namespace } = target.metadata;
  const spec = isRecord(target["spec"]) ? target["spec"] : {};
  const selector = isRecord(spec["selector"]) ? spec["selector"] : {};
  const labels = stringsOf(selector["matchLabels"]);
  const label = selectorLabels.find((key) => labels[key] !== undefined);
  const value = label === undefined ? undefined : labels[label];
  if (label === undefined || value === undefined) {
    throw new StalledError(
      "SelectorLabelMissing",
      `Deployment ${namespace}/${name}: spec.selector.matchLabels has none of ${selectorLabels.join(", ")}; one of them must tell the primary's pods from the canary's`,
    );
  }
  return { label, value, target: labels, primary: { ...labels, [label]: `${value}-primary` } };
}

/**
 * The pod template for the primary's pods: its label, and the label selectors inside (anti-affinity, topology spread) that
 * meant the target's own pods now mean the primary's.
 */
export function relabel(template: Readonly<Record<string, unknown>>, selectors: Selectors): Record<string, unknown> {
  const metadata = isRecord(template["metadata"]) ? template["metadata"] : {};
  const spec = isRecord(template["spec"]) ? template["spec"] : {};
  const labels = { ...stringsOf(metadata["labels"]), [selectors.label]: selectors.primary[selectors.label] };
  const changed = ["affinity", "topologySpreadConstraints"]
    .filter((field) => spec[field] !== undefined)
    .map((field) => [field, walk(spec[field], selectors)]);
  return { ...template, metadata: { ...metadata, labels }, spec: { ...spec, ...Object.fromEntries(changed) } };
}

function walk(value: unknown, selectors: Selectors): unknown {
  if (Array.isArray(value)) return value.map((item) => walk(item, selectors));
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([field, inner]) => [
      field,
      field === "labelSelector" && isRecord(inner) ? reselect(inner, selectors) : walk(inner, selectors),
    ]),
  );
}

function reselect(labelSelector: Readonly<Record<string, unknown>>, { label, value }: Selectors): Record<string, unknown> {
  const own = `${value}-primary`;
  const labels = stringsOf(labelSelector["matchLabels"]);
  const matchLabels = labels[label] === value ? { matchLabels: { ...labels, [label]: own } } : {};
  const expressions = labelSelector["matchExpressions"];
  const matchExpressions = Array.isArray(expressions)
    ? { matchExpressions: expressions.map((expression: unknown) => reexpress(expression, label, { value, own })) }
    : {};
  return { ...labelSelector, ...matchLabels, ...matchExpressions };
}

function reexpress(expression: unknown, label: string, { value, own }: { value: string; own: string }): unknown {
  if (!isRecord(expression) || expression["key"] !== label || !Array.isArray(expression["values"])) return expression;
  return { ...expression, values: expression["values"].map((item: unknown) => (item === value ? own : item)) };
}

function stringsOf(labels: unknown): Record<string, string> {
  if (!isRecord(labels)) return {};
  return Object.fromEntries(Object.entries(labels).filter((entry): entry is [string, string] => typeof entry[1] === "string"));
}
