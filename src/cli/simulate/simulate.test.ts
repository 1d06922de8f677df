import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { random } from "../../lib/random.ts";
import { queryApi } from "../../sandbox/metrics/api.ts";
import { createTsdb, type Tsdb } from "../../sandbox/metrics/tsdb.ts";
import { parseLabels, parseSelector } from "./selector.ts";
import { type SimulateCommand, simulateCommand } from "./simulate.ts";

const endMs = Date.parse("2026-11-21T12:00:00Z");
const scrapeMs = 15_000;
const hours = 3;
const dir = mkdtempSync(join(tmpdir(), "serin-simulate-"));
const signal = new AbortController().signal;
let server: Server;
let metricsServer = "";

/** Counters of one version by status code, and the buckets of its times, scraped for three hours. */
function fill(db: Tsdb, labels: Record<string, string>, { rps, errors }: { rps: number; errors: number }): void {
  const chance = random(rps, Math.round(errors * 1e6));
  let [good, bad, slow] = [0, 0, 0];
  const add = (name: string, more: Record<string, string>, timeMs: number, value: number): void => {
    db.append(new Map(Object.entries({ __name__: name, instance: "one", ...labels, ...more })), { timeMs, value });
  };
  for (let timeMs = endMs - hours * 3_600_000; timeMs <= endMs; timeMs += scrapeMs) {
    const requests = chance.poisson((rps * scrapeMs) / 1_000);
    const failed = chance.binomial(requests, errors);
    bad += failed;
    good += requests - failed;
    slow += chance.binomial(requests, 0.05);
    add("http_requests_total", { code: "200" }, timeMs, good);
    add("http_requests_total", { code: "503" }, timeMs, bad);
    add("http_request_duration_seconds_bucket", { le: "0.1" }, timeMs, good + bad - slow);
    add("http_request_duration_seconds_bucket", { le: "+Inf" }, timeMs, good + bad);
  }
}

beforeAll(async () => {
  const db = createTsdb({ retentionMs: 24 * 3_600_000, maxSeries: 100 });
  fill(db, { service: "steady" }, { rps: 100, errors: 0.001 });
  fill(db, { service: "sick" }, { rps: 100, errors: 0.012 });
  fill(db, { service: "pair", version: "1" }, { rps: 90, errors: 0.001 });
  fill(db, { service: "pair", version: "2" }, { rps: 10, errors: 0.3 });
  fill(db, { service: "twins", version: "1" }, { rps: 90, errors: 0.001 });
  fill(db, { service: "twins", version: "2" }, { rps: 80, errors: 0.001 });
  server = queryApi(db, () => endMs);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  metricsServer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.close();
  server.closeAllConnections();
  rmSync(dir, { recursive: true, force: true });
});

interface Said {
  readonly code: number;
  readonly output: string;
  readonly notes: string;
}

async function simulate(command: Partial<SimulateCommand>, isTTY = false): Promise<Said> {
  const said = { output: "", notes: "" };
  const output = { write: (text: string) => (said.output += text) };
  const notes = { isTTY, write: (text: string) => (said.notes += text) };
  const given = { nowMs: endMs, last: "3h", replays: "20", output, notes, ...command };
  return { code: await simulateCommand(given, signal), ...said };
}

/** A file with a Canary that is analysed so. */
function manifestOf(analysis: string): string {
  const file = join(dir, "canary.yaml");
  const service = "{ port: 80, gatewayRefs: [{ name: public }] }";
  const spec = `{ targetRef: { kind: Deployment, name: shop }, service: ${service}, analysis: ${analysis} }`;
  const text = `apiVersion: serin.dev/v1beta1\nkind: Canary\nmetadata: { name: shop }\nspec: ${spec}\n`;
  // As kubectl reads it, not only as most write it.
  writeFileSync(file, `kind: Service\n--- # shop\n${text}`.replaceAll("\n", "\r\n"));
  return file;
}

/** Cells of a method's line in the table of this title. */
function row({ output }: Said, title: string, method: string): string[] {
  const table = output.slice(output.indexOf(title));
  const line = table.split("\n").find((each) => each.trimStart().startsWith(method)) ?? "";
  return line.trim().slice(method.length).trim().split(/\s{2,}/);
}

const of = (service: string) => ({ metricsServer, requests: `http_requests_total{service="${service}"}` });

describe("one service's traffic, split at random", () => {
  test("a release that changes nothing is promoted, one that fails is found by every method", async () => {
    const said = await simulate({ ...of("steady"), latency: 'http_request_duration_seconds_bucket{service="steady"}' });
    expect(said.code).toBe(0);
    expect(said.output).toMatch(/^7\d\d scrapes, one every 15 s, from 2026-11-21T09:00:00Z to 2026-11-21T12:00:00Z;\n/);
    expect(said.output).toMatch(/^100 requests a second, 0\.0963 % failed; latency against 100 ms\.$/m);
    for (const method of ["threshold", "share, fixed", "share, adaptive"]) {
      const [back, after, lost, promoted] = row(said, "20 releases that change nothing", method);
      expect([method, back, after, lost, promoted]).toEqual([method, "0 %", "–", "–", "100 %"]);
      expect(Number(row(said, "20 releases that fail always", method)[2])).toBeGreaterThan(10);
      expect([method, row(said, "20 releases that fail always", method)[0]]).toEqual([method, "100 %"]);
    }
    const [found] = row(said, "20 releases that fail five times as often", "share, adaptive");
    expect(found).toBe("100 %");
    expect(row(said, "20 releases that fail five times as often", "threshold")[0]).toBe("5 %");
  });

  test("a service beyond the threshold is rolled back by it whatever the release is, and not by shares", async () => {
    const said = await simulate(of("sick"));
    expect(row(said, "20 releases that change nothing", "threshold")[0]).toBe("100 %");
    expect(row(said, "20 releases that change nothing", "share, adaptive")[0]).toBe("0 %");
    // Five times of 1.2 %, not of the least rate that is assumed.
    expect(row(said, "20 releases that fail five times as often", "share, adaptive")[0]).toBe("100 %");
  });

  test("goes by the rules of a Canary", async () => {
    const metrics = "[{ name: request-success-rate, thresholdRange: { min: 95 } }]";
    const replayed = async (more = "") =>
      simulate({ ...of("sick"), manifest: manifestOf(`{ interval: 30s, stepWeight: 25, maxWeight: 50, metrics: ${metrics}${more} }`) });
    const said = await replayed();
    expect(said.output).toContain("with 95 % as the threshold");
    expect(row(said, "20 releases that change nothing", "threshold").slice(3)).toEqual(["100 %", "60 s"]);
    // A quarter of 100 requests a second for the first interval of 30 s.
    const [back, after, lost] = row(said, "20 releases that fail always", "threshold");
    expect([back, after]).toEqual(["100 %", "30 s"]);
    expect(Number(lost)).toBeGreaterThan(700);
    expect(Number(lost)).toBeLessThan(800);
    const unscored = await replayed(", minRequests: 1_000_000");
    expect(row(unscored, "20 releases that fail always", "threshold").slice(0, 4)).toEqual(["0 %", "–", "–", "0 %"]);
  });

  test.each<[string, string, string, string]>([
    ["fixed steps that a Canary does not write have no end", "{ interval: 5m }", "share, fixed", "1500 s"],
    ["fixed steps end when the Canary says so", "{ interval: 5m, maxDuration: 10m }", "share, fixed", "600 s"],
    ["adaptive steps that a Canary does not write do not end before minDuration", "{ stepWeight: 10, minDuration: 25m }", "share, adaptive", "1500 s"],
  ])("%s", async (_, analysis, method, want) => {
    const said = await simulate({ ...of("steady"), manifest: manifestOf(analysis) });
    expect(row(said, "20 releases that change nothing", method).slice(3)).toEqual(["100 %", want]);
  });

  test("comes out the same from a file, without a Prometheus, and tells how far it is where somebody looks", async () => {
    const save = join(dir, "samples.json");
    const live = await simulate({ ...of("steady"), save }, true);
    expect(live.notes).toMatch(/\rreading 100 %\n.*\rreplaying 100 %\n$/s);
    expect(JSON.parse(readFileSync(save, "utf8"))).toMatchObject({ version: 1, split: false, scrapeMs });
    const offline = await simulate({ samples: save });
    expect(offline.output).toBe(live.output);
    expect(offline.notes).toBe("");
  });
});

test("two versions that ran beside each other are judged as they were", async () => {
  const said = await simulate({ ...of("pair"), canary: 'version="2"', stable: 'version="1"' });
  expect(said.code).toBe(0);
  for (const method of ["threshold", "share, fixed", "share, adaptive"])
    expect(row(said, "The canary would have been", method)[0]).toMatch(/^rolled back after \d+ s$/);
  const healthy = await simulate({ ...of("twins"), canary: 'version="2"', stable: 'version="1"' });
  expect(row(healthy, "The canary would have been", "share, adaptive")[0]).toBe("not rolled back");
});

test.each<[string, Partial<SimulateCommand>, RegExp]>([
  ["nothing to read", {}, /^serin: there is nothing to read: write --metrics-server URL, or --samples FILE\n/],
  ["no counters", { metricsServer: "http://127.0.0.1:1" }, /^serin: --requests is missing/],
  ["a selector that is none", { metricsServer: "http://127.0.0.1:1", requests: "sum(x)" }, /^serin: "sum\(x\)" selects no series/],
  ["one side alone", { metricsServer: "http://127.0.0.1:1", requests: "x", canary: 'v="2"' }, /^serin: --canary and --stable belong together/],
  ["a time that is none", { metricsServer: "http://127.0.0.1:1", requests: "x", from: "noon" }, /^serin: --from is noon, not a time/],
  ["a duration that is none", { metricsServer: "http://127.0.0.1:1", requests: "x", last: "soon" }, /^serin: --last: "soon" is not a duration/],
  ["too many replays", { replays: "1e9" }, /^serin: --replays is 1e9, not a whole number/],
  ["a file of something else", { samples: new URL(import.meta.url).pathname }, /holds no samples that serin simulate --save wrote/],
  ["a manifest that is no YAML", { manifest: "README.md" }, /^serin: README\.md:\d+: /],
  ["a manifest that is not there", { manifest: "none.yaml" }, /^serin: .*none\.yaml/],
  ["a manifest without a Canary", { manifest: "package.json" }, /^serin: package\.json holds no Canary\n/],
])("says what it cannot understand: %s", async (_, command, notes) => {
  const said = await simulate(command);
  expect(said.code).toBe(2);
  expect(said.notes).toMatch(notes);
});

test("a time without samples is said, and no success", async () => {
  const said = await simulate({ ...of("nobody") });
  expect([said.code, said.output]).toEqual([1, "There are no samples in this time.\n\n"]);
});

test.each(["canary", "stable"] as const)("labels of the %s that select nothing give no verdict", async (side) => {
  const file = join(dir, `without-${side}.json`);
  const other = side === "canary" ? "stable" : "canary";
  const errors = { [side]: { requests: 0, bad: 0 }, [other]: { requests: 90, bad: 1 } };
  const scrapes = [0, 15_000, 30_000].map((fromMs) => ({ fromMs, atMs: fromMs + 15_000, errors, slow: [] }));
  writeFileSync(file, JSON.stringify({ version: 1, scrapeMs: 15_000, boundsMs: [], split: true, scrapes }));
  const said = await simulate({ samples: file });
  expect([said.code, said.output]).toEqual([1, expect.stringContaining(`--${side} selects no requests of this time`)]);
});

test("labels may hold commas and quotes", () => {
  expect(parseLabels('a="1,2", b="x\\"y"')).toEqual({ a: "1,2", b: 'x"y' });
  expect(parseSelector("up")).toEqual({ metric: "up", matchers: [] });
});
