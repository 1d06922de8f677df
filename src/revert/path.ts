import { isRecord, sameJson } from "../lib/json.ts";

/** One step into an object: a field by name, an item of a list by its `name`, or an item by position. */
export type Step = { readonly field: string } | { readonly item: string } | { readonly index: number };

/** `spec.containers[app].env[0]` from its steps. Names that could be misread are quoted: `annotations["checksum/config"]`. */
export function formatPath(steps: readonly Step[]): string {
  return steps.reduce((text, step) => text + formatStep(step, text === ""), "");
}

function formatStep(step: Step, first: boolean): string {
  if ("index" in step) return `[${step.index}]`;
  if ("item" in step) return /^\d+$|[\]"]/.test(step.item) ? `[${JSON.stringify(step.item)}]` : `[${step.item}]`;
  if (!/^[A-Za-z_][\w-]*$/.test(step.field)) return `[${JSON.stringify(step.field)}]`;
  return first ? step.field : `.${step.field}`;
}

/** The reverse of {@link formatPath}. A quoted name is a field or an item, whichever the object has there. */
export function parsePath(path: string): Step[] {
  const steps: Step[] = [];
  for (const [, field, quoted, position, item] of path.matchAll(/\.?([A-Za-z_][\w-]*)|\[("(?:[^"\\]|\\.)*")\]|\[(\d+)\]|\[([^\]]+)\]/g)) {
    if (field !== undefined) steps.push({ field });
    else if (quoted !== undefined) steps.push({ field: JSON.parse(quoted) as string });
    else if (position !== undefined) steps.push({ index: Number(position) });
    else steps.push({ item: item ?? "" });
  }
  return steps;
}

/** Value at the path, or `undefined`. */
export function valueAt(root: unknown, steps: readonly Step[]): unknown {
  let value: unknown = root;
  for (const step of steps) {
    const key = keyIn(value, step);
    if (key === undefined) return undefined;
    value = (value as Record<string | number, unknown>)[key];
  }
  return value;
}

/**
 * A copy with this value at the path; `undefined` removes the field or list item. Parents that are missing are made,
 * unless there is nothing to set. The original is not touched.
 */
export function withValueAt(root: unknown, steps: readonly Step[], value: unknown): unknown {
  const [step, ...rest] = steps;
  if (step === undefined) return value;
  const key = keyIn(root, step);
  if (key === undefined && value === undefined) return root;
  const inner = withValueAt(key === undefined ? undefined : (root as Record<string | number, unknown>)[key], rest, value);
  return Array.isArray(root) || ("item" in step && root === undefined)
    ? withItem((root as unknown[] | undefined) ?? [], key, inner)
    : withField(root, step, inner);
}

function withItem(list: readonly unknown[], key: string | number | undefined, value: unknown): unknown[] {
  if (key === undefined) return value === undefined ? [...list] : [...list, value];
  return list.flatMap((item, position) => (position === key ? (value === undefined ? [] : [value]) : [item]));
}

function withField(root: unknown, step: Step, value: unknown): unknown {
  const field = "field" in step ? step.field : "item" in step ? step.item : String(step.index);
  const { [field]: _, ...others } = isRecord(root) ? root : {};
  return value === undefined ? others : { ...others, [field]: value };
}

/** Where the step leads in this value: a position in a list or a field's name; `undefined`: nowhere. */
function keyIn(value: unknown, step: Step): string | number | undefined {
  if (Array.isArray(value)) {
    if ("index" in step) return step.index < value.length ? step.index : undefined;
    const name = "item" in step ? step.item : step.field;
    const position = value.findIndex((item) => isRecord(item) && item["name"] === name);
    return position < 0 ? undefined : position;
  }
  if (!isRecord(value)) return undefined;
  const field = "field" in step ? step.field : "item" in step ? step.item : String(step.index);
  return field in value ? field : undefined;
}

/** One place where two values differ. */
export interface Difference {
  readonly path: readonly Step[];
  readonly before: unknown;
  readonly after: unknown;
}

/** The smallest places where two values differ: lists whose items have names item by item, other lists as a whole. */
export function differences(before: unknown, after: unknown, at: readonly Step[] = []): Difference[] {
  if (sameJson(before, after)) return [];
  if (isRecord(before) && isRecord(after)) {
    const fields = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
    return fields.flatMap((field) => differences(before[field], after[field], [...at, { field }]));
  }
  if (isNamedList(before) && isNamedList(after)) {
    const items = [...new Set([...before, ...after].map(({ name }) => name))];
    const find = (list: readonly { name: string }[], name: string) => list.find((item) => item.name === name);
    return items.flatMap((item) => differences(find(before, item), find(after, item), [...at, { item }]));
  }
  return [{ path: at, before, after }];
}

function isNamedList(value: unknown): value is { name: string }[] {
  if (!Array.isArray(value) || value.length === 0) return false;
  const names = value.map((item: unknown) => (isRecord(item) ? item["name"] : undefined));
  return names.every((name) => typeof name === "string") && new Set(names).size === names.length;
}
