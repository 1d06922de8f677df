import { apiVersion } from "../../src/api/meta.ts";
import type { KubeObject } from "../../src/api/object.ts";
import type { MetricProvider } from "../../src/metrics/metric-provider.ts";
import { memoryRemote, type MemoryRemote } from "../fakes/memory-git.ts";
import { type MemoryHost, memoryHost } from "../fakes/memory-git-host.ts";
import { type MemoryKube, memoryKube } from "../fakes/memory-kube.ts";
import { servedKinds } from "../fakes/served-kinds.ts";
import { type ClusterModel, clusterModel } from "./cluster.ts";
import { type Dice, dice } from "./dice.ts";
import { namespace, type Sheet, textOf } from "./manifests.ts";
import { type Meter, meterFrom } from "./meter.ts";
import { type Answer, metricsOf, type Trouble } from "./metrics.ts";
import type { App, Schedule, Shape } from "./moves.ts";

/** Everything but the controllers. */
export interface CrashWorld {
  readonly schedule: Schedule;
  readonly dice: Dice;
  readonly time: { nowMs: number };
  readonly kube: MemoryKube;
  readonly source: MemoryRemote;
  readonly hosted: MemoryHost;
  readonly cluster: ClusterModel;
  /** Counts what users ask for; only where releases are judged by it. */
  readonly meter: Meter | undefined;
  readonly metrics: MetricProvider;
  readonly answers: Answer[];
  readonly trouble: Trouble;
  /** Deployments whose pods lost their readiness at some time. */
  readonly flapped: Set<string>;
}

const startMs = Date.parse("2026-01-02T03:00:00Z");

/** The world of a schedule, with the first release of every app in Git, and nothing in the cluster but what asks for it. */
export async function createWorld(schedule: Schedule): Promise<CrashWorld> {
  const time = { nowMs: startMs };
  const nowMs = (): number => time.nowMs;
  const chance = diceOf(schedule);
  const kube = memoryKube(servedKinds, nowMs);
  const source = memoryRemote();
  const cluster = clusterModel(kube, nowMs, chance);
  const meter = schedule.shape.method === "share" ? meterFrom(startMs, kube, cluster) : undefined;
  const world = worldOf(schedule, { time, kube, source, dice: chance, cluster, meter });
  source.commit(firstFiles(schedule.shape), { message: "Begin", atMs: startMs });
  for (const object of given(schedule.shape)) await kube.create(object, { fieldManager: "kubectl-create" }, new AbortController().signal);
  return world;
}

/** The world of a schedule that begins as another one is now. */
export function forkWorld(schedule: Schedule, from: CrashWorld): CrashWorld {
  const time = { nowMs: from.time.nowMs };
  const nowMs = (): number => time.nowMs;
  const chance = diceOf(schedule);
  const kube = from.kube.fork(nowMs);
  const cluster = from.cluster.fork(kube, nowMs, chance);
  return worldOf(schedule, { time, kube, source: from.source.fork(), dice: chance, cluster, meter: from.meter?.fork(kube, cluster) });
}

function diceOf({ seed }: Schedule): Dice {
  return dice(seed * 31 + 7);
}

function worldOf(schedule: Schedule, parts: Pick<CrashWorld, "time" | "kube" | "source" | "dice" | "cluster" | "meter">): CrashWorld {
  const { time, kube, source, cluster, meter } = parts;
  const trouble: Trouble = { metrics: "truth", git: false, host: false, kube: false };
  const answers: Answer[] = [];
  const metrics = metricsOf({ kube, cluster, meter, trouble, answers, nowMs: () => time.nowMs });
  return { ...parts, schedule, hosted: memoryHost(source), metrics, answers, trouble, flapped: new Set() };
}

/** The file in which an app's manifests stand. */
export function fileOf(shape: Shape, app: App): string {
  return shape.oneFile ? "shop/all.txt" : `shop/${app}.txt`;
}

function sheetsOfApp({ method, steps, threshold, strategy, scope }: Shape, app: App): Sheet[] {
  const canary = { ...(method === "share" ? { method } : {}), steps, threshold: String(threshold), strategy, scope, suspend: "no" };
  return [
    { kind: "Deployment", name: app, values: { replicas: "2", image: "shop:g0", mode: "plain", config: `${app}-config` } },
    { kind: "ConfigMap", name: `${app}-config`, values: { key: "fine-0", other: "x" } },
    { kind: "Canary", name: app, values: canary },
  ];
}

function firstFiles(shape: Shape): Record<string, string> {
  const sheets = shape.apps.map((app) => [fileOf(shape, app), sheetsOfApp(shape, app)] as const);
  const byFile = Map.groupBy(sheets, ([file]) => file);
  const own = [...byFile].map(([file, parts]) => [file, textOf(parts.flatMap(([, part]) => part))]);
  return {
    ...Object.fromEntries(own),
    "shop/note.txt": textOf([{ kind: "ConfigMap", name: "note", values: { text: "first" } }]),
    "other/team.txt": textOf([{ kind: "ConfigMap", name: "team", values: { text: "first" } }]),
  };
}

function given(shape: Shape): KubeObject[] {
  const often = { interval: "5m", retryInterval: "30s", timeout: "1m" };
  const sync = (name: string, more: object = {}): KubeObject => ({
    apiVersion,
    kind: "Sync",
    metadata: { name, namespace },
    spec: { sourceRef: { kind: "GitRepository", name: "apps" }, path: name, prune: true, ...often, ...more },
  });
  const gatewayApi = "gateway.networking.k8s.io/v1";
  const gatewayClass = { apiVersion: gatewayApi, kind: "GatewayClass", metadata: { name: "contour" } };
  const password = Buffer.from("secret").toString("base64");
  return [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: "kube-system" } },
    { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
    { ...gatewayClass, spec: { controllerName: "projectcontour.io/gateway-controller" } },
    { apiVersion: gatewayApi, kind: "Gateway", metadata: { name: "web", namespace }, spec: { gatewayClassName: "contour" } },
    { apiVersion: "v1", kind: "Secret", metadata: { name: "git", namespace }, data: { username: password, password } },
    {
      apiVersion,
      kind: "GitRepository",
      metadata: { name: "apps", namespace },
      spec: {
        url: "https://git.example/acme/apps.git",
        ref: { branch: "main" },
        interval: "2m",
        secretRef: { name: "git" },
        host: { kind: "gitea" },
      },
    },
    sync("shop", { wait: shape.wait }),
    sync("other"),
  ];
}
