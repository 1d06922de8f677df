import type { RequestListener } from "node:http";
import { request } from "undici";
import { afterEach, expect, test } from "vitest";
import { listen } from "../node/listener.ts";
import { startLoad } from "../load/load.ts";
import type { Backends } from "./endpoints.ts";
import { proxy } from "./proxy.ts";
import type { RouteTarget } from "./route-table.ts";
import { createStatistics } from "./statistics.ts";
import { createUpstreams } from "./upstream.ts";

const opened: (() => void)[] = [];
afterEach(() => {
  for (const close of opened.splice(0)) close();
});

async function serve(handler: RequestListener): Promise<string> {
  const listener = await listen(handler, "127.0.0.1", 0, new AbortController().signal);
  opened.push(() => listener.destroy());
  return `http://127.0.0.1:${listener.port}`;
}

/** An address where nobody listens any more. */
async function deadOrigin(): Promise<string> {
  const listener = await listen(() => {}, "127.0.0.1", 0, new AbortController().signal);
  listener.destroy();
  return `http://127.0.0.1:${listener.port}`;
}

/** A gateway in front of these origins, and what it counted. */
async function front(origins: () => string[], change: Partial<RouteTarget> = {}) {
  const backends: Backends = { find: () => ({ number: 80 }), endpoints: () => origins().map((origin) => ({ origin })) };
  const backend = { group: "", kind: "Service", name: "web", port: 80, weight: 1, filters: [] };
  const target: RouteTarget = {
    id: "r",
    namespace: "shop",
    backends: [backend],
    requestHeaders: [],
    responseHeaders: [],
    timeoutMs: undefined,
    ...change,
  };
  const statistics = createStatistics();
  const upstreams = createUpstreams();
  opened.push(() => void upstreams.close());
  const routing = { route: () => target, ingress: () => undefined, backends };
  const url = await serve(proxy({ routing: () => routing, upstreams, statistics, nowMs: () => performance.now() }));
  return { url, upstreams, counted: async () => await statistics.text() };
}

const echo: RequestListener = (incoming, response) => {
  const parts: Buffer[] = [];
  incoming.on("data", (part: Buffer) => parts.push(part));
  incoming.on("end", () =>
    response.end(JSON.stringify({ headers: incoming.headers, url: incoming.url, body: Buffer.concat(parts).toString() })),
  );
};

test.each<[string, "GET" | "POST", string | null]>([
  ["a GET", "GET", null],
  ["a POST with a small body", "POST", "hello"],
])("%s goes to another pod when one refuses connections", async (_, method, body) => {
  const [dead, alive] = [await deadOrigin(), await serve(echo)];
  const { url, counted } = await front(() => [dead, alive]);
  for (let at = 0; at < 4; at++) {
    const answer = await request(url, { method, body });
    expect([answer.statusCode, ((await answer.body.json()) as { body: string }).body]).toEqual([200, body ?? ""]);
  }
  await expect.poll(counted).toContain('envoy_cluster_upstream_rq{envoy_cluster_name="shop_web_80",envoy_response_code="200"} 4');
});

test("a GET whose connection is cut is sent again, a POST is not: it may have been served", async () => {
  let served = 0;
  const cutting = await serve((incoming) => {
    served++;
    incoming.socket.destroy();
  });
  const alive = await serve(echo);
  const { url } = await front(() => [cutting, alive]);
  expect((await request(url)).statusCode).toBe(200);
  await request(url);
  expect((await request(url, { method: "POST", body: "once" })).statusCode).toBe(503);
  expect(served).toBe(2);
});

test.each<[string, string[], number]>([["no pod", [], 503]])("%s answers %j with %i and is counted", async (_, origins, status) => {
  const { url, counted } = await front(() => origins);
  expect((await request(url)).statusCode).toBe(status);
  await expect.poll(counted).toContain(`envoy_response_code="${status}"`);
  expect(await counted()).not.toContain("upstream_rq_time_count{");
});

test("a request that takes longer than its route allows is answered 504", async () => {
  const hanging = await serve(() => {});
  const { url } = await front(() => [hanging], { timeoutMs: 50 });
  expect((await request(url)).statusCode).toBe(504);
});

test("host, path and query arrive as sent, hop-by-hop headers do not, filters apply", async () => {
  const origin = await serve(echo);
  const requestHeaders = [{ set: [{ name: "X-Set", value: "1" }], add: [{ name: "x-add", value: "b" }], remove: ["x-gone"] }];
  const { url } = await front(() => [origin], { requestHeaders });
  const answer = await request(`${url}/a/b?c=%20d`, {
    headers: { host: "shop.test", "x-gone": "1", "x-add": "a", "proxy-authorization": "secret" },
  });
  const seen = (await answer.body.json()) as { url: string; headers: Record<string, string> };
  expect(seen.url).toBe("/a/b?c=%20d");
  expect(seen.headers).toMatchObject({
    host: "shop.test",
    "x-set": "1",
    "x-add": "a, b",
    "x-forwarded-for": "127.0.0.1",
    "x-forwarded-proto": "http",
  });
  expect(Object.keys(seen.headers)).not.toContain("x-gone");
  expect(Object.keys(seen.headers)).not.toContain("proxy-authorization");
});

test("answers stream through before they are complete", async () => {
  const more = Promise.withResolvers<void>();
  const origin = await serve((_, response) => {
    response.write("first");
    void more.promise.then(() => response.end("last"));
  });
  const { url } = await front(() => [origin]);
  const { body } = await request(url);
  const texts: string[] = [];
  for await (const part of body) {
    texts.push(String(part));
    more.resolve();
  }
  expect(texts.join("")).toBe("firstlast");
});

test("a pod that is dropped finishes what it has begun", async () => {
  const go = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const origin = await serve((_, response) => {
    begun.resolve();
    void go.promise.then(() => response.end("done"));
  });
  const { url, upstreams } = await front(() => [origin]);
  const answer = request(url);
  await begun.promise;
  upstreams.keep(new Set());
  go.resolve();
  expect(await (await answer).body.text()).toBe("done");
});

test("a client that goes away leaves nothing open at the pod", async () => {
  const closed = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const origin = await serve((_, response) => {
    begun.resolve();
    response.once("close", () => closed.resolve());
  });
  const { url, counted } = await front(() => [origin]);
  const client = new AbortController();
  const answer = request(url, { signal: client.signal });
  await begun.promise;
  client.abort();
  await expect(answer).rejects.toThrow();
  await closed.promise;
  expect(await counted()).not.toContain("envoy_response_code=");
});

test("load counts versions, statuses and losses, and is refused towards others", async () => {
  let asked = 0;
  const origin = await serve((_, response) => {
    response.setHeader("x-version", asked++ % 2 === 0 ? "1" : "2");
    response.statusCode = asked % 4 === 0 ? 500 : 200;
    response.end();
  });
  const stop = new AbortController();
  const load = startLoad({ url: origin, host: "shop.test", ratePerSecond: 400, signal: stop.signal });
  await expect.poll(() => load.snapshot().answered, { timeout: 10_000 }).toBeGreaterThanOrEqual(40);
  stop.abort();
  const { sent, answered, lost, failed, statuses, versions, latencyMs } = await load.ended;
  expect([sent, lost]).toEqual([answered, 0]);
  expect([...versions.keys()].sort()).toEqual(["1", "2"]);
  expect(failed).toBe(statuses.get(500));
  expect(latencyMs!.p50).toBeLessThanOrEqual(latencyMs!.p99);
  expect(() => startLoad({ url: "http://192.0.2.1", host: "x", ratePerSecond: 1, signal: stop.signal })).toThrow(/127\.0\.0\.1/);
});
