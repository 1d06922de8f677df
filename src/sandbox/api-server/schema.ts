/** A node of an OpenAPI schema as Kubernetes writes it. References are followed already: a node may contain itself. */
export interface Schema {
  type?: string;
  format?: string;
  description?: string;
  title?: string;
  properties?: Record<string, Schema>;
  items?: Schema;
  additionalProperties?: Schema | boolean;
  required?: string[];
  default?: unknown;
  enum?: unknown[];
  nullable?: boolean;
  pattern?: string;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: boolean;
  exclusiveMaximum?: boolean;
  multipleOf?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  uniqueItems?: boolean;
  minProperties?: number;
  maxProperties?: number;
  allOf?: Schema[];
  anyOf?: Schema[];
  oneOf?: Schema[];
  not?: Schema;
  $ref?: string;
  "x-kubernetes-list-type"?: "atomic" | "set" | "map";
  "x-kubernetes-list-map-keys"?: string[];
  "x-kubernetes-map-type"?: "atomic" | "granular";
  "x-kubernetes-int-or-string"?: boolean;
  "x-kubernetes-preserve-unknown-fields"?: boolean;
  "x-kubernetes-embedded-resource"?: boolean;
  "x-kubernetes-patch-strategy"?: string;
  "x-kubernetes-patch-merge-key"?: string;
  "x-kubernetes-validations"?: ValidationRule[];
}

/** A CEL rule of a schema node. */
export interface ValidationRule {
  readonly rule: string;
  readonly message?: string;
  readonly messageExpression?: string;
  readonly reason?: Cause;
  readonly fieldPath?: string;
  readonly optionalOldSelf?: boolean;
}
type Cause = "FieldValueInvalid" | "FieldValueForbidden" | "FieldValueRequired" | "FieldValueDuplicate";

/** Named schemas that refer to each other by `$ref`. */
export type Definitions = Readonly<Record<string, Schema>>;

/** The same definitions with every `$ref` followed. What stands beside a reference (a default, a patch strategy) wins. */
export function link(definitions: Definitions): Definitions {
  const linked = structuredClone(definitions) as Record<string, Schema>;
  const follow = (node: Schema): Schema => {
    const { $ref, ...beside } = node;
    if ($ref === undefined) {
      linkChildren(node, follow);
      return node;
    }
    const target = linked[$ref];
    if (target === undefined) throw new Error(`schema ${$ref} is referred to but not defined`);
    // Copies share `properties`, which is filled in place: so references may form circles.
    return { ...target, ...beside };
  };
  for (const definition of Object.values(linked)) if (saysNothing(definition)) definition["x-kubernetes-preserve-unknown-fields"] = true;
  for (const definition of Object.values(linked)) linkChildren(definition, follow);
  return linked;
}

function linkChildren(node: Schema, follow: (child: Schema) => Schema): void {
  for (const [name, child] of Object.entries(node.properties ?? {})) if (node.properties) node.properties[name] = follow(child);
  if (node.items) node.items = follow(node.items);
  if (typeof node.additionalProperties === "object") node.additionalProperties = follow(node.additionalProperties);
}

/** The schema of one field of an object, `undefined` when the schema says nothing of it. */
export function fieldSchema(schema: Schema | undefined, field: string): Schema | undefined {
  if (schema === undefined) return undefined;
  if (schema.properties !== undefined && Object.hasOwn(schema.properties, field)) return schema.properties[field];
  return typeof schema.additionalProperties === "object" ? schema.additionalProperties : undefined;
}

/** Whether unknown fields are kept below this node. */
export function isOpen(schema: Schema): boolean {
  return schema["x-kubernetes-preserve-unknown-fields"] === true || schema.additionalProperties === true;
}

/** Whether the node says nothing about what is below it: raw JSON in a built-in kind. */
function saysNothing(node: Schema): boolean {
  const open = node.properties === undefined && node.additionalProperties === undefined;
  return open && (node.type === undefined || node.type === "object") && node["x-kubernetes-int-or-string"] !== true;
}
