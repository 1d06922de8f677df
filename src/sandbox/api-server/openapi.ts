import { createHash } from "node:crypto";
import { definitionPrefix, definitions, objectMetaDefinition } from "./builtin-schemas.ts";
import { groupVersion, type Registry, type ResourceType } from "./resource-type.ts";
import type { Schema } from "./schema.ts";

const prefix = "#/components/schemas/";

/** The index of OpenAPI documents, one for each group and version. The hash changes when the document does. */
export function openApiIndex(registry: Registry): object {
  const versions = [...Map.groupBy(registry.all(), groupVersion)];
  const paths = versions.map(([name, types]) => {
    const path = name.includes("/") ? `apis/${name}` : `api/${name}`;
    const hash = createHash("sha256")
      .update(JSON.stringify(types.map(({ kind, custom, schema }) => [kind, custom ? Object.keys(schema.properties ?? {}) : ""])))
      .digest("hex");
    return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hash.toUpperCase()}` }];
  });
  return { paths: Object.fromEntries(paths) as object };
}

/** The OpenAPI v3 document of one group and version: enough for `kubectl apply` to validate and for `kubectl explain`. */
export function openApiDocument(registry: Registry, wanted: string): object | undefined {
  const types = registry.all().filter((type) => groupVersion(type) === wanted);
  if (types.length === 0) return undefined;
  const schemas: Record<string, unknown> = {};
  for (const type of types) addSchemas(type, schemas);
  const paths = Object.fromEntries(types.filter(({ virtual }) => virtual !== true).map((type) => [pathOf(type), operations(type)]));
  return { openapi: "3.0.0", info: { title: "Kubernetes", version: "v1.36.3" }, paths, components: { schemas } };
}

function pathOf({ group, version, namespaced, plural }: ResourceType): string {
  const root = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
  return `${root}${namespaced ? "/namespaces/{namespace}" : ""}/${plural}/{name}`;
}

function operations(type: ResourceType): object {
  const { group, version, kind } = type;
  const gvk = { group, version, kind };
  const parameter = (name: string): object => ({ name, in: "query", schema: { type: "string", uniqueItems: true } });
  const ok = { "200": { description: "OK", content: { "application/json": { schema: { $ref: prefix + nameOf(type) } } } } };
  const operation = (action: string): object => ({
    "x-kubernetes-action": action,
    "x-kubernetes-group-version-kind": gvk,
    parameters: action === "get" ? [] : ["dryRun", "fieldManager", "fieldValidation", "force"].map(parameter),
    responses: ok,
  });
  return { get: operation("get"), put: operation("put"), patch: operation("patch") };
}

function nameOf({ custom, definition }: ResourceType): string {
  return custom ? definition : definitionPrefix + definition;
}

function addSchemas(type: ResourceType, schemas: Record<string, unknown>): void {
  const { group, version, kind, custom, schema, definition } = type;
  const gvk = { "x-kubernetes-group-version-kind": [{ group, version, kind }] };
  if (!custom) {
    addBuiltin(definition, schemas);
    schemas[nameOf(type)] = { ...(schemas[nameOf(type)] as object), ...gvk };
    return;
  }
  addBuiltin(objectMetaDefinition, schemas);
  const metadata = { allOf: [{ $ref: prefix + definitionPrefix + objectMetaDefinition }] };
  schemas[nameOf(type)] = { ...schema, properties: { ...schema.properties, metadata }, ...gvk };
}

function addBuiltin(name: string, schemas: Record<string, unknown>): void {
  const published = definitionPrefix + name;
  if (schemas[published] !== undefined) return;
  schemas[published] = {};
  schemas[published] = withReferences(definitions[name] ?? {}, (reference) => {
    addBuiltin(reference, schemas);
    return prefix + definitionPrefix + reference;
  });
}

/** The definition with its references as a published document has them: inside `allOf`. */
function withReferences(
  { $ref: reference, properties, items, additionalProperties, ...rest }: Schema,
  follow: (reference: string) => string,
): object {
  return {
    ...rest,
    ...(properties && {
      properties: Object.fromEntries(Object.entries(properties).map(([field, child]) => [field, withReferences(child, follow)])),
    }),
    ...(items && { items: withReferences(items, follow) }),
    ...(additionalProperties !== undefined && {
      additionalProperties: typeof additionalProperties === "object" ? withReferences(additionalProperties, follow) : additionalProperties,
    }),
    ...(reference !== undefined && { allOf: [{ $ref: follow(reference) }] }),
  };
}
