import type { KubeObject, ObjectRef } from "../../src/api/object.ts";
import type { World as ControllerWorld } from "../../src/controllers/wiring.ts";
import { type Git, GitError } from "../../src/git/git.ts";
import { type GitHost, GitHostError } from "../../src/githost/git-host.ts";
import { type Kube, KubeError } from "../../src/kube/kube.ts";
import { messageOf } from "../../src/lib/errors.ts";
import { silentLogger } from "../../src/lib/log.ts";
import type { SeriesReader } from "../../src/lib/series.ts";
import { MetricError, type MetricProvider } from "../../src/metrics/metric-provider.ts";
import type { Renderer } from "../../src/render/renderer.ts";
import { routers } from "../../src/routing/routers.ts";
import { memoryGit, type MemoryRemote } from "../fakes/memory-git.ts";
import { type MemoryInformers, memoryInformers } from "../fakes/memory-informers.ts";
import type { MemoryKube } from "../fakes/memory-kube.ts";
import { startRunner, type Turn } from "./runner.ts";

/** What may go wrong with a call: it is not made, made without an answer, or refused as out of date. */
export type CallFault = "refused" | "unanswered" | "conflict";

/** Whom a call is made to. */
export type Callee = "kube" | "git" | "host" | "metrics";

/** What happens to the calls of a process, said call by call. */
export interface Fate {
  /** Whether the process ends with this write: before it is made, or after it and before the answer. `undefined`: it lives. */
  death(): "before" | "after" | undefined;
  fault(to: Callee, write: boolean): CallFault | undefined;
  /** Whether others come first. */
  yields(): boolean;
}

/** Everything outside of a process that its controllers talk to. */
export interface Outside {
  readonly kube: MemoryKube;
  readonly source: MemoryRemote;
  readonly host: GitHost;
  readonly metrics: MetricProvider;
  readonly renderer: Renderer;
  readonly nowMs: () => number;
  readonly fate: Fate;
  /** Told of everything worth a line in a report. */
  readonly note: (line: () => string) => void;
  /** Told of each write just before it is made: which process makes it. */
  readonly onWrite: (replica: Replica) => void;
  /** Told of each run of a reconciler that ended, with its error. */
  readonly onEnd: (kind: string, key: string, error: unknown) => void;
  /** Told of each object just before it is deleted. */
  readonly onDelete: (replica: Replica, ref: ObjectRef) => void;
}

/** One process of the controller. */
export interface Replica {
  readonly number: number;
  readonly informers: MemoryInformers;
  /** Runs of its controllers that may begin now. */
  turns(): readonly Turn[];
  isDead(): boolean;
  /** Whether it has commits to work by: nothing is kept from one process to the next. */
  hasFetched(): boolean;
  /** Ends it at once: what it was doing is never heard of again. */
  kill(): void;
  /** Calls that wait for their turn. */
  waiting(): number;
  /** Lets one of them go on. */
  letGo(index: number): void;
  /** When the next sleeper wakes. */
  nextAtMs(): number | undefined;
  /** Wakes all whose time has come. */
  wake(): void;
}

interface Life {
  readonly outside: Outside;
  readonly turns: (() => void)[];
  readonly sleepers: Set<{ readonly atMs: number; readonly wake: () => void }>;
  dead: boolean;
  fetched: boolean;
}

/** What a dead process waits for. */
async function never<T>(): Promise<T> {
  return new Promise<T>(() => {});
}

/** Starts a process that knows nothing yet. */
export function startReplica(outside: Outside, number: number): Replica {
  const life: Life = { outside, turns: [], sleepers: new Set(), dead: false, fetched: false };
  const informers = memoryInformers(outside.kube);
  const controller = new AbortController();
  const replica: Omit<Replica, "turns"> = {
    number,
    informers,
    isDead: () => life.dead,
    hasFetched: () => life.fetched,
    kill: () => {
      life.dead = true;
      life.turns.length = 0;
      life.sleepers.clear();
    },
    waiting: () => life.turns.length,
    letGo: (index) => life.turns.splice(index, 1)[0]?.(),
    nextAtMs: () => (life.sleepers.size === 0 ? undefined : Math.min(...[...life.sleepers].map(({ atMs }) => atMs))),
    wake: () => {
      for (const sleeper of life.sleepers) if (sleeper.atMs <= outside.nowMs()) sleeper.wake();
    },
  };
  const whole: Replica = Object.assign(replica, { turns: () => runner.turns() });
  const runner = startRunner(worldOf(life, whole, informers), controller.signal, (kind, key, error) => {
    if (life.dead) return;
    outside.note(() => `  ${kind} ${key}${error === undefined ? "" : `: ${messageOf(error)}`}`);
    outside.onEnd(kind, key, error);
  });
  return whole;
}

function worldOf(life: Life, replica: Replica, informers: MemoryInformers): ControllerWorld {
  const { outside } = life;
  const say = (type: string) => ({ kind, metadata }: KubeObject, reason: string, message: string): void => {
    if (!life.dead) outside.note(() => `    ${type} ${kind}/${metadata.name} ${reason}: ${message.slice(0, 200)}`);
  };
  const caller = callerOf(life, replica);
  const git = gitOf(caller, memoryGit(outside.source), () => (life.fetched = true));
  return {
    kube: kubeOf(caller, {
      ...outside.kube,
      delete: (ref, options, signal) => {
        outside.onDelete(replica, ref);
        return outside.kube.delete(ref, options, signal);
      },
    }),
    informers,
    events: { normal: say("Normal"), warning: say("Warning") },
    git,
    renderers: [outside.renderer],
    routers,
    metricProviders: { prometheus: () => metricsOf(caller, outside.metrics) },
    hosts: { github: () => hostOf(caller, outside.host), gitea: () => hostOf(caller, outside.host) },
    clock: { nowMs: outside.nowMs, elapsedMs: outside.nowMs, sleep: (durationMs, signal) => sleep(life, durationMs, signal) },
    log: silentLogger,
    defaults: { provider: "gatewayapi:v1", metricsServer: "http://prometheus.example" },
    clusterName: "prod",
  };
}

async function sleep({ sleepers, outside }: Life, durationMs: number, signal: AbortSignal | undefined): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const end = (settle: () => void) => (): void => {
      sleepers.delete(sleeper);
      signal?.removeEventListener("abort", abort);
      settle();
    };
    const abort = end(() => reject(signal?.reason));
    const sleeper = { atMs: outside.nowMs() + durationMs, wake: end(resolve) };
    if (signal?.aborted) return abort();
    sleepers.add(sleeper);
    signal?.addEventListener("abort", abort);
  });
}

type Call<A extends unknown[], R> = (...args: A) => Promise<R>;
/** How a call is named in a report, by its arguments. */
type Name<A extends unknown[]> = string | ((args: A) => string);
type Wrap = <A extends unknown[], R>(to: Callee, name: Name<NoInfer<A>>, call: Call<A, R>) => Call<A, R>;

interface Caller {
  readonly read: Wrap;
  readonly write: Wrap;
}

function callerOf(life: Life, replica: Replica): Caller {
  const { fate, note, onWrite } = life.outside;
  const turn = async (): Promise<void> => {
    if (life.dead) return never();
    if (fate.yields()) await new Promise<void>((resolve) => life.turns.push(resolve));
    if (life.dead) return never();
  };
  return {
    read: (to, name, call) => async (...args) => {
      await turn();
      if (fate.fault(to, false) === undefined) return call(...args);
      const said = nameOf(to, name, args);
      note(() => `    no answer to ${said}`);
      throw errorFor(to, said, "refused");
    },
    write: (to, name, call) => async (...args) => {
      await turn();
      const [death, fault] = [fate.death(), fate.fault(to, true)];
      const end = death === undefined ? "" : `, killed ${death} it`;
      note(() => `    #${replica.number} ${nameOf(to, name, args)}${end}${fault === undefined ? "" : `, ${fault}`}`);
      if (death === "before") replica.kill();
      if (life.dead) return never();
      if (fault === "refused" || fault === "conflict") throw errorFor(to, nameOf(to, name, args), fault);
      onWrite(replica);
      const answer = await call(...args);
      if (death === "after") replica.kill();
      if (life.dead) return never();
      if (fault === "unanswered") throw errorFor(to, nameOf(to, name, args), fault);
      return answer;
    },
  };
}

function nameOf<A extends unknown[]>(to: Callee, name: Name<A>, args: A): string {
  return `${to} ${typeof name === "string" ? name : name(args)}`;
}

function errorFor(to: Callee, said: string, fault: CallFault): Error {
  if (to === "git") return new GitError("GitOperationFailed", `${said}: the connection was cut`);
  if (to === "host") return new GitHostError("Unknown", `${said}: 502`);
  if (to === "metrics") return new MetricError("unavailable", `${said}: no answer`);
  if (fault === "conflict") return new KubeError(409, "Conflict", `${said}: the object has been modified`);
  return new KubeError(0, "Unreachable", `${said}: the API server gave no answer`);
}

function kubeOf({ read, write }: Caller, kube: MemoryKube): Kube {
  const ref = (verb: string) => ([{ kind, name }]: readonly [ObjectRef, ...unknown[]]): string => `${verb} ${kind}/${name}`;
  const object = (verb: string) => ([given]: readonly [KubeObject, ...unknown[]]): string => `${verb} ${given.kind}/${given.metadata.name}`;
  const patchName = ([at, patch, { subresource = "" }]: Parameters<Kube["patch"]>): string =>
    `${ref(`patch ${subresource}`)([at])} ${JSON.stringify(patch)}`;
  const applied: Kube["apply"] = (...args) => kube.apply(...args);
  const apply = write("kube", ([{ kind, metadata }, { fieldManager }]) => `${fieldManager} applies ${kind}/${metadata.name}`, applied);
  const dryRun = read("kube", object("dry run of"), applied);
  return {
    find: read("kube", ref("find"), (...args) => kube.find(...args)),
    get: read("kube", ref("get"), (...args) => kube.get(...args)),
    list: read("kube", ([{ kind }]) => `list ${kind}`, (...args) => kube.list(...args)),
    create: write("kube", object("create"), (...args) => kube.create(...args)),
    apply: (config, options, signal) => (options.dryRun ? dryRun : apply)(config, options, signal),
    patch: write("kube", patchName, (...args) => kube.patch(...args)),
    replace: write("kube", object("replace"), (...args) => kube.replace(...args)),
    delete: write("kube", ref("delete"), (...args) => kube.delete(...args)),
    resource: (kind, signal) => kube.resource(kind, signal),
  };
}

function metricsOf({ read }: Caller, metrics: MetricProvider): MetricProvider {
  const { series } = metrics;
  const asked = { query: read("metrics", "query", (...args: Parameters<MetricProvider["query"]>) => metrics.query(...args)) };
  if (!series) return asked;
  const samples = read("metrics", "samples", (...args: Parameters<SeriesReader["samples"]>) => series.samples(...args));
  const steps = read("metrics", "steps", (...args: Parameters<SeriesReader["steps"]>) => series.steps(...args));
  const nowMs = read("metrics", "time", (...args: Parameters<SeriesReader["nowMs"]>) => series.nowMs(...args));
  return { ...asked, series: { samples, steps, nowMs } };
}

function gitOf({ read, write }: Caller, git: Git, onFetched: () => void): Git {
  return {
    ...git,
    listRefs: read("git", "ls-refs", (...args) => git.listRefs(...args)),
    fetch: read("git", "fetch", async (...args: Parameters<Git["fetch"]>) => {
      const fetched = await git.fetch(...args);
      onFetched();
      return fetched;
    }),
    push: write("git", ([, { ref, commit }]) => `push ${commit?.slice(0, 7) ?? "nothing"} to ${ref}`, (...args) => git.push(...args)),
  };
}

function hostOf({ read, write }: Caller, host: GitHost): GitHost {
  const changeName = ([number, { state }]: Parameters<GitHost["updatePullRequest"]>): string =>
    `change pull request ${number}${state === undefined ? "" : ` to ${state}`}`;
  return {
    findPullRequest: read("host", "find pull request", (...args) => host.findPullRequest(...args)),
    createPullRequest: write("host", ([{ head }]) => `open pull request from ${head}`, (...args) => host.createPullRequest(...args)),
    updatePullRequest: write("host", changeName, (...args) => host.updatePullRequest(...args)),
    comment: write("host", ([number, { marker }]) => `comment on ${number} ${marker}`, (...args) => host.comment(...args)),
  };
}
