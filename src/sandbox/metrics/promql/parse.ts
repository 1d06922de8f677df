import type { SyntaxNode } from "@lezer/common";
import { parser } from "@prometheus-io/lezer-promql";
import { type Matcher, matcherOf } from "../labels.ts";
import {
  type Aggregation,
  aggregations,
  arithmetic,
  BadQuery,
  type Binary,
  type BinaryOperator,
  comparisons,
  type Expr,
  type Grouping,
  type Selector,
  setOperators,
  unsupported,
  type ValueType,
} from "./ast.ts";
import { isComparison, isSetOperator } from "./binary.ts";
import { resultType, signatures } from "./functions.ts";
import { durationMs, numberOf, unquote } from "./literals.ts";

/** Reads a query. Throws BadQuery for a broken one, and for a part of PromQL that the sandbox does not understand. */
export function parseQuery(text: string): Expr {
  const top = parser.parse(text).topNode;
  refuseBroken(top, text);
  const root = top.firstChild;
  if (!root) throw new BadQuery("unknown position: parse error: no expression found in input");
  return expression(root, text);
}

/** What the expression evaluates to. */
export function typeOf(expr: Expr): ValueType {
  switch (expr.kind) {
    case "number":
      return "scalar";
    case "selector":
      return expr.rangeMs === undefined ? "vector" : "matrix";
    case "negate":
      return typeOf(expr.arg);
    case "aggregate":
      return "vector";
    case "binary":
      return typeOf(expr.left) === "scalar" && typeOf(expr.right) === "scalar" ? "scalar" : "vector";
    case "call":
      return resultType(expr.name);
    default:
      return expr satisfies never;
  }
}

function refuseBroken(top: SyntaxNode, text: string): void {
  const cursor = top.cursor();
  do {
    if (!cursor.type.isError) continue;
    const near = text.slice(cursor.from, cursor.from + 20).trim();
    throw new BadQuery(`1:${cursor.from + 1}: parse error: unexpected ${near === "" ? "end of input" : `"${near}"`}`);
  } while (cursor.next());
}

const builders: Readonly<Record<string, (node: SyntaxNode, text: string) => Expr>> = {
  NumberDurationLiteral: (node, text) => ({ kind: "number", value: numberOf(sourceOf(node, text)) }),
  ParenExpr: (node, text) => expression(onlyChild(node), text),
  VectorSelector: selector,
  MatrixSelector: range,
  FunctionCall: call,
  AggregateExpr: aggregate,
  BinaryExpr: binary,
  UnaryExpr: unary,
};

const unsupportedNodes: Readonly<Record<string, string>> = {
  OffsetExpr: "offset",
  SubqueryExpr: "a subquery",
  StepInvariantExpr: "the @ modifier",
  StringLiteral: "a string",
  AnchoredExpr: "anchored",
  SmoothedExpr: "smoothed",
};

function expression(node: SyntaxNode, text: string): Expr {
  const build = builders[node.name];
  if (!build) throw unsupported(unsupportedNodes[node.name] ?? node.name);
  return build(node, text);
}

function selector(node: SyntaxNode, text: string): Selector {
  const name = node.getChild("Identifier");
  const matchers = (node.getChild("LabelMatchers") ? children(node.getChild("LabelMatchers")) : []).map((child) => matcher(child, text));
  const named = name ? [matcherOf("__name__", "=", sourceOf(name, text)), ...matchers] : matchers;
  if (named.every(({ matches }) => matches("")))
    throw new BadQuery("1:1: parse error: vector selector must contain at least one non-empty matcher");
  return { kind: "selector", matchers: named };
}

function matcher(node: SyntaxNode, text: string): Matcher {
  if (node.name !== "UnquotedLabelMatcher") throw unsupported("a quoted label name");
  const [label, operator, value] = children(node).map((child) => sourceOf(child, text));
  if (label === undefined || value === undefined) throw new BadQuery("parse error: incomplete label matcher");
  try {
    return matcherOf(label, operatorIn(operator), unquote(value));
  } catch (err) {
    if (err instanceof SyntaxError) throw new BadQuery(`parse error: ${err.message}`);
    throw err;
  }
}

function operatorIn(text: string | undefined): "=" | "!=" | "=~" | "!~" {
  if (text === "=" || text === "!=" || text === "=~" || text === "!~") return text;
  throw new BadQuery(`parse error: unexpected operator ${text ?? ""}`);
}

function range(node: SyntaxNode, text: string): Expr {
  const [inner, duration] = children(node);
  if (inner?.name !== "VectorSelector") throw new BadQuery("parse error: ranges only allowed for vector selectors");
  if (duration?.firstChild?.name !== "NumberDurationLiteralInDurationContext") throw unsupported("arithmetic in a range");
  return { ...selector(inner, text), rangeMs: durationMs(sourceOf(duration, text)) };
}

function call(node: SyntaxNode, text: string): Expr {
  const name = sourceOf(node.getChild("FunctionIdentifier") ?? node, text);
  const types = Object.hasOwn(signatures, name) ? signatures[name] : undefined;
  if (!types) throw unsupported(`function ${name}`);
  const args = children(node.getChild("FunctionCallBody")).map((arg) => expression(arg, text));
  if (args.length !== types.length)
    throw new BadQuery(`parse error: expected ${types.length} argument(s) in call to "${name}", got ${args.length}`);
  types.forEach((type, index) => {
    const arg = args[index];
    if (arg) expectType(arg, type, `call to function "${name}"`);
  });
  return { kind: "call", name, args };
}

function aggregate(node: SyntaxNode, text: string): Expr {
  const operation = sourceOf(node.getChild("AggregateOp") ?? node, text).toLowerCase();
  if (!isAggregation(operation)) throw unsupported(`aggregation ${operation}`);
  const [arg, ...others] = children(node.getChild("FunctionCallBody")).map((child) => expression(child, text));
  if (!arg || others.length > 0)
    throw new BadQuery(
      `parse error: wrong number of arguments for aggregate expression provided, expected 1, got ${arg ? others.length + 1 : 0}`,
    );
  expectType(arg, "vector", "aggregation expression");
  const modifier = node.getChild("AggregateModifier");
  const grouping = modifier
    ? { only: modifier.getChild("By") !== null, labels: groupingLabels(modifier, text) }
    : { only: true, labels: [] };
  return { kind: "aggregate", operation, grouping, arg };
}

function isAggregation(name: string): name is Aggregation {
  return aggregations.some((known) => known === name);
}

function binary(node: SyntaxNode, text: string): Expr {
  const parts = children(node);
  const [leftNode, operatorNode] = parts;
  const rightNode = parts.at(-1);
  if (!leftNode || !operatorNode || !rightNode) throw new BadQuery("parse error: incomplete operation");
  const operator = binaryOperator(sourceOf(operatorNode, text).toLowerCase());
  const sides = {
    operator,
    bool: node.getChild("BoolModifier") !== null,
    left: expression(leftNode, text),
    right: expression(rightNode, text),
  };
  const operation: Binary = { kind: "binary", ...sides, matching: matchingIn(node, text) };
  checkBinary(operation);
  // The sign of a number binds less than ^, though the grammar reads it as part of the number.
  const { left } = operation;
  if (operator === "^" && leftNode.name === "NumberDurationLiteral" && left.kind === "number" && /^[-+]/.test(sourceOf(leftNode, text))) {
    const signless: Binary = { ...operation, left: { kind: "number", value: Math.abs(left.value) } };
    return sourceOf(leftNode, text).startsWith("-") ? { kind: "negate", arg: signless } : signless;
  }
  return operation;
}

const operators: readonly BinaryOperator[] = [...arithmetic, ...comparisons, ...setOperators];

function binaryOperator(text: string): BinaryOperator {
  const found = operators.find((operator) => operator === text);
  if (!found) throw unsupported(`operator ${text}`);
  return found;
}

function matchingIn(node: SyntaxNode, text: string): Grouping {
  if (node.getChild("FillModifier")) throw unsupported("fill");
  const clause = node.getChild("MatchingModifierClause");
  if (!clause) return { only: false, labels: [] };
  if (clause.getChild("GroupLeft") ?? clause.getChild("GroupRight"))
    throw unsupported(clause.getChild("GroupLeft") ? "group_left" : "group_right");
  return { only: clause.getChild("On") !== null, labels: groupingLabels(clause, text) };
}

function checkBinary({ operator, bool, left, right }: Binary): void {
  const types = [typeOf(left), typeOf(right)];
  if (types.includes("matrix")) throw new BadQuery("parse error: binary expression must contain only scalar and instant vector types");
  if (bool && !isComparison(operator)) throw new BadQuery("parse error: bool modifier can only be used on comparison operators");
  if (isSetOperator(operator) && types.includes("scalar"))
    throw new BadQuery(`parse error: set operator "${operator}" not allowed in binary scalar expression`);
  if (isComparison(operator) && !bool && types.every((type) => type === "scalar"))
    throw new BadQuery("parse error: comparisons between scalars must use BOOL modifier");
}

function unary(node: SyntaxNode, text: string): Expr {
  const [operator, inner] = children(node);
  if (!operator || !inner) throw new BadQuery("parse error: incomplete operation");
  const arg = expression(inner, text);
  if (typeOf(arg) === "matrix")
    throw new BadQuery("parse error: unary expression only allowed on expressions of type scalar or instant vector, got range vector");
  return sourceOf(operator, text) === "-" ? { kind: "negate", arg } : arg;
}

const typeNames: Readonly<Record<ValueType, string>> = { scalar: "scalar", vector: "instant vector", matrix: "range vector" };

function expectType(expr: Expr, type: ValueType, where: string): void {
  const actual = typeOf(expr);
  if (actual !== type) throw new BadQuery(`parse error: expected type ${typeNames[type]} in ${where}, got ${typeNames[actual]}`);
}

function groupingLabels(node: SyntaxNode, text: string): string[] {
  return children(node.getChild("GroupingLabels")).map((label) => sourceOf(label, text));
}

function onlyChild(node: SyntaxNode): SyntaxNode {
  const [only] = children(node);
  if (!only) throw new BadQuery("parse error: empty parentheses");
  return only;
}

function children(node: SyntaxNode | null): SyntaxNode[] {
  const found: SyntaxNode[] = [];
  for (let child = node?.firstChild ?? null; child; child = child.nextSibling) if (child.name !== "LineComment") found.push(child);
  return found;
}

function sourceOf({ from, to }: SyntaxNode, text: string): string {
  return text.slice(from, to);
}
