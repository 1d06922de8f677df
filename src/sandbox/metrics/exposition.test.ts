import { expect, test } from "vitest";
import { parseExposition } from "./exposition.ts";
import { labelsOf, matcherOf, signatureOf } from "./labels.ts";
import { createTsdb } from "./tsdb.ts";

test.each<[string, Record<string, string>, number]>([
  ["up 1", { __name__: "up" }, 1],
  ["a:b_total{} 2.5e3", { __name__: "a:b_total" }, 2_500],
  ['x{a="1",b="two",} -0.5', { __name__: "x", a: "1", b: "two" }, -0.5],
  ['x{ a = "1" , b="2" }\t+Inf', { __name__: "x", a: "1", b: "2" }, Infinity],
  ['x{a="q\\"b\\\\n\\n}"} NaN', { __name__: "x", a: 'q"b\\n\n}' }, Number.NaN],
  ['x{a=""} 3', { __name__: "x" }, 3],
  ['x_bucket{le="+Inf"} 7 # {trace="1"} 0.5', { __name__: "x_bucket", le: "+Inf" }, 7],
])("%s", (line, labels, value) => {
  expect(parseExposition(`# HELP x text\n# TYPE x counter\n\n${line}\n# EOF\n`)).toEqual([
    { labels: new Map(Object.entries(labels)), value },
  ]);
});

test("a time of its own is kept", () => {
  expect(parseExposition("x 1 1700000000123")).toEqual([{ labels: new Map([["__name__", "x"]]), value: 1, timeMs: 1_700_000_000_123 }]);
});

test.each(["<html>", "x", 'x{a="1} 2', 'x{a="1" b="2"} 3', "x one", "{} 1", 'x{a="1"}2 three four'])("not an exposition: %s", (line) => {
  expect(() => parseExposition(`ok 1\n${line}\n`)).toThrow(/^line 2 is not in Prometheus' text format/);
});

test("the store keeps within its bounds", () => {
  const db = createTsdb({ retentionMs: 1_000, maxSeries: 2 });
  const labels = (name: string) => labelsOf([["__name__", name]]);
  const names = () => db.select([matcherOf("__name__", "=~", ".+")]).map((series) => signatureOf(series.labels));
  expect(db.append(labels("a"), { timeMs: 0, value: 1 })).toBe(true);
  expect(db.append(labels("b"), { timeMs: 500, value: 1 })).toBe(true);
  expect(db.append(labels("c"), { timeMs: 500, value: 1 })).toBe(false);
  db.append(labels("b"), { timeMs: 400, value: 2 });
  db.append(labels("b"), { timeMs: 1_600, value: 3 });
  db.trim(1_700);
  expect(names()).toEqual([signatureOf(labels("b"))]);
  expect(db.select([matcherOf("__name__", "=", "b")])[0]?.points).toEqual([{ timeMs: 1_600, value: 3 }]);
  expect(db.append(labels("c"), { timeMs: 1_700, value: 1 })).toBe(true);
});
