import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { request } from "undici";
import { expect, onTestFinished, test, vi } from "vitest";
import { crdOf } from "../api/crd.ts";
import { kinds } from "../api/kinds.ts";
import { apiVersion } from "../api/meta.ts";
import { parseConfig } from "../config.ts";
import { createKube } from "../kube/client.ts";
import { serverAt } from "../kube/kubeconfig.ts";
import { type Logger, silentLogger } from "../lib/log.ts";
import { startApiServer } from "../sandbox/api-server/api-server.ts";
import { startController } from "./controller.ts";

const patience = { timeout: 20_000, interval: 100 };

function recordingLogger(lines: string[]): Logger {
  const record = (fields: object, message: string) => void lines.push(`${message} ${JSON.stringify(fields)}`);
  const logger: Logger = { ...silentLogger, info: record, warn: record, error: record, child: () => logger };
  return logger;
}

async function start(url: string, lines: string[]) {
  const dir = await mkdtemp(join(tmpdir(), "serin-controller-"));
  const life = new AbortController();
  const config = parseConfig({ PATH: process.env["PATH"], SERIN_PORT: "0", SERIN_GIT_DIRECTORY: dir });
  const { ended, port } = await startController({ config, connection: serverAt(url), log: recordingLogger(lines), signal: life.signal });
  const stop = async (): Promise<void> => {
    life.abort(new Error("the test is over"));
    await ended;
  };
  onTestFinished(async () => {
    await stop();
    await rm(dir, { recursive: true, force: true });
  });
  const ask = async (path: string): Promise<string> => {
    const reply = await request(`http://127.0.0.1:${port}${path}`);
    return `${reply.statusCode} ${await reply.body.text()}`;
  };
  return { ask, stop };
}

test("a controller that finds no CustomResourceDefinitions says how to get them, and works when they come", async () => {
  const api = await startApiServer();
  onTestFinished(() => api.close());
  const lines: string[] = [];
  await start(api.url, lines);
  const lacking = () => lines.filter((line) => line.includes("lacks our CustomResourceDefinitions"));
  await vi.waitFor(() => expect(lacking()).toHaveLength(1), patience);
  expect(lacking()[0]).toContain("GitRepository, Sync, Canary, MetricTemplate, Revert");
  expect(lacking()[0]).toContain("kubectl apply --server-side -f crds/");

  const kube = createKube(serverAt(api.url));
  onTestFinished(() => kube.close());
  const signal = AbortSignal.timeout(20_000);
  for (const kind of kinds) await kube.apply(crdOf(kind), { fieldManager: "test" }, signal);
  await vi.waitFor(() => expect(lines.join("\n")).toContain("the API server knows all kinds now"), patience);
  const metadata = { namespace: "default", name: "apps" };
  const repository = { apiVersion, kind: "GitRepository", metadata, spec: { url: "http://127.0.0.1:1/apps.git", interval: "1m" } };
  await kube.apply(repository, { fieldManager: "test" }, signal);
  const conditions = async () =>
    JSON.stringify((await kube.get({ apiVersion, kind: "GitRepository", ...metadata }, signal))["status"] ?? {});
  await vi.waitFor(async () => expect(await conditions()).toContain("Ready"), patience);
});

test("a controller whose API server does not answer says so and goes on trying", async () => {
  const lines: string[] = [];
  const { ask } = await start("http://127.0.0.1:1", lines);
  const said = /lease could not be read or taken, trying again.*ECONNREFUSED 127\.0\.0\.1:1/;
  await vi.waitFor(() => expect(lines.join("\n")).toMatch(said), patience);
  expect(await ask("/healthz")).toBe("200 ok\n");
  expect(await ask("/readyz")).toBe("503 the API server has not answered yet\n");
  expect(await ask("/metrics")).toMatch(/serin_kube_requests_total\{verb="get",code="0"\} [1-9]/);
});

test("of two replicas the leader tells of its objects; the other is ready, tells of none, and takes over", async () => {
  const api = await startApiServer();
  onTestFinished(() => api.close());
  const kube = createKube(serverAt(api.url));
  onTestFinished(() => kube.close());
  const signal = AbortSignal.timeout(20_000);
  for (const kind of kinds) await kube.apply(crdOf(kind), { fieldManager: "test" }, signal);
  const metadata = { namespace: "default", name: "apps" };
  const spec = { url: "http://127.0.0.1:1/apps.git", interval: "1m" };
  await kube.apply({ apiVersion, kind: "GitRepository", metadata, spec }, { fieldManager: "test" }, signal);
  const replicas = [await start(api.url, []), await start(api.url, [])];
  for (const { ask } of replicas) await vi.waitFor(async () => expect(await ask("/readyz")).toBe("200 ok\n"), patience);
  const leads = await Promise.all(replicas.map(async ({ ask }) => (await ask("/metrics")).includes("\nserin_leader 1\n")));
  expect(leads.filter((each) => each)).toHaveLength(1);
  const [leader, standby] = leads[0] ? replicas : replicas.toReversed();
  const told = 'serin_git_repository_ready{namespace="default",name="apps"} 0';
  await vi.waitFor(async () => {
    const metrics = await leader!.ask("/metrics");
    expect(metrics).toContain(told);
    expect(metrics).toMatch(/serin_git_errors_total\{operation="listRefs",reason="GitOperationFailed"\} [1-9]/);
  }, patience);
  expect(await standby!.ask("/metrics")).not.toMatch(/namespace="default"|kind="GitRepository"/);
  await leader!.stop();
  await vi.waitFor(async () => expect(await standby!.ask("/metrics")).toContain(told), patience);
  expect(await standby!.ask("/metrics")).toContain("\nserin_leader 1\n");
});
