import { crdOf } from "../../api/crd.ts";
import { kinds } from "../../api/kinds.ts";
import { apiVersion, type Kind } from "../../api/meta.ts";
import type { KubeObject } from "../../api/object.ts";
import { type Schema, structuralSchema } from "../../api/structural.ts";
import { isRecord } from "../../lib/json.ts";
import { type Admission, admissionOf } from "../../sandbox/api-server/admission.ts";
import { keysIn } from "./objects.ts";
import { type GivenObject, type Problem, problemOf } from "./problem.ts";
import { nearest } from "../suggest.ts";
import { valueHint } from "./value-hint.ts";

/** Judges an object of ours as the API server would when it is created. */
export type Judge = (given: GivenObject) => Problem[];

/** Makes the judge of all our kinds. */
export function createJudge(): Judge {
  const made = new Map<Kind, Admission | undefined>();
  const admissionFor = (kind: Kind): Admission | undefined => {
    // To compile the rules of a kind takes long: only those that are asked for.
    if (!made.has(kind)) made.set(kind, admissionOf(crdOf(kind)).get(apiVersion));
    return made.get(kind);
  };
  return (given) => {
    const { object } = given;
    const kind = kinds.find((each) => each.kind === object.kind);
    const admission = kind && object.apiVersion === apiVersion ? admissionFor(kind) : undefined;
    return kind && admission ? refusals(given, kind, admission) : [unknownKind(given, kinds.map((each) => each.kind))];
  };
}

function unknownKind(given: GivenObject, names: readonly string[]): Problem {
  const { apiVersion: version, kind } = given.object;
  const meant = nearest(kind, names);
  const hint = meant === undefined ? `; there are ${names.join(", ")} in ${apiVersion}` : `; did you mean ${meant} in ${apiVersion}?`;
  return problemOf(given, version === apiVersion ? "kind" : "apiVersion", { message: `there is no kind ${kind} in ${version}${hint}` });
}

const unchecked = /some validation rules were not checked/;

function refusals(given: GivenObject, kind: Kind, admit: Admission): Problem[] {
  const errors = admit(given.object).filter(({ why }) => !unchecked.test(why));
  const placed = errors.map(({ field, why }) => ({ field: field === "<nil>" ? placeIn(why) : field, why }));
  // Of a number that does not fit its format the server speaks twice.
  const first = placed.filter(({ field }, index) => placed.findIndex((other) => other.field === field) === index);
  return first.map(({ field, why }) => problemOf(given, field, { message: why + hintFor({ kind, object: given.object }, field, why) }));
}

/** The field that the server names in the text alone. */
function placeIn(why: string): string {
  return / in (\S+)$/.exec(why)?.[1] ?? "";
}

function hintFor({ kind, object }: { kind: Kind; object: KubeObject }, field: string, why: string): string {
  if (why !== "field not declared in schema") return valueHint(schemaAt(kind, field), valueAt(object, field));
  const dot = field.lastIndexOf(".");
  const siblings = fieldsAt(kind, field.slice(0, Math.max(dot, 0)));
  const meant = nearest(field.slice(dot + 1), siblings);
  if (meant !== undefined) return `; did you mean ${meant}?`;
  return siblings.length === 0 ? "" : `; there are ${siblings.join(", ")}`;
}

/** Names of the fields that an object has at a path such as `spec.analysis.metrics[0]`. */
function fieldsAt(kind: Kind, path: string): string[] {
  if (path === "") return ["metadata", "spec"];
  const properties = schemaAt(kind, path)?.["properties"];
  return Object.keys(isRecord(properties) ? properties : {});
}

/** What the schema says of a field; `undefined` where it knows none of that path. */
function schemaAt(kind: Kind, path: string): Schema | undefined {
  const [root, ...keys] = keysIn(path);
  if (root !== "spec") return undefined;
  return keys.reduce<Schema | undefined>((at, key) => {
    const inner = typeof key === "number" ? at?.["items"] : isRecord(at?.["properties"]) ? at["properties"][key] : undefined;
    return isRecord(inner) ? inner : undefined;
  }, structuralSchema(kind.spec));
}

function valueAt(object: KubeObject, path: string): unknown {
  return keysIn(path).reduce<unknown>((at, key) => {
    if (Array.isArray(at)) return at[Number(key)] as unknown;
    return isRecord(at) ? at[key] : undefined;
  }, object);
}
