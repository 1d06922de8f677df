import { isMap, isScalar, parseDocument, type Pair, type YAMLMap } from "yaml";
import type { KubeObject } from "../src/api/object.ts";

/** The CustomResourceDefinition as the chart installs it: it stays when the release goes. */
export function chartCrd(crd: KubeObject): KubeObject {
  return { ...crd, metadata: { ...crd.metadata, annotations: { "helm.sh/resource-policy": "keep" } } };
}

/** The page of all values of the chart, from its values.yaml and the comments there. Throws for a value without a comment. */
export function chartValuesPage(values: string): string {
  const root = parseDocument(values).contents;
  if (!isMap(root)) throw new Error("values.yaml is no map");
  const rows = rowsOf(root, "").map(({ name, initial, meaning }) => `| \`${name}\` | \`${initial}\` | ${meaning.replaceAll("|", "\\|")} |`);
  const head = "# Values of the chart\n\nGenerated from `charts/serin/values.yaml`; do not edit. Names with a typo are refused by `helm install`.";
  return `${head}\n\n| Value | Default | Meaning |\n|---|---|---|\n${rows.join("\n")}\n`;
}

interface Row {
  readonly name: string;
  /** The default, in YAML's one-line form. */
  readonly initial: string;
  readonly meaning: string;
}

/** A comment above a map makes the whole of it one value; without one its fields are values of their own. */
function rowsOf(map: YAMLMap, prefix: string): Row[] {
  return map.items.flatMap((pair, index) => {
    const name = `${prefix}${nameOf(pair)}`;
    const meaning = commentOf(map, pair, index);
    if (meaning === "" && isMap(pair.value) && pair.value.items.length > 0) return rowsOf(pair.value, `${name}.`);
    if (meaning === "") throw new Error(`values.yaml: ${name} has no comment above it`);
    const value: unknown = isMap(pair.value) || isScalar(pair.value) ? pair.value.toJSON() : [];
    return [{ name, initial: JSON.stringify(value), meaning }];
  });
}

function nameOf({ key }: Pair): string {
  return isScalar(key) ? String(key.value) : "";
}

/** What stands right above the key; a comment before a blank line is about the file. */
function commentOf(map: YAMLMap, { key }: Pair, index: number): string {
  const above = isScalar(key) ? (key.commentBefore ?? "") : "";
  const own = above === "" && index === 0 ? (map.commentBefore ?? "") : above;
  const [nearest = ""] = own.split(/\n\s*\n/).slice(-1);
  return nearest.split("\n").map((line) => line.trim()).join(" ").trim();
}
