import { apiVersion } from "../../src/api/meta.ts";
import type { KubeObject } from "../../src/api/object.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { isRecord } from "../../src/lib/json.ts";
import { allBecome, createSource, hook, syncObject, apply, removeAll } from "../bench/cluster.ts";
import type { Ground } from "../bench/ground.ts";
import type { Serin } from "../bench/serin.ts";
import type { Repository } from "../bench/remote.ts";
import { canaryOf, deploymentOf, failsFrom, never, type ReleaseOptions } from "../bench/release.ts";
import type { Sample } from "./memory.ts";

/** How much is done for how long. */
export interface SoakOptions {
  readonly ground: Ground;
  readonly serin: Serin;
  readonly canaries: number;
  readonly minutes: number;
}

/** What was seen. */
export interface Soaked {
  readonly samples: readonly Sample[];
  /** How many releases ended how. */
  readonly ended: { readonly promoted: number; readonly failed: number };
}

const commitEveryMs = 10_000;
/** So many services each commit releases anew. */
const servicesPerCommit = 5;
/** Every so many-th service is one whose releases fail: its change is taken out of Git by a push. */
const failingEvery = 10;
const canaryKind = { apiVersion, kind: "Canary" };

/** Releases services in turn, one commit every ten seconds, and notes the controller's memory with each. */
export async function soak({ ground, serin, canaries, minutes }: SoakOptions, signal: AbortSignal): Promise<Soaked> {
  const namespace = ground.name("soak");
  const repository = ground.remote.repository(namespace);
  const names = Array.from({ length: canaries }, (_, index) => `shop-${String(index).padStart(3, "0")}`);
  const files = Object.fromEntries(names.flatMap((name, index) => filesOf(namespace, name, index)));
  repository.commit(files, "Start");
  await createSource(ground, { namespace, url: repository.url }, signal);
  await apply(ground, syncObject(namespace, "apps", { path: "apps" }), signal);
  await allBecome(ground.kube, { kind: canaryKind, namespace, count: canaries }, isIn("Initialized"), signal);
  ground.say(`${canaries} canaries are there`);
  const life = new AbortController();
  const ended = countEnds(ground, namespace, AbortSignal.any([signal, life.signal]));
  const samples: Sample[] = [];
  const start = systemClock.nowMs();
  for (let commits = 0; systemClock.nowMs() - start < minutes * 60_000; commits += 1) {
    samples.push({ minute: (systemClock.nowMs() - start) / 60_000, residentMiB: serin.usage().residentMiB, commits });
    if (commits % 6 === 0) tell(ground, samples.at(-1));
    release(repository, { namespace, names, at: commits * servicesPerCommit, tag: String(commits + 2) });
    await hook(serin, namespace);
    await systemClock.sleep(Math.max(0, start + (commits + 1) * commitEveryMs - systemClock.nowMs()), signal);
  }
  life.abort(new Error("the run is over"));
  const counted = await ended;
  await removeAll(ground, namespace, signal);
  return { samples, ended: counted };
}

function tell(ground: Ground, sample: Sample | undefined): void {
  if (sample) ground.say(`minute ${sample.minute.toFixed(1)}: ${sample.residentMiB.toFixed(0)} MiB after ${sample.commits} commits`);
}

function filesOf(namespace: string, name: string, index: number): [string, string][] {
  const analysis = failsFrom(index % failingEvery === 0 ? 0 : never, { interval: "5s", threshold: 2, stepWeights: [20, 50] });
  const options: ReleaseOptions = { image: "idle", analysis };
  const canary = canaryOf({ namespace, name }, options);
  const spec = { ...(isRecord(canary["spec"]) ? canary["spec"] : {}), revert: { strategy: "Push" } };
  return [
    [`apps/${name}-canary.yaml`, JSON.stringify({ ...canary, spec })],
    [`apps/${name}.yaml`, JSON.stringify(deploymentOf({ namespace, name }, "1", { image: "idle" }))],
  ];
}

/** Pushes new tags of the next services over whatever the controller has pushed meanwhile. */
function release(
  repository: Repository,
  { namespace, names, at, tag }: { namespace: string; names: readonly string[]; at: number; tag: string },
): void {
  repository.git("pull", "--quiet", "--rebase", "origin", "main");
  const chosen = Array.from({ length: servicesPerCommit }, (_, index) => names[(at + index) % names.length] ?? "");
  const files = chosen.map((name) => [
    `apps/${name}.yaml`,
    JSON.stringify(deploymentOf({ namespace, name }, tag, { image: "idle" })),
  ]);
  repository.commit(Object.fromEntries(files) as Record<string, string>, `Release ${tag}`);
}

function isIn(phase: string): (object: KubeObject) => boolean {
  return ({ status }) => isRecord(status) && status["phase"] === phase;
}

/** Counts releases by their end until told to stop. */
async function countEnds({ kube }: Ground, namespace: string, signal: AbortSignal): Promise<Soaked["ended"]> {
  const ended = { promoted: 0, failed: 0 };
  const phases = new Map<string, unknown>();
  const page = await kube.listPage(canaryKind, { namespace, limit: 0 }, signal);
  const watch = { namespace, resourceVersion: page.resourceVersion, timeoutSeconds: 3_600 };
  try {
    for await (const event of kube.watch(canaryKind, watch, signal)) {
      if (event.type !== "MODIFIED" || !isRecord(event.object["status"])) continue;
      const { phase } = event.object["status"];
      const { name } = event.object.metadata;
      const isNew = phases.get(name) !== phase;
      phases.set(name, phase);
      if (isNew && phase === "Succeeded") ended.promoted += 1;
      if (isNew && phase === "Failed") ended.failed += 1;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  return ended;
}
