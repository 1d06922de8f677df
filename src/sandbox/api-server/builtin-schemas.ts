import raw from "./builtin-schemas.json" with { type: "json" };
import { type Definitions, link, type Schema } from "./schema.ts";

/** The schemas of Kubernetes' own kinds as the API server publishes them, less descriptions; made by hack/builtin-schemas.ts. */
export const definitions = raw as unknown as Definitions;

/** Where Kubernetes keeps the name of a published schema. */
export const definitionPrefix = "io.k8s.";

/** Schemas of Kubernetes' own kinds, references followed. Made once per API server: linking takes about a millisecond. */
export function builtinSchemas(): (name: string) => Schema {
  // Published like any time, but Go reads it only with six digits after the second.
  const linked = link({ ...definitions, [microTimeDefinition]: { type: "string", format: microTimeFormat } });
  return (name) => {
    const schema = linked[name];
    if (schema === undefined) throw new Error(`there is no built-in schema ${name}`);
    return schema;
  };
}

const microTimeDefinition = "apimachinery.pkg.apis.meta.v1.MicroTime";
/** Format of a time with exactly six digits after the second, as Leases have it. */
export const microTimeFormat = "micro-time";

/** Name of the schema of `metadata`. */
export const objectMetaDefinition = "apimachinery.pkg.apis.meta.v1.ObjectMeta";
