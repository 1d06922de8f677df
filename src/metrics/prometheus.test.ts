import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../lib/clock.ts";
import { silentLogger } from "../lib/log.ts";
import { hasTool } from "../../test/tools.ts";
import { startPrometheus } from "../sandbox/metrics/prometheus-process.ts";
import type { RunningMetrics } from "../sandbox/metrics/metrics.ts";
import { MetricError, type MetricServer, type QueryResult } from "./metric-provider.ts";
import { prometheus } from "./prometheus.ts";

const never = new AbortController().signal;

async function listen(handler: RequestListener): Promise<{ server: Server; address: string }> {
  const server = createServer(handler);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, address: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

describe.skipIf(!hasTool("prometheus"))("a real Prometheus", () => {
  // Scraping is tested in sandbox/metrics/start.test.ts; samples written ahead are there at once.
  const dir = mkdtempSync(join(tmpdir(), "serin-prometheus-test-"));
  let real: RunningMetrics | undefined;
  beforeAll(async () => {
    const at = Math.floor(Date.now() / 1_000) - 30;
    const samples = ["broken NaN", "floor -Inf", "limit +Inf", 'load{cpu="0"} 1', 'load{cpu="1"} 2', "temperature 21.5"];
    writeFileSync(join(dir, "samples.txt"), `${samples.map((sample) => `${sample} ${at}\n`).join("")}# EOF\n`);
    execFileSync("promtool", ["tsdb", "create-blocks-from", "openmetrics", "-q", join(dir, "samples.txt"), join(dir, "data")]);
    const options = { targets: () => [], scrapeIntervalMs: 60_000, clock: systemClock, log: silentLogger, signal: never };
    real = await startPrometheus({ ...options, dataDir: join(dir, "data") });
  });
  afterAll(async () => {
    await real?.close();
    rmSync(dir, { recursive: true, force: true });
  });
  const ask = async (query: string, atMs?: number) =>
    await prometheus({ address: `${real?.url}/`, timeoutMs: 5_000 }).query(query, never, atMs);

  test.each<[string, string, QueryResult]>([
    ["one series", "temperature", { kind: "number", value: 21.5 }],
    ["no series", "nothing_of_this_name", { kind: "noData", why: "empty" }],
    ["several series", "load", { kind: "ambiguous", series: 2 }],
    ["NaN", "broken", { kind: "noData", why: "nan" }],
    ["nothing divided by nothing", "0 * temperature / (0 * temperature)", { kind: "noData", why: "nan" }],
    ["+Inf", "limit", { kind: "number", value: Infinity }],
    ["-Inf", "floor", { kind: "number", value: -Infinity }],
    ["a scalar", "1 + 1", { kind: "number", value: 2 }],
    ["a scalar that is NaN", "scalar(nothing_of_this_name)", { kind: "noData", why: "nan" }],
    ["a query too long for an address", `temperature${" or temperature".repeat(500)}`, { kind: "number", value: 21.5 }],
  ])("%s", async (_, query, want) => {
    expect(await ask(query)).toEqual(want);
  });

  test("a moment in the past", async () => {
    expect(await ask("temperature", Date.now() - 3_600_000)).toEqual({ kind: "noData", why: "empty" });
    expect(await ask("time()", 1_700_000_000_123)).toEqual({ kind: "number", value: 1_700_000_000.123 });
  });

  test.each<[string, string, RegExp]>([
    ["a broken query in the server's own words", "sum(", /the query was refused: .*parse error: unclosed left parenthesis/],
    ["an unknown function", "nothing(1)", /unknown function with name "nothing"/],
    ["an impossible match", "load * on() load", /the query was refused: .*duplicate series/],
    ["a range of samples", "temperature[1m]", /a range of samples \(matrix\)/],
    ["a string", '"text"', /gives a string/],
  ])("%s is the query's fault", async (_, query, message) => {
    const error = await ask(query).catch((err: unknown) => err);
    expect(error).toBeInstanceOf(MetricError);
    expect(error).toMatchObject({ kind: "query", message: expect.stringMatching(message) as string });
  });
});

describe("a server that is not well", () => {
  let running: Server | undefined;
  afterEach(() => {
    running?.closeAllConnections();
    running?.close();
  });
  const failure = async (handler: RequestListener, server: Partial<MetricServer> = {}): Promise<MetricError> => {
    const { server: started, address } = await listen(handler);
    running = started;
    const error: unknown = await prometheus({ address, timeoutMs: 5_000, ...server })
      .query("up", never)
      .then(
        (result) => new Error(`answered ${JSON.stringify(result)}`),
        (err: unknown) => err,
      );
    expect(error).toBeInstanceOf(MetricError);
    return error as MetricError;
  };
  const replies =
    (status: number, body: string, headers: Record<string, string> = {}): RequestListener =>
    (_req, res) =>
      res.writeHead(status, headers).end(body);
  const vector = (more: object) =>
    JSON.stringify({ status: "success", data: { resultType: "vector", result: [{ metric: {}, value: [1, "1"] }] }, ...more });

  test.each<[string, RequestListener, MetricError["kind"], RegExp]>([
    ["HTML instead of JSON", replies(200, "<html>sign in</html>"), "unavailable", /something that is not JSON; is it a Prometheus\?/],
    ["JSON of something else", replies(200, '{"hello":"world"}'), "unavailable", /JSON of another form/],
    [
      "a value that is no number",
      replies(200, vector({ data: { resultType: "vector", result: [{ value: ["x", 1] }] } })),
      "unavailable",
      /JSON of another form/,
    ],
    ["a wrong path", replies(404, "not found"), "unavailable", /has no \/api\/v1\/query \(404\)/],
    [
      "a redirect",
      replies(302, "", { location: "https://login.example/?token=s3cret" }),
      "unavailable",
      /redirects \(302\) to https:\/\/login\.example\/;/,
    ],
    ["no credentials", replies(401, "no"), "unavailable", /asks for credentials \(401\); a MetricTemplate can give them/],
    ["forbidden", replies(403, "no"), "unavailable", /asks for credentials \(403\)/],
    ["too many requests", replies(429, "slow down"), "unavailable", /answered 429/],
    [
      "a server error",
      replies(500, '{"status":"error","errorType":"internal","error":"disk full"}'),
      "unavailable",
      /answered 500: disk full/,
    ],
    ["a gateway without a server", replies(502, "<html>bad gateway</html>"), "unavailable", /answered 502/],
    [
      "a query that took too long",
      replies(503, '{"status":"error","errorType":"timeout","error":"query timed out"}'),
      "unavailable",
      /answered 503: query timed out/,
    ],
    [
      "a refused query",
      replies(400, '{"status":"error","errorType":"bad_data","error":"parse error"}'),
      "query",
      /the query was refused: parse error/,
    ],
    [
      "a query that cannot be carried out",
      replies(422, '{"status":"error","errorType":"execution","error":"too many samples"}'),
      "query",
      /too many samples/,
    ],
    ["a 400 of something in between", replies(400, "<html>bad request</html>"), "unavailable", /answered 400/],
    ["a partial answer", replies(200, vector({ warnings: ["store-2 is down"] })), "unavailable", /came with a warning: store-2 is down/],
    [
      "a native histogram",
      replies(200, vector({ data: { resultType: "vector", result: [{ metric: {}, histogram: [1, {}] }] } })),
      "query",
      /native histogram/,
    ],
    [
      "an endless answer",
      (_req, res) => void res.writeHead(200).end("x".repeat(3 * 1024 * 1024)),
      "unavailable",
      /more than 1048576 bytes/,
    ],
    ["a connection cut", (req) => void req.socket.destroy(), "unavailable", /cannot be reached/],
    [
      "an answer cut short",
      (_req, res) => void res.writeHead(200, { "content-length": "100" }).write("{", () => res.destroy()),
      "unavailable",
      /cannot be reached/,
    ],
  ])("%s", async (_, handler, kind, message) => {
    const error = await failure(handler);
    expect(error).toMatchObject({ kind, message: expect.stringMatching(message) as string });
    expect(error.message).not.toContain("s3cret");
  });

  test("wrong credentials point at their Secret, and are not shown", async () => {
    const error = await failure(replies(401, "no"), { auth: { token: "s3cret" } });
    expect(error.message).toMatch(/refused the credentials \(401\); see the Secret of secretRef$/);
  });

  test("no answer in time", async () => {
    const error = await failure(() => {}, { timeoutMs: 50 });
    expect(error).toMatchObject({ kind: "unavailable", message: expect.stringContaining("no answer within 50 ms") as string });
  });

  test("nobody there", async () => {
    const { server, address } = await listen(() => {});
    server.close();
    await once(server, "close");
    for (const host of ["127.0.0.1", "localhost"]) {
      const error: unknown = await prometheus({ address: address.replace("127.0.0.1", host), timeoutMs: 5_000 })
        .query("up", never)
        .catch((err: unknown) => err);
      expect(error).toMatchObject({
        kind: "unavailable",
        message: expect.stringMatching(/^http:\/\/[\w.]+:\d+ cannot be reached: .*ECONNREFUSED/) as string,
      });
    }
  });

  test("an abort is an abort, not a failed check", async () => {
    const stop = new AbortController();
    const { server, address } = await listen(() => stop.abort(new Error("shutting down")));
    running = server;
    await expect(prometheus({ address, timeoutMs: 5_000 }).query("up", stop.signal)).rejects.toThrow("shutting down");
  });
});

describe("credentials", () => {
  const seen: IncomingMessage[] = [];
  let server: Server;
  let address = "";
  beforeAll(async () => {
    ({ server, address } = await listen((req, res) => {
      seen.push(req);
      res.end(JSON.stringify({ status: "success", data: { resultType: "vector", result: [] } }));
    }));
  });
  afterAll(() => server.close());

  test.each<[string, MetricServer["auth"], string | undefined]>([
    ["none", undefined, undefined],
    ["basic", { username: "serin", password: "pä:ss" }, `Basic ${Buffer.from("serin:pä:ss").toString("base64")}`],
    ["bearer", { token: "abc" }, "Bearer abc"],
  ])("%s", async (_, auth, want) => {
    await prometheus({ address: `${address}/prom/`, auth, timeoutMs: 5_000 }).query("up", never);
    expect(seen.at(-1)?.headers.authorization).toBe(want);
    expect(seen.at(-1)?.url).toMatch(/^\/prom\/api\/v1\/query\?query=up/);
  });
});
