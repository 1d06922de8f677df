// Writes what is generated from the schemas: crds/*.yaml and docs/reference.md. With --check it only says what is stale.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { stringify } from "yaml";
import { crdOf } from "../src/api/crd.ts";
import { kinds } from "../src/api/kinds.ts";
import { referencePage } from "./reference.ts";

const root = resolve(import.meta.dirname, "..");

/** Text of every generated file, by path from the root of the repository. */
function generated(): Map<string, string> {
  const files = new Map<string, string>();
  for (const kind of kinds) {
    const crd = crdOf(kind);
    files.set(`crds/${crd.metadata.name}.yaml`, `# Generated from src/api; do not edit.\n${stringify(crd, { lineWidth: 0, aliasDuplicateObjects: false })}`);
  }
  files.set("docs/reference.md", referencePage(kinds));
  return files;
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
