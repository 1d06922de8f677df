import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { hasTool } from "../../test/tools.ts";
import { parseLocated, parseYaml, YamlError } from "./yaml.ts";

/** Scalars and what kubectl 1.32 made of them (`kubectl label --local -o json`). */
const scalars: [string, unknown][] = [
  ...["y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE"].map((word): [string, unknown] => [word, true]),
  ...["n", "N", "no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE"].map((word): [string, unknown] => [word, false]),
  ...["~", "null", "Null", "NULL"].map((word): [string, unknown] => [word, null]),
  ["tRUE", "tRUE"], ["nULL", "nULL"], ['"yes"', "yes"], ["'12'", "12"], ["yess", "yess"],
  ["0123", 83], ["0o17", 15], ["0O17", 15], ["0x1F", 31], ["0X1f", 31], ["0b11", 3], ["-0x1F", -31], ["-0b11", -3], ["-0o17", -15], ["+0o17", 15],
  ["1_000", 1000], ["1_", 1], ["0_1", 1], ["1__2", 12], ["1_000.5", 1000.5], ["0x_1", 1], ["089", 89], ["+1", 1], ["-0", 0], ["-0.0", 0],
  ["1e3", 1000], ["1E+3", 1000], ["1.5e3", 1500], [".5", 0.5], ["5.", 5], ["+.5", 0.5], ["-.5", -0.5], ["1.e3", 1000], ["0.1e-3", 0.0001], ["12e03", 12000],
  ["._5", "._5"], [".", "."], ["..", ".."], ["0x", "0x"], ["0b12", "0b12"], ["0o8", "0o8"], ["0xG", "0xG"], [".e3", ".e3"], ["1e", "1e"], ["e3", "e3"],
  ["2001-01-01", "2001-01-01"], ["2001-12-14t21:59:43.10-05:00", "2001-12-14t21:59:43.10-05:00"], ["1:30", "1:30"], ["190:20:30", "190:20:30"],
  ["1.2.3", "1.2.3"], ["=", "="], ["<<", "<<"], ["1.0", 1], ["1e21", 1e21],
  ["!!binary aGk=", "hi"], ['!!int "3"', 3], ["!foo 3", "3"], ["!!str 3", "3"], ["!!float 3", 3], ["!!bool yes", true], ["!!timestamp 2001-01-01", "2001-01-01"],
];


test.each(scalars)("reads %s as kubectl does", (text, want) => {
  expect(parseYaml(`a: ${text}\n`, "f.yaml")).toEqual([{ value: { a: want }, line: 1 }]);
});

test.skipIf(!hasTool("kubectl"))("the kubectl on this machine reads these scalars the same way", () => {
  const spec = scalars.map(([text], index) => `  v${index}: ${text}\n`).join("");
  const keys = "  1: a\n  true: b\n  1.5: c\n  no: d\n  0x10: e\n  2001-01-01: f\n  1e3: g\n";
  const merge = "  m: &a {p: 1, q: 2}\n  z: {p: 9, <<: *a}\n  w: {<<: *a, p: 9}\n  s: {? x, y}\n  l: [a: b]\n  ? k\n  : |-\n    v\n";
  const yaml = `apiVersion: v1\nkind: Foo\nmetadata: {name: x}\nspec:\n${spec}${keys}${merge}`;
  const { stdout } = spawnSync("kubectl", ["label", "--local", "-f", "-", "a=b", "-o", "json"], { input: yaml, encoding: "utf8" });
  const document = parseYaml(yaml, "f.yaml")[0]!;
  expect((document.value as { spec: unknown }).spec).toEqual((JSON.parse(stdout) as { spec: unknown }).spec);
});

test("keys are texts, whatever they look like", () => {
  expect(parseYaml("1: a\ntrue: b\nno: d\n0x10: e\n1e3: g\n__proto__: {x: 1}\n", "f")[0]?.value).toEqual(
    Object.fromEntries([["1", "a"], ["true", "b"], ["false", "d"], ["16", "e"], ["1000", "g"], ["__proto__", { x: 1 }]]),
  );
});

describe("documents", () => {
  test.each<[string, string, [unknown, number][]]>([
    ["an empty file has none", "", []],
    ["comments are none", "# a\n---\n# b\n---\n", []],
    ["empty ones are left out, lines count from the start of the file", "---\n---\na: 1\n---\n\n# x\nb: 2\n", [[{ a: 1 }, 3], [{ b: 2 }, 7]]],
    ["a byte order mark is not content", "\uFEFFa: 1\n", [[{ a: 1 }, 1]]],
    ["Windows line ends", "a: 1\r\n---\r\nb: |\r\n  x\r\n  y\r\n", [[{ a: 1 }, 1], [{ b: "x\ny\n" }, 3]]],
    ["JSON with tabs", '{\n\t"a": [\n\t\t1\n\t]\n}\n', [[{ a: [1] }, 1]]],
    ["a document end marker", "a: 1\n...\n", [[{ a: 1 }, 1]]],
    ["anchors belong to their document", "a: &x 1\n---\nb: 2\n", [[{ a: 1 }, 1], [{ b: 2 }, 3]]],
    ["indented markers are content", "a: |\n  ---\n  <<<<<<< x\n", [[{ a: "---\n<<<<<<< x\n" }, 1]]],
  ])("%s", (_, text, want) => {
    expect(parseYaml(text, "f.yaml").map(({ value, line }) => [value, line])).toEqual(want);
  });
});

const nine = "a: 1\n---\n".repeat(9);
describe("errors name the file and the line counted from its start", () => {
  test.each<[string, string, RegExp]>([
    ["broken YAML in the tenth document", `${nine}b: 1\nc: [1, 2\nd: 3\n`, /^f\.yaml:(20|21): /],
    ["the same key twice", `${nine}b: 1\nx:\n  k: 1\n  k: 2\n`, /^f\.yaml:22: the key "k" stands here again, first on line 21$/],
    ["the same key in two spellings", "yes: 1\ntrue: 2\n", /^f\.yaml:2: the key "true" stands here again, first on line 1$/],
    ["a merge conflict", "a: 1\n<<<<<<< HEAD\nb: 1\n=======\nb: 2\n>>>>>>> x\n", /^f\.yaml:2: merge conflict marker "<<<<<<< HEAD"/],
    ["a tab as indentation", "a:\n  b:\n\tc: 1\n", /^f\.yaml:3: Tabs are not allowed as indentation/],
    ["a long integer", "a: 9007199254740993\n", /^f\.yaml:1: 9007199254740993 is beyond 2\^53/],
    ["a longer one", "a: 0\nb: 123456789012345678901\n", /^f\.yaml:2: 123456789012345678901 is beyond 2\^53/],
    ["infinity", "a: .inf\n", /^f\.yaml:1: \.inf has no form in JSON/],
    ["not a number", "a: .NaN\n", /^f\.yaml:1: \.NaN has no form in JSON/],
    ["an unquoted template", "a: {{ x }}\n", /^f\.yaml:1: a key must be a text; put quotes/],
    ["an unknown anchor", "a: *nope\n", /^f\.yaml:1: .*nope/],
    ["an anchor of another document", "a: &x 1\n---\nb: *x\n", /^f\.yaml:3: .*x/],
    ["an anchor in itself", "a: 1\nb: &x [*x]\n", /^f\.yaml:2: anchor "x" contains itself/],
    ["deep nesting", `a: ${"[".repeat(300)}${"]".repeat(300)}\n`, /^f\.yaml:1: is nested too deeply/],
    ["very deep nesting", "- ".repeat(20_000), /^f\.yaml:1: is nested too deeply/],
    ["a control character", "a: 1\nb: x\u0000y\n", /^f\.yaml:2: control character 0x00/],
    ["a wrong tag", "a: !!int x\n", /^f\.yaml:1: "x" is not of the type int$/],
    ["a merge of something else", "a:\n  <<: 3\n", /^f\.yaml:2: << needs a mapping/],
  ])("%s", (_, text, message) => {
    expect(() => parseYaml(text, "f.yaml")).toThrow(message);
    expect(() => parseYaml(text, "f.yaml")).toThrow(YamlError);
  });

  test("bytes that are no text", () => {
    expect(() => parseYaml(new Uint8Array([0x61, 0x3a, 0x20, 0xff]), "f.yaml")).toThrow(/^f\.yaml:1: is not UTF-8 text$/);
  });

  test("a file that expands to billions of values", () => {
    const levels = Array.from({ length: 12 }, (_, level) => `l${level + 1}: &l${level + 1} [${Array(10).fill(`*l${level}`).join(", ")}]`);
    expect(() => parseYaml(`l0: &l0 [x]\n${levels.join("\n")}\n`, "f.yaml")).toThrow(/expands to more than/);
  });
});

test("the line of every field is known, or that of the nearest that is there", () => {
  const text = "# x\n---\na: 1\nb: { c: [1,\n  2] }\nd: &d\n  - name: x\n    e: 1\nf: *d\n---\nz: 1\n";
  const [first, second] = parseLocated(text, "f.yaml");
  const lines = (...paths: (string | number)[][]) => paths.map((path) => first!.lineOf(path));
  expect(lines([], ["a"], ["b", "c", 0], ["b", "c", 1], ["d", 0, "e"], ["d", 0, "nope"], ["d", 5], ["f", 0, "e"], ["a", "b"])).toEqual([
    3, 3, 4, 5, 8, 7, 6, 9, 3,
  ]);
  expect([second!.line, second!.lineOf(["z"])]).toEqual([11, 11]);
});
