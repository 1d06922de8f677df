import { request } from "undici";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { KubeObject } from "../../src/api/object.ts";
import type { Kube } from "../../src/kube/kube.ts";
import { kinds } from "../../src/sandbox/kinds.ts";
import { startLoad } from "../../src/sandbox/load/load.ts";
import { conditionOf, shopDeployment, shopService } from "../sandbox-cluster.ts";

/** A data plane under test, with an API server and a node that runs `serin.dev/shop` behind it. */
export interface GatewaySubject {
  readonly kube: Kube;
  /** Where requests go in. */
  readonly url: string;
  readonly metricsUrl: string;
  /** A Gateway that takes routes of the namespace `shop`. */
  readonly parentRef: { readonly name: string; readonly namespace: string };
  readonly controllerName: string;
  /** Whether it also serves Ingresses of class `nginx`. */
  readonly ingress: boolean;
  close(): Promise<void>;
}

const signal = AbortSignal.timeout(300_000);
const fieldManager = "gateway-suite";

/** What every gateway that Serin shifts traffic with must do. Run against the sandbox's own and against real ones. */
export function gatewaySuite(name: string, factory: () => Promise<GatewaySubject>): void {
  describe(`gateway: ${name}`, () => {
    let subject: GatewaySubject;
    const apply = async (...objects: KubeObject[]) => {
      for (const object of objects) await subject.kube.apply(object, { fieldManager }, signal);
    };
    const route = (name: string, rules: object[], hostnames = [`${name}.test`]): KubeObject => ({
      ...kinds.httpRoute,
      metadata: { name, namespace: "shop" },
      spec: { parentRefs: [subject.parentRef], hostnames, rules },
    });
    const backends = (one: number, two: number) => [
      { name: "one", port: 80, weight: one },
      { name: "two", port: 80, weight: two },
    ];
    const get = async (host: string, path = "/", headers: Record<string, string> = {}) => {
      const { statusCode, headers: answered, body } = await request(`${subject.url}${path}`, { headers: { host, ...headers }, signal });
      const text = await body.text();
      return { status: statusCode, version: String(answered["x-version"] ?? "-"), headers: answered, text };
    };
    const versions = async (host: string, times: number, headers: Record<string, string> = {}) => {
      const counts = new Map<string, number>();
      for (let at = 0; at < times; at++) {
        const { version, status } = await get(host, "/", headers);
        const key = status === 200 ? version : String(status);
        counts.set(key, (counts.get(key) ?? 0) + 1);
      }
      return Object.fromEntries(counts);
    };
    const serving = async (host: string, status = 200, path = "/") =>
      await expect.poll(async () => (await get(host, path)).status, { timeout: 15_000, interval: 20 }).toBe(status);
    const live = async (kind: { apiVersion: string; kind: string }, name: string) =>
      await subject.kube.get({ ...kind, namespace: "shop", name }, signal);

    beforeAll(async () => {
      subject = await factory();
      await apply(shopDeployment("one", { tag: "1" }), shopService("one"), shopDeployment("two", { tag: "2" }), shopService("two"));
      for (const name of ["one", "two"]) {
        const done = async () => conditionOf(await live(kinds.deployment, name), "Progressing") === "True/NewReplicaSetAvailable";
        await vi.waitUntil(done, { timeout: 15_000, interval: 20 });
      }
    });
    afterAll(async () => {
      await subject.close();
    });

    test("a route is accepted and says so for its generation", async () => {
      await apply(route("said", [{ backendRefs: backends(1, 0) }]));
      await serving("said.test");
      const said = JSON.stringify((await live(kinds.httpRoute, "said"))["status"]);
      expect(said).toContain(subject.controllerName);
      for (const type of ["Accepted", "ResolvedRefs"]) expect(said).toContain(`"type":"${type}"`);
      expect(said).toContain('"observedGeneration":1');
    });

    test.each<[number, number, number]>([
      [95, 5, 600],
      [80, 20, 400],
      [50, 50, 200],
    ])("weights %i and %i are kept within what chance allows", async (one, two, times) => {
      const host = `w${two}`;
      await apply(route(host, [{ backendRefs: backends(one, two) }]));
      await serving(`${host}.test`);
      const share = two / (one + two);
      const counts = await versions(`${host}.test`, times);
      // Four standard deviations of a binomial: one false alarm in sixteen thousand.
      const slack = 4 * Math.sqrt(times * share * (1 - share));
      expect(Math.abs((counts["2"] ?? 0) - times * share)).toBeLessThanOrEqual(slack);
    });

    test("a weight of zero gets nothing", async () => {
      await apply(route("zero", [{ backendRefs: backends(100, 0) }]));
      await serving("zero.test");
      expect(await versions("zero.test", 100)).toEqual({ "1": 100 });
    });

    test("a backend that does not exist answers its share with 500 and is named in the status", async () => {
      await apply(route("ghost", [{ backendRefs: [{ name: "one", port: 80, weight: 0 }, { name: "ghost", port: 80, weight: 1 }] }]));
      await serving("ghost.test", 500);
      await expect
        .poll(async () => JSON.stringify((await live(kinds.httpRoute, "ghost"))["status"]), { timeout: 10_000 })
        .toContain("BackendNotFound");
    });

    test("weights that are all zero answer 500", async () => {
      await apply(route("none", [{ backendRefs: backends(0, 0) }]));
      await serving("none.test", 500);
      expect((await get("none.test")).version).toBe("-");
    });

    test("a host without a route answers 404", async () => {
      expect((await get("nobody.test")).status).toBe(404);
    });

    test("a rule with a header goes before one without, and one with the longer path before both", async () => {
      const only = (service: "one" | "two") => (service === "one" ? backends(1, 0) : backends(0, 1));
      await apply(
        route("ab", [
          { matches: [{ path: { type: "PathPrefix", value: "/" } }], backendRefs: only("one") },
          { matches: [{ headers: [{ name: "x-canary", value: "insider" }] }], backendRefs: only("two") },
          {
            matches: [{ headers: [{ type: "RegularExpression", name: "cookie", value: "(^|.*; )canary=always(;.*|$)" }] }],
            backendRefs: only("two"),
          },
          { matches: [{ path: { type: "Exact", value: "/version" } }], backendRefs: only("two") },
          { matches: [{ queryParams: [{ name: "v", value: "2" }] }], backendRefs: only("two") },
          { matches: [{ path: { type: "PathPrefix", value: "/api" }, method: "GET" }], backendRefs: only("two") },
        ]),
      );
      await serving("ab.test");
      const version = async (path: string, headers: Record<string, string> = {}) => (await get("ab.test", path, headers)).version;
      expect(await version("/")).toBe("1");
      expect(await version("/", { "x-canary": "insider" })).toBe("2");
      expect(await version("/", { "x-canary": "other" })).toBe("1");
      expect(await version("/", { cookie: "a=b; canary=always" })).toBe("2");
      expect(await version("/", { cookie: "canary=never" })).toBe("1");
      expect(await version("/version")).toBe("2");
      expect(await version("/version/")).toBe("1");
      expect(await version("/?v=2")).toBe("2");
      expect(await version("/api/products")).toBe("2");
      expect(await version("/apis")).toBe("1");
    });

    test("headers are set, added and removed on the way in and out", async () => {
      const responseHeaderModifier = { set: [{ name: "x-by", value: "serin" }], remove: ["x-version"] };
      await apply(
        route("headers", [{ filters: [{ type: "ResponseHeaderModifier", responseHeaderModifier }], backendRefs: backends(1, 0) }]),
      );
      await serving("headers.test");
      const { headers } = await get("headers.test");
      expect(headers["x-by"]).toBe("serin");
      expect(headers["x-version"]).toBeUndefined();
    });

    test("no request is lost while weights change and pods are replaced", async () => {
      await apply(route("shift", [{ backendRefs: backends(100, 0) }]));
      await serving("shift.test");
      const stop = new AbortController();
      const load = startLoad({ url: subject.url, host: "shift.test", ratePerSecond: 150, signal: stop.signal });
      for (const weight of [5, 20, 50, 80, 100, 0, 100]) {
        await apply(route("shift", [{ backendRefs: backends(100 - weight, weight) }]));
        const before = load.snapshot().answered;
        await expect.poll(() => load.snapshot().answered, { timeout: 10_000 }).toBeGreaterThan(before + 20);
      }
      await apply(shopDeployment("two", { tag: "2", env: { TITLE: "again" } }));
      const rolledOut = async () => {
        const object = await live(kinds.deployment, "two");
        return `${conditionOf(object, "Progressing")} ${JSON.stringify(object["status"]).includes('"observedGeneration":2')}`;
      };
      await expect.poll(rolledOut, { timeout: 20_000 }).toBe("True/NewReplicaSetAvailable true");
      await expect
        .poll(async () => (await subject.kube.list(kinds.pod, { namespace: "shop", labelSelector: "app=two" }, signal)).length, {
          timeout: 20_000,
        })
        .toBe(2);
      stop.abort();
      const { lost, failed, sent, answered, errors } = await load.ended;
      expect({ lost, failed, errors }).toEqual({ lost: 0, failed: 0, errors: [] });
      expect(answered).toBe(sent);
    });

    test("requests are counted under Envoy's names", async () => {
      await apply(route("counted", [{ backendRefs: backends(1, 0) }]));
      await serving("counted.test");
      const { body } = await request(subject.metricsUrl, { signal });
      const text = await body.text();
      expect(text).toMatch(/envoy_cluster_upstream_rq\{[^}]*envoy_cluster_name="shop_one_80"[^}]*\} \d+/);
      expect(text).toMatch(/envoy_cluster_upstream_rq\{[^}]*envoy_response_code="200"[^}]*\} \d+/);
      for (const name of ["bucket", "sum", "count"]) expect(text).toContain(`envoy_cluster_upstream_rq_time_${name}{`);
      expect(text).toMatch(/envoy_cluster_upstream_rq_time_bucket\{[^}]*le="0\.5"[^}]*\}/);
    });

    test("an Ingress with a canary: header before cookie before weight", async () => {
      if (!subject.ingress) return;
      const ingress = (name: string, service: string, annotations: Record<string, string>): KubeObject => ({
        ...kinds.ingress,
        metadata: { name, namespace: "shop", annotations },
        spec: {
          ingressClassName: "nginx",
          rules: [
            {
              host: "old.test",
              http: { paths: [{ path: "/", pathType: "Prefix", backend: { service: { name: service, port: { number: 80 } } } }] },
            },
          ],
        },
      });
      const note = (name: string) => `nginx.ingress.kubernetes.io/${name}`;
      await apply(
        ingress("old", "one", {}),
        ingress("old-canary", "two", {
          [note("canary")]: "true",
          [note("canary-weight")]: "20",
          [note("canary-by-header")]: "x-canary",
          [note("canary-by-cookie")]: "canary",
        }),
      );
      await serving("old.test");
      await expect.poll(async () => (await get("old.test", "/", { "x-canary": "always" })).version, { timeout: 10_000 }).toBe("2");
      const version = async (headers: Record<string, string>) => (await get("old.test", "/", headers)).version;
      expect(await version({ "x-canary": "always", cookie: "canary=never" })).toBe("2");
      expect(await version({ "x-canary": "never", cookie: "canary=always" })).toBe("1");
      expect(await version({ "x-canary": "maybe", cookie: "canary=always" })).toBe("2");
      expect(await versions("old.test", 50, { cookie: "canary=never" })).toEqual({ "1": 50 });
      const counts = await versions("old.test", 400);
      expect(Math.abs((counts["2"] ?? 0) - 80)).toBeLessThanOrEqual(4 * Math.sqrt(400 * 0.2 * 0.8));
      const { body } = await request(subject.metricsUrl, { signal });
      const text = await body.text();
      expect(text).toMatch(/nginx_ingress_controller_requests\{[^}]*ingress="old"[^}]*canary="shop-two-80"[^}]*\} \d+/);
      expect(text).toMatch(/nginx_ingress_controller_response_duration_seconds_bucket\{[^}]*ingress="old"/);
      expect(JSON.stringify((await live(kinds.ingress, "old"))["status"])).toContain("loadBalancer");
    });
  });
}
