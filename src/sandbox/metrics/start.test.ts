import { createServer, type Server } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../lib/clock.ts";
import { silentLogger } from "../../lib/log.ts";
import { prometheus } from "../../metrics/prometheus.ts";
import { startEmbedded } from "./embedded.ts";
import { hasTool } from "../../../test/tools.ts";
import { startPrometheus } from "./prometheus-process.ts";
import type { MetricsOptions, RunningMetrics } from "./metrics.ts";
import { startMetrics } from "./start.ts";

/** An exporter whose counters grow with every scrape. */
function exporter(): Server {
  const scrapes = new Map<string, number>();
  return createServer((req, res) => {
    const path = req.url ?? "/";
    const count = (scrapes.get(path) ?? 0) + 1;
    scrapes.set(path, count);
    const gone = count < 3 ? 'short_lived{a="b"} 1\n' : "";
    res.end(
      `requests_total{code="200",path="${path}"} ${count * 90}\nrequests_total{code="503",path="${path}"} ${count * 10}\n${gone}`,
    );
  });
}

async function until<T>(what: () => Promise<T>, done: (value: T) => boolean): Promise<T> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const value = await what();
    if (done(value) || Date.now() > deadline) return value;
    await delay(50);
  }
}

type Start = (options: MetricsOptions) => Promise<RunningMetrics | undefined>;
const real: [string, Start] = ["prometheus", startPrometheus];
const kinds: [string, Start][] = [...(hasTool("prometheus") ? [real] : []), ["embedded", startEmbedded]];

describe.concurrent.each(kinds)("%s", (kind, start) => {
  const server = exporter();
  const signal = new AbortController().signal;
  let targets: string[] = [];
  let metrics: Awaited<ReturnType<typeof start>>;
  beforeAll(async () => {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    targets = [`http://127.0.0.1:${(server.address() as AddressInfo).port}/stats/prometheus`];
    metrics = await start({ targets: () => targets, scrapeIntervalMs: 1_000, clock: systemClock, log: silentLogger, signal });
  });
  afterAll(async () => {
    await metrics?.close();
    server.close();
  });
  const ask = async (query: string) => await prometheus({ address: metrics?.url ?? "", timeoutMs: 5_000 }).query(query, signal);

  test("scrapes, sees what ends and follows its targets", async () => {
    expect(metrics?.kind).toBe(kind);
    const share = await until(
      () => ask('100 * sum(rate(requests_total{code="200"}[1m])) / sum(rate(requests_total[1m]))'),
      (result) => result.kind === "number",
    );
    expect(share).toEqual({ kind: "number", value: expect.closeTo(90, 6) as number });
    expect(
      await until(
        () => ask("short_lived"),
        (result) => result.kind === "noData",
      ),
    ).toEqual({ kind: "noData", why: "empty" });
    expect(await ask('up{job="sandbox"}')).toEqual({ kind: "number", value: 1 });
    targets = [...targets, targets[0]!.replace("/stats/prometheus", "/metrics")];
    const more = await until(
      () => ask("count(count by (path) (requests_total))"),
      (result) => result.kind === "number" && result.value === 2,
    );
    expect(more).toEqual({ kind: "number", value: 2 });
  });

  test("answers by HTTP like Prometheus", async () => {
    const at = (path: string) => fetch(`${metrics?.url}${path}`);
    expect((await at("/-/ready")).status).toBe(200);
    expect((await at("/api/v1/nothing")).status).toBe(404);
    expect(await (await at("/api/v1/status/buildinfo")).json()).toMatchObject({
      status: "success",
      data: { version: expect.any(String) as string },
    });
    const broken = await at("/api/v1/query?query=sum(");
    expect([broken.status, await broken.json()]).toEqual([
      400,
      { status: "error", errorType: "bad_data", error: expect.stringContaining("parse error") as string },
    ]);
    const range = await at("/api/v1/query_range?query=vector(1)&start=100&end=102&step=1");
    expect(await range.json()).toEqual({
      status: "success",
      data: {
        resultType: "matrix",
        result: [
          {
            metric: {},
            values: [
              [100, "1"],
              [101, "1"],
              [102, "1"],
            ],
          },
        ],
      },
    });
  });
});

describe("without telling which", () => {
  const path = process.env["PATH"];
  afterEach(() => {
    process.env["PATH"] = path;
  });
  const options = (port?: number): MetricsOptions => ({
    targets: () => [],
    scrapeIntervalMs: 1_000,
    port,
    clock: systemClock,
    log: silentLogger,
    signal: new AbortController().signal,
  });

  test.skipIf(!hasTool("prometheus"))("the real one is taken where it is on PATH, leaves nothing behind, and may be closed twice", async () => {
    const metrics = await startMetrics(options());
    expect(metrics.kind).toBe("prometheus");
    await metrics.close();
    await metrics.close();
    await expect(fetch(metrics.url)).rejects.toThrow("fetch failed");
  });

  test("the embedded one is taken where it is not", async () => {
    process.env["PATH"] = "/nowhere";
    const metrics = await startMetrics(options());
    expect(metrics.kind).toBe("embedded");
    await metrics.close();
    await metrics.close();
    await expect(fetch(metrics.url)).rejects.toThrow("fetch failed");
  });

  test("a port that is taken is an error, not a server somewhere else", async () => {
    const first = await startEmbedded(options());
    await expect(startMetrics(options(Number(new URL(first.url).port)))).rejects.toThrow("EADDRINUSE");
    await first.close();
  });

  const aborted = AbortSignal.abort(new Error("shutting down"));

  test.skipIf(!hasTool("prometheus"))("an abort ends the start of the real one", async () => {
    await expect(startMetrics({ ...options(), signal: aborted })).rejects.toThrow("shutting down");
  });

  test("an abort ends the start of the embedded one", async () => {
    process.env["PATH"] = "/nowhere";
    await expect(startMetrics({ ...options(), signal: aborted })).rejects.toThrow("aborted");
  });
});
