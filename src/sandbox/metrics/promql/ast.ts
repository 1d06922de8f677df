import type { Matcher } from "../labels.ts";

/** What an expression evaluates to. */
export type ValueType = "scalar" | "vector" | "matrix";

/** Aggregations over the series of a vector. */
export const aggregations = ["sum", "avg", "min", "max", "count"] as const;
export type Aggregation = (typeof aggregations)[number];

/** Operators that compute. */
export const arithmetic = ["+", "-", "*", "/", "%", "^"] as const;
/** Operators that compare, and keep what holds. */
export const comparisons = ["==", "!=", ">", "<", ">=", "<="] as const;
/** Operators on whole vectors. */
export const setOperators = ["and", "or", "unless"] as const;
export type ArithmeticOperator = (typeof arithmetic)[number];
export type Comparison = (typeof comparisons)[number];
export type SetOperator = (typeof setOperators)[number];
/** Any operator between two expressions. */
export type BinaryOperator = ArithmeticOperator | Comparison | SetOperator;

/** Which labels count: only these, or all but these. */
export interface Grouping {
  readonly only: boolean;
  readonly labels: readonly string[];
}

/** `name{matchers}`, or with `rangeMs` `name{matchers}[range]`. */
export interface Selector {
  readonly kind: "selector";
  readonly matchers: readonly Matcher[];
  readonly rangeMs?: number;
}

/** A function of the language applied to arguments of the right types. */
export interface Call {
  readonly kind: "call";
  readonly name: string;
  readonly args: readonly Expr[];
}

/** `sum by (a) (arg)` and its like. */
export interface Aggregate {
  readonly kind: "aggregate";
  readonly operation: Aggregation;
  readonly grouping: Grouping;
  readonly arg: Expr;
}

/** `left operator right`. */
export interface Binary {
  readonly kind: "binary";
  readonly operator: BinaryOperator;
  /** A comparison that gives 0 or 1 instead of filtering. */
  readonly bool: boolean;
  readonly matching: Grouping;
  readonly left: Expr;
  readonly right: Expr;
}

/** The part of PromQL that the sandbox understands. */
export type Expr =
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "negate"; readonly arg: Expr }
  | Selector
  | Call
  | Aggregate
  | Binary;

/** The query itself is wrong, or uses what the sandbox does not understand: Prometheus' `bad_data`. */
export class BadQuery extends Error {}

/** The query cannot be carried out on this data: Prometheus' `execution`. */
export class ExecutionError extends Error {}

/** A part of PromQL that only the real Prometheus has. */
export function unsupported(what: string): BadQuery {
  return new BadQuery(`${what} is not supported by the sandbox; put prometheus on PATH`);
}
