import type { CauseField } from "../api/cause.ts";
import type { KubeObject } from "../api/object.ts";
import { sameJson } from "../lib/json.ts";
import { parsePath, valueAt, withValueAt } from "./path.ts";

/** One failed change that is kept out of the cluster, whatever Git says. */
export interface Hold {
  /** Name of the Canary, for the Sync's revision text. */
  readonly canary: string;
  /** Namespace of the canary's target and its configs. */
  readonly namespace: string;
  /**
   * The fields of the cause. A Secret's values are filled in by the caller from the primary's copy and the rendering, or
   * the field is left out; so is a config that others use too.
   */
  readonly fields: readonly CauseField[];
  /** With values of Secrets: a secret itself, so that a hash of the hold says nothing about them. */
  readonly salt?: string | undefined;
}

/** What holding gave. */
export interface Held {
  /** As many as were given, in the same order. */
  readonly objects: KubeObject[];
  /** Names of the canaries of which at least one value was replaced, sorted. */
  readonly holding: string[];
}

/**
 * The rendered objects with each failed change held back (design rule 2): a deciding field gets its promoted value, a
 * following one only when it still has its failed value. Nothing is added, deleted or moved. Pure and idempotent.
 */
export function hold(objects: readonly KubeObject[], holds: readonly Hold[]): Held {
  const holding = new Set<string>();
  const held = objects.map((object) =>
    holds.reduce((current, one) => {
      const next = holdObject(current, one);
      if (next !== current) holding.add(one.canary);
      return next;
    }, object),
  );
  return { objects: held, holding: [...holding].sort() };
}

function holdObject(object: KubeObject, { namespace, fields }: Hold): KubeObject {
  if ((object.metadata.namespace ?? "") !== namespace) return object;
  const own = fields.filter((field) => field.object === `${object.kind}/${object.metadata.name}`);
  return own.reduce((current, field) => holdField(current, field), object);
}

function holdField(object: KubeObject, field: CauseField): KubeObject {
  const path = parsePath(field.path);
  const now = valueAt(object, path);
  if (sameJson(now, field.promoted) || says(now, field.promoted)) return object;
  if (!field.decides && !sameJson(now, field.failed)) return object;
  const held = withValueAt(object, path, field.promoted) as KubeObject;
  // stringData wins over data when it is applied.
  const [, key] = path;
  return object.kind === "Secret" && key ? (withValueAt(held, [{ field: "stringData" }, key], undefined) as KubeObject) : held;
}

/**
 * Whether what a manifest says agrees with what the API server stored for it: every field that the manifest names is
 * equal; the server may have filled in more.
 */
export function says(rendered: unknown, stored: unknown): boolean {
  if (Array.isArray(rendered))
    return Array.isArray(stored) && rendered.length === stored.length && rendered.every((item, position) => says(item, stored[position]));
  if (typeof rendered === "object" && rendered !== null) {
    if (typeof stored !== "object" || stored === null) return false;
    return Object.entries(rendered).every(([name, value]) => value === null || says(value, (stored as Record<string, unknown>)[name]));
  }
  return rendered === stored;
}
