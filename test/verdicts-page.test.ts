import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { expect, test, type TestContext } from "vitest";
import { parse } from "yaml";
import { canary } from "../src/api/canary.ts";
import { crdOf } from "../src/api/crd.ts";
import type { KubeObject } from "../src/api/object.ts";
import { createKube } from "../src/kube/client.ts";
import { serverAt } from "../src/kube/kubeconfig.ts";
import { startApiServer } from "../src/sandbox/api-server/api-server.ts";
import { queryApi } from "../src/sandbox/metrics/api.ts";
import { createTsdb } from "../src/sandbox/metrics/tsdb.ts";

const root = resolve(import.meta.dirname, "..");
const page = readFileSync(join(root, "docs/verdicts.md"), "utf8");
const [, example = ""] = /^```yaml\n(.*?)^```$/ms.exec(page) ?? [];
const lines = [...page.matchAll(/^```sh\n(.*?)^```$/gms)].flatMap(([, text = ""]) => text.trim().split("\n"));
const signal = new AbortController().signal;

/** The cluster that the page speaks of: its own Canary. Returns a kubeconfig. */
async function startCluster(context: TestContext): Promise<string> {
  const api = await startApiServer();
  const kube = createKube(serverAt(api.url));
  const dir = mkdtempSync(join(tmpdir(), "serin-verdicts-page-"));
  context.onTestFinished(async () => {
    await kube.close();
    await api.close();
    rmSync(dir, { recursive: true });
  });
  const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } };
  const objects = [crdOf(canary), namespace, parse(example) as KubeObject];
  for (const object of objects) await kube.apply(object, { fieldManager: "reader" }, signal);
  writeFileSync(join(dir, "kubeconfig"), api.kubeconfig());
  return join(dir, "kubeconfig");
}

/** And its Prometheus, with as many hours of traffic as the page looks back. Returns its address. */
async function startPrometheus(context: TestContext): Promise<string> {
  const [hours, untilMs] = [6, Date.now()];
  const db = createTsdb({ retentionMs: 24 * 3_600_000, maxSeries: 10 });
  for (let [timeMs, requests] = [untilMs - hours * 3_600_000, 0]; timeMs <= untilMs; timeMs += 60_000, requests += 3_000)
    for (const [code, part] of [["200", 0.999], ["503", 0.001]] as const) {
      const labels = { __name__: "http_requests_total", instance: "one", service: "shop", code };
      db.append(new Map(Object.entries(labels)), { timeMs, value: part * requests });
    }
  const server = queryApi(db, () => untilMs);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  context.onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** What a command of the page is to say, by its first word. */
const said: Readonly<Record<string, RegExp>> = {
  explain: /^Canary shop\/checkout: Initializing; the primary is made from the target\nJudged by share, adaptive steps\./,
  simulate: /^50 requests a second, 0\.1 % failed.*100 releases that change nothing.*fail five times as often.*fail always/ms,
};

test.for(lines)("whoever reads of verdicts can do as it says: %s", { timeout: 60_000 }, async (line, context) => {
  const [kubeconfig, prometheus] = await Promise.all([startCluster(context), startPrometheus(context)]);
  const command = line.replace("npm run serin --", `${process.execPath} src/main.ts`).replace("http://prometheus:9090", prometheus);
  const { stdout } = await promisify(execFile)("sh", ["-c", command], { cwd: root, env: { ...process.env, KUBECONFIG: kubeconfig } });
  expect(stdout).toMatch(said[/npm run serin -- (\w+)/.exec(line)?.[1] ?? ""] ?? /^nothing is expected of this command/);
});
