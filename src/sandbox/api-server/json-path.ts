import { isRecord } from "../../lib/json.ts";

/** One step of a path: a field, an index, all items, or items whose field has a value. */
type Step =
  { readonly field: string } | { readonly index: number } | { readonly all: true } | { readonly where: string; readonly equals: unknown };

/** The values that a printer column's JSON path leads to, e.g. `.status.conditions[?(@.type=="Ready")].status`. */
export function jsonPathValues(root: unknown, path: string): unknown[] {
  return stepsOf(path).reduce<unknown[]>((nodes, step) => nodes.flatMap((node) => take(node, step)), [root]);
}

function stepsOf(path: string): Step[] {
  const pattern = /\.((?:[^.[\]\\]|\\.)+)|\[\?\(@\.([\w.-]+)\s*==\s*(?:"([^"]*)"|'([^']*)'|([^)\s]+))\)\]|\[(\d+)\]|\[\*\]|\['([^']+)'\]/g;
  const text = path.startsWith(".") || path.startsWith("[") ? path : `.${path}`;
  return [...text.matchAll(pattern)].map(([, field, where, double, single, bare, index, quoted]): Step => {
    const name = field ?? quoted;
    if (name !== undefined) return { field: name.replaceAll("\\.", ".") };
    if (where !== undefined) return { where, equals: double ?? single ?? (JSON.parse(bare ?? "null") as unknown) };
    return index === undefined ? { all: true } : { index: Number(index) };
  });
}

function take(node: unknown, step: Step): unknown[] {
  if ("field" in step) return isRecord(node) && node[step.field] !== undefined ? [node[step.field]] : [];
  if (!Array.isArray(node)) return "all" in step && isRecord(node) ? Object.values(node) : [];
  if ("all" in step) return node;
  if ("index" in step) return node[step.index] === undefined ? [] : [node[step.index]];
  return node.filter((item) => jsonPathValues(item, step.where)[0] === step.equals);
}
