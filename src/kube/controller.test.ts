import { expect, onTestFinished, test, vi } from "vitest";
import { manualClock } from "../../test/fakes/manual-clock.ts";
import { memoryKube, resourceOf } from "../../test/fakes/memory-kube.ts";
import type { CommonStatus } from "../api/meta.ts";
import type { KubeObject } from "../api/object.ts";
import { StalledError, WaitingError } from "../lib/errors.ts";
import { type Logger, silentLogger } from "../lib/log.ts";
import { type ControllerOptions, runController } from "./controller.ts";
import { createInformers } from "./informers.ts";
import { KubeError, type ReconcileResult } from "./kube.ts";
import type { QueueState, ReconcileObserver } from "./observer.ts";

const kind = { apiVersion: "serin.dev/v1beta1", kind: "Sync" };
const dependency = { apiVersion: "v1", kind: "ConfigMap" };
const ref = { ...kind, namespace: "shop", name: "a" };
const sync = (name: string, spec: object = { path: "./" }, more: object = {}): KubeObject => ({
  ...kind,
  metadata: { namespace: "shop", name, ...more },
  spec,
});
const options = { fieldManager: "user" };
const signal = new AbortController().signal;

interface Run {
  readonly key: string;
  readonly signal: AbortSignal;
}

/** A controller on an API server in memory. `outcomes` says what each run does; the last repeats. */
async function start(
  outcomes: ((run: Run) => ReconcileResult | Promise<ReconcileResult>)[],
  more: Partial<ControllerOptions> & { objects?: KubeObject[] } = {},
) {
  const clock = manualClock();
  const kube = memoryKube([resourceOf(kind.apiVersion, kind.kind), resourceOf("v1", "ConfigMap")]);
  for (const object of more.objects ?? [sync("a")]) await kube.create(object, options, signal);
  kube.writes.length = 0;
  const abort = new AbortController();
  const said: string[] = [];
  const logged: string[] = [];
  const runs: string[] = [];
  const say = (level: string) => (fields: object, message: string): void => void logged.push(`${level}: ${message}${"reason" in fields ? ` ${String(fields.reason)}` : ""}`);
  const log: Logger = { ...silentLogger, info: say("info"), warn: say("warn"), error: say("error"), child: () => log };
  const informers = createInformers({ watch: kube, log: silentLogger, clock, signal: abort.signal });
  const done = runController({
    name: "sync",
    kind,
    informer: informers.of(kind),
    kube,
    log,
    clock,
    signal: abort.signal,
    watches: [
      {
        informer: informers.of(dependency),
        keysOf: ({ before, after }) => ((after ?? before)?.metadata.labels?.["for"] ? ["shop/a"] : []),
      },
    ],
    events: {
      normal: (_, reason, message) => said.push(`Normal ${reason}: ${message}`),
      warning: (_, reason, message) => said.push(`Warning ${reason}: ${message}`),
    },
    reconcile: async (key, running) => {
      runs.push(key);
      return outcomes[Math.min(runs.length, outcomes.length) - 1]!({ key, signal: running });
    },
    ...more,
  });
  const stop = async (): Promise<void> => {
    abort.abort(new Error("shutdown"));
    await done;
  };
  onTestFinished(stop);
  const status = async (): Promise<CommonStatus> => ((await kube.get(ref, signal))["status"] ?? {}) as CommonStatus;
  const condition = async (type: string): Promise<string | undefined> => {
    const found = (await status()).conditions?.find((each) => each.type === type);
    return found && `${found.status} ${found.reason}: ${found.message}`;
  };
  return {
    clock,
    kube,
    informers,
    runs,
    said,
    logged,
    abort,
    done,
    stop,
    status,
    condition,
    ran: (times: number) => vi.waitFor(() => expect(runs).toHaveLength(times)),
  };
}

const ok = (): ReconcileResult => ({});
const fail = (error: unknown) => (): never => {
  throw error;
};
const stalled = fail(new StalledError("PathMissing", "spec.path: there is no folder ./x at main"));

test("every object is reconciled once at the start, and again when it changes", async () => {
  const { kube, runs, clock } = await start([ok], { objects: [sync("a"), sync("b")] });
  await vi.waitFor(() => expect(runs.toSorted()).toEqual(["shop/a", "shop/b"]));
  await kube.patch(ref, { spec: { path: "./deploy" } }, options, signal);
  await vi.waitFor(() => expect(runs).toHaveLength(3));
  await clock.advance(600_000);
  expect(runs[2]).toBe("shop/a");
  expect(runs).toHaveLength(3);
  expect(kube.writes).toEqual(["patch Sync/shop/a"]);
});

test("it runs again after the time that the reconciler asked for", async () => {
  const { clock, runs, ran } = await start([() => ({ requeueAfterMs: 60_000 })]);
  await ran(1);
  await clock.advance(59_000);
  expect(runs).toHaveLength(1);
  await clock.advance(1_000);
  expect(runs).toHaveLength(2);
});

test("a stalled object says so with the generation, once, and waits for a person", async () => {
  const { clock, kube, runs, said, logged, condition, status, ran } = await start([stalled]);
  await vi.waitFor(async () => expect(await condition("Stalled")).toBe("True PathMissing: spec.path: there is no folder ./x at main"));
  expect(await condition("Ready")).toBe("False PathMissing: spec.path: there is no folder ./x at main");
  expect(await condition("Reconciling")).toBeUndefined();
  expect((await status()).observedGeneration).toBe(1);
  expect((await status()).conditions?.every(({ observedGeneration }) => observedGeneration === 1)).toBe(true);
  await clock.advance(3_600_000);
  expect(runs).toHaveLength(1);
  expect(said).toEqual(["Warning PathMissing: spec.path: there is no folder ./x at main"]);
  expect(logged).toEqual(["error: stalled until it is changed PathMissing"]);
  await kube.patch(ref, { metadata: { annotations: { "serin.dev/requestedAt": "now" } } }, options, signal);
  await ran(2);
  await vi.waitFor(async () => expect((await status()).lastHandledReconcileAt).toBe("now"));
  expect(said).toHaveLength(1);
  await kube.create({ ...dependency, metadata: { namespace: "shop", name: "c", labels: { for: "a" } } }, options, signal);
  await ran(3);
});

test("a write of the status wakes nobody whose last run failed", async () => {
  const { clock, kube, runs, ran } = await start([stalled]);
  await ran(1);
  await kube.patch(ref, { status: { note: "by another" } }, { ...options, subresource: "status" }, signal);
  await clock.advance(1_000);
  expect(runs).toHaveLength(1);
});

test("waiting is said without alarm, and tried again after its own time without backoff", async () => {
  const { clock, runs, said, logged, condition, ran } = await start([
    fail(new WaitingError("DependencyNotReady", "Sync/shop/base is not ready", 5_000)),
  ]);
  await ran(1);
  await vi.waitFor(async () => expect(await condition("Reconciling")).toBe("True DependencyNotReady: Sync/shop/base is not ready"));
  expect(await condition("Ready")).toBe("False DependencyNotReady: Sync/shop/base is not ready");
  for (const times of [2, 3, 4]) {
    await clock.advance(5_000);
    expect(runs).toHaveLength(times);
  }
  expect(said).toEqual(["Normal DependencyNotReady: Sync/shop/base is not ready"]);
  expect(logged).toEqual(["info: waiting DependencyNotReady"]);
});

test("waiting for what rarely comes by itself is a warning", async () => {
  const refusal = new WaitingError("AccessDenied", "secrets are forbidden", 5_000, { alarming: true });
  const { clock, runs, said, logged, ran } = await start([fail(refusal)]);
  await ran(1);
  await vi.waitFor(() => expect(said).toEqual(["Warning AccessDenied: secrets are forbidden"]));
  expect(logged).toEqual(["warn: reconcile failed, trying again AccessDenied"]);
  await clock.advance(5_000);
  expect(runs).toHaveLength(2);
});

test("any other error is told once and tried again with backoff, from a second to five minutes", async () => {
  const { clock, kube, runs, said, logged, condition, ran } = await start([
    fail(new Error("apply", { cause: new Error("the socket is closed") })),
  ]);
  await ran(1);
  await vi.waitFor(async () => expect(await condition("Ready")).toBe("False ReconciliationFailed: apply: the socket is closed"));
  expect(await condition("Reconciling")).toBe("True ReconciliationFailed: apply: the socket is closed");
  await clock.advance(700);
  expect(runs).toHaveLength(1);
  await clock.advance(3_600_000);
  expect(runs.length).toBeGreaterThan(15);
  expect(runs.length).toBeLessThan(30);
  expect(said).toEqual(["Warning ReconciliationFailed: apply: the socket is closed"]);
  expect(logged).toEqual(["warn: reconcile failed, trying again ReconciliationFailed"]);
  expect(kube.writes).toEqual(["patch Sync/shop/a status"]);
});

test("after an error a good run ends the backoff, and the user's edit does not wait for it", async () => {
  const error = fail(new Error("no"));
  const { clock, kube, runs, ran } = await start([error, error, error, error, error, error, ok, error, ok]);
  await ran(1);
  await clock.advance(31_500);
  expect(runs).toHaveLength(6);
  await kube.patch(ref, { spec: { path: "./other" } }, options, signal);
  await ran(7);
  await kube.patch(ref, { spec: { path: "./third" } }, options, signal);
  await ran(8);
  await clock.advance(1_000);
  expect(runs).toHaveLength(9);
});

test.each<[string, unknown, string]>([
  ["an error's own CamelCase reason", Object.assign(new Error("no route"), { reason: "RouteMissing" }), "RouteMissing"],
  ["but not one that is no CamelCase word", Object.assign(new Error("no"), { reason: "not a word" }), "ReconciliationFailed"],
  ["nor that of a refused request", new KubeError(403, "Forbidden", "no"), "ReconciliationFailed"],
  ["a StalledError within another error", new Error("read spec", { cause: new StalledError("InvalidSpec", "spec.url: required") }), "InvalidSpec"],
  ["a dispute about fields, which is no race", new KubeError(409, "Conflict", "owned", [{ reason: "FieldManagerConflict" }]), "ReconciliationFailed"],
])("the condition's reason is %s", async (_, error, reason) => {
  const { condition } = await start([fail(error)]);
  await vi.waitFor(async () => expect(await condition("Ready")).toContain(`False ${reason}:`));
});

test("a stale write is tried again soon and without a word", async () => {
  const conflict = fail(new Error("write status", { cause: new KubeError(409, "Conflict", "modified") }));
  const { clock, kube, runs, said, logged, ran } = await start([conflict, conflict, ok]);
  await ran(1);
  await clock.advance(500);
  expect(runs).toHaveLength(3);
  expect([kube.writes, said, logged]).toEqual([[], [], []]);
});

test("the outcome is written to the newest version when the status changed meanwhile", async () => {
  const { kube, condition, status } = await start([async () => {
    await kube.patch(ref, { status: { phase: "Progressing" } }, { ...options, subresource: "status" }, signal);
    throw new Error("route not accepted");
  }]);
  await vi.waitFor(async () => expect(await condition("Ready")).toBe("False ReconciliationFailed: route not accepted"));
  expect(await status()).toMatchObject({ phase: "Progressing" });
});

test("a stalled outcome that cannot be written is tried again", async () => {
  const { clock, kube, runs, logged, condition } = await start([stalled]);
  let refused = 0;
  kube.before = (call) => {
    if (call.startsWith("patch") && refused++ === 0) throw new KubeError(503, "ServiceUnavailable", "etcd is away");
  };
  await vi.waitFor(() => expect(logged).toContain("warn: the outcome could not be written to the status PathMissing"));
  await clock.advance(1_000);
  await vi.waitFor(async () => expect(await condition("Stalled")).toContain("PathMissing"));
  expect(runs).toHaveLength(2);
});

test("a deleted object is reconciled once more, and its errors are only logged", async () => {
  const { clock, kube, runs, said, logged, ran } = await start([ok, fail(new Error("cannot clean up"))]);
  await ran(1);
  await kube.delete(ref, {}, signal);
  await ran(2);
  await clock.advance(600_000);
  expect(runs).toHaveLength(2);
  expect(said).toEqual([]);
  expect(logged).toEqual(["error: cleaning up after a deleted object failed"]);
});

test("an object is never worked on twice at once, and only so many in all", async () => {
  let running = 0;
  let most = 0;
  const release: (() => void)[] = [];
  const busy = async (): Promise<ReconcileResult> => {
    most = Math.max(most, ++running);
    await new Promise<void>((resolve) => release.push(resolve));
    running -= 1;
    return {};
  };
  const { kube, runs, ran } = await start([busy], { objects: ["a", "b", "c", "d"].map((name) => sync(name)), concurrency: 2 });
  await ran(2);
  await kube.patch(ref, { spec: { path: "./x" } }, options, signal);
  while (runs.length < 5) {
    await vi.waitFor(() => expect(release.length).toBeGreaterThan(0));
    release.shift()?.();
    await new Promise(setImmediate);
  }
  expect(most).toBe(2);
  expect(runs.filter((key) => key === "shop/a")).toHaveLength(2);
  for (const each of release) each();
});

test("nothing runs before every informer is synced", async () => {
  const { informers, runs } = await start([ok]);
  void informers;
  await vi.waitFor(() => expect(runs).toHaveLength(1));
  const clock = manualClock();
  const kube = memoryKube([resourceOf(kind.apiVersion, kind.kind), resourceOf("v1", "ConfigMap")]);
  await kube.create(sync("a"), options, signal);
  let refuse = true;
  kube.before = (call) => {
    if (refuse && call === "list ConfigMap") throw new KubeError(500, "InternalError", "not yet");
  };
  const abort = new AbortController();
  const watching = createInformers({ watch: kube, log: silentLogger, clock, signal: abort.signal });
  let ran = 0;
  const done = runController({
    name: "sync",
    kind,
    informer: watching.of(kind),
    watches: [{ informer: watching.of(dependency), keysOf: () => [] }],
    kube,
    clock,
    signal: abort.signal,
    log: silentLogger,
    events: { normal: () => {}, warning: () => {} },
    reconcile: async () => {
      ran += 1;
      return {};
    },
  });
  await clock.advance(10_000);
  expect(ran).toBe(0);
  refuse = false;
  await clock.advance(60_000);
  await vi.waitFor(() => expect(ran).toBe(1));
  abort.abort(new Error("test over"));
  await done;
});

test("while another may lead nothing runs and nothing is written", async () => {
  let leads = false;
  const { clock, kube, runs, ran } = await start([fail(new Error("no"))], { canWrite: () => leads });
  await clock.advance(10_000);
  expect(runs).toEqual([]);
  leads = true;
  await clock.advance(1_000);
  await ran(1);
  await vi.waitFor(() => expect(kube.writes).toEqual(["patch Sync/shop/a status"]));
});

test("at the end running reconciles are told to stop and waited for, and nothing is told of it", async () => {
  let ended = false;
  const { kube, said, runs, ran, stop } = await start([async ({ signal: running }) => {
    await new Promise<void>((resolve) => running.addEventListener("abort", () => resolve()));
    await new Promise(setImmediate);
    ended = true;
    throw running.reason;
  }]);
  await ran(1);
  await stop();
  expect(ended).toBe(true);
  await kube.patch(ref, { spec: {} }, options, signal);
  expect([runs.length, said, kube.writes]).toEqual([1, [], ["patch Sync/shop/a"]]);
});

test("a reconcile that ignores the signal does not hold up the end for ever", async () => {
  const { clock, abort, done, logged, ran } = await start([() => new Promise<never>(() => {})]);
  await ran(1);
  abort.abort(new Error("shutdown"));
  await clock.advance(20_000);
  await done;
  expect(logged).toEqual(["error: reconciles did not stop in time"]);
});

test("an observer hears of the start, of every run with its outcome, and of the end", async () => {
  const heard: string[] = [];
  let queue: (() => QueueState) | undefined;
  const observer: ReconcileObserver = {
    started: (of, state) => {
      queue = state;
      heard.push(`${of} started`);
      return () => heard.push(`${of} ended`);
    },
    taken: (of) => heard.push(`${of} taken`),
    reconciled: (of, { result, reason }) => heard.push(`${of} ${result} ${reason ?? ""}`.trim()),
  };
  const conflict = fail(new KubeError(409, "Conflict", "changed"));
  const waiting = fail(new WaitingError("SourceNotReady", "not yet", 1_000));
  const outcomes = [ok, conflict, waiting, fail(new Error("no")), stalled];
  const { kube, ran, stop, clock } = await start(outcomes, { observer });
  for (const run of outcomes.keys()) {
    await ran(run + 1);
    await vi.waitFor(() => expect(queue?.().longestRunningMs).toBe(0));
    await kube.patch(ref, { spec: { path: `./${run}` } }, options, signal);
    await clock.advance(1);
  }
  await stop();
  expect(heard.filter((each) => !each.endsWith("taken")).slice(0, 6)).toEqual([
    "Sync started",
    "Sync success",
    "Sync conflict",
    "Sync waiting SourceNotReady",
    "Sync error ReconciliationFailed",
    "Sync stalled PathMissing",
  ]);
  expect(heard.at(-1)).toBe("Sync ended");
  const runs = heard.filter((each) => /success|conflict|waiting|error|stalled/.test(each));
  expect(heard.filter((each) => each.endsWith("taken"))).toHaveLength(runs.length);
});
