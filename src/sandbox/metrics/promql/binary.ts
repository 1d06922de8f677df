import { drop, keep, type Labels, signatureOf } from "../labels.ts";
import {
  type ArithmeticOperator,
  type Binary,
  type BinaryOperator,
  type Comparison,
  comparisons,
  ExecutionError,
  type Grouping,
  type SetOperator,
  setOperators,
} from "./ast.ts";
import type { Element } from "./functions.ts";

type Operation = Pick<Binary, "operator" | "bool" | "matching">;

const compute: Readonly<Record<ArithmeticOperator, (left: number, right: number) => number>> = {
  "+": (left, right) => left + right,
  "-": (left, right) => left - right,
  "*": (left, right) => left * right,
  "/": (left, right) => left / right,
  "%": (left, right) => left % right,
  "^": (left, right) => left ** right,
};

const compare: Readonly<Record<Comparison, (left: number, right: number) => boolean>> = {
  "==": (left, right) => left === right,
  "!=": (left, right) => left !== right,
  ">": (left, right) => left > right,
  "<": (left, right) => left < right,
  ">=": (left, right) => left >= right,
  "<=": (left, right) => left <= right,
};

/** Whether the operator compares. */
export function isComparison(operator: BinaryOperator): operator is Comparison {
  return comparisons.some((known) => known === operator);
}

/** Whether the operator works on whole vectors. */
export function isSetOperator(operator: BinaryOperator): operator is SetOperator {
  return setOperators.some((known) => known === operator);
}

/** Both sides scalars. */
export function scalarBinary({ operator }: Operation, left: number, right: number): number {
  return applied(operator, left, right).value;
}

/** One side a vector. A comparison without `bool` keeps the vector's elements for which it holds. */
export function vectorScalarBinary(operation: Operation, vector: readonly Element[], scalar: { value: number; left: boolean }): Element[] {
  const { operator, bool } = operation;
  return vector.flatMap(({ labels, value }) => {
    const result = scalar.left ? applied(operator, scalar.value, value) : applied(operator, value, scalar.value);
    return outcome(operation, { labels: keepsName(operator, bool) ? labels : drop(labels, ["__name__"]), kept: value }, result);
  });
}

/** Both sides vectors: each element meets the one with the same matching labels on the other side. */
export function vectorBinary(operation: Operation, left: readonly Element[], right: readonly Element[]): Element[] {
  const { operator, bool, matching } = operation;
  if (isSetOperator(operator)) return setBinary(operator, { matching, left, right });
  const others = new Map<string, Element>();
  for (const element of right) {
    const key = matchKey(element.labels, matching);
    const twin = others.get(key);
    if (twin) throw duplicate("right", [twin, element]);
    others.set(key, element);
  }
  const seen = new Map<string, Element>();
  return left.flatMap((element) => {
    const key = matchKey(element.labels, matching);
    const other = others.get(key);
    if (!other) return [];
    const result = applied(operator, element.value, other.value);
    const found = outcome(operation, { labels: resultLabels(element.labels, { operator, bool, matching }), kept: element.value }, result);
    const twin = seen.get(key);
    if (found.length > 0 && twin) throw duplicate("left", [twin, element]);
    if (found.length > 0) seen.set(key, element);
    return found;
  });
}

function setBinary(
  operator: SetOperator,
  { matching, left, right }: { matching: Grouping; left: readonly Element[]; right: readonly Element[] },
): Element[] {
  const keys = (elements: readonly Element[]) => new Set(elements.map(({ labels }) => matchKey(labels, matching)));
  const has = (set: ReadonlySet<string>, { labels }: Element) => set.has(matchKey(labels, matching));
  if (operator === "or") {
    const taken = keys(left);
    return [...left, ...right.filter((element) => !has(taken, element))];
  }
  const others = keys(right);
  return left.filter((element) => has(others, element) === (operator === "and"));
}

function applied(operator: BinaryOperator, left: number, right: number): { value: number; holds: boolean } {
  if (isSetOperator(operator)) throw new ExecutionError(`operator ${operator} needs two vectors`);
  if (!isComparison(operator)) return { value: compute[operator](left, right), holds: true };
  const holds = compare[operator](left, right);
  return { value: holds ? 1 : 0, holds };
}

function outcome(
  { operator, bool }: Operation,
  { labels, kept }: { labels: Labels; kept: number },
  { value, holds }: { value: number; holds: boolean },
): Element[] {
  if (bool || !isComparison(operator)) return [{ labels, value }];
  return holds ? [{ labels, value: kept }] : [];
}

function keepsName(operator: BinaryOperator, bool: boolean): boolean {
  return isComparison(operator) && !bool;
}

function resultLabels(labels: Labels, { operator, bool, matching }: Operation): Labels {
  const named = keepsName(operator, bool) ? labels : drop(labels, ["__name__"]);
  return matching.only ? keep(named, matching.labels) : drop(named, matching.labels);
}

function matchKey(labels: Labels, { only, labels: names }: Grouping): string {
  return signatureOf(only ? keep(labels, names) : drop(labels, [...names, "__name__"]));
}

function duplicate(side: "left" | "right", elements: readonly Element[]): ExecutionError {
  const shown = elements.map(({ labels }) => `{${[...labels].map(([name, value]) => `${name}="${value}"`).join(", ")}}`).join(", ");
  return new ExecutionError(
    `found duplicate series on the ${side} hand-side of the operation: [${shown}];` +
      "many-to-many matching not allowed: matching labels must be unique on one side",
  );
}
