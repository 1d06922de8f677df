import { kinds } from "../../api/kinds.ts";
import { apiVersion } from "../../api/meta.ts";
import { groupOf, type KubeObject, keyOf } from "../../api/object.ts";
import { isRecord, type Json } from "../../lib/json.ts";
import { type LocatedDocument, parseLocated, YamlError } from "../../lib/yaml.ts";
import type { InputText } from "./files.ts";
import type { GivenObject, Problem } from "./problem.ts";

/** What the texts hold. */
export interface Given {
  readonly objects: readonly GivenObject[];
  /** What cannot be read as objects. */
  readonly problems: readonly Problem[];
}

/** Kinds that others are looked up by, and that live in namespaces; a manifest may leave the namespace to kubectl or kustomize. */
const namespaced = new Set([
  "Deployment",
  "Service",
  "ConfigMap",
  "Secret",
  "Ingress",
  "Gateway",
  "HTTPRoute",
  "HorizontalPodAutoscaler",
]);

/** Whether an object is one of ours. */
export function isOurs({ apiVersion: version }: KubeObject): boolean {
  return groupOf(version) === groupOf(apiVersion);
}

/** Kinds of other projects that have the names of ours, such as Flagger's Canary, with their versions. */
export function namesakesIn(objects: readonly KubeObject[]): string[] {
  const theirs = objects.filter((object) => !isOurs(object) && kinds.some(({ kind }) => kind === object.kind));
  return [...new Set(theirs.map(({ kind, apiVersion: version }) => `${kind} of ${version}`))].sort();
}

/** All objects of the texts; `List`s give their items. What was found in a folder and does not speak of us need not be readable. */
export function objectsIn(texts: readonly InputText[], namespace: string): Given {
  const parts = texts.map((text) => {
    try {
      return { objects: parseLocated(text.text, text.file).flatMap((document) => objectsOf(text, document, namespace)), problems: [] };
    } catch (error) {
      if (!(error instanceof YamlError)) throw error;
      const isOther = text.found && !text.text.includes(groupOf(apiVersion));
      return { objects: [], problems: isOther ? [] : [unreadable(error)] };
    }
  });
  const objects = parts.flatMap((part) => part.objects);
  return { objects, problems: [...parts.flatMap((part) => part.problems), ...twice(objects)] };
}

function unreadable({ file, line, message }: YamlError): Problem {
  return { file, line, message: message.slice(`${file}:${line}: `.length) };
}

interface Item {
  readonly value: Json;
  readonly at: readonly (string | number)[];
}

function objectsOf({ file }: InputText, { value, lineOf }: LocatedDocument, namespace: string): GivenObject[] {
  return itemsOf({ value, at: [] }).flatMap(({ value: item, at }) => {
    const object = asObject(item, namespace);
    return object ? [{ object, file, lineOf: (field: string) => lineOf([...at, ...keysIn(field)]) }] : [];
  });
}

function itemsOf({ value, at }: Item): Item[] {
  if (!isRecord(value)) return [];
  const { kind, items } = value;
  if (typeof kind !== "string" || !kind.endsWith("List") || !Array.isArray(items)) return [{ value, at }];
  return items.flatMap((item: Json, index) => itemsOf({ value: item, at: [...at, "items", index] }));
}

function asObject(value: Json, namespace: string): KubeObject | undefined {
  if (!isRecord(value)) return undefined;
  const { apiVersion: version, kind } = value;
  if (typeof version !== "string" || typeof kind !== "string") return undefined;
  const metadata: Record<string, unknown> = isRecord(value["metadata"]) ? value["metadata"] : {};
  const name = typeof metadata["name"] === "string" ? metadata["name"] : "";
  const object = { ...value, apiVersion: version, kind, metadata: { ...metadata, name } };
  const needsNamespace = isOurs(object) || namespaced.has(kind);
  return needsNamespace && metadata["namespace"] === undefined ? { ...object, metadata: { ...object.metadata, namespace } } : object;
}

/** `spec.metrics[0].name` as keys and indexes. */
export function keysIn(field: string): (string | number)[] {
  const keys = field.matchAll(/\[(\d+)\]|\[([^\]]*)\]|[^.[\]]+/g);
  return [...keys].map(([text, index, key]) => (index === undefined ? (key ?? text) : Number(index)));
}

/** Objects of ours that one file describes twice: which of the two counts is chance. Overlays of several folders may well repeat one. */
function twice(objects: readonly GivenObject[]): Problem[] {
  const seen = new Map<string, GivenObject>();
  return objects.filter(({ object }) => isOurs(object) && object.metadata.name !== "").flatMap((given) => {
    const { object, file, lineOf } = given;
    const { namespace = "", name } = object.metadata;
    const id = `${file} ${object.kind} ${keyOf({ namespace, name })}`;
    const first = seen.get(id);
    if (!first) {
      seen.set(id, given);
      return [];
    }
    const message = `is described twice, first on line ${first.lineOf("")}; remove one of them`;
    return [{ file, line: lineOf(""), kind: object.kind, namespace, name, field: "metadata.name", message, reason: "BuildFailed" }];
  });
}
