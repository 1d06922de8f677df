import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { request } from "undici";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { CanaryStatus } from "../../../src/api/canary.ts";
import { apiVersion } from "../../../src/api/meta.ts";
import type { KubeObject } from "../../../src/api/object.ts";
import { startController } from "../../../src/cli/controller.ts";
import { shop } from "../../../src/cli/demo/manifests.ts";
import { people, prepare, type Stage } from "../../../src/cli/demo/stage.ts";
import { parseConfig } from "../../../src/config.ts";
import { serverAt } from "../../../src/kube/kubeconfig.ts";
import { systemClock } from "../../../src/lib/clock.ts";
import { silentLogger } from "../../../src/lib/log.ts";
import { shopImages } from "../../../src/sandbox/node/programs.ts";
import { type Sandbox, startSandbox } from "../../../src/sandbox/start.ts";
import { conditionText } from "../cluster.ts";
import { never } from "../world.ts";

const life = new AbortController();
const dir = mkdtempSync(join(tmpdir(), "serin-loop-"));
let sandbox: Sandbox;
let stage: Stage;
let ended: Promise<void>;

beforeAll(async () => {
  sandbox = await startSandbox({ dir, images: shopImages(), users: people, log: silentLogger });
  const config = {
    ...parseConfig(process.env),
    clusterName: "loop",
    provider: "gatewayapi:v1" as const,
    metricsServer: sandbox.metrics.url,
    port: 0,
    gitDirectory: join(dir, "cache"),
    leaderElectionNamespace: "default",
    namespaces: undefined,
  };
  ({ ended } = await startController({ config, connection: serverAt(sandbox.apiServer), log: silentLogger, signal: life.signal }));
  stage = await prepare(sandbox, { dir, searchPath: process.env["PATH"] ?? "" }, life.signal);
});

afterAll(async () => {
  life.abort();
  await ended;
  await sandbox.close();
  rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
});

async function until(
  what: string,
  kind: { apiVersion: string; kind: string },
  name: string,
  wanted: (object: KubeObject) => boolean,
): Promise<KubeObject> {
  let last: KubeObject | undefined;
  for (const deadline = Date.now() + 25_000; Date.now() < deadline; await systemClock.sleep(50)) {
    last =
      name === ""
        ? (await sandbox.kube.list(kind, { namespace: "shop" }, never))[0]
        : await sandbox.kube.find({ ...kind, namespace: "shop", name }, never);
    if (last && wanted(last)) return last;
  }
  throw new Error(`waited for ${what}: ${JSON.stringify(last?.["status"] ?? last)}`);
}

const statusOf = (object: KubeObject) => (object["status"] ?? {}) as CanaryStatus;
const canary = (what: string, wanted: (status: CanaryStatus) => boolean) =>
  until(what, { apiVersion, kind: "Canary" }, "shop", (object) => wanted(statusOf(object)));
const revert = (what: string, wanted: (object: KubeObject) => boolean) => until(what, { apiVersion, kind: "Revert" }, "", wanted);
const imageIs = (image: string) =>
  until(image, { apiVersion: "apps/v1", kind: "Deployment" }, "shop", ({ spec }) =>
    JSON.stringify(spec).includes(`"serin.dev/shop:${image}"`),
  );
const pulls = async (): Promise<{ number: number; state: string }[]> => {
  const { body } = await request(`${stage.gitApi.url}/pulls?state=all`, { headers: { authorization: `token ${stage.gitApi.token}` } });
  return (await body.json()) as { number: number; state: string }[];
};

test("rule 7: a declined revert lets the change through, the Canary tries once more, and failing again holds and opens nothing", async () => {
  await canary("the start", ({ phase }) => phase === "Initialized");
  await stage.shopTeam.push("Release what was never built", { "apps/shop.yaml": shop("missing") }, life.signal);
  await revert("a pull request", (object) => (object["status"] as { phase?: string } | undefined)?.phase === "Proposed");
  const failed = statusOf(await canary("the failure", ({ phase }) => phase === "Failed"));
  await imageIs("1");

  const [pull] = await pulls();
  await request(`${stage.gitApi.url}/pulls/${pull?.number ?? 0}`, {
    method: "PATCH",
    headers: { authorization: `token ${stage.gitApi.token}`, "content-type": "application/json" },
    body: JSON.stringify({ state: "closed" }),
  });
  const { metadata } = await revert("itself", () => true);
  await sandbox.kube.patch(
    { apiVersion, kind: "Revert", namespace: "shop", name: metadata.name },
    { metadata: { annotations: { "serin.dev/requestedAt": "now" } } },
    { fieldManager: "test" },
    never,
  );
  await canary(
    "another try",
    ({ startedAt, trackedRevision }) => trackedRevision === failed.trackedRevision && startedAt !== failed.startedAt,
  );
  await revert("being held again", (object) => conditionText(object).startsWith("False DeclinedBefore"));
  await imageIs("1");
  expect((await pulls()).map(({ state }) => state)).toEqual(["closed"]);
  await canary("the second failure", ({ phase, startedAt }) => phase === "Failed" && startedAt !== failed.startedAt);
}, 60_000);
