import { isRecord } from "../lib/json.ts";

/** Kinds of configuration that a pod refers to by name. */
export type ConfigKind = "ConfigMap" | "Secret";

/** Visits one reference to a config; returns the name to write in its place. */
type Rename = (kind: ConfigKind, name: string) => string;

/** Fields of a pod template that name a config, with the field of the name. Anywhere below volumes and containers. */
const referring: Readonly<Record<string, { kind: ConfigKind; field: string }>> = {
  configMap: { kind: "ConfigMap", field: "name" },
  configMapRef: { kind: "ConfigMap", field: "name" },
  configMapKeyRef: { kind: "ConfigMap", field: "name" },
  secretRef: { kind: "Secret", field: "name" },
  secretKeyRef: { kind: "Secret", field: "name" },
};

/** Fields of a pod's spec in which configs are referred to: what the pod reads, not how its image is pulled. */
const readingFields = ["volumes", "containers", "initContainers", "ephemeralContainers"] as const;

/** Keys, as `ConfigMap/name` and `Secret/name`, of all configs that the pod template reads; sorted, each once. */
export function configsOf(template: Readonly<Record<string, unknown>>): string[] {
  const keys = new Set<string>();
  renameConfigs(template, (kind, name) => {
    keys.add(`${kind}/${name}`);
    return name;
  });
  return [...keys].sort();
}

/** The pod template with each reference to a config renamed: volumes, projected volumes, env and envFrom of all containers. */
export function renameConfigs(template: Readonly<Record<string, unknown>>, rename: Rename): Record<string, unknown> {
  const spec = isRecord(template["spec"]) ? template["spec"] : {};
  const changed = readingFields.filter((field) => spec[field] !== undefined).map((field) => [field, walk(spec[field], rename)]);
  return { ...template, spec: { ...spec, ...Object.fromEntries(changed) } };
}

function walk(value: unknown, rename: Rename): unknown {
  if (Array.isArray(value)) return value.map((item) => walk(item, rename));
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([field, inner]) => [field, renamed(field, inner, rename)]));
}

function renamed(field: string, inner: unknown, rename: Rename): unknown {
  // A volume's Secret is named by secretName, one of a projected volume by name; CSI drivers have references of their own.
  const reference =
    field === "secret" && isRecord(inner)
      ? { kind: "Secret" as const, field: "secretName" in inner ? "secretName" : "name" }
      : referring[field];
  if (field === "csi") return inner;
  if (!reference || !isRecord(inner)) return walk(inner, rename);
  const name = inner[reference.field];
  return typeof name === "string" ? { ...inner, [reference.field]: rename(reference.kind, name) } : inner;
}
