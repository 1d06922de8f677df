import { isRecord } from "../../../lib/json.ts";
import { recordsAt } from "../read-fields.ts";

/** Whether labels satisfy a `matchLabels`/`matchExpressions` selector. An empty selector matches everything. */
export function selectorMatches(selector: Record<string, unknown>, labels: Readonly<Record<string, unknown>>): boolean {
  const exact = isRecord(selector["matchLabels"]) ? Object.entries(selector["matchLabels"]) : [];
  return (
    exact.every(([key, value]) => labels[key] === value) &&
    recordsAt(selector, "matchExpressions").every((expression) => expressionMatches(expression, labels))
  );
}

function expressionMatches(expression: Record<string, unknown>, labels: Readonly<Record<string, unknown>>): boolean {
  const value = labels[String(expression["key"])];
  const values = Array.isArray(expression["values"]) ? expression["values"] : [];
  switch (expression["operator"]) {
    case "In":
      return values.includes(value);
    case "NotIn":
      return !values.includes(value);
    case "Exists":
      return value !== undefined;
    default:
      return value === undefined;
  }
}
