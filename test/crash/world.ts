import { apiVersion } from "../../src/api/meta.ts";
import type { KubeObject } from "../../src/api/object.ts";
import { MetricError, type MetricProvider, type QueryResult } from "../../src/metrics/metric-provider.ts";
import { memoryRemote, type MemoryRemote } from "../fakes/memory-git.ts";
import { type MemoryHost, memoryHost } from "../fakes/memory-git-host.ts";
import { type MemoryKube, memoryKube, resourceOf } from "../fakes/memory-kube.ts";
import { type ClusterModel, clusterModel, type Release } from "./cluster.ts";
import { type Dice, dice } from "./dice.ts";
import { namespace, type Sheet, textOf } from "./manifests.ts";
import { type App, apps, type Schedule, type Shape } from "./moves.ts";

/** An answer that a metric server gave. */
export interface Answer {
  readonly deployment: string;
  readonly atMs: number;
  /** `undefined`: no number. */
  readonly bad: boolean | undefined;
}

/** What is wrong with the world just now. */
export interface Trouble {
  metrics: "truth" | "nothing" | "error" | "allBad";
  git: boolean;
  host: boolean;
  /** Some of all writes to the API server go wrong. */
  kube: boolean;
}

/** Everything but the controllers. */
export interface CrashWorld {
  readonly schedule: Schedule;
  readonly dice: Dice;
  readonly time: { nowMs: number };
  readonly kube: MemoryKube;
  readonly source: MemoryRemote;
  readonly hosted: MemoryHost;
  readonly cluster: ClusterModel;
  readonly metrics: MetricProvider;
  readonly answers: Answer[];
  readonly trouble: Trouble;
  /** Deployments whose pods lost their readiness at some time. */
  readonly flapped: Set<string>;
}

const startMs = Date.parse("2026-01-02T03:00:00Z");
const clusterScoped = new Set(["Namespace", "GatewayClass", "IngressClass"]);
const served: readonly (readonly [string, ...string[]])[] = [
  ["v1", "Namespace", "ConfigMap", "Secret", "Service", "Pod"],
  ["apps/v1", "Deployment", "ReplicaSet", "ControllerRevision"],
  ["autoscaling/v2", "HorizontalPodAutoscaler"],
  ["gateway.networking.k8s.io/v1", "HTTPRoute", "Gateway", "GatewayClass"],
  ["networking.k8s.io/v1", "Ingress", "IngressClass"],
  ["discovery.k8s.io/v1", "EndpointSlice"],
  [apiVersion, "GitRepository", "Sync", "Canary", "MetricTemplate", "Revert"],
];

/** The world of a schedule, with the first release of every app in Git, and nothing in the cluster but what asks for it. */
export async function createWorld(schedule: Schedule): Promise<CrashWorld> {
  const time = { nowMs: startMs };
  const nowMs = (): number => time.nowMs;
  const chance = diceOf(schedule);
  const resources = served.flatMap(([version, ...kinds]) => kinds.map((kind) => resourceOf(version, kind, !clusterScoped.has(kind))));
  const kube = memoryKube(resources, nowMs);
  const source = memoryRemote();
  const world = worldOf(schedule, { time, kube, source, dice: chance, cluster: clusterModel(kube, nowMs, chance) });
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
  return worldOf(schedule, { time, kube, source: from.source.fork(), dice: chance, cluster: from.cluster.fork(kube, nowMs, chance) });
}

function diceOf({ seed }: Schedule): Dice {
  return dice(seed * 31 + 7);
}

function worldOf(schedule: Schedule, parts: Pick<CrashWorld, "time" | "kube" | "source" | "dice" | "cluster">): CrashWorld {
  const { time, kube, source, cluster } = parts;
  const trouble: Trouble = { metrics: "truth", git: false, host: false, kube: false };
  const answers: Answer[] = [];
  const metrics = metricsOf({ kube, cluster, trouble, answers, nowMs: () => time.nowMs });
  return { ...parts, schedule, hosted: memoryHost(source), metrics, answers, trouble, flapped: new Set() };
}

/** The file in which an app's manifests stand. */
export function fileOf(shape: Shape, app: App): string {
  return shape.oneFile ? "shop/all.txt" : `shop/${app}.txt`;
}

function sheetsOfApp({ steps, threshold, strategy, scope }: Shape, app: App): Sheet[] {
  const canary = { steps, threshold: String(threshold), strategy, scope, suspend: "no" };
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
  const password = Buffer.from("secret").toString("base64");
  return [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: "kube-system" } },
    { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
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

interface Measured {
  readonly kube: MemoryKube;
  readonly cluster: ClusterModel;
  readonly trouble: Trouble;
  readonly answers: Answer[];
  readonly nowMs: () => number;
}

/** Whether what runs is bad for its users. */
export function isBad({ image, config = "" }: Release): boolean {
  return image.includes(":e") || config.startsWith("broken");
}

/** The metric server: it measures what runs and gets traffic. */
function metricsOf({ kube, cluster, trouble, answers, nowMs }: Measured): MetricProvider {
  return {
    query: async (query) => {
      const deployment = /deployment="([^"]+)"/.exec(query)?.[1] ?? "";
      const say = (bad: boolean | undefined): QueryResult => {
        answers.push({ deployment, atMs: nowMs(), bad });
        return bad === undefined ? { kind: "noData", why: "empty" } : { kind: "number", value: bad ? 50 : 0 };
      };
      if (trouble.metrics === "error") throw new MetricError("unavailable", "http://prometheus.example: 503");
      const release = cluster.serving(deployment);
      if (trouble.metrics === "nothing" || !release || trafficOf(kube, deployment) === 0) return say(undefined);
      return say(trouble.metrics === "allBad" || isBad(release));
    },
  };
}

const routeKind = { apiVersion: "gateway.networking.k8s.io/v1", kind: "HTTPRoute" };

/** Percent of traffic that goes to a Deployment; `undefined`: there is no route of its app. */
export function trafficOf(kube: MemoryKube, deployment: string): number | undefined {
  const app = apps.find((name) => deployment === name || deployment === `${name}-primary`);
  const route = kube.objects(routeKind).find(({ metadata }) => metadata.name === app);
  const { rules } = (route?.["spec"] ?? {}) as { rules?: { backendRefs: { name: string; weight: number }[] }[] };
  const side = deployment.endsWith("-primary") ? deployment : `${deployment}-canary`;
  return rules?.[0]?.backendRefs.find(({ name }) => name === side)?.weight;
}
