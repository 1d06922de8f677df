import { readdirSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { expect, test } from "vitest";

const pure = ["api", "lib"];
const mayImport: Record<string, string[]> = {
  api: ["lib"],
  lib: [],
  canary: pure,
  analysis: pure,
  gitops: pure,
  revert: pure,
  routing: pure,
  kube: ["api", "lib"],
  metrics: ["api", "lib"],
  githost: ["api", "lib"],
  git: ["lib"],
  render: ["api", "lib"],
  server: ["api", "lib"],
  controllers: ["api", "lib", "canary", "analysis", "gitops", "revert", "routing", "kube", "metrics", "githost", "git", "render"],
};
/** Folders whose code must give the same answer to the same input: no packages but zod, no Node modules. */
const pureFolders = new Set(["api", "canary", "analysis", "gitops", "revert", "routing"]);

const src = resolve(import.meta.dirname, "../src");
const files = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));

function textOf(file: string): string {
  return readFileSync(join(src, file), "utf8");
}

function importsOf(file: string): string[] {
  return [...textOf(file).matchAll(/(?:^|\n)(?:import|export)\s[^;]*?from\s+"([^"]+)"|import\("([^"]+)"\)/g)].map((match) => match[1] ?? match[2] ?? "");
}

function folderOf(file: string): string {
  return file.includes("/") ? file.slice(0, file.indexOf("/")) : "";
}

/** What is wrong with one import, or `undefined`. */
function violation(file: string, specifier: string): string | undefined {
  if (file.endsWith(".test.ts")) return undefined;
  return specifier.startsWith(".") ? internalViolation(file, specifier) : externalViolation(file, specifier);
}

function internalViolation(file: string, specifier: string): string | undefined {
  const from = folderOf(file);
  const target = relative(src, resolve(src, dirname(file), specifier));
  const to = folderOf(target);
  if (to === from || mayImport[from] === undefined || mayImport[from].includes(to)) return undefined;
  return `${file} imports ${to || target}`;
}

function externalViolation(file: string, specifier: string): string | undefined {
  if (!pureFolders.has(folderOf(file)) || specifier === "zod") return undefined;
  return `${file} imports ${specifier}${isBuiltin(specifier) ? " (pure folders have no Node modules)" : ""}`;
}

test("every folder imports only what the design allows", () => {
  const violations = files.flatMap((file) =>
    importsOf(file)
      .map((specifier) => violation(file, specifier))
      .filter((found) => found !== undefined),
  );
  expect(violations).toEqual([]);
});

test("only config.ts reads the environment", () => {
  const readers = files.filter((file) => !file.endsWith(".test.ts") && /process\.env\b/.test(textOf(file)));
  expect(readers.filter((file) => file !== "config.ts")).toEqual([]);
});

test("only src/git uses isomorphic-git", () => {
  const users = files.filter((file) => importsOf(file).includes("isomorphic-git") && folderOf(file) !== "git");
  expect(users).toEqual([]);
});

test("pure folders know neither the time nor chance nor the process", () => {
  const impure = /\b(?:Date\.now|Math\.random|performance\.|process\.|crypto\.|setTimeout|setInterval|new Date\(\))/;
  const users = files.filter((file) => pureFolders.has(folderOf(file)) && !file.endsWith(".test.ts") && impure.test(textOf(file)));
  expect(users).toEqual([]);
});

/** What is derived from the schema or list above it needs no sentence of its own. */
const derived = /= (?:z\.infer<|Resource<|\(typeof )/;

/** The line above, or the one above that when a lint override stands between. */
function above(lines: readonly string[], index: number): string {
  const line = lines[index - 1]?.trimEnd() ?? "";
  return line.startsWith("// oxlint-disable") ? above(lines, index - 1) : line;
}

test("every export has a sentence for those who use it", () => {
  const silent = files
    .filter((file) => !file.endsWith(".test.ts"))
    .flatMap((file) =>
      textOf(file)
        .split("\n")
        .flatMap((line, index, lines) => {
          const isExport = /^export (?:async )?(?:function|const|class|interface|type)\b/.test(line) && !derived.test(line);
          return isExport && !above(lines, index).endsWith("*/") ? [`${file}:${index + 1}`] : [];
        }),
    );
  expect(silent).toEqual([]);
});

const maxColumns = 140;
/** Long texts and patterns are not broken up; a row of a test's table stays one line. */
const literal = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`?|(?<=[(,=] ?|^ +)\/(?:[^/\\[*]|\\.|\[(?:[^\]\\]|\\.)*\])+\/[a-z]*/g;

function isTooLong(line: string): boolean {
  return line.length > maxColumns && line.replace(literal, (text) => (text.length > 42 ? '""' : text)).length > maxColumns;
}

test("no line of code is longer than two files beside each other allow", () => {
  const long = files.flatMap((file) =>
    textOf(file)
      .split("\n")
      .flatMap((line, index) => (isTooLong(line) && !(file.endsWith(".test.ts") && /^\s+\[/.test(line)) ? [`${file}:${index + 1}`] : [])),
  );
  expect(long).toEqual([]);
});
