import type { KubeObject } from "../../api/object.ts";
import { isRecord } from "../../lib/json.ts";
import { badRequest } from "./api-error.ts";
import { scalarText } from "./read-fields.ts";
import type { ResourceType } from "./resource-type.ts";

/** Whether an object is selected. */
export type Selector = (object: KubeObject) => boolean;

type LabelTest = (labels: Readonly<Record<string, string>>) => boolean;

/** Reads a label selector such as `app=web,tier in (a, b),!legacy`. Throws 400 when it cannot be read. */
export function labelSelector(text: string): Selector {
  const tests = splitTerms(text).map(labelTest);
  return ({ metadata: { labels = {} } }) => tests.every((test) => test(labels));
}

function splitTerms(text: string): string[] {
  return text
    .split(/,(?![^(]*\))/)
    .map((term) => term.trim())
    .filter((term) => term !== "");
}

function labelTest(term: string): LabelTest {
  const [, setKey, membership, values = ""] = /^(\S+)\s+(in|notin)\s+\(([^)]*)\)$/.exec(term) ?? [];
  if (setKey !== undefined)
    return setTest(
      setKey,
      membership === "in",
      values.split(",").map((value) => value.trim()),
    );
  const [, key, operator, value] = /^([^\s!=]+)\s*(!=|==|=)\s*([^\s=!]*)$/.exec(term) ?? [];
  if (key !== undefined) return operator === "!=" ? (labels) => labels[key] !== value : (labels) => labels[key] === value;
  return comparison(term) ?? presence(term);
}

function presence(term: string): LabelTest {
  if (/^!\s*[^\s=!(),]+$/.test(term)) return (labels) => !Object.hasOwn(labels, term.slice(1).trim());
  if (/^[^\s=!(),]+$/.test(term)) return (labels) => Object.hasOwn(labels, term);
  throw badRequest(`unable to parse requirement: found '${term}', expected: a label requirement such as key=value`);
}

function setTest(key: string, wanted: boolean, values: string[]): LabelTest {
  return (labels) => {
    const value = labels[key];
    return (value !== undefined && values.includes(value)) === wanted;
  };
}

function comparison(term: string): LabelTest | undefined {
  const [, key, sign, bound] = /^(\S+)\s*([<>])\s*(-?\d+)$/.exec(term) ?? [];
  if (key === undefined) return undefined;
  return (labels) => {
    const value = Number(labels[key] ?? Number.NaN);
    return sign === "<" ? value < Number(bound) : value > Number(bound);
  };
}

/** Fields that can be selected beside `metadata.name` and `metadata.namespace`, by kind. */
const selectableFields: Readonly<Record<string, readonly string[]>> = {
  Pod: [
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "spec.hostNetwork",
    "status.phase",
    "status.podIP",
    "status.nominatedNodeName",
  ],
  Event: ["kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath"]
    .map((field) => `involvedObject.${field}`)
    .concat(["reason", "reportingComponent", "source", "type"]),
  Namespace: ["status.phase"],
  Node: ["spec.unschedulable"],
  Secret: ["type"],
  Service: ["spec.clusterIP", "spec.type"],
  ReplicaSet: ["status.replicas"],
  Job: ["status.successful"],
};

/** Reads a field selector such as `metadata.name=web,status.phase!=Running`. Throws 400 for a field that cannot be selected. */
export function fieldSelector(text: string, type: ResourceType): Selector {
  const known = new Set(["metadata.name", "metadata.namespace", ...(type.custom ? [] : (selectableFields[type.kind] ?? []))]);
  const tests = text
    .split(",")
    .filter((term) => term.trim() !== "")
    .map((term): Selector => {
      const match = /^([^!=]+)(!=|==|=)(.*)$/.exec(term.trim());
      if (!match) throw badRequest(`invalid selector: '${text}'; can't understand '${term}'`);
      const [, field = "", operator, value = ""] = match;
      if (!known.has(field))
        throw badRequest(
          known.size > 2
            ? `field label not supported: ${field}`
            : `"${field}" is not a known field selector: only "metadata.name", "metadata.namespace"`,
        );
      return (object) => (fieldText(object, field) === value) === (operator !== "!=");
    });
  return (object) => tests.every((test) => test(object));
}

function fieldText(object: KubeObject, field: string): string {
  if (field === "source" && isRecord(object["source"])) return scalarText(object["source"]["component"]);
  const value = field.split(".").reduce<unknown>((node, part) => (isRecord(node) ? node[part] : undefined), object);
  if (value === undefined || value === null) return field === "spec.unschedulable" || field === "spec.hostNetwork" ? "false" : "";
  return scalarText(value);
}

/** Both selectors of a request together; missing ones select everything. */
export function requestSelector(query: URLSearchParams, type: ResourceType): Selector {
  const labels = labelSelector(query.get("labelSelector") ?? "");
  const fields = fieldSelector(query.get("fieldSelector") ?? "", type);
  return (object) => labels(object) && fields(object);
}

/** A `matchLabels`/`matchExpressions` object as selector text, for the scale subresource and tables. */
export function selectorText(selector: unknown): string {
  if (!isRecord(selector)) return typeof selector === "string" ? selector : "";
  const labels = isRecord(selector["matchLabels"])
    ? Object.entries(selector["matchLabels"]).map(([key, value]) => `${key}=${String(value)}`)
    : [];
  const expressions = Array.isArray(selector["matchExpressions"]) ? selector["matchExpressions"].filter(isRecord).map(expressionText) : [];
  return [...labels, ...expressions].join(",");
}

function expressionText(expression: Record<string, unknown>): string {
  const key = String(expression["key"]);
  const values = Array.isArray(expression["values"]) ? expression["values"].map(String).join(",") : "";
  const forms: Record<string, string> = {
    In: `${key} in (${values})`,
    NotIn: `${key} notin (${values})`,
    Exists: key,
    DoesNotExist: `!${key}`,
  };
  return forms[String(expression["operator"])] ?? key;
}
