import { describe, expect, test } from "vitest";
import { StalledError } from "../lib/errors.ts";
import type { Version } from "../api/proxies.ts";
import { renderTemplate, tellsSidesApart, usesInterval } from "./template.ts";

const names = { name: "checkout", namespace: "shop", target: "web", service: "front", ingress: "edge", route: "web" };
const label = "MetricTemplate shop/errors";

function render(query: string, { side = "canary", variables = {} }: { side?: Version; variables?: Record<string, string> } = {}): string {
  return renderTemplate({ label, query }, { names, interval: "30s", variables, side });
}

test.each([
  [
    "{{ name }} {{ namespace }} {{ target }} {{ service }} {{ ingress }} {{ route }} {{ interval }}",
    "checkout shop web front edge web 30s",
  ],
  ["{{name}}{{  namespace\n}}", "checkoutshop"],
  ["sum(rate(x[{{ interval }}]))", "sum(rate(x[30s]))"],
  ["a {{- target -}} b", "awebb"],
  ["a {{- target }} b", "aweb b"],
  ['x{pod=~"{{ target }}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)"}', 'x{pod=~"web-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)"}'],
  ['x{a="{{ target }}-canary",b="{{ target }}-primary",c="{{ service }}-canary"}', 'x{a="web-canary",b="web-primary",c="front-canary"}'],
  ["no variables", "no variables"],
  ["# isn't a string\n{{ target }}", "# isn't a string\nweb"],
])("for the canary %s is %s", (query, want) => {
  expect(render(query)).toBe(want);
});

test.each([
  ['x{pod=~"{{ target }}-[0-9a-zA-Z]+"}', 'x{pod=~"web-primary-[0-9a-zA-Z]+"}', true],
  ['x{a="{{ target }}-canary"}', 'x{a="web-primary"}', true],
  ['x{a="{{ namespace }}_{{ target }}-canary_[0-9]+"}', 'x{a="shop_web-primary_[0-9]+"}', true],
  ['x{a="{{ service }}-canary"}', 'x{a="front-primary"}', true],
  ['x{a="{{ target }}",b="{{ service }}"}', 'x{a="web-primary",b="front"}', true],
  ['x{a="{{ target }}"} / x{a="{{ target }}-primary"}', 'x{a="web-primary"} / x{a="web-primary"}', true],
  ['x{a="{{ service }}"}', 'x{a="front"}', false],
  ['x{a="{{ ingress }}"}', 'x{a="edge"}', false],
  ['x{a="{{ target }}-primary"}', 'x{a="web-primary"}', false],
  ['x{a="{{ target }}-canaryfish"}', 'x{a="web-primary-canaryfish"}', true],
  ["vector(1)", "vector(1)", false],
])("for the primary %s is %s", (query, want, apart) => {
  expect(render(query, { side: "primary" })).toBe(want);
  expect(tellsSidesApart({ label, query })).toBe(apart);
});

describe("variables of the user's own", () => {
  test.each([
    ['x{code=~"{{ variables.code }}"}', "5..|429", 'x{code=~"5..|429"}'],
    ['x{a="{{ variables.a }}"}', 'say \\"hi\\"', 'x{a="say \\"hi\\""}'],
    ["x{a='{{ variables.a }}'}", 'it is "so"', "x{a='it is \"so\"'}"],
    ["x{a=`{{ variables.a }}`}", "\\d+", "x{a=`\\d+`}"],
    ['x{a="\\"",b=~"{{ variables.b }}"}', "5..|429", 'x{a="\\"",b=~"5..|429"}'],
    ["rate({{ variables.metric }}[5m])", "http_requests:total", "rate(http_requests:total[5m])"],
    ["sum by ({{ variables.by }}) (x)", "pod, zone", "sum by (pod, zone) (x)"],
    ["x > {{ variables.limit }}", "-1.5e3", "x > -1.5e3"],
  ])("%s with %s", (query, value, want) => {
    const key = /variables\.(\w+)/.exec(query)![1]!;
    expect(render(query, { variables: { [key]: value } })).toBe(want);
  });

  test.each([
    ['x{a="{{ variables.v }}"}', '"} or vector(1) #'],
    ['x{a="{{ variables.v }}"}', "ends in \\"],
    ['x{a="{{ variables.v }}"}', "two\nlines"],
    ["x{a='{{ variables.v }}'}", "'"],
    ["x{a=`{{ variables.v }}`}", "`"],
    ['x{a="\'{{ variables.v }}"}', '"'],
    ["x > {{ variables.v }}", "1 or vector(1)"],
    ['x{a="\\""} > {{ variables.v }}', "1 or vector(1)"],
    ["x{a=`\\`} > {{ variables.v }}", "1 or vector(1)"],
    ["x > {{ variables.v }}", "1} or y{"],
    ["x > {{ variables.v }}", ""],
    ["# {{ variables.v }}\nx", "a,\nb"],
    ["# don't\nx > {{ variables.v }}", "1 or vector(1)"],
  ])("cannot change the query's structure: %s with %j", (query, value) => {
    expect(() => render(query, { variables: { v: value } })).toThrow(StalledError);
    expect(() => render(query, { variables: { v: value } })).toThrow(/^MetricTemplate shop\/errors: templateVariables\.v /);
  });
});

test.each([
  ["{{ nothing }}", "unknown variable {{ nothing }}; known are name, namespace, target, service, ingress, route, interval, variables.code"],
  ["{{ variables.other }}", "unknown variable {{ variables.other }}; known are"],
  ["{{ variables.constructor }}", "unknown variable {{ variables.constructor }}"],
  ["{{ printf target }}", "unknown variable {{ printf target }}"],
  ["{{ }}", "unknown variable {{  }}"],
  ["x {{ target", "{{ at character 3 is not closed by }}"],
])("%s is refused", (query, message) => {
  expect(() => render(query, { variables: { code: "5.." } })).toThrow(message);
});

test("a name that is none is refused", () => {
  const input = { names: { ...names, target: 'web"} or vector(1)' }, interval: "30s", variables: {}, side: "canary" } as const;
  expect(() => renderTemplate({ label, query: "{{ target }}" }, input)).toThrow("which is not the name of a Kubernetes object");
});

test("a query that looks back by itself is known", () => {
  expect(usesInterval({ label, query: "rate(x[{{ interval }}])" })).toBe(true);
  expect(usesInterval({ label, query: "rate(x[5m]) # interval" })).toBe(false);
});
