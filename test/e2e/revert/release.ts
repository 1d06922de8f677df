import { type Canary, canary as canaryKind, type CanaryStatus } from "../../../src/api/canary.ts";
import { apiVersion, managers, names, parseObject } from "../../../src/api/meta.ts";
import type { KubeObject, ObjectRef } from "../../../src/api/object.ts";
import { type Revert, revert as revertKind } from "../../../src/api/revert.ts";
import { historyOf, recordKind, recordOf } from "../../../src/canary/history.ts";
import { readsSecrets, type Revision, revisionOf, templateOf } from "../../../src/canary/revision.ts";
import { handOver } from "../../../src/controllers/canary/failed.ts";
import type { Observation } from "../../../src/controllers/canary/observe.ts";
import { createDigests } from "../../../src/controllers/digests.ts";
import { resourcesOf } from "../../../src/controllers/resources.ts";
import { ensureRevert } from "../../../src/controllers/revert/ensure.ts";
import { applyAll, type Cluster, patchStatus } from "../cluster.ts";
import { type Files, never, type Team } from "../world.ts";

/** How the shop is set up. */
export interface ShopOptions {
  readonly namespace?: string;
  /** Of the Sync. */
  readonly path?: string;
  /** Fields of GitRepository.spec beside url and credentials. */
  readonly repository?: object;
  readonly noHost?: boolean;
  readonly token?: string;
}

/** A team's workload under a Canary, followed by a cluster. The Canary's verdicts are the test's. */
export interface Shop {
  readonly namespace: string;
  readonly cluster: Cluster;
  readonly team: Team;
  /** Fetches and applies what the team pushed. */
  readonly sync: () => Promise<void>;
  /** Commits, fetches and applies. Returns the commit. */
  readonly ship: (files: Files, message?: string) => Promise<string>;
  /** What the target runs now is promoted. */
  readonly promote: (canary?: string) => Promise<void>;
  /** What the target runs now fails: the Canary hands over to its Revert, and the Sync holds. Returns the Revert's name. */
  readonly fail: (options?: FailOptions) => Promise<string>;
  /** Ships a version and lets it fail. */
  readonly shipBad: (files: Files, message?: string, options?: FailOptions) => Promise<string>;
  /** Runs the Revert's controller (as often as told), and the Sync after it. */
  readonly runRevert: (name: string, times?: number) => Promise<Revert & KubeObject>;
  /** The Revert as stored; throws when there is none. */
  readonly revert: (name: string) => Promise<Revert & KubeObject>;
  readonly find: (kind: string, name: string, group?: string) => Promise<KubeObject | undefined>;
  readonly image: (name?: string) => Promise<string>;
  readonly ref: (kind: string, name: string) => ObjectRef;
}

/** How a release failed. */
export interface FailOptions {
  readonly canary?: string;
  readonly reason?: string;
  readonly propose?: boolean;
  readonly status?: Partial<CanaryStatus>;
  /** The process that hands it over; default: the cluster's own. */
  readonly from?: Cluster;
}

/** Follows the team's repository from this cluster. */
export async function openShop(cluster: Cluster, team: Team, options: ShopOptions = {}): Promise<Shop> {
  const { namespace = "shop", path = "./apps", repository = {}, noHost = false, token = "token-of-serin" } = options;
  const { kube } = cluster;
  // What failed for other shops of the same cluster is no storm.
  cluster.clock.jump(60 * 60_000);
  const ref = (kind: string, name: string): ObjectRef => ({ apiVersion, kind, namespace, name });
  const key = (name: string): string => `${namespace}/${name}`;
  const inShop = (name: string) => ({ name, namespace });
  await applyAll(cluster, [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
    { apiVersion: "v1", kind: "Secret", metadata: inShop("git"), type: "Opaque", stringData: { username: "serin", password: token } },
    {
      apiVersion,
      kind: "GitRepository",
      metadata: inShop("apps"),
      spec: {
        url: team.cloneUrl,
        ref: { branch: "main" },
        interval: "1m",
        secretRef: { name: "git" },
        ...(noHost ? {} : { host: { kind: "gitea" } }),
        ...repository,
      },
    },
    {
      apiVersion,
      kind: "Sync",
      metadata: inShop("apps"),
      spec: { sourceRef: { name: "apps" }, path, interval: "10m", prune: true, targetNamespace: namespace },
    },
  ]);
  const find: Shop["find"] = (kind, name, group = "v1") => kube.find({ apiVersion: group, kind, namespace, name }, never);
  const must = async (kind: string, name: string, group: string): Promise<KubeObject> =>
    kube.get({ apiVersion: group, kind, namespace, name }, never);
  const getCanary = async (name: string): Promise<Canary> => {
    const parsed = parseObject(canaryKind, await must("Canary", name, apiVersion));
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
    return parsed.value as Canary;
  };
  const revisionNow = async (canary: Canary): Promise<{ revision: Revision; commit: string | undefined }> => {
    const target = await must("Deployment", canary.spec.targetRef.name, "apps/v1");
    const configs = [
      ...(await kube.list({ apiVersion: "v1", kind: "ConfigMap" }, { namespace }, never)),
      ...(await kube.list({ apiVersion: "v1", kind: "Secret" }, { namespace }, never)),
    ];
    const digests = createDigests(cluster.world);
    const digest = readsSecrets(templateOf(target)) ? await digests.of(namespace, never) : digests.passing;
    const find = (kind: string, name: string) => configs.find((config) => config.kind === kind && config.metadata.name === name);
    return {
      revision: revisionOf(target, find, digest),
      commit: target.metadata.annotations?.[names.commit],
    };
  };
  const records = async (canary: Canary) => historyOf(canary, await kube.list(recordKind, { namespace }, never));
  const keep = async (canary: Canary, revision: Revision): Promise<void> => {
    const history = await records(canary);
    if (!history.some(({ id }) => id === revision.id))
      await kube.apply(recordOf(canary, revision, history), { fieldManager: managers.canary }, never);
  };
  const shop: Shop = {
    namespace,
    cluster,
    team,
    ref,
    find,
    image: async (name = "shop") => imageOf(await must("Deployment", name, "apps/v1")),
    sync: async () => {
      await cluster.run("GitRepository", key("apps"));
      // Finalizer, then the apply; a third time for what the first apply made known.
      for (let times = 0; times < 2; times += 1) await cluster.run("Sync", key("apps"));
    },
    ship: async (files, message) => {
      const commit = team.commit(files, message);
      await shop.sync();
      return commit;
    },
    promote: async (name = "shop") => {
      const canary = await getCanary(name);
      const { revision, commit } = await revisionNow(canary);
      await keep(canary, revision);
      for (const config of Object.keys(revision.content.configs).filter((one) => one.startsWith("Secret/"))) {
        const secret = await must("Secret", config.slice("Secret/".length), "v1");
        await kube.apply(
          {
            apiVersion: "v1",
            kind: "Secret",
            metadata: { ...inShop(`${secret.metadata.name}-primary`), labels: { [names.canary]: name } },
            data: secret["data"],
          },
          { fieldManager: managers.canary },
          never,
        );
      }
      const status = {
        phase: "Initialized",
        promotedRevision: revision.id,
        promotedCommit: commit,
        trackedRevision: revision.id,
        trackedCommit: commit,
        failure: null,
        revertRef: null,
      };
      await patchStatus(cluster, ref("Canary", name), status);
      await cluster.settle();
    },
    fail: async ({ canary: name = "shop", reason = "CheckFailed", propose = true, status = {}, from = cluster } = {}) => {
      const canary = await getCanary(name);
      const { revision, commit } = await revisionNow(canary);
      await keep(canary, revision);
      const failure = {
        reason,
        message: "request-success-rate was 40, at least 99 is wanted",
        failedAt: seconds(cluster.clock.nowMs()),
        weight: 20,
        propose,
      };
      const checks = [
        {
          name: "request-success-rate",
          verdict: "fail",
          value: 40,
          primary: 100,
          primaryPassed: true,
          message: "40, at least 99 is wanted",
        },
      ];
      const failed = {
        phase: "Failed",
        canaryWeight: 0,
        trackedRevision: revision.id,
        trackedCommit: commit,
        startedAt: seconds(cluster.clock.nowMs()),
        failure,
        checks,
        revertRef: null,
        ...status,
      };
      await patchStatus(cluster, ref("Canary", name), failed);
      await from.settle();
      const made = await handOverFailure(from, { canary: key(name), history: await records(canary), revision });
      await cluster.settle();
      for (let times = 0; times < 2; times += 1) await cluster.run("Sync", key("apps"));
      return made;
    },
    shipBad: async (files, message, failOptions) => {
      await shop.ship(files, message);
      return shop.fail(failOptions);
    },
    revert: async (name) => {
      const object = await must("Revert", name, apiVersion);
      const parsed = parseObject(revertKind, object);
      if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
      return { ...object, ...parsed.value } as Revert & KubeObject;
    },
    runRevert: async (name, times = 1) => {
      for (let count = 0; count < times; count += 1) await cluster.run("Revert", key(name));
      await cluster.run("GitRepository", key("apps"));
      await cluster.run("Sync", key("apps"));
      return shop.revert(name);
    },
  };
  return shop;
}

async function handOverFailure(
  { world }: Cluster,
  from: { canary: string; history: Observation["history"]; revision: Revision },
): Promise<string> {
  const canaries = resourcesOf(canaryKind, world);
  const canary = canaries.find(from.canary);
  if (!canary) throw new Error(`no Canary ${from.canary}`);
  const handed = await handOver(
    { ensureRevert: ensureRevert({ ...world, canaries }), kube: world.kube, canaries },
    canary,
    { history: from.history, revision: from.revision } as unknown as Observation,
    never,
  );
  return handed.status.revertRef ?? "";
}

function imageOf(deployment: KubeObject): string {
  const { template } = deployment["spec"] as { template: { spec: { containers: { image: string }[] } } };
  return template.spec.containers[0]?.image ?? "";
}

function seconds(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d{3}Z$/, "Z");
}
