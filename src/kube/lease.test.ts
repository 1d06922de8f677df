import { expect, onTestFinished, test, vi } from "vitest";
import { type ManualClock, manualClock } from "../../test/fakes/manual-clock.ts";
import { type MemoryKube, memoryKube, resourceOf } from "../../test/fakes/memory-kube.ts";
import { type Logger, silentLogger } from "../lib/log.ts";
import { createElector, type Elector, microTime } from "./lease.ts";
import { type Kube, KubeError } from "./kube.ts";

const ref = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", namespace: "serin", name: "controller" };
const signal = new AbortController().signal;

interface Candidate {
  readonly elector: Elector;
  readonly clock: ManualClock;
  /** Whether its onLeading runs now. */
  leads: boolean;
  times: number;
  /** False: every request of it fails. */
  online: boolean;
  readonly logged: string[];
  stop(): Promise<void>;
}

function server(): MemoryKube {
  return memoryKube([resourceOf(ref.apiVersion, ref.kind)]);
}

/** A candidate with a machine, and so a clock and a network, of its own. */
function candidate(
  kube: MemoryKube,
  identity: string,
  more: { clock?: ManualClock; work?: (signal: AbortSignal) => Promise<void> } = {},
): Candidate & { readonly done: Promise<void> } {
  const clock = more.clock ?? manualClock(Math.random() * 1e12);
  const abort = new AbortController();
  const logged: string[] = [];
  const say = (_: object, message: string): void => void logged.push(message);
  const log: Logger = { ...silentLogger, info: say, warn: say, child: () => log };
  const mine: Candidate = {
    elector: undefined as unknown as Elector,
    clock,
    leads: false,
    times: 0,
    online: true,
    logged,
    stop: async () => {},
  };
  const online = (): void => {
    if (!mine.online) throw new KubeError(0, "Unreachable", "no network");
  };
  const network: Kube = {
    ...kube,
    find: async (...args) => (online(), kube.find(...args)),
    create: async (...args) => (online(), kube.create(...args)),
    replace: async (...args) => (online(), kube.replace(...args)),
  };
  const elector = createElector({
    kube: network,
    namespace: "serin",
    name: "controller",
    identity,
    clock,
    log,
  });
  const done = elector.run(async (leading) => {
    mine.leads = true;
    mine.times += 1;
    try {
      await (more.work ?? untilAborted)(leading);
    } finally {
      mine.leads = false;
    }
  }, abort.signal);
  done.catch(() => {});
  const stop = async (): Promise<void> => {
    abort.abort(new Error("shutdown"));
    await done;
  };
  onTestFinished(() => abort.abort(new Error("test over")));
  return Object.assign(mine, { elector, stop, done });
}

async function untilAborted(leading: AbortSignal): Promise<void> {
  if (!leading.aborted) await new Promise<void>((resolve) => leading.addEventListener("abort", () => resolve(), { once: true }));
}

/** Time passes for all machines alike, in small steps; the promise of the election is checked at each. */
async function pass(candidates: Candidate[], durationMs: number): Promise<void> {
  for (let passedMs = 0; passedMs < durationMs; passedMs += 100) {
    for (const { clock } of new Set(candidates)) await clock.advance(100);
    expect(candidates.filter(({ elector }) => elector.canWrite()).length).toBeLessThanOrEqual(1);
  }
}

async function spec(kube: MemoryKube): Promise<Record<string, unknown>> {
  return (await kube.get(ref, signal))["spec"] as Record<string, unknown>;
}

test("the first takes a new Lease with times of six digits and renews it", async () => {
  const kube = server();
  const a = candidate(kube, "a", { clock: manualClock() });
  await vi.waitFor(() => expect(a.leads).toBe(true));
  expect(a.elector.canWrite()).toBe(true);
  expect(await spec(kube)).toEqual({
    holderIdentity: "a",
    leaseDurationSeconds: 15,
    leaseTransitions: 0,
    acquireTime: "2026-01-02T03:04:05.000000Z",
    renewTime: "2026-01-02T03:04:05.000000Z",
  });
  await pass([a], 60_000);
  expect(a).toMatchObject({ leads: true, times: 1 });
  expect(await spec(kube)).toMatchObject({
    acquireTime: "2026-01-02T03:04:05.000000Z",
    renewTime: "2026-01-02T03:05:05.000000Z",
    leaseTransitions: 0,
  });
});

test("of two only one leads, whatever their clocks say", async () => {
  const kube = server();
  const [a, b] = [candidate(kube, "a"), candidate(kube, "b")];
  await pass([a, b], 120_000);
  expect([a, b].filter(({ leads }) => leads)).toHaveLength(1);
  expect(a.times + b.times).toBe(1);
});

test("that the Lease cannot be read is said once, however long it lasts", async () => {
  const kube = server();
  const a = candidate(kube, "a");
  await vi.waitFor(() => expect(a.leads).toBe(true));
  const b = candidate(kube, "b");
  const said = () => b.logged.filter((message) => message.startsWith("the lease could not be read")).length;
  await pass([a, b], 5_000);
  expect(said()).toBe(0);
  b.online = false;
  await pass([a, b], 20_000);
  expect(said()).toBe(1);
  b.online = true;
  await pass([a, b], 5_000);
  b.online = false;
  await pass([a, b], 20_000);
  expect(said()).toBe(2);
});

test("a leader that ends releases the Lease, and the other begins with its next look", async () => {
  const kube = server();
  const a = candidate(kube, "a");
  await vi.waitFor(() => expect(a.leads).toBe(true));
  const b = candidate(kube, "b");
  await pass([a, b], 10_000);
  await a.stop();
  expect(a.elector.canWrite()).toBe(false);
  expect(await spec(kube)).not.toHaveProperty("holderIdentity");
  await pass([a, b], 3_000);
  expect(b.leads).toBe(true);
  expect(await spec(kube)).toMatchObject({ holderIdentity: "b", leaseTransitions: 1 });
});

/** A leader that has just lost its network, and who stands by. */
async function leaderCutOff() {
  const kube = server();
  const a = candidate(kube, "a");
  await vi.waitFor(() => expect(a.leads).toBe(true));
  const b = candidate(kube, "b");
  await pass([a, b], 5_000);
  a.online = false;
  return { a, b };
}

test("a leader without a network stops writing before the other begins, and comes back as a candidate", async () => {
  const { a, b } = await leaderCutOff();
  await pass([a, b], 11_000);
  expect([a.leads, a.elector.canWrite(), b.leads]).toEqual([false, false, false]);
  await pass([a, b], 10_000);
  expect(b.leads).toBe(true);
  a.online = true;
  await pass([a, b], 30_000);
  expect([a.leads, b.leads]).toEqual([false, true]);
  await b.stop();
  await pass([a, b], 5_000);
  expect([a.leads, a.times]).toEqual([true, 2]);
});

test("a frozen leader that goes on may not write, even before any of its timers ran", async () => {
  const kube = server();
  const a = candidate(kube, "a");
  await vi.waitFor(() => expect(a.leads).toBe(true));
  const b = candidate(kube, "b");
  await pass([a, b], 5_000);
  // Only b's time passes: a is stopped.
  for (let second = 0; second < 20; second++) await b.clock.advance(1_000);
  expect(b.leads).toBe(true);
  a.clock.jump(20_000);
  expect([a.leads, a.elector.canWrite(), b.elector.canWrite()]).toEqual([true, false, true]);
  await pass([a, b], 100);
  expect(a.leads).toBe(false);
  await pass([a, b], 60_000);
  expect([a.leads, b.leads]).toEqual([false, true]);
});

test("an answer that comes after a freeze does not open the fence again", async () => {
  const kube = server();
  const a = candidate(kube, "a");
  await vi.waitFor(() => expect(a.leads).toBe(true));
  let arrived: (() => void) | undefined;
  kube.before = (call) => (call.startsWith("replace") ? new Promise<void>((resolve) => (arrived = resolve)) : undefined);
  await a.clock.advance(2_000);
  expect(arrived).toBeDefined();
  a.clock.jump(20_000);
  arrived?.();
  await new Promise(setImmediate);
  expect(a.elector.canWrite()).toBe(false);
});

test("a clock that is set back does not lengthen the lease", async () => {
  const kube = server();
  const { clock, elector } = candidate(kube, "a");
  await vi.waitFor(() => expect(elector.canWrite()).toBe(true));
  clock.set(-3_600_000);
  clock.jump(9_999);
  expect(elector.canWrite()).toBe(true);
  clock.jump(1);
  expect(elector.canWrite()).toBe(false);
});

test.each([
  ["ahead", 3_600_000],
  ["back", -3_600_000],
])("a candidate whose clock is set %s takes the Lease when it has expired, no earlier and no later", async (_, setMs) => {
  const { a, b } = await leaderCutOff();
  await pass([a, b], 4_000);
  b.clock.set(setMs);
  await pass([a, b], 4_000);
  expect([a.leads, a.elector.canWrite(), b.leads]).toEqual([true, true, false]);
  await pass([a, b], 12_000);
  expect([a.leads, b.leads]).toEqual([false, true]);
});

test("short trouble with the API server costs nobody the lead", async () => {
  const kube = server();
  const a = candidate(kube, "a");
  await vi.waitFor(() => expect(a.leads).toBe(true));
  const b = candidate(kube, "b");
  for (let round = 0; round < 5; round++) {
    await pass([a, b], 4_000);
    a.online = false;
    b.online = false;
    await pass([a, b], 6_000);
    a.online = true;
    b.online = true;
  }
  expect([a.leads, a.times]).toEqual([true, 1]);
});

test("a renewal that arrived but whose answer was lost is found to be ours", async () => {
  const kube = server();
  const a = candidate(kube, "a");
  await vi.waitFor(() => expect(a.leads).toBe(true));
  const live = await kube.get(ref, signal);
  await kube.replace({ ...live, spec: { ...(live["spec"] as object), renewTime: microTime(1) } }, { fieldManager: "x" }, signal);
  await pass([a], 30_000);
  expect([a.leads, a.times]).toEqual([true, 1]);
});

test("a Lease that somebody deletes is made anew by its leader", async () => {
  const kube = server();
  const a = candidate(kube, "a");
  await vi.waitFor(() => expect(a.leads).toBe(true));
  await kube.delete(ref, {}, signal);
  await pass([a], 30_000);
  expect([a.leads, a.times]).toEqual([true, 1]);
  expect(await spec(kube)).toMatchObject({ holderIdentity: "a" });
});

test("work that ends by itself releases the Lease and ends the run; its error is thrown", async () => {
  const kube = server();
  const a = candidate(kube, "a", { work: async () => {} });
  await a.done;
  expect(await spec(kube)).not.toHaveProperty("holderIdentity");
  const b = candidate(kube, "b", {
    work: async () => {
      throw new Error("wiring failed");
    },
  });
  await expect(b.done).rejects.toThrow("wiring failed");
  expect(await spec(kube)).not.toHaveProperty("holderIdentity");
});

test("work that does not stop ends the run with an error, and the Lease is not handed on early", async () => {
  const kube = server();
  const a = candidate(kube, "a", { work: () => new Promise<never>(() => {}) });
  await vi.waitFor(() => expect(a.leads).toBe(true));
  void a.stop().catch(() => {});
  await pass([a], 31_000);
  await expect(a.done).rejects.toThrow("did not stop");
  expect(await spec(kube)).toMatchObject({ holderIdentity: "a" });
  expect(a.elector.canWrite()).toBe(false);
});

test("during shutdown the Lease is kept until the work has ended, so that its last writes pass", async () => {
  const kube = server();
  let finish: (() => void) | undefined;
  const a = candidate(kube, "a", { work: () => new Promise<void>((resolve) => (finish = resolve)) });
  await vi.waitFor(() => expect(a.leads).toBe(true));
  const stopped = a.stop();
  await pass([a], 20_000);
  expect(a.elector.canWrite()).toBe(true);
  finish?.();
  await stopped;
  expect(a.elector.canWrite()).toBe(false);
});

test("durations that leave no safe gap are refused", () => {
  const durations = { leaseMs: 10_000, renewDeadlineMs: 10_000, retryMs: 2_000 };
  expect(() =>
    createElector({ kube: server(), namespace: "n", name: "l", identity: "a", clock: manualClock(), log: silentLogger, durations }),
  ).toThrow("retryMs < renewDeadlineMs < leaseMs");
});

test("the election says when it last did anything: never long ago, unless it is stuck or has ended", async () => {
  const kube = server();
  const [a, b] = [candidate(kube, "a"), candidate(kube, "b")];
  await pass([a, b], 20_000);
  for (const { elector } of [a, b]) expect([elector.hasReached(), elector.msSinceStep() < 5_000]).toEqual([true, true]);
  await a.stop();
  await pass([b], 20_000);
  await a.clock.advance(200_000);
  expect([a.elector.msSinceStep() > 180_000, b.elector.msSinceStep() < 5_000]).toEqual([true, true]);
});

test("an API server that never answers keeps no attempt longer than a minute", async () => {
  const clock = manualClock();
  const life = new AbortController();
  let asked = 0;
  const find = async (_: unknown, asking: AbortSignal): Promise<never> => {
    asked += 1;
    return new Promise((_resolve, reject) => asking.addEventListener("abort", () => reject(asking.reason)));
  };
  const dead: Kube = { ...server(), find };
  const options = { kube: dead, namespace: "n", name: "l", identity: "a", clock, log: silentLogger, monotonicMs: () => clock.nowMs() };
  const elector = createElector(options);
  const done = elector.run(async () => {}, life.signal);
  for (let passedMs = 0; passedMs < 300_000; passedMs += 5_000) {
    await clock.advance(5_000);
    expect(elector.msSinceStep()).toBeLessThanOrEqual(65_000);
  }
  expect([asked > 3, elector.hasReached(), elector.canWrite()]).toEqual([true, false, false]);
  life.abort(new Error("test over"));
  await done;
});
