import { type KubeObject, keyOf } from "../../api/object.ts";

/** One object of the files, and where it stands. */
export interface GivenObject {
  /** With a namespace, where its kind has one. */
  readonly object: KubeObject;
  readonly file: string;
  /** Line of a field such as `spec.analysis.metrics[0].name`, or of the nearest that is there. */
  readonly lineOf: (field: string) => number;
}

/** Something that is wrong. */
export interface Problem {
  readonly file: string;
  readonly line: number;
  /** Of the object; missing when the file cannot be read as objects. */
  readonly kind?: string;
  readonly namespace?: string;
  readonly name?: string;
  /** As in YAML. */
  readonly field?: string;
  readonly message: string;
  /** As the condition Stalled would give it; missing for what the API server refuses. */
  readonly reason?: string;
}

/** A problem of one object. */
export function problemOf(
  { object, file, lineOf }: GivenObject,
  field: string,
  { message, reason }: { message: string; reason?: string },
): Problem {
  const { kind, metadata } = object;
  const { namespace, name } = metadata;
  return {
    file,
    line: lineOf(field),
    kind,
    ...(namespace === undefined ? {} : { namespace }),
    name,
    field,
    message,
    ...(reason === undefined ? {} : { reason }),
  };
}

/** `file:line: Kind namespace/name field: message`. */
export function lineOfText({ file, line, kind, namespace, name, field, message }: Problem): string {
  const object = kind === undefined ? "" : ` ${kind} ${keyOf({ namespace, name: name ?? "" })} ${field ?? ""}`.trimEnd() + ":";
  return `${file}:${line}:${object} ${message}`;
}
