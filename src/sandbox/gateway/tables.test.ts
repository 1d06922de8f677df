import { describe, expect, test } from "vitest";
import { kinds, service } from "../kinds.ts";
import type { ObservedRouting } from "./attach.ts";
import { attachedRoutes, routingWrites } from "./attach.ts";
import { resolveBackends } from "./endpoints.ts";
import { canaryRule, ingressTable, takesCanary } from "./ingress-table.ts";
import { gateway, gatewayClass, httpRoute, ingress } from "./kinds.ts";
import { cookieOf, hostFit, requestHead } from "./request.ts";
import { routeTable } from "./route-table.ts";

const note = (name: string) => `nginx.ingress.kubernetes.io/${name}`;
const aCanary = (notes: Record<string, string>) =>
  canaryRule(
    ingress.parse({
      ...kinds.ingress,
      metadata: {
        name: "c",
        namespace: "shop",
        annotations: Object.fromEntries(Object.entries({ canary: "true", ...notes }).map(([name, value]) => [note(name), value])),
      },
      spec: {},
    }),
  )!;
const head = (headers: Record<string, string>) => requestHead("GET", "/", { host: "a.test", ...headers });

describe("nginx canary rules, as documented", () => {
  const byHeader = { "canary-by-header": "X-Canary", "canary-by-cookie": "canary" };
  const byValue = { ...byHeader, "canary-by-header-value": "insider", "canary-by-header-pattern": ".*" };
  const byPattern = { ...byHeader, "canary-by-header-pattern": "^in" };
  test.each<[string, Record<string, string>, Record<string, string>, boolean | "weight"]>([
    ["always in the header", byHeader, { "x-canary": "always", cookie: "canary=never" }, true],
    ["never in the header", byHeader, { "x-canary": "never", cookie: "canary=always" }, false],
    ["another value in the header leaves it to the cookie", byHeader, { "x-canary": "x", cookie: "canary=always" }, true],
    ["without header the cookie decides", byHeader, { cookie: "a=1; canary=never" }, false],
    ["another value in the cookie leaves it to the weight", byHeader, { cookie: "canary=x" }, "weight"],
    ["the header's own value", byValue, { "x-canary": "insider" }, true],
    ["with an own value, always means nothing, and the pattern is ignored", byValue, { "x-canary": "always" }, "weight"],
    ["with an own value, never means nothing", byValue, { "x-canary": "never" }, "weight"],
    ["the header's pattern", byPattern, { "x-canary": "insider" }, true],
    ["not the header's pattern", byPattern, { "x-canary": "outsider" }, "weight"],
    ["a pattern that is none matches nothing", { ...byHeader, "canary-by-header-pattern": "(" }, { "x-canary": "(" }, "weight"],
    ["a value without a header name has no effect", { "canary-by-header-value": "insider" }, { "x-canary": "insider" }, "weight"],
    ["no rule but the weight", {}, {}, "weight"],
  ])("%s", (_, notes, headers, want) => {
    const drawn: boolean[] = [];
    const draw = (value: boolean) => () => {
      drawn.push(value);
      return value;
    };
    const both = [takesCanary(aCanary(notes), head(headers), draw(true)), takesCanary(aCanary(notes), head(headers), draw(false))];
    expect(both).toEqual(want === "weight" ? [true, false] : [want, want]);
    expect(drawn).toHaveLength(want === "weight" ? 2 : 0);
  });

  test.each<[Record<string, string>, number, number]>([
    [{ "canary-weight": "20" }, 20, 100],
    [{ "canary-weight": "20", "canary-weight-total": "1000" }, 20, 1_000],
    [{ "canary-weight": "20", "canary-weight-total": "10" }, 20, 100],
    [{ "canary-weight": "500" }, 100, 100],
    [{ "canary-weight": "many" }, 0, 100],
  ])("%j is %i of %i", (notes, weight, weightTotal) => {
    expect(aCanary(notes)).toMatchObject({ weight, weightTotal });
  });
});

describe("ingress paths", () => {
  const path = (path: string, pathType: string, name: string) => ({ path, pathType, backend: { service: { name, port: { number: 80 } } } });
  const table = ingressTable([
    ingress.parse({
      ...kinds.ingress,
      metadata: { name: "main", namespace: "shop" },
      spec: {
        rules: [
          {
            host: "a.test",
            http: {
              paths: [
                path("/", "Prefix", "root"),
                path("/api", "Prefix", "api"),
                path("/api/exact", "Exact", "exact"),
                path("/raw", "ImplementationSpecific", "raw"),
              ],
            },
          },
          { host: "*.test", http: { paths: [path("/", "Prefix", "wild")] } },
        ],
      },
    }),
    ingress.parse({
      ...kinds.ingress,
      metadata: { name: "canary", namespace: "shop", annotations: { [note("canary")]: "true", [note("canary-weight")]: "5" } },
      spec: { rules: [{ host: "a.test", http: { paths: [path("/api", "Prefix", "api-canary"), path("/lonely", "Prefix", "x")] } }] },
    }),
  ]);
  test.each<[string, string, string | undefined]>([
    ["a.test", "/", "root"],
    ["a.test", "/api", "api"],
    ["a.test", "/api/x", "api"],
    ["a.test", "/apis", "root"],
    ["a.test", "/api/exact", "exact"],
    ["a.test", "/rawest", "raw"],
    ["a.test", "/lonely", "root"],
    ["b.test", "/api", "wild"],
    ["other", "/", undefined],
  ])("%s%s goes to %s", (host, target, want) => {
    expect(table(requestHead("GET", target, { host }))?.backend.name).toBe(want);
  });
  test("a canary is attached to the main path of its host, and only there", () => {
    expect(table(requestHead("GET", "/api", { host: "a.test" }))?.canary?.backend.name).toBe("api-canary");
    expect(table(requestHead("GET", "/", { host: "a.test" }))?.canary).toBeUndefined();
  });
});

const aGateway = (listener: object = {}) =>
  gateway.parse({
    ...kinds.gateway,
    metadata: { name: "web", namespace: "infra", generation: 1 },
    spec: {
      gatewayClassName: "ours",
      listeners: [{ name: "http", port: 80, protocol: "HTTP", allowedRoutes: { namespaces: { from: "All" } }, ...listener }],
    },
  });
const aRoute = (spec: object, metadata: object = {}) =>
  httpRoute.parse({
    ...kinds.httpRoute,
    metadata: { name: "r", namespace: "shop", generation: 3, creationTimestamp: "2026-01-01T00:00:00Z", ...metadata },
    spec: { parentRefs: [{ name: "web", namespace: "infra" }], ...spec },
  });
const shop = service.parse({ ...kinds.service, metadata: { name: "web", namespace: "shop" }, spec: { ports: [{ port: 80 }] } });

const observed = (routes: ReturnType<typeof aRoute>[], listener: object = {}): ObservedRouting => ({
  classes: [gatewayClass.parse({ ...kinds.gatewayClass, metadata: { name: "ours" }, spec: { controllerName: "ours/controller" } })],
  gateways: [aGateway(listener)],
  routes,
  ingresses: [],
  backends: resolveBackends([shop], [], () => undefined),
  controllerName: "ours/controller",
  ingressClass: "nginx",
  nowMs: 0,
});
const routeStatus = (routes: ReturnType<typeof aRoute>[], listener: object = {}) =>
  JSON.stringify(routingWrites(observed(routes, listener)).filter((write) => write.do === "patch" && write.ref.kind === "HTTPRoute"));

describe("attaching routes", () => {
  const backendRefs = [{ name: "web", port: 80 }];
  test.each<[string, object, object, string]>([
    ["a good route", { rules: [{ backendRefs }] }, {}, '"type":"Accepted","status":"True","reason":"Accepted"'],
    ["a hostname that no listener has", { hostnames: ["b.test"] }, { hostname: "a.test" }, "NoMatchingListenerHostname"],
    ["a namespace that is not allowed", {}, { allowedRoutes: { namespaces: { from: "Same" } } }, "NotAllowedByListeners"],
    ["a listener that is not there", { parentRefs: [{ name: "web", namespace: "infra", sectionName: "https" }] }, {}, "NoMatchingParent"],
    ["a filter that is not known", { rules: [{ filters: [{ type: "RequestMirror" }] }] }, {}, "spec.rules[0]: the sandbox's gateway has no filter RequestMirror"],
    ["a pattern that is none", { rules: [{ matches: [{ path: { type: "RegularExpression", value: "(" } }] }] }, {}, "is not a regular expression"],
    ["a Service that is missing", { rules: [{ backendRefs: [{ name: "ghost", port: 80 }] }] }, {}, '"type":"ResolvedRefs","status":"False","reason":"BackendNotFound"'],
    ["a port that is missing", { rules: [{ backendRefs: [{ name: "web", port: 81 }] }] }, {}, "BackendNotFound"],
    ["a backend that is no Service", { rules: [{ backendRefs: [{ name: "web", kind: "Bucket", group: "x", port: 80 }] }] }, {}, "InvalidKind"],
    ["a Service of another namespace", { rules: [{ backendRefs: [{ name: "web", namespace: "other", port: 80 }] }] }, {}, "RefNotPermitted"],
  ])("%s is said in the route's status", (_, spec, listener, want) => {
    const said = routeStatus([aRoute(spec)], listener);
    expect(said).toContain(want);
    expect(said).toContain('"observedGeneration":3');
  });

  test("another controller's parents are kept", () => {
    const foreign = { parentRef: { name: "other" }, controllerName: "other/controller", conditions: [] };
    const route = httpRoute.parse({ ...aRoute({ rules: [{ backendRefs }] }), status: { parents: [foreign] } });
    expect(routeStatus([route])).toContain("other/controller");
  });

  test.each<[string, string[], string[]]>([
    ["", [], [""]],
    ["a.test", [], ["a.test"]],
    ["", ["a.test"], ["a.test"]],
    ["*.test", ["a.test", "b.example"], ["a.test"]],
    ["a.test", ["*.test"], ["a.test"]],
  ])("listener %j and hostnames %j serve %j", (listener, hostnames, want) => {
    const found = attachedRoutes(observed([aRoute({ hostnames })], listener === "" ? {} : { hostname: listener }));
    expect(found.map(({ hostnames }) => hostnames)).toEqual([want]);
  });
});

describe("precedence of rules", () => {
  const rule = (name: string, match: object) => ({ matches: [match], backendRefs: [{ name, port: 80 }] });
  const prefix = (value: string) => ({ path: { type: "PathPrefix", value } });
  const rules = [
    rule("root", prefix("/")),
    rule("long", prefix("/a/b")),
    rule("short", prefix("/a")),
    rule("exact", { path: { type: "Exact", value: "/a/b" } }),
    rule("post", { ...prefix("/a"), method: "POST" }),
    rule("header", { ...prefix("/a"), headers: [{ name: "X-One", value: "1" }] }),
    rule("two-headers", { ...prefix("/a"), headers: [{ name: "x-one", value: "1" }, { name: "x-two", value: "2" }] }),
    rule("query", { ...prefix("/a"), queryParams: [{ name: "q", value: "1" }] }),
    rule("regex", { path: { type: "RegularExpression", value: "/r[0-9]+" } }),
  ];
  const table = routeTable([
    { route: aRoute({ rules }), hostnames: ["a.test"] },
    {
      route: aRoute({ rules: [rule("younger", prefix("/"))] }, { name: "younger", creationTimestamp: "2026-02-01T00:00:00Z" }),
      hostnames: ["a.test"],
    },
    { route: aRoute({ rules: [rule("wild", prefix("/"))] }), hostnames: ["*.test"] },
  ]);
  const to = (target: string, { method = "GET", host = "a.test", ...headers }: Record<string, string> = {}) =>
    table(requestHead(method, target, { host, ...headers }))?.backends[0]?.name;
  test.each<[string, Record<string, string>, string | undefined]>([
    ["/", {}, "root"],
    ["/a", {}, "short"],
    ["/ab", {}, "root"],
    ["/a/b", {}, "exact"],
    ["/a/b/c", {}, "long"],
    ["/a", { method: "POST" }, "post"],
    ["/a", { "x-one": "1" }, "header"],
    ["/a", { "x-one": "1", "x-two": "2" }, "two-headers"],
    ["/a?q=1", {}, "query"],
    ["/r12", {}, "regex"],
    ["/r12x", {}, "root"],
    ["/", { host: "b.test" }, "wild"],
    ["/", { host: "A.TEST:8080" }, "root"],
    ["/", { host: "a.other" }, undefined],
  ])("%s %j goes to %s", (target, headers, want) => {
    expect(to(target, headers)).toBe(want);
  });
});

test.each<[string, string, boolean]>([
  ["*.a.test", "x.a.test", true],
  ["*.a.test", "y.x.a.test", true],
  ["*.a.test", "a.test", false],
  ["a.test", "a.test", true],
  ["", "anything", true],
])("host pattern %j fits %s: %s", (pattern, host, want) => {
  expect(hostFit(pattern, host) !== undefined).toBe(want);
});

test("a cookie is found among others and not by half its name", () => {
  expect(cookieOf(head({ cookie: "xcanary=1; canary=a=b" }), "canary")).toBe("a=b");
});
