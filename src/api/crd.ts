import { isRecord } from "../lib/json.ts";
import { apiVersion, type Kind } from "./meta.ts";
import { groupOf, type KubeObject } from "./object.ts";
import { type Schema, structuralSchema } from "./structural.ts";

/** The CustomResourceDefinition of one of our kinds. */
export function crdOf(kind: Kind): KubeObject {
  const group = groupOf(apiVersion);
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${kind.plural}.${group}`, labels: { "app.kubernetes.io/part-of": "serin" } },
    spec: {
      group,
      names: {
        kind: kind.kind,
        listKind: `${kind.kind}List`,
        plural: kind.plural,
        singular: kind.singular,
        ...(kind.shortNames.length > 0 ? { shortNames: kind.shortNames } : {}),
        categories: ["serin"],
      },
      scope: "Namespaced",
      versions: [
        {
          name: apiVersion.slice(group.length + 1),
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: kind.columns,
          schema: { openAPIV3Schema: rootSchema(kind) },
        },
      ],
    },
  };
}

function rootSchema(kind: Kind): Schema {
  const schema = {
    type: "object",
    description: kind.description,
    required: ["spec"],
    properties: {
      apiVersion: { type: "string" },
      kind: { type: "string" },
      metadata: { type: "object" },
      spec: structuralSchema(kind.spec),
      status: { ...structuralSchema(kind.status), ...(kind.initialStatus === undefined ? {} : { default: kind.initialStatus }) },
    },
  };
  const problems = structuralProblems(schema);
  if (problems.length > 0) throw new Error(`${kind.kind} is not structural: ${problems.join("; ")}`);
  return schema;
}

/** What the API server would refuse in a structural schema, one sentence each. */
export function structuralProblems(schema: Schema, path = "$"): string[] {
  return [
    ...ownProblems(schema, path),
    ...listMapProblems(schema, path),
    ...innerSchemas(schema, path).flatMap(([inner, at]) => structuralProblems(inner, at)),
  ];
}

function ownProblems(schema: Schema, path: string): string[] {
  const untyped = schema["x-kubernetes-preserve-unknown-fields"] === true || schema["x-kubernetes-int-or-string"] === true;
  const problems: string[] = [];
  if (schema["type"] === undefined && !untyped) problems.push(`${path}: type is missing`);
  if (schema["properties"] !== undefined && schema["additionalProperties"] !== undefined) problems.push(`${path}: properties and additionalProperties`);
  if (typeof schema["pattern"] === "string" && /\(\?[=!<]|\\[1-9]/.test(schema["pattern"])) problems.push(`${path}: pattern is not RE2`);
  return problems;
}

function innerSchemas(schema: Schema, path: string): [Schema, string][] {
  const properties = Object.entries((schema["properties"] ?? {}) as Record<string, Schema>).map(([name, inner]): [Schema, string] => [
    inner,
    `${path}.${name}`,
  ]);
  const values = [schema["items"], schema["additionalProperties"]].filter(isRecord).map((inner): [Schema, string] => [inner, `${path}[]`]);
  return [...properties, ...values];
}

function listMapProblems(schema: Schema, path: string): string[] {
  if (schema["x-kubernetes-list-type"] !== "map") return [];
  const items = (schema["items"] ?? {}) as { required?: string[]; properties?: Record<string, Schema> };
  const keys = schema["x-kubernetes-list-map-keys"] as string[];
  return keys.filter((key) => !items.required?.includes(key) && items.properties?.[key]?.["default"] === undefined).map((key) => `${path}: list key ${key} is neither required nor defaulted`);
}
