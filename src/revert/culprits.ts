import type { CauseField } from "../api/cause.ts";
import type { KubeObject } from "../api/object.ts";
import { sameJson } from "../lib/json.ts";
import { says } from "./hold.ts";
import { parsePath, valueAt } from "./path.ts";

/** Value of each field in a rendering, in the order of the fields; `undefined` where there is none. */
export function valuesOf(fields: readonly CauseField[], namespace: string, rendered: readonly KubeObject[]): unknown[] {
  const objects = new Map(
    rendered.filter(({ metadata }) => metadata.namespace === namespace).map((object) => [`${object.kind}/${object.metadata.name}`, object]),
  );
  return fields.map(({ object, path }) => valueAt(objects.get(object), parsePath(path)));
}

/** One commit of the way from the promoted to the failed revision, and what the deciding fields say in its rendering. */
export interface Stage {
  readonly commit: string;
  readonly values: readonly unknown[];
}

/**
 * Which commits are to blame (design rule 4): those whose rendering changes a deciding field against their first parent,
 * since the promoted values were last there (an earlier failure and its revert in between are history).
 * @param stages newest first; the last one is the promoted commit, which is never to blame
 */
export function culprits(stages: readonly Stage[]): { commits: string[]; bystanders: string[] } {
  const promoted = stages.at(-1);
  const commits: string[] = [];
  const bystanders: string[] = [];
  for (const [position, { commit, values }] of stages.entries()) {
    const parent = stages[position + 1];
    if (!parent || (commits.length > 0 && sameValues(values, promoted?.values))) break;
    (sameValues(values, parent.values) ? bystanders : commits).push(commit);
  }
  return { commits, bystanders };
}

function sameValues(a: readonly unknown[] | undefined, b: readonly unknown[] | undefined): boolean {
  return sameJson(nullable(a ?? []), nullable(b ?? []));
}

/**
 * Whether a rendering says what a revision ran (design rule 3). A field that the manifest leaves out may have been
 * filled in by the API server, so silence agrees with anything but what a workload runs and the data of a config.
 * @returns the fields that disagree: somebody else than Git changed them
 */
export function disagreeing(fields: readonly CauseField[], values: readonly unknown[], which: "promoted" | "failed"): CauseField[] {
  return fields.filter((field, position) => {
    const value = values[position];
    if (field.secret && field.promoted === undefined && field.failed === undefined) return false;
    if (value === undefined) return mustBeSaid(field) && field[which] !== undefined;
    return !says(value, field[which]);
  });
}

/** Nobody fills in the data of a config, nor what a container runs. */
function mustBeSaid({ object, path }: CauseField): boolean {
  return !object.startsWith("Deployment/") || /\[[^\]]+\]\.(image|command|args)$/.test(path);
}

/** What the deciding fields say at HEAD, for the table of endings. */
export function standingOf(fields: readonly CauseField[], values: readonly unknown[]): "promoted" | "third" | "failed" {
  const states = fields.map((field, position) => stateOf(field, values[position]));
  if (states.every((state) => state === "promoted")) return "promoted";
  return states.includes("third") ? "third" : "failed";
}

function stateOf(field: CauseField, value: unknown): "promoted" | "third" | "failed" {
  if (agrees(value, field.failed)) return "failed";
  return agrees(value, field.promoted) ? "promoted" : "third";
}

function agrees(value: unknown, stored: unknown): boolean {
  return value === undefined ? stored === undefined : says(value, stored);
}

function nullable(values: readonly unknown[]): unknown[] {
  return values.map((value) => value ?? null);
}
