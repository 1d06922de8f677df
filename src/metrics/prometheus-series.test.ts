import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasTool } from "../../test/tools.ts";
import { systemClock } from "../lib/clock.ts";
import { silentLogger } from "../lib/log.ts";
import type { RawSeries, Selector } from "../lib/series.ts";
import type { RunningMetrics } from "../sandbox/metrics/metrics.ts";
import { startPrometheus } from "../sandbox/metrics/prometheus-process.ts";
import { MetricError } from "./metric-provider.ts";
import { prometheusSeries } from "./prometheus-series.ts";

const never = new AbortController().signal;

describe.skipIf(!hasTool("prometheus"))("a real Prometheus", () => {
  const dir = mkdtempSync(join(tmpdir(), "serin-series-test-"));
  const start = Math.floor(Date.now() / 1_000) - 600;
  const startMs = start * 1_000;
  let real: RunningMetrics | undefined;

  beforeAll(async () => {
    const lines = [0, 15, 30, 45].flatMap((second) =>
      ["shop-1", "shop-2", "shop.3", "cart-1"].map((pod, index) => `hits_total{pod="${pod}",code="200"} ${second * (index + 1)} ${start + second}.250`),
    );
    writeFileSync(join(dir, "samples.txt"), `${lines.toSorted().join("\n")}\n# EOF\n`);
    execFileSync("promtool", ["tsdb", "create-blocks-from", "openmetrics", "-q", join(dir, "samples.txt"), join(dir, "data")]);
    const options = { targets: () => [], scrapeIntervalMs: 60_000, clock: systemClock, log: silentLogger, signal: never };
    real = await startPrometheus({ ...options, dataDir: join(dir, "data") });
  });
  afterAll(async () => {
    await real?.close();
    rmSync(dir, { recursive: true, force: true });
  });

  const reader = () => prometheusSeries({ address: real?.url ?? "", timeoutMs: 5_000 });
  const pods = (series: readonly RawSeries[]) => series.map(({ labels }) => labels["pod"] ?? "").toSorted((a, b) => a.localeCompare(b));
  const selected = (...matchers: Selector["matchers"]) => ({ metric: "hits_total", matchers });

  test("gives every stored sample with its own time", async () => {
    const [one, ...others] = await reader().samples(
      selected({ label: "pod", oneOf: ["shop-2"] }),
      { atMs: startMs + 40_000, rangeMs: 30_000 },
      never,
    );
    expect(others).toEqual([]);
    expect(one).toEqual({
      labels: { pod: "shop-2", code: "200" },
      points: [
        { atMs: startMs + 15_250, value: 30 },
        { atMs: startMs + 30_250, value: 60 },
      ],
    });
  });

  test("says what time it is by its own clock", async () => {
    const before = Date.now();
    const said = await reader().nowMs(never);
    expect([before <= said, said <= Date.now()]).toEqual([true, true]);
  });

  test.each<[string, Selector["matchers"], string[]]>([
    ["one of several values", [{ label: "pod", oneOf: ["shop-1", "shop.3", "shop"] }], ["shop-1", "shop.3"]],
    ["values taken literally, not as a pattern", [{ label: "pod", oneOf: ["shop.1", "shop.2"] }], []],
    ["the beginning of a value", [{ label: "pod", startsWith: "shop-" }], ["shop-1", "shop-2"]],
    ["all of several labels", [{ label: "pod", startsWith: "" }, { label: "code", oneOf: ["500"] }], []],
  ])("selects by %s", async (_, matchers, want) => {
    expect(pods(await reader().samples(selected(...matchers), { atMs: startMs + 60_000, rangeMs: 120_000 }, never))).toEqual(want);
  });

  test("gives the newest sample at each step", async () => {
    const window = { fromMs: startMs + 20_000, untilMs: startMs + 50_000, stepMs: 10_000 };
    const [one] = await reader().steps(selected({ label: "pod", oneOf: ["shop-1"] }), window, never);
    expect(one?.points.map(({ atMs, value }) => [atMs - startMs, value])).toEqual([
      [20_000, 15],
      [30_000, 15],
      [40_000, 30],
      [50_000, 45],
    ]);
  });
});

describe("answers that no Prometheus of this machine gives", () => {
  const answered = async (body: unknown): Promise<readonly RawSeries[]> => {
    const server = createServer((_, response) => void response.end(JSON.stringify(body)));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    try {
      const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const reader = prometheusSeries({ address, timeoutMs: 5_000 });
      return await reader.samples({ metric: "m", matchers: [] }, { atMs: 0, rangeMs: 1_000 }, never);
    } finally {
      server.close();
      server.closeAllConnections();
    }
  };
  const matrix = (result: unknown[], more: object = {}) => ({ status: "success", data: { resultType: "matrix", result }, ...more });

  test("native histograms come with their buckets, ascending", async () => {
    const buckets = [
      [0, "0.5", "1", "4"],
      [1, "-0.001", "0.001", "2"],
    ];
    const histograms = [[1.5, { count: "6", sum: "3", buckets }]];
    const [one] = await answered(matrix([{ metric: { __name__: "m", pod: "a" }, histograms }]));
    expect(one?.labels).toEqual({ pod: "a" });
    expect(one?.histograms).toEqual([
      {
        atMs: 1_500,
        count: 6,
        buckets: [
          { lower: -0.001, upper: 0.001, count: 2 },
          { lower: 0.5, upper: 1, count: 4 },
        ],
      },
    ]);
  });

  test("half an answer is none", async () => {
    await expect(answered(matrix([], { warnings: ["store 2 did not answer"] }))).rejects.toThrow(MetricError);
  });

  test("numbers in place of samples are none", async () => {
    await expect(answered({ status: "success", data: { resultType: "vector", result: [] } })).rejects.toThrow(/JSON of another form/);
  });
});
