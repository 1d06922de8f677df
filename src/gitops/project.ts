import type { KubeObject } from "../api/object.ts";
import { hashJson, isRecord, type Json } from "../lib/json.ts";
import { child, type FieldSet, isLeaf, ownedBy, selects } from "./fields.ts";

/** Characters of a digest in the inventory: enough to tell contents apart, short enough for a thousand entries. */
const digestLength = 20;

/** Digest of a manifest or projection, as the inventory keeps it. */
export function digestOf(value: unknown): string {
  return hashJson(value).slice(0, digestLength);
}

/**
 * Digest of those fields of a live object that the manager owns. It changes when somebody else takes, changes or removes one of
 * them, and not when others write fields of their own.
 */
export function ownedDigest(live: KubeObject, manager: string): string {
  const sets = ownedBy(live, (entry) => entry.manager === manager);
  return digestOf(sets.map((set) => project(live, set)));
}

/** The part of a value that a set of fields names. */
function project(value: unknown, set: FieldSet): Json {
  if (isLeaf(set)) return value as Json;
  if (Array.isArray(value)) return projectList(value, set);
  if (!isRecord(value)) return (value ?? null) as Json;
  const fields = Object.keys(set).flatMap((step): [string, Json][] => {
    const [name, below] = [step.slice(2), child(set, step)];
    return step.startsWith("f:") && below && value[name] !== undefined ? [[name, project(value[name], below)]] : [];
  });
  return Object.fromEntries(fields);
}

function projectList(list: readonly unknown[], set: FieldSet): Json {
  return Object.keys(set).flatMap((step): Json[] => {
    const below = child(set, step);
    const item: unknown = list.find((candidate) => selects(step, candidate));
    return below && item !== undefined ? [[step, project(item, below)]] : [];
  });
}
