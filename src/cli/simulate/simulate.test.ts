import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { random } from "../../lib/random.ts";
import { queryApi } from "../../sandbox/metrics/api.ts";
import { createTsdb, type Tsdb } from "../../sandbox/metrics/tsdb.ts";
import { readManifest } from "../lint/files.ts";
import { lint } from "../lint/lint.ts";
import { lineOfText } from "../lint/problem.ts";
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
function fill(
  db: Tsdb,
  labels: Record<string, string>,
  { rps, errors, silentHours = 0 }: { rps: number; errors: number; silentHours?: number },
): void {
  const busyMs = endMs - (hours - silentHours) * 3_600_000;
  const chance = random(rps, Math.round(errors * 1e6));
  let [good, bad, slow] = [0, 0, 0];
  const add = (name: string, more: Record<string, string>, timeMs: number, value: number): void => {
    db.append(new Map(Object.entries({ __name__: name, instance: "one", ...labels, ...more })), { timeMs, value });
  };
  for (let timeMs = endMs - hours * 3_600_000; timeMs <= endMs; timeMs += scrapeMs) {
    const requests = timeMs < busyMs ? 0 : chance.poisson((rps * scrapeMs) / 1_000);
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
  fill(db, { service: "late" }, { rps: 100, errors: 0.001, silentHours: 1 });
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
  const given = { nowMs: endMs, output, notes, ...command };
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

const read = (service: string) => ({ metricsServer, last: "3h", requests: `http_requests_total{service="${service}"}` });
const of = (service: string) => ({ ...read(service), replays: "20" });
const versions = { canary: 'version="2"', stable: 'version="1"' };

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

  test("samples that end before a replay could are named, and how to get longer ones", async () => {
    const short = await simulate({ ...of("steady"), last: "4m" });
    expect(short.output).toContain("one every 1m.\nThe samples end after 240 s: what had not ended by then is neither rolled back nor promoted. Read 30 min or more.\n\n");
    expect(row(short, "20 releases that change nothing", "share, fixed").slice(0, 4)).toEqual(["0 %", "–", "–", "0 %"]);
    expect((await simulate({ ...of("steady"), last: "15s" })).output).toMatch(/^1 scrape, /);
    const enough = await simulate({ ...of("steady"), last: "31m" });
    expect(enough.output).not.toContain("The samples end");
  });

  test("that a replay ends before the rollout is said", async () => {
    const open = "\nA replay ends after 30 min: what had not ended by then is neither rolled back nor promoted.\n\n";
    const long = await simulate({ ...of("steady"), manifest: manifestOf("{ minDuration: 45m }") });
    expect(long.output).toContain(open);
    expect(row(long, "20 releases that change nothing", "share, adaptive").slice(0, 4)).toEqual(["0 %", "–", "–", "0 %"]);
    expect((await simulate(of("steady"))).output).not.toContain("A replay ends");
  });

  test("goes by the rules of a Canary", async () => {
    const metrics = "[{ name: request-success-rate, thresholdRange: { min: 95 } }]";
    const replayed = async (more = "") =>
      simulate({ ...of("sick"), manifest: manifestOf(`{ interval: 30s, stepWeight: 25, maxWeight: 50, metrics: ${metrics}${more} }`) });
    const said = await replayed();
    expect(said.output).toContain("with 95 % as the threshold and fixed steps of 25 % up to 50 %, one every 30s.");
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
    expect(live.output).not.toContain("what ran beside it");
    const offline = await simulate({ samples: save, replays: "20" });
    expect(offline.output).toBe(live.output);
    expect(offline.notes).toBe("");
  });
});

test("latency is looked at from the first request on, however late it came", async () => {
  const said = await simulate({ ...of("late"), latency: 'http_request_duration_seconds_bucket{service="late"}' });
  expect(said.output).toMatch(/; latency against 100 ms\.$/m);
});

describe("what of a Canary is not replayed", () => {
  const metric = (name: string, more = ""): string => `{ name: ${name}, thresholdRange: { max: 1 }${more} }`;
  const metrics = `metrics: [${metric("errors", ', query: "up"')}, ${metric("lag", ", templateRef: { name: lag }")}, { name: request-duration }]`;
  const gates = "webhooks: [{ name: gate, type: confirm-rollout, url: http://gate }]";

  test("is named by field, with the reason", async () => {
    const said = await simulate({ ...of("steady"), manifest: manifestOf(`{ iterations: 5, ${metrics}, ${gates}, maxDuration: 1h, onNoData: fail, onBlind: fail }`) });
    expect(said.code).toBe(0);
    expect(said.output.split("\n\n")[1]?.split("\n")).toEqual([
      "spec.analysis.metrics[0] (errors) is your own query: not replayed",
      "spec.analysis.metrics[1] (lag) is the query of MetricTemplate lag: not replayed",
      "spec.analysis.metrics[2] (request-duration) is a percentile, of which the samples hold only what was slower than --latency's bounds: not replayed",
      "spec.analysis.metrics has no request-success-rate: threshold is replayed with spec.analysis.slo (99 %) in its place",
      "spec.analysis.iterations (5) split no traffic: not replayed, threshold and fixed steps are replayed with a split",
      "spec.analysis.onNoData (fail): not replayed for threshold, a check without a request holds",
      "spec.analysis.maxDuration (1h): not replayed for threshold, a check that says nothing holds",
      "spec.analysis.onBlind (fail): not replayed, samples do not say when the metric server did not answer",
      "spec.analysis.webhooks[0] (gate) asks a person or a program: not replayed",
    ]);
  });

  test.each<[string, string]>([
    ["nothing where all of it is", "{ stepWeight: 10, maxWeight: 50, metrics: [{ name: request-success-rate }], minDuration: 2m }"],
    ["nothing where nothing is written", "{}"],
    ["nothing of what shares are replayed with", "{ onNoData: fail, maxDuration: 1h }"],
  ])("%s", async (_, analysis) => {
    const said = await simulate({ ...of("steady"), manifest: manifestOf(analysis) });
    expect(said.output.split("\n\n")[1]).toMatch(/^This traffic split at random, with 99 % as the threshold and fixed steps of 10/);
    expect(said.output).not.toContain("not replayed");
  });

  test("is no checks that are skipped: they are replayed, and that is said", async () => {
    const manifest = manifestOf("{}");
    writeFileSync(manifest, readFileSync(manifest, "utf8").replace("spec: {", "spec: { skipAnalysis: true,"));
    expect((await simulate({ ...of("steady"), manifest })).output).toContain("\nspec.skipAnalysis promotes without checks: not replayed, ");
  });
});

describe("bounds of the success rate are replayed as they are written", () => {
  const rolledBack = async (service: string, analysis: string): Promise<string | undefined> =>
    row(await simulate({ ...of(service), manifest: manifestOf(`{ stepWeight: 25, maxWeight: 50, ${analysis} }`) }), "20 releases that change nothing", "threshold")[0];
  const bounds = (range: string): string => `metrics: [{ name: request-success-rate, ${range} }]`;

  test.each<[string, string, string, string]>([
    ["without any it is 99 %, whatever the SLO", "sick", `${bounds("interval: 1m")}, slo: 95`, "100 %"],
    ["a maximum alone has no minimum", "sick", bounds("thresholdRange: { max: 100 }"), "0 %"],
    ["more than the maximum fails", "steady", bounds("thresholdRange: { min: 90, max: 95 }"), "100 %"],
    ["without a metric it is the SLO", "sick", "slo: 95", "0 %"],
  ])("%s", async (_, service, analysis, want) => {
    expect(await rolledBack(service, analysis)).toBe(want);
  });

  test("and told", async () => {
    const analysis = `{ stepWeights: [5, 50], ${bounds("thresholdRange: { min: 90, max: 95 }")} }`;
    const said = await simulate({ ...of("steady"), manifest: manifestOf(analysis) });
    expect(said.output).toContain("with 90 % to 95 % as the threshold and fixed steps of 5, 50 %, one every 1m.");
  });

  test("in the window of the metric, and no promotion comes before minDuration", async () => {
    // 1500 requests come in a scrape: with a fourth of them a minute has 1500, and fifteen seconds a fourth of that.
    const inWindow = (window: string): string =>
      `interval: 15s, ${bounds(`thresholdRange: { min: 95 }, interval: ${window}`)}, minRequests: 1000`;
    const replayed = async (analysis: string): Promise<string[]> => {
      const manifest = manifestOf(`{ stepWeight: 25, maxWeight: 50, ${analysis} }`);
      return row(await simulate({ ...of("steady"), manifest }), "20 releases that change nothing", "threshold").slice(3);
    };
    expect(await replayed(inWindow("15s"))).toEqual(["0 %", "–"]);
    expect(await replayed(inWindow("1m"))).toEqual(["100 %", "60 s"]);
    expect(await replayed(`${inWindow("1m")}, minDuration: 10m`)).toEqual(["100 %", "600 s"]);
  });
});

test("a canary that is compared with nothing is judged by the SLO alone", async () => {
  const against = async (baseline: string): Promise<string | undefined> => {
    const manifest = manifestOf(`{ baseline: ${baseline}, slo: 60 }`);
    return row(await simulate({ ...read("pair"), ...versions, manifest }), "The canary would have been", "share, adaptive")[0];
  };
  expect(await against("primary")).toMatch(/^rolled back/);
  expect(await against("none")).toBe("not rolled back");
});

describe("two versions that ran beside each other", () => {
  test("are judged as they were", async () => {
    const said = await simulate({ ...read("pair"), ...versions });
    expect(said.code).toBe(0);
    for (const method of ["threshold", "share, fixed", "share, adaptive"])
      expect(row(said, "The canary would have been", method).slice(0, 2)).toEqual([
        expect.stringMatching(/^rolled back after \d+ s$/),
        expect.stringMatching(/^[1-9]\d* requests lost until then$/),
      ]);
    const healthy = await simulate({ ...read("twins"), ...versions });
    expect(row(healthy, "The canary would have been", "share, adaptive").slice(0, 2)).toEqual(["not rolled back", "0 requests lost"]);
  });

  test("have their requests and failures told, with the most evidence there was", async () => {
    const said = await simulate({ ...read("pair"), ...versions });
    expect(said.output).toMatch(/\nThe canary had 10\d{4} requests, 3\d{4} failed \((?:29|30)(?:\.\d)? %\), what ran beside it 9\d{5} requests, 9\d\d failed \(0\.\d+ %\)\.\n/);
    expect(row(said, "The canary would have been", "share, fixed").at(-1)).toBe("highest evidence 1e9 or more");
    expect(said.output).toMatch(/\nBy share, adaptive:\n.+\.\nAt evidence 20 a release is rolled back\.\n/);
  });

  test("have told what could not have been seen, with the Canary's own steps", async () => {
    const save = join(dir, "twins.json");
    const said = await simulate({ ...read("twins"), ...versions, manifest: manifestOf("{ stepWeight: 10 }"), save });
    const [, ground = ""] = said.output.split("By share, fixed:\n");
    expect(ground).toMatch(/\nAn error rate of 0\.\d+ % or more could have been seen, and nothing less\.\n/);
    expect(ground).toMatch(/\nThe primary's was about 0\.\d+ %, by \d+ requests\. A release that fails\n {2}2 times as often, 0\.\d+ %: +would have been found after \d+ /);
    expect(ground).toMatch(/\nRequests were counted by http_requests_total\{service="twins"\}\.\n$/);
    const { output } = await simulate({ samples: save });
    expect(output).toContain("\nBy share, adaptive:\nNo worse than the primary; ");
    expect(output).toContain(`Requests were counted by the samples in ${save}.\n`);
    const idle = await simulate({ samples: save, seed: "2" });
    expect(idle.notes).toMatch(/^serin: without traffic that is split at random .*; remove --seed\n/);
  });
});

const nobody = "http://127.0.0.1:1";
const asked = { metricsServer: nobody, requests: "x" };
test.each<[string, Partial<SimulateCommand>, RegExp]>([
  ["nothing to read", {}, /^serin: there is nothing to read: write --metrics-server URL, or --samples FILE\n/],
  ["no counters", { metricsServer: nobody }, /^serin: --requests is missing/],
  ["a selector that is none", { metricsServer: nobody, requests: "sum(x)" }, /^serin: --requests: "sum\(x\)" selects no series/],
  ["one side alone", { ...asked, canary: 'v="2"' }, /^serin: --canary and --stable belong together/],
  ["labels that are none", { ...asked, canary: "2", stable: 'v="1"' }, /^serin: --canary: "2" is no label; write label="value"/],
  ["a time that is none", { ...asked, from: "noon" }, /^serin: --from is noon, not a time/],
  ["a time to come", { ...asked, from: "2026-11-22" }, /^serin: --from is 2026-11-22, which is still to come\n/],
  ["a time before it begins", { ...asked, from: "2026-11-21", until: "2026-11-20" }, /^serin: --from is not before --until\n/],
  ["a duration that is none", { ...asked, last: "soon" }, /^serin: --last: "soon" is not a duration/],
  ["no duration", { ...asked, last: "0s" }, /^serin: --last is 0s, which is no time at all\n/],
  ["too many replays", { replays: "1e9" }, /^serin: --replays is 1e9, not a whole number/],
  ["two begins", { ...asked, last: "1h", from: "2026-11-21" }, /^serin: --from and --last both say where the time begins: remove one of them\n/],
  ["a unit of nothing", { ...asked, latencyUnit: "ms" }, /^serin: --latency-unit needs --latency/],
  ["samples and a server", { ...asked, samples: "a.json" }, /^serin: --samples reads what was saved, all of it: remove --samples, or --metrics-server, --requests\n/],
  ["samples and sides", { ...versions, samples: "a.json" }, /remove --samples, or --canary, --stable\n/],
  ["chance where there is none", { ...asked, ...versions, replays: "20", seed: "2" }, /^serin: without traffic that is split at random there is no chance: .*; remove --replays and --seed\n/],
  ["a file of something else", { samples: new URL(import.meta.url).pathname }, /holds no samples that serin simulate --save wrote/],
  ["samples that are not there", { samples: "none.json" }, /^serin: there is no file none\.json; name a file that serin simulate --save wrote\n/],
  ["a folder for samples", { samples: "src" }, /^serin: src is a folder, not a file; name a file that serin simulate --save wrote\n/],
  ["a manifest that is no YAML", { manifest: "README.md" }, /^serin: README\.md:\d+: /],
  ["a manifest that is not there", { manifest: "none.yaml" }, /^serin: there is no file none\.yaml; name a manifest\n/],
  ["a folder for a manifest", { manifest: "src" }, /^serin: src is a folder, not a file; name a manifest\n/],
  ["a manifest without a Canary", { manifest: "package.json" }, /^serin: package\.json holds no Canary of serin\.dev\/v1beta1\n/],
])("says what it cannot understand: %s", async (_, command, notes) => {
  const said = await simulate(command);
  expect([said.code, said.output]).toEqual([2, ""]);
  expect(said.notes).toMatch(notes);
});

describe("a Canary that serin lint refuses is not replayed", () => {
  test.each<[string, string, string]>([
    ["by the schema", "{ warmup: 1 minute, slo: 0.999 }", "did you mean 99.9?"],
    ["by its rules", "{ stepWeight: 10, maxWeight: 50 , minDuration: 1h, maxDuration: 1m }", "minDuration must not be longer than maxDuration"],
    ["by an unknown field", "{ warmpu: 1m }", "field not declared in schema; did you mean warmup?"],
    ["by its controller's checks", '{ stepWeight: 10, metrics: [{ name: own, query: "up(", thresholdRange: { max: 1 } }] }', "not PromQL"],
  ])("%s", async (_, analysis, message) => {
    const manifest = manifestOf(analysis);
    const said = await simulate({ ...of("steady"), manifest });
    const defaults = { provider: "gatewayapi:v1", metricsServer } as const;
    const { problems } = await lint([await readManifest(manifest)], { defaults, namespace: "default" });
    expect(problems.length).toBeGreaterThan(0);
    expect(said).toEqual({ code: 2, output: "", notes: `serin: ${problems.map(lineOfText).join("\n")}\nserin simulate --help says what there is.\n` });
    expect(said.notes).toContain(message);
  });

  test("but what it says of other objects in the file is none of the Canary's", async () => {
    const manifest = manifestOf("{}");
    const sync = "apiVersion: serin.dev/v1beta1\nkind: Sync\nmetadata: { name: apps }\nspec: {}\n";
    writeFileSync(manifest, `${readFileSync(manifest, "utf8")}---\n${sync}`);
    expect(await simulate({ ...of("steady"), manifest })).toMatchObject({ code: 0, notes: "" });
  });

  test("nor is one of another project, or one of several", async () => {
    const manifest = manifestOf("{}");
    const text = readFileSync(manifest, "utf8");
    writeFileSync(manifest, text.replace("serin.dev", "flagger.app"));
    expect((await simulate({ manifest })).notes).toContain("holds no Canary of serin.dev/v1beta1, only one of flagger.app/v1beta1\n");
    writeFileSync(manifest, `${text}---\n${text.replaceAll("name: shop", "name: cart")}`);
    const said = await simulate({ manifest });
    expect([said.code, said.notes]).toEqual([2, expect.stringContaining("holds 2 Canaries (default/shop, default/cart); name a file that holds only the one to replay\n")]);
  });
});

describe("where there are no samples, that is said with what was asked, and nothing is saved", () => {
  const time = "from 2026-11-21T09:00:00Z to 2026-11-21T12:00:00Z";
  test.each<[string, () => Partial<SimulateCommand>, (server: string) => string]>([
    ["a selector of nothing", () => read("nobody"), (at) => `http_requests_total{service="nobody"} matches no series at ${at} ${time}; correct --requests, or ask for another time or server`],
    ["a time of nothing", () => ({ ...read("steady"), from: "2026-01-01", until: "2026-01-02", last: undefined }), (at) => `http_requests_total{service="steady"} matches no series at ${at} from 2026-01-01T00:00:00Z to 2026-01-02T00:00:00Z; correct`],
    ["counters without a code", () => ({ ...read("steady"), requests: "http_request_duration_seconds_bucket" }), (at) => `http_request_duration_seconds_bucket matches 14 series at ${at} ${time}, but none has the status code in a label such as code or status; correct`],
    ["labels of nobody", () => ({ ...read("steady"), ...versions }), (at) => `http_requests_total{service="steady"} matches 2 series at ${at} ${time}, but none in which requests were counted has the labels version="2" or version="1"; correct`],
    ["labels of nobody, at a time of which the end is still to come", () => ({ ...read("steady"), ...versions, last: undefined, from: "2026-11-21T09:00:00Z", until: "2026-11-21T13:00:00Z" }), () => 'http_requests_total{service="steady"} matches 2 series at '],
    ["a canary of nobody", () => ({ ...read("pair"), ...versions, canary: 'version="3"' }), (at) => `of the counters http_requests_total{service="pair"} those with the labels version="3" had no request at ${at} ${time}; correct --canary, or ask`],
    ["a latency of nothing", () => ({ ...of("steady"), latency: "nothing_bucket" }), (at) => `--latency nothing_bucket matches no series at ${at} ${time}; correct it, or leave it out`],
    ["a latency without the name of its buckets", () => ({ ...of("steady"), latency: 'http_request_duration_seconds{service="steady"}' }), (at) => `--latency http_request_duration_seconds{service="steady"} matches no series at ${at} ${time}; write http_request_duration_seconds_bucket{service="steady"} where it has buckets, or leave it out`],
    ["a latency of which only the sum is named", () => ({ ...of("steady"), latency: "nothing_sum" }), (at) => `--latency nothing_sum matches no series at ${at} ${time}; write nothing_bucket where`],
    ["a latency that is no histogram", () => ({ ...of("steady"), latency: "http_requests_total" }), (at) => `--latency http_requests_total matches 14 series, but no buckets of a histogram in which requests were counted, at ${at} ${time}; correct it, or leave it out`],
  ])("%s", async (_, command, message) => {
    const save = join(dir, "empty.json");
    const said = await simulate({ ...command(), save });
    expect(said).toEqual({ code: 1, output: "", notes: expect.stringContaining(`serin: ${message(metricsServer)}`) as string });
    expect(existsSync(save)).toBe(false);
  });

  test.each(["canary", "stable"] as const)("a file without requests of the %s", async (side) => {
    const file = join(dir, `without-${side}.json`);
    const other = side === "canary" ? "stable" : "canary";
    const errors = { [side]: { requests: 0, bad: 0 }, [other]: { requests: 90, bad: 1 } };
    const scrapes = [0, 15_000, 30_000].map((fromMs) => ({ fromMs, atMs: fromMs + 15_000, errors, slow: [] }));
    writeFileSync(file, JSON.stringify({ version: 1, scrapeMs: 15_000, boundsMs: [], split: true, scrapes }));
    const notes = `serin: in ${file} the ${side} has no request: --${side} was wrong when it was saved; save another one\n`;
    expect(await simulate({ samples: file })).toEqual({ code: 1, output: "", notes });
  });

  test("a folder to save to that is not there is said", async () => {
    const said = await simulate({ ...of("steady"), save: join(dir, "nowhere/samples.json") });
    const notes = /^serin: --save: there is no file .*\/nowhere\/samples\.json; name a file in a folder that there is\n/;
    expect([said.code, said.notes]).toEqual([2, expect.stringMatching(notes)]);
  });
});

describe("serin simulate and serin explain, as they are called", () => {
  const serin = (args: string[], env: Readonly<Record<string, string>> = {}) =>
    spawnSync(process.execPath, ["src/main.ts", ...args], { encoding: "utf8", env: { PATH: process.env["PATH"], HOME: dir, ...env } });

  test.each<[string, string[], RegExp]>([
    ["a second manifest", ["simulate", "a.yaml", "b.yaml"], /^serin: "b\.yaml" is one too many: write one CANARY\.yaml\nserin simulate --help/],
    ["a flag with a slip", ["simulate", "--lats", "6h"], /^serin: there is no flag --lats; did you mean --last\?\nserin simulate --help/],
    ["a flag like no other", ["explain", "--verbose"], /^serin: there is no flag --verbose\nserin explain --help/],
    ["a flag of one letter", ["explain", "-x"], /^serin: there is no flag -x\nserin explain --help/],
    ["no command", ["simulat"], /^serin: there is no command simulat; did you mean simulate\?\nserin --help/],
    ["no Canary", ["explain"], /^serin: name what is to be explained: canary\/NAME\nserin explain --help/],
  ])("%s is misuse", (_, args, notes) => {
    const { status, stdout, stderr } = serin(args);
    expect([status, stdout, stderr]).toEqual([2, "", expect.stringMatching(notes)]);
  });

  test("a server of the environment does not get in the way of samples", () => {
    const { status, stderr } = serin(["simulate", "--samples", "none.json"], { SERIN_METRICS_SERVER: "http://a" });
    expect([status, stderr]).toEqual([2, expect.stringMatching(/^serin: there is no file none\.json/)]);
  });
});

test("labels may hold commas and quotes", () => {
  expect(parseLabels('a="1,2", b="x\\"y"')).toEqual({ a: "1,2", b: 'x"y' });
  expect(parseSelector("up")).toEqual({ metric: "up", matchers: [] });
});
