import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type CanaryWorld,
  deploymentSpec,
  eventually,
  imageOf,
  kindsSeen,
  shopCanary,
  startCanaryWorld,
} from "../../../test/canary-world.ts";
import { gitSource, type GitSource } from "../../../test/git-source.ts";
import { conditionOf, shopDeployment, shopService } from "../../../test/sandbox-cluster.ts";
import { apiVersion, managers } from "../../api/meta.ts";
import type { KubeObject } from "../../api/object.ts";
import { createGit } from "../../git/create-git.ts";
import type { Git } from "../../git/git.ts";
import { hosts } from "../../githost/hosts.ts";
import { createEvents } from "../../kube/events.ts";
import { createInformers } from "../../kube/informers.ts";
import { systemClock } from "../../lib/clock.ts";
import { silentLogger } from "../../lib/log.ts";
import { metricProviders } from "../../metrics/providers.ts";
import { createRenderers } from "../../render/renderers.ts";
import { routers } from "../../routing/routers.ts";
import { startLoad } from "../../sandbox/load/load.ts";
import { startGitHttp } from "../../sandbox/git-server/http-backend.ts";
import { runControllers } from "../wiring.ts";

let world: CanaryWorld;
let gitHttp: Awaited<ReturnType<typeof startGitHttp>>;
let git: Git;
let dir: string;
let controllers: Promise<void>;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "serin-handover-"));
  world = await startCanaryWorld();
  gitHttp = await startGitHttp({ dir });
  git = createGit({ dir: join(dir, "cache"), log: silentLogger });
  const { kube, signal, metrics } = world;
  const informers = createInformers({ watch: kube, log: silentLogger, signal });
  const events = createEvents({ kube, component: "serin", clock: systemClock, log: silentLogger, signal });
  const renderers = createRenderers({ searchPath: process.env["PATH"] ?? "" });
  controllers = runControllers(
    {
      kube,
      informers,
      events,
      git,
      renderers,
      routers,
      metricProviders,
      hosts,
      clock: systemClock,
      log: silentLogger,
      defaults: { metricsServer: metrics.url },
      clusterName: "test",
    },
    signal,
  );
});
afterAll(async () => {
  await world.close();
  await controllers;
  await git.close();
  await gitHttp.close();
  rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
});

const files = (...objects: KubeObject[]) => Object.fromEntries(objects.map((object) => [`${object.kind.toLowerCase()}-${object.metadata.name}.yaml`, JSON.stringify(object)]));
const usersRoute = (name: string): KubeObject => ({
  ...kindsSeen.route,
  metadata: { name: `${name}-users`, namespace: "shop" },
  spec: {
    parentRefs: [{ name: "web", namespace: "public" }],
    hostnames: [`own-${name}.example`],
    rules: [{ backendRefs: [{ name, port: 80 }] }],
  },
});

/** A repository and a Sync of this name. */
async function syncOf(
  name: string,
  ...objects: KubeObject[]
): Promise<{ commit: (...next: KubeObject[]) => Promise<string>; source: GitSource }> {
  const source = gitSource(dir, name);
  source.commit(files(...objects));
  const metadata = { name, namespace: "shop" };
  await world.apply(
    { apiVersion, kind: "GitRepository", metadata, spec: { url: `${gitHttp.url}/${name}.git`, ref: { branch: "main" }, interval: "1h" } },
    { apiVersion, kind: "Sync", metadata, spec: { sourceRef: { name }, interval: "1h", prune: true } },
  );
  const commit = async (...next: KubeObject[]): Promise<string> => {
    const hash = source.commit(files(...next));
    await world.kube.patch(
      { apiVersion, kind: "GitRepository", ...metadata },
      { metadata: { annotations: { "serin.dev/requestedAt": hash } } },
      { fieldManager: "test" },
      world.signal,
    );
    return hash;
  };
  return { commit, source };
}

const syncKind = { apiVersion, kind: "Sync" };
const applied = (name: string, commit: string) =>
  world.until(
    syncKind,
    name,
    (object) =>
      conditionOf(object, "Ready").startsWith("True/") &&
      JSON.stringify((object["status"] as { lastAppliedRevision?: string }).lastAppliedRevision ?? "").includes(commit),
  );
const ownedBySync = (object: KubeObject | undefined): unknown =>
  object?.metadata.managedFields
    ?.filter(({ manager }) => manager === managers.sync)
    .map(({ fieldsV1 }) => Object.keys((fieldsV1?.["f:spec"] ?? {}) as object))[0];

/** What the API server's watch says while it happens: the replicas a Deployment was given, and the fewest pods that served. */
function recorder(name: string): { replicas: number[]; fewest: () => number } {
  const replicas: number[] = [];
  const ready = new Set<string>();
  let fewest = Infinity;
  const informers = createInformers({ watch: world.kube, log: silentLogger, signal: world.signal });
  informers.of(kindsSeen.deployment).onChange(({ after }) => {
    if (after?.metadata.name === name && replicas.at(-1) !== deploymentSpec(after).replicas) replicas.push(deploymentSpec(after).replicas);
  });
  informers.of(kindsSeen.pod).onChange(({ key, after }) => {
    const mine = after && [name, `${name}-primary`].includes(after.metadata.labels?.["app"] ?? "");
    const serves = mine === true && after.metadata.deletionTimestamp === undefined && conditionOf(after, "Ready").startsWith("True");
    if (serves) ready.add(key);
    else ready.delete(key);
    if (fewest < Infinity || ready.size >= 3) fewest = Math.min(fewest, ready.size);
  });
  return { replicas, fewest: () => fewest };
}

test("design 2.3: a running workload from Git is put under a Canary: pods, replicas and requests never fall, and Sync sees no drift", async () => {
  const name = "web";
  const workload = (tag: string, replicas: number) => shopDeployment(name, { tag, replicas });
  const rest = [shopService(name), usersRoute(name)];
  const { commit, source } = await syncOf(name, workload("1", 3), ...rest);
  await world.until(
    kindsSeen.deployment,
    name,
    ({ status }) => (status as { availableReplicas?: number } | undefined)?.availableReplicas === 3,
  );
  const seen = recorder(name);
  await eventually(() => seen.fewest() === 3);
  const users = new AbortController();
  const traffic = startLoad({ url: world.gateway.url, host: `own-${name}.example`, ratePerSecond: 80, signal: users.signal });
  await eventually(() => traffic.snapshot().answered > 20);

  const second = await commit(workload("1", 3), ...rest, shopCanary(name));
  await world.phase(name, "Initialized");
  // The user's own route went to the apex Service all the time; the Canary's is there beside it.
  const more = world.load(name, users.signal);
  await world.replicas(name, 0);
  await applied(name, second);
  await eventually(async () => !(ownedBySync(await world.get(kindsSeen.service, name)) as string[]).includes("f:selector"));
  expect(seen.replicas).toEqual([3, 0]);
  expect(seen.fewest()).toBeGreaterThanOrEqual(3);
  expect(ownedBySync(await world.get(kindsSeen.deployment, name))).not.toContain("f:replicas");
  expect(ownedBySync(await world.get(kindsSeen.service, name))).not.toContain("f:ports");

  // What Git says of the replicas reaches the pods that serve, and no run begins for it.
  const third = await commit(workload("1", 4), ...rest, shopCanary(name));
  await world.replicas(`${name}-primary`, 4);
  await applied(name, third);
  expect(await world.status(name)).toMatchObject({ phase: "Initialized", targetReplicas: 4 });

  await commit(workload("2", 4), ...rest, shopCanary(name));
  await world.phase(name, "Progressing", ({ canaryWeight = 0 }) => canaryWeight > 0);
  expect(deploymentSpec(await world.get(kindsSeen.deployment, name)).replicas).toBe(4);
  await world.phase(name, "Succeeded");
  expect(imageOf(await world.get(kindsSeen.deployment, `${name}-primary`))).toBe("serin.dev/shop:2");
  await world.replicas(name, 0);
  users.abort();
  expect(await traffic.ended).toMatchObject({ lost: 0, failed: 0 });
  expect(await more.ended).toMatchObject({ lost: 0 });
  const events = await world.kube.list({ apiVersion: "v1", kind: "Event" }, { namespace: "shop" }, world.signal);
  expect(events.map(({ reason }) => reason).filter((reason) => /drift/i.test(String(reason)))).toEqual([]);
  expect(source.git("log", "--oneline").split("\n")).toHaveLength(4);
});

describe("what a Canary makes by itself and Git has too is Stalled, naming both", () => {
  test.each([
    ["primary", "Service/shop/clash-primary-primary", (name: string) => shopService(`${name}-primary`)],
    ["canary", "Service/shop/clash-canary-canary", (name: string) => shopService(`${name}-canary`)],
    ["route", "HTTPRoute/shop/clash-route", (name: string): KubeObject => ({ ...usersRoute(name), metadata: { name, namespace: "shop" } })],
  ])("%s", async (kind, named, clashing) => {
    const name = `clash-${kind}`;
    await syncOf(name, shopDeployment(name), shopCanary(name), clashing(name));
    const stalled = await world.until(syncKind, name, (object) => conditionOf(object, "Stalled") === "True/GeneratedByCanary");
    expect(JSON.stringify(stalled["status"])).toMatch(new RegExp(`${named} \\(.*\\) is made by Canary/shop/${name}`));
  });
});
