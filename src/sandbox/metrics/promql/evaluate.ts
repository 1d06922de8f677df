import { drop, keep, type Labels, signatureOf } from "../labels.ts";
import type { Point, Tsdb } from "../tsdb.ts";
import { type Aggregate, type Aggregation, type Binary, type Call, ExecutionError, type Expr, type Selector } from "./ast.ts";
import { scalarBinary, vectorBinary, vectorScalarBinary } from "./binary.ts";
import { type Element, histogramQuantile, type RangeElement, rangeFunctions, type Span, vectorFunctions } from "./functions.ts";

/** A sample is the series' current value for this long. */
const lookbackMs = 5 * 60_000;

/** What an expression is at one time. */
export type Value =
  | { readonly type: "scalar"; readonly value: number }
  | { readonly type: "vector"; readonly elements: readonly Element[] }
  | { readonly type: "matrix"; readonly elements: readonly RangeElement[]; readonly span: Span };

/** The expression's value at one time. Throws ExecutionError where the data does not allow one. */
export function evaluate(expr: Expr, db: Pick<Tsdb, "select">, timeMs: number): Value {
  const value = (inner: Expr) => evaluate(inner, db, timeMs);
  switch (expr.kind) {
    case "number":
      return { type: "scalar", value: expr.value };
    case "selector":
      return select(expr, db, timeMs);
    case "negate":
      return negate(value(expr.arg));
    case "aggregate":
      return { type: "vector", elements: aggregate(expr, vectorOf(value(expr.arg))) };
    case "binary":
      return binary(expr, value(expr.left), value(expr.right));
    case "call":
      return call(expr, expr.args.map(value), timeMs);
    default:
      return expr satisfies never;
  }
}

function select({ matchers, rangeMs }: Selector, db: Pick<Tsdb, "select">, timeMs: number): Value {
  const series = db.select(matchers);
  if (rangeMs === undefined) {
    const elements = series.flatMap(({ labels, points }) => {
      const value = currentValue(points, timeMs);
      return value === undefined ? [] : [{ labels, value }];
    });
    return { type: "vector", elements };
  }
  const span = { startMs: timeMs - rangeMs, endMs: timeMs };
  const elements = series.flatMap(({ labels, points }) => {
    const inside = points.flatMap(({ timeMs: at, value }) =>
      value === undefined || at < span.startMs || at > span.endMs ? [] : [{ timeMs: at, value }],
    );
    return inside.length === 0 ? [] : [{ labels, points: inside }];
  });
  return { type: "matrix", elements, span };
}

function currentValue(points: readonly Point[], timeMs: number): number | undefined {
  const last = points.findLast(({ timeMs: at }) => at <= timeMs);
  return last && last.timeMs >= timeMs - lookbackMs ? last.value : undefined;
}

function negate(value: Value): Value {
  if (value.type === "scalar") return { type: "scalar", value: -value.value };
  return unique(vectorOf(value).map(({ labels, value: number }) => ({ labels: drop(labels, ["__name__"]), value: -number })));
}

const totals: Readonly<Record<Aggregation, (values: readonly number[]) => number>> = {
  sum: (values) => values.reduce((total, value) => total + value, 0),
  avg: (values) => values.reduce((total, value) => total + value, 0) / values.length,
  min: (values) => values.reduce((min, value) => (value < min || Number.isNaN(min) ? value : min)),
  max: (values) => values.reduce((max, value) => (value > max || Number.isNaN(max) ? value : max)),
  count: (values) => values.length,
};

function aggregate({ operation, grouping }: Aggregate, elements: readonly Element[]): Element[] {
  const groups = new Map<string, { labels: Labels; values: number[] }>();
  for (const { labels, value } of elements) {
    const kept = grouping.only ? keep(labels, grouping.labels) : drop(labels, [...grouping.labels, "__name__"]);
    const signature = signatureOf(kept);
    const group = groups.get(signature) ?? { labels: kept, values: [] };
    group.values.push(value);
    groups.set(signature, group);
  }
  return [...groups.values()].map(({ labels, values }) => ({ labels, value: totals[operation](values) }));
}

function binary(operation: Binary, left: Value, right: Value): Value {
  if (left.type === "scalar" && right.type === "scalar") return { type: "scalar", value: scalarBinary(operation, left.value, right.value) };
  if (left.type === "scalar") return unique(vectorScalarBinary(operation, vectorOf(right), { value: left.value, left: true }));
  if (right.type === "scalar") return unique(vectorScalarBinary(operation, vectorOf(left), { value: right.value, left: false }));
  return unique(vectorBinary(operation, vectorOf(left), vectorOf(right)));
}

const specialFunctions: Readonly<Record<string, (args: readonly Value[], timeMs: number) => Value>> = {
  time: (_args, timeMs) => ({ type: "scalar", value: timeMs / 1_000 }),
  vector: ([value]) => ({ type: "vector", elements: [{ labels: new Map(), value: scalarOf(value) }] }),
  scalar: ([value]) => ({ type: "scalar", value: onlyValue(vectorOf(value)) }),
  histogram_quantile: ([quantile, buckets]) => unique(histogramQuantile(scalarOf(quantile), vectorOf(buckets))),
};

function call({ name }: Call, args: readonly Value[], timeMs: number): Value {
  const [first] = args;
  const range = rangeFunctions[name];
  if (range && first?.type === "matrix") return ranged(name, range, first);
  const each = vectorFunctions[name];
  if (each && first?.type === "vector") return mapped(first.elements, (value) => each(value, ...args.slice(1).map(scalarOf)));
  const special = specialFunctions[name];
  if (!special) throw new ExecutionError(`function ${name} has no such arguments`);
  return special(args, timeMs);
}

type MatrixValue = Extract<Value, { type: "matrix" }>;

function ranged(name: string, apply: (typeof rangeFunctions)[string], { elements, span }: MatrixValue): Value {
  const results = elements.flatMap(({ labels, points }) => {
    const value = apply(points, span);
    return value === undefined ? [] : [{ labels: name === "last_over_time" ? labels : drop(labels, ["__name__"]), value }];
  });
  return unique(results);
}

function mapped(elements: readonly Element[], apply: (value: number) => number): Value {
  return unique(elements.map(({ labels, value }) => ({ labels: drop(labels, ["__name__"]), value: apply(value) })));
}

function onlyValue(elements: readonly Element[]): number {
  const [only, ...others] = elements;
  return only && others.length === 0 ? only.value : Number.NaN;
}

// Without its name, one metric's series can look like another's.
function unique(elements: readonly Element[]): Value {
  const signatures = new Set(elements.map(({ labels }) => signatureOf(labels)));
  if (signatures.size < elements.length) throw new ExecutionError("vector cannot contain metrics with the same labelset");
  return { type: "vector", elements };
}

function vectorOf(value: Value | undefined): readonly Element[] {
  if (value?.type !== "vector") throw new ExecutionError("expected an instant vector");
  return value.elements;
}

function scalarOf(value: Value | undefined): number {
  if (value?.type !== "scalar") throw new ExecutionError("expected a scalar");
  return value.value;
}
