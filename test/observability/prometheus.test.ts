import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { request } from "undici";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { crdOf } from "../../src/api/crd.ts";
import { kinds } from "../../src/api/kinds.ts";
import { apiVersion } from "../../src/api/meta.ts";
import { startController } from "../../src/cli/controller.ts";
import { parseConfig } from "../../src/config.ts";
import { createKube, type KubeClient } from "../../src/kube/client.ts";
import { serverAt } from "../../src/kube/kubeconfig.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { silentLogger } from "../../src/lib/log.ts";
import { startApiServer } from "../../src/sandbox/api-server/api-server.ts";
import { gatewayCrds } from "../../src/sandbox/gateway/crds.ts";
import { startPrometheus } from "../../src/sandbox/metrics/prometheus-process.ts";
import { canaryInput } from "../builders.ts";
import { aGitRemote } from "../git-remote.ts";
import { shopDeployment } from "../sandbox-cluster.ts";
import { hasTool } from "../tools.ts";
import { alertRules, alertsFile } from "./alert-rules.ts";
import { dashboardQueries } from "./dashboard-queries.ts";

const patience = { timeout: 20_000, interval: 200 };

describe.skipIf(!hasTool("prometheus"))("a real Prometheus that scrapes a controller at work", () => {
  const life = new AbortController();
  const { signal } = life;
  const closing: (() => Promise<unknown>)[] = [];
  let controller = "";
  let prometheus = "";
  let kube: KubeClient;

  beforeAll(async () => {
    const dir = mkdtempSync(join(tmpdir(), "serin-observability-"));
    closing.push(async () => rmSync(dir, { recursive: true, force: true }));
    const api = await startApiServer();
    closing.push(() => api.close());
    kube = createKube(serverAt(api.url));
    closing.push(() => kube.close());
    const git = await aGitRemote();
    closing.push(() => git.close());
    git.commit({ "map.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: map, namespace: shop }\ndata: { a: '1' }\n" });
    const object = (kind: string, name: string, spec: object) => ({ apiVersion, kind, metadata: { namespace: "shop", name }, spec });
    const cause = [{ object: "Deployment/checkout", path: "spec.replicas", decides: true }];
    const objects = [
      ...kinds.map(crdOf),
      ...gatewayCrds(),
      { apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } },
      object("GitRepository", "apps", { url: git.remote.url, ref: { branch: "main" }, interval: "1s" }),
      object("Sync", "apps", { sourceRef: { name: "apps" }, interval: "1m", prune: true }),
      object("Sync", "lost", { sourceRef: { name: "nowhere" }, interval: "1m", prune: true }),
      shopDeployment("checkout"),
      object("Canary", "checkout", canaryInput({ targetRef: { kind: "Deployment", name: "checkout" }, provider: undefined as never })),
      object("Revert", "checkout", { canaryRef: { name: "checkout" }, syncRef: { name: "nowhere" }, cause }),
    ];
    for (const each of objects) await kube.apply(each, { fieldManager: "test" }, signal);
    const config = parseConfig({ PATH: process.env["PATH"], SERIN_PORT: "0", SERIN_GIT_DIRECTORY: dir });
    const { port, ended } = await startController({ config, connection: serverAt(api.url), log: silentLogger, signal });
    closing.push(() => ended);
    controller = `http://127.0.0.1:${port}`;
    const targets = () => [`${controller}/metrics`];
    const options = { targets, scrapeIntervalMs: 500, clock: systemClock, log: silentLogger, signal, ruleFiles: [alertsFile] };
    const running = await startPrometheus(options);
    if (!running) throw new Error("prometheus did not start");
    closing.push(() => running.close());
    prometheus = running.url;
  });
  afterAll(async () => {
    life.abort(new Error("the tests are over"));
    for (const close of closing.toReversed()) await close();
  });

  const get = async (path: string): Promise<Record<string, unknown>> =>
    (await (await request(`${prometheus}${path}`)).body.json()) as Record<string, unknown>;
  const query = async (text: string): Promise<{ metric: Record<string, string>; value: [number, string] }[]> => {
    const answer = await get(`/api/v1/query?${new URLSearchParams({ query: text }).toString()}`);
    if (answer["status"] !== "success") throw new Error(`${text}: ${JSON.stringify(answer)}`);
    return (answer["data"] as { result: { metric: Record<string, string>; value: [number, string] }[] }).result;
  };
  const until = (text: string, want: string) =>
    vi.waitFor(async () => expect((await query(text)).map(({ value }) => value[1])).toEqual([want]), patience);

  test("sees objects under their own namespace and name", async () => {
    await until('serin_sync_ready{namespace="shop",name="apps"}', "1");
    await until('serin_sync_up_to_date{namespace="shop",name="apps"}', "1");
    await until('serin_sync_objects{namespace="shop",name="apps"}', "1");
    await until('serin_object_stalled{kind="Canary",namespace="shop",name="checkout",reason="ProviderMissing"}', "1");
    await until('serin_revert_phase{namespace="shop",name="checkout",phase="Planned",reason="SyncNotFound"}', "1");
    await until("serin_leader", "1");
    expect(Number((await query('sum(serin_git_operation_duration_seconds_count{operation="fetch"})'))[0]?.value[1])).toBeGreaterThan(0);
    expect(Number((await query('sum(serin_kube_requests_total{verb="watch",code="200"})'))[0]?.value[1])).toBeGreaterThan(3);
  });

  test("counts what is put back, from 0 on, and no longer knows what is gone", async () => {
    await until('serin_sync_drift_corrections_total{namespace="shop",name="apps"}', "0");
    const ref = { apiVersion: "v1", kind: "ConfigMap", namespace: "shop", name: "map" };
    await kube.patch(ref, { data: { a: "2" } }, { fieldManager: "kubectl-edit" }, signal);
    await until('serin_sync_drift_corrections_total{namespace="shop",name="apps"}', "1");
    await kube.delete({ apiVersion, kind: "Sync", namespace: "shop", name: "lost" }, {}, signal);
    await vi.waitFor(async () => expect(await query('{namespace="shop",name="lost"}')).toEqual([]), patience);
  });

  test("loads the alert rules and evaluates each without an error", async () => {
    const rules = async () => {
      const { data } = (await get("/api/v1/rules")) as { data: { groups: { rules: { name: string; health: string; lastError?: string }[] }[] } };
      return data.groups.flatMap((group) => group.rules);
    };
    await vi.waitFor(async () => expect((await rules()).every(({ health }) => health !== "unknown")).toBe(true), patience);
    expect((await rules()).filter(({ health }) => health !== "ok")).toEqual([]);
    expect((await rules()).map(({ name }) => name).toSorted()).toEqual(alertRules.map(({ alert }) => alert).toSorted());
    // Those with a wait are pending.
    const [stalled] = await query('ALERTS{alertname="SerinObjectStalled"}');
    expect(stalled?.metric).toMatchObject({ alertstate: "pending", kind: "Canary", name: "checkout", reason: "ProviderMissing" });
  });

  test("evaluates every query of the dashboard without an error", async () => {
    for (const { query: text } of dashboardQueries) await expect(query(text)).resolves.toBeDefined();
  });

  test.skipIf(!hasTool("promtool"))("by promtool nothing is wrong with names, help and types", async () => {
    const text = await (await request(`${controller}/metrics`)).body.text();
    const own = text.split("\n").filter((line) => /^(?:# (?:HELP|TYPE) )?serin_/.test(line)).join("\n");
    expect(execFileSync("promtool", ["check", "metrics"], { input: `${own}\n`, encoding: "utf8", stdio: ["pipe", "pipe", "pipe"] })).toBe("");
  });
});
