import { apiVersion } from "../../../src/api/meta.ts";
import { describeRequests, total } from "../audit.ts";
import { bareApplies } from "../bare.ts";
import { apply, becomes, conditionOf, createSource, hook, isReady, removeAll, syncObject } from "../cluster.ts";
import type { Ground } from "../ground.ts";
import { configMapName, manyFiles, oneFile } from "../manifests.ts";
import type { Repository } from "../remote.ts";
import type { Figure, Scenario } from "../row.ts";
import type { Serin } from "../serin.ts";
import { systemClock } from "../../../src/lib/clock.ts";

const quietMs = 1_500;
/** What all objects are changed to, one after the other: the middle one of these times is told. */
const allVersions = [2, 3, 4];

/** One Sync of many ConfigMaps, in one file and in a file each. */
export const objects: Scenario = {
  name: "objects",
  summary: "1,000 ConfigMaps of one Sync: create, change all, change one, commit outside the path, nothing new",
  run: async (ground, signal) => {
    const count = ground.quick ? 100 : 1_000;
    const limit = await bareLimit(ground, count, signal);
    const [one, many] = [
      await ground.withSerin((serin) => layout({ ground, serin, count, files: oneFile, label: "one file" }, signal)),
      await ground.withSerin((serin) => layout({ ground, serin, count, files: manyFiles, label: `${count} files` }, signal)),
    ];
    const again = await bareLimit(ground, count, signal);
    const bare = { create: (limit.create + again.create) / 2, change: (limit.change + again.change) / 2 };
    return { figures: [...figuresOf(one, bare, count), ...figuresOf(many, bare, count)] };
  },
};

interface Bare {
  readonly create: number;
  readonly change: number;
}

/** The API server's own limit, in seconds. */
async function bareLimit(ground: Ground, count: number, signal: AbortSignal): Promise<Bare> {
  const [create = 0, change = 0] = await bareApplies(ground, count, [1, 2], signal);
  return { create, change };
}

interface Layout {
  readonly ground: Ground;
  readonly serin: Serin;
  readonly count: number;
  readonly files: (count: number, version: (index: number) => number) => Record<string, string>;
  readonly label: string;
}

/** One step's seconds, requests and CPU. */
interface Step {
  readonly step: string;
  readonly seconds: number;
  readonly requests: number;
  readonly cpuMs: number;
  /** Seconds until its first apply came, and from then until the last was answered. */
  readonly before: number;
  readonly applies: number;
}

async function layout({ ground, serin, count, files, label }: Layout, signal: AbortSignal): Promise<{ label: string; steps: Step[] }> {
  const namespace = ground.name("objects");
  const repository = ground.remote.repository(namespace);
  const place = (version: (index: number) => number): Record<string, string> =>
    Object.fromEntries(Object.entries(files(count, version)).map(([path, content]) => [`deploy/${path}`, content]));
  repository.commit({ ...place(() => 1), "README.md": "1\n" });
  await createSource(ground, { namespace, url: repository.url, interval: "10s" }, signal);
  const steps: Step[] = [];
  const measure = async (step: string, work: () => Promise<number>): Promise<void> => {
    await ground.audit.settled(ground.audit.mark(), quietMs);
    const [mark, cpu] = [ground.audit.mark(), serin.usage().cpuMs];
    const seconds = await work();
    const startMs = systemClock.nowMs() - seconds * 1_000;
    const requests = await ground.audit.settled(mark, quietMs);
    const cpuMs = serin.usage().cpuMs - cpu;
    const { fromMs, untilMs } = ground.audit.span(mark, "patch configmaps") ?? { fromMs: startMs, untilMs: startMs };
    const [before, applies] = [(fromMs - startMs) / 1_000, (untilMs - fromMs) / 1_000];
    const spans = `first apply after ${before.toFixed(2)} s, applies ${applies.toFixed(2)} s`;
    ground.say(`${label}, ${step}: ${seconds.toFixed(2)} s, ${spans}, CPU ${cpuMs} ms, ${describeRequests(requests)}`);
    steps.push({ step, seconds, requests: total(requests), cpuMs, before, applies });
  };
  const context = { ground, serin, namespace, repository, signal };
  await measure("create", async () => {
    const start = performance.now();
    await apply(ground, syncObject(namespace, "app", { path: "deploy", interval: "10s" }), signal);
    return ((await ready(context, undefined)) - start) / 1_000;
  });
  for (const version of allVersions) await measure("change all", () => push(context, place(() => version), (commit) => ready(context, commit)));
  const changed = configMapName(Math.floor(count / 2));
  const one = (index: number): number => (configMapName(index) === changed ? 9 : (allVersions.at(-1) ?? 1));
  await measure("change one", () => push(context, place(one), () => seen(context, changed, "9")));
  await measure("commit outside the path", async () => {
    // Found by a poll, so that all requests are the commit's.
    await fetched(context, repository.commit({ "README.md": "2\n" }));
    return 0;
  });
  await measure("nothing new for 30 s", async () => {
    await systemClock.sleep(30_000, signal);
    return 0;
  });
  await removeAll(ground, namespace, signal);
  return { label, steps };
}

interface Context {
  readonly ground: Ground;
  readonly serin: Serin;
  readonly namespace: string;
  readonly repository: Repository;
  readonly signal: AbortSignal;
}

/** Seconds from the webhook after a push until what was waited for. */
async function push(
  { serin, namespace, repository }: Context,
  files: Record<string, string>,
  until: (commit: string) => Promise<number>,
): Promise<number> {
  const commit = repository.commit(files);
  const done = until(commit);
  // The watches that look for the end are there before it begins.
  await systemClock.sleep(300);
  const start = performance.now();
  await hook(serin, namespace);
  return ((await done) - start) / 1_000;
}

function ready({ ground, namespace, signal }: Context, commit: string | undefined): Promise<number> {
  return becomes(ground.kube, { apiVersion, kind: "Sync", namespace, name: "app" }, (object) => {
    const message = String(conditionOf(object, "Ready")?.["message"]);
    return isReady(object) && (commit === undefined || message.includes(commit));
  }, signal);
}

function seen({ ground, namespace, signal }: Context, name: string, version: string): Promise<number> {
  const ref = { apiVersion: "v1", kind: "ConfigMap", namespace, name };
  return becomes(ground.kube, ref, (object) => (object["data"] as { version?: string }).version === version, signal);
}

function fetched({ ground, namespace, signal }: Context, commit: string): Promise<number> {
  const ref = { apiVersion, kind: "GitRepository", namespace, name: "app" };
  return becomes(ground.kube, ref, (object) => JSON.stringify(object["status"]).includes(commit), signal);
}

const changeWhy =
  "fetching takes three exchanges with the Git server, whose processes share the cores, and a file is read whole when any of its objects changed.";

const profile = "By a profile a quarter of the controller's time is clearing memory, another quarter HTTP, a tenth reading YAML.";

/** Where the time of a whole change went, by the API server's log. */
function whyOf({ seconds, before, applies }: Step, bare: number): string {
  const after = Math.max(0, seconds - before - applies);
  const parts = [
    `${before.toFixed(2)} s go by before the first apply, in which the commit is fetched, verified, read and compared`,
    `the applies themselves take ${(applies / bare).toFixed(2)}x of the bare ones, whose answers nobody reads`,
    `and ${after.toFixed(2)} s until the result is written and seen`,
  ];
  return `${parts.join(", ")}. ${profile}`;
}

function figuresOf({ label, steps }: { label: string; steps: readonly Step[] }, bare: Bare, count: number): Figure[] {
  const of = (name: string): Step => {
    const all = steps.filter(({ step }) => step === name).sort((a, b) => a.seconds - b.seconds);
    const middle = all[Math.floor(all.length / 2)];
    if (!middle) throw new Error(`no step ${name}`);
    return middle;
  };
  const work = (step: string): string => `${count.toLocaleString("en")} ConfigMaps in ${label}: ${step}`;
  const whole = (step: "create" | "change all", limit: number, peer: string): Figure[] => [
    { work: work(step), what: "time", value: of(step).seconds, unit: "s", beside: { what: "bare applies", value: limit }, limit: 1.3, peer, why: whyOf(of(step), limit) },
    { work: work(step), what: "requests", value: of(step).requests, unit: "requests", limit: count + 10, peer: "3,010" },
    { work: work(step), what: "CPU", value: of(step).cpuMs, unit: "ms" },
  ];
  return [
    ...whole("create", bare.create, "11.4 s"),
    ...whole("change all", bare.change, "12.2 s"),
    { work: work("change one"), what: "webhook to watch event", value: of("change one").seconds, unit: "s", limit: 0.3, peer: "7.5 s, 11 s", why: changeWhy },
    { work: work("change one"), what: "requests", value: of("change one").requests, unit: "requests", limit: 6, peer: "2,011" },
    { work: work("change one"), what: "CPU", value: of("change one").cpuMs, unit: "ms", peer: "3,200 ms" },
    { work: work("commit outside the path"), what: "requests", value: of("commit outside the path").requests, unit: "requests", limit: 2, peer: "2,010" },
    { work: work("commit outside the path"), what: "CPU", value: of("commit outside the path").cpuMs, unit: "ms", peer: "3,600 ms" },
    { work: work("nothing new for 30 s"), what: "requests", value: of("nothing new for 30 s").requests, unit: "requests", limit: 0, peer: "2,010" },
    { work: work("nothing new for 30 s"), what: "CPU", value: of("nothing new for 30 s").cpuMs, unit: "ms" },
  ];
}
