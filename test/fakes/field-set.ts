/** A set of fields as `fieldsV1` writes it: a step leads to the fields below it, `{}` is the whole value. */
export interface FieldSet {
  readonly [step: string]: FieldSet;
}

/** The whole value. */
export const whole: FieldSet = {};
/** That an item of a list is there at all belongs to who put it there. */
export const itself = ".";

/** The fields as messages name them: `.spec.replicas`. */
export function pathsOf(set: FieldSet, path: string): string[] {
  return Object.entries(set).flatMap(([step, below]) => {
    if (step === itself) return [];
    const at = step.startsWith("f:") ? `${path}.${step.slice(2)}` : `${path}[${step.slice(2)}]`;
    return isLeaf(below) ? [at] : pathsOf(below, at);
  });
}

/** Whether it is a whole value, or nothing at all. */
export function isEmpty(set: FieldSet): boolean {
  for (const _ in set) return false;
  return true;
}

function isLeaf(set: FieldSet): boolean {
  for (const step in set) if (step !== itself) return false;
  return true;
}

/** What is in either. */
export function union(a: FieldSet, b: FieldSet): FieldSet {
  const all: Record<string, FieldSet> = { ...a };
  for (const step in b) {
    const [inA, inB] = [all[step], b[step] ?? whole];
    all[step] = inA === undefined ? inB : union(inA, inB);
  }
  return all;
}

/** What is in `a` and not in `b`. A field of `b` that is a whole value takes all below it. */
export function minus(a: FieldSet, b: FieldSet): FieldSet {
  const rest: Record<string, FieldSet> = {};
  for (const step in a) {
    const [inA, inB] = [a[step] ?? whole, b[step]];
    if (inB === undefined) rest[step] = inA;
    else if (!isLeaf(inA) && !isEmpty(inB)) {
      const left = minus(inA, inB);
      if (!isEmpty(left)) rest[step] = left;
    }
  }
  return rest;
}

/** What is in both; where one has a whole value and the other parts of it, these parts. */
export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  const both: Record<string, FieldSet> = {};
  for (const step in a) {
    const [inA, inB] = [a[step] ?? whole, b[step]];
    if (inB === undefined) continue;
    if (isEmpty(inA) || isEmpty(inB)) both[step] = isEmpty(inA) ? inB : inA;
    else {
      const inner = intersection(inA, inB);
      if (!isEmpty(inner)) both[step] = inner;
    }
  }
  return both;
}
