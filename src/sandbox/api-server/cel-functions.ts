import { isDeepStrictEqual } from "node:util";
import type { Environment } from "@marcbachmann/cel-js";

/** Adds what Kubernetes' CEL has beyond the language itself, as far as rules of CRDs commonly use it. */
export function registerKubernetesFunctions(environment: Environment): Environment {
  return environment
    .registerFunction("list.isSorted(): bool", (list: unknown[]) =>
      list.every((item, index) => index === 0 || order(list[index - 1], item) <= 0),
    )
    .registerFunction("list.sort(): list", (list: unknown[]) => list.toSorted(order))
    .registerFunction("list.min(): dyn", (list: unknown[]) => extreme(list, "min", (item, best) => order(item, best) < 0))
    .registerFunction("list.max(): dyn", (list: unknown[]) => extreme(list, "max", (item, best) => order(item, best) > 0))
    .registerFunction("list.sum(): dyn", sum)
    .registerFunction("list.indexOf(dyn): int", (list: unknown[], wanted: unknown) =>
      BigInt(list.findIndex((item) => isDeepStrictEqual(item, wanted))),
    )
    .registerFunction("list.lastIndexOf(dyn): int", (list: unknown[], wanted: unknown) =>
      BigInt(list.findLastIndex((item) => isDeepStrictEqual(item, wanted))),
    )
    .registerFunction("string.find(string): string", (text: string, pattern: string) => new RegExp(pattern, "u").exec(text)?.[0] ?? "")
    .registerFunction("string.findAll(string): list", (text: string, pattern: string) => text.match(new RegExp(pattern, "gu")) ?? [])
    .registerFunction("string.replace(string, string): string", (text: string, from: string, to: string) => text.replaceAll(from, () => to))
    .registerFunction("isURL(string): bool", isUrl)
    .registerFunction("isQuantity(string): bool", (text: string) =>
      /^[+-]?(\d+(\.\d*)?|\.\d+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?\d+)?$/.test(text),
    );
}

function order(a: unknown, b: unknown): number {
  if (isDeepStrictEqual(a, b)) return 0;
  return (a as string) < (b as string) ? -1 : 1;
}

function extreme(list: readonly unknown[], name: string, better: (item: unknown, best: unknown) => boolean): unknown {
  if (list.length === 0) throw new Error(`${name} called on empty list`);
  return list.reduce((best, item) => (better(item, best) ? item : best));
}

function sum(list: readonly unknown[]): unknown {
  if (list.every((item) => typeof item === "bigint")) return list.reduce((total, item) => total + item, 0n);
  return list.reduce<number>((total, item) => total + Number(item), 0);
}

function isUrl(text: string): boolean {
  return text.startsWith("/") || URL.canParse(text);
}
