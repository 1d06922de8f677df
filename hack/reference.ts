import { apiVersion, type Kind } from "../src/api/meta.ts";
import { type Schema, structuralSchema } from "../src/api/structural.ts";

interface Field {
  readonly path: string;
  readonly type: string;
  readonly required: boolean;
  readonly default: string;
  readonly description: string;
}

/** The reference of all kinds as one Markdown page. */
export function referencePage(kinds: readonly Kind[]): string {
  const head = `# Reference\n\nGenerated from \`src/api\`; do not edit. All kinds are namespaced and of \`${apiVersion}\`.\n[\`serin lint\`](try-it.md#before-you-push) checks manifests by these rules without a cluster.\n\n${kinds.map(({ kind, description }) => `- [${kind}](#${kind.toLowerCase()}): ${description}`).join("\n")}\n`;
  return `${head}\n${kinds.map(section).join("\n")}`;
}

function section(kind: Kind): string {
  const spec = structuralSchema(kind.spec);
  const rules = rulesOf(spec, "spec");
  const parts = [`## ${kind.kind}\n\n${kind.description}\n`, `### ${kind.kind} spec\n\n${table(fieldsOf(spec, "spec"))}`];
  if (rules.length > 0) parts.push(`Checked when it is written:\n\n${rules.map((rule) => `- ${rule}`).join("\n")}\n`);
  parts.push(`### ${kind.kind} status\n\n${table(fieldsOf(structuralSchema(kind.status), "status"))}`);
  return parts.join("\n");
}

function table(fields: readonly Field[]): string {
  const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll("\n", " ");
  const rows = fields.map((field) => `| \`${field.path}\` | ${field.type}${field.required ? ", required" : ""} | ${field.default && `\`${cell(field.default)}\``} | ${cell(field.description)} |`);
  return `| Field | Type | Default | Meaning |\n|---|---|---|---|\n${rows.join("\n")}\n`;
}

function fieldsOf(schema: Schema, path: string): Field[] {
  const required = new Set((schema["required"] as string[] | undefined) ?? []);
  return Object.entries((schema["properties"] ?? {}) as Record<string, Schema>).flatMap(([name, inner]) => {
    const field = {
      path: `${path}.${name}`,
      type: typeOf(inner),
      required: required.has(name),
      default: inner["default"] === undefined ? "" : JSON.stringify(inner["default"]),
      description: (inner["description"] as string | undefined) ?? "",
    };
    const items = inner["items"] as Schema | undefined;
    return [field, ...fieldsOf(inner, `${path}.${name}`), ...(items ? fieldsOf(items, `${path}.${name}[]`) : [])];
  });
}

function typeOf(schema: Schema): string {
  if (schema["x-kubernetes-int-or-string"] === true) return "integer or string";
  if (Array.isArray(schema["enum"])) return schema["enum"].map((value) => `\`${String(value)}\``).join(" or ");
  if (schema["type"] === "array") return `list of ${typeOf((schema["items"] ?? {}) as Schema)}`;
  if (schema["additionalProperties"] !== undefined) return "map";
  const bounds = boundsOf(schema);
  return `${schema["type"] as string | undefined ?? "any"}${bounds && ` ${bounds}`}`;
}

function boundsOf(schema: Schema): string {
  const { minimum, maximum } = schema as { minimum?: number; maximum?: number };
  if (minimum === undefined && maximum === undefined) return "";
  if (maximum === undefined) return `≥ ${minimum}`;
  return minimum === undefined ? `≤ ${maximum}` : `${minimum}-${maximum}`;
}

function rulesOf(schema: Schema, path: string): string[] {
  const rules = ((schema["x-kubernetes-validations"] ?? []) as { message: string }[]).map(({ message }) => `\`${path}\`: ${message}`);
  const inner = Object.entries((schema["properties"] ?? {}) as Record<string, Schema>).flatMap(([name, field]) =>
    rulesOf(field, `${path}.${name}`),
  );
  const items = schema["items"] ? rulesOf(schema["items"] as Schema, `${path}[]`) : [];
  return [...rules, ...inner, ...items];
}
