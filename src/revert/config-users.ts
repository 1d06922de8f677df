import type { KubeObject } from "../api/object.ts";
import { isRecord } from "../lib/json.ts";

/** Names of the ConfigMaps and Secrets that a pod template uses, as `ConfigMap/name` and `Secret/name`. */
export function configsUsedBy(object: KubeObject): Set<string> {
  const used = new Set<string>();
  collect(object["spec"], used);
  return used;
}

/**
 * Configs that the target shares with other objects of the rendering: they stay at HEAD while the target's change is held
 * (design rule 2), because others run them.
 */
export function sharedConfigs(target: { name: string; namespace: string }, objects: readonly KubeObject[]): Set<string> {
  const others = objects.filter(
    ({ kind, metadata }) => metadata.namespace === target.namespace && !(kind === "Deployment" && metadata.name === target.name),
  );
  return new Set(others.filter(({ kind }) => kind !== "Canary").flatMap((object) => [...configsUsedBy(object)]));
}

const references: Record<string, { kind: string; field: string }> = {
  configMap: { kind: "ConfigMap", field: "name" },
  configMapRef: { kind: "ConfigMap", field: "name" },
  configMapKeyRef: { kind: "ConfigMap", field: "name" },
  secret: { kind: "Secret", field: "secretName" },
  secretRef: { kind: "Secret", field: "name" },
  secretKeyRef: { kind: "Secret", field: "name" },
};

function collect(value: unknown, used: Set<string>): void {
  if (Array.isArray(value)) for (const item of value) collect(item, used);
  if (!isRecord(value)) return;
  for (const [field, inner] of Object.entries(value)) {
    const reference = references[field];
    const name = reference && isRecord(inner) ? (inner[reference.field] ?? inner["name"]) : undefined;
    if (reference && typeof name === "string") used.add(`${reference.kind}/${name}`);
    collect(inner, used);
  }
}
