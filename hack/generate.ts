// Writes what is generated: from the schemas crds/*.yaml, the chart's copies and docs/reference.md; docs/chart-values.md from the
// chart's values. With --check it only says what is stale.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { stringify } from "yaml";
import { crdOf } from "../src/api/crd.ts";
import { kinds } from "../src/api/kinds.ts";
import type { KubeObject } from "../src/api/object.ts";
import { chartCrd, chartValuesPage } from "./chart.ts";
import { dashboardJson } from "./dashboard.ts";
import { metricsTable } from "./metrics-table.ts";
import { referencePage } from "./reference.ts";

const root = resolve(import.meta.dirname, "..");

/** Text of every generated file, by path from the root of the repository. */
function generated(): Map<string, string> {
  const files = new Map<string, string>();
  for (const kind of kinds) {
    const crd = crdOf(kind);
    files.set(`crds/${crd.metadata.name}.yaml`, yamlOf(crd));
    files.set(`charts/serin/definitions/${crd.metadata.name}.yaml`, yamlOf(chartCrd(crd)));
  }
  files.set("docs/reference.md", referencePage(kinds));
  files.set("charts/serin/files/dashboard.json", dashboardJson());
  files.set("docs/metrics.md", filledIn("docs/metrics.md", "metrics", metricsTable()));
  files.set("docs/chart-values.md", chartValuesPage(readFileSync(join(root, "charts/serin/values.yaml"), "utf8")));
  return files;
}

function yamlOf(crd: KubeObject): string {
  return `# Generated from src/api; do not edit.\n${stringify(crd, { lineWidth: 0, aliasDuplicateObjects: false })}`;
}

/** A page written by hand, with what stands between `<!-- name -->` and `<!-- /name -->` made anew. */
function filledIn(path: string, name: string, text: string): string {
  const [before = "", rest = ""] = readFileSync(join(root, path), "utf8").split(`<!-- ${name} -->\n`);
  const [, after = ""] = rest.split(`<!-- /${name} -->\n`);
  return `${before}<!-- ${name} -->\n${text}<!-- /${name} -->\n${after}`;
}

function isStale(path: string, text: string): boolean {
  try {
    return readFileSync(join(root, path), "utf8") !== text;
  } catch {
    return true;
  }
}

const stale = [...generated()].filter(([path, text]) => isStale(path, text));
if (process.argv.includes("--check")) {
  for (const [path] of stale) process.stderr.write(`${path} is stale: run npm run generate\n`);
  process.exitCode = stale.length > 0 ? 1 : 0;
} else {
  for (const [path, text] of stale) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
    process.stdout.write(`wrote ${path}\n`);
  }
}
