import { expect, onTestFinished, test, vi } from "vitest";
import { manualClock } from "../../test/fakes/manual-clock.ts";
import { memoryKube, resourceOf } from "../../test/fakes/memory-kube.ts";
import type { KubeObject } from "../api/object.ts";
import { silentLogger } from "../lib/log.ts";
import { createEvents } from "./events.ts";
import { KubeError } from "./kube.ts";

const kind = { apiVersion: "v1", kind: "Event" };
const signal = new AbortController().signal;
const sync: KubeObject = {
  apiVersion: "serin.dev/v1beta1",
  kind: "Sync",
  metadata: { namespace: "shop", name: "a", uid: "u1", resourceVersion: "5" },
};

function start() {
  const clock = manualClock();
  const kube = memoryKube([resourceOf("v1", "Event")]);
  const abort = new AbortController();
  onTestFinished(() => abort.abort(new Error("test over")));
  const logged: string[] = [];
  const log = { ...silentLogger, warn: (_: object, message: string) => void logged.push(message) };
  const events = createEvents({ kube, component: "serin", clock, log, signal: abort.signal });
  const stored = () => kube.list(kind, {}, signal);
  const counts = async () => (await stored()).map((event) => `${String(event["reason"])} ×${String(event["count"])}`);
  return { clock, kube, events, stored, counts, logged };
}

test("an event is written at once, in the namespace of its object, as kubectl describe wants it", async () => {
  const { events, stored } = start();
  events.warning(sync, "ApplyFailed", "Deployment/shop/web: spec.replicas: must be positive");
  await vi.waitFor(async () => expect(await stored()).toHaveLength(1));
  const [event] = await stored();
  expect(event).toMatchObject({
    metadata: { namespace: "shop" },
    involvedObject: { apiVersion: "serin.dev/v1beta1", kind: "Sync", namespace: "shop", name: "a", uid: "u1" },
    type: "Warning",
    reason: "ApplyFailed",
    message: "Deployment/shop/web: spec.replicas: must be positive",
    source: { component: "serin" },
    reportingComponent: "serin",
    count: 1,
    firstTimestamp: "2026-01-02T03:04:05Z",
    lastTimestamp: "2026-01-02T03:04:05Z",
  });
  expect(event?.metadata.name).toMatch(/^a\.[0-9a-f]{16}$/);
});

test("what is said again while the first one is being written is counted at the end", async () => {
  const { kube, events, counts } = start();
  const stored = Promise.withResolvers<void>();
  const answered = Promise.withResolvers<void>();
  const create = kube.create.bind(kube);
  vi.spyOn(kube, "create").mockImplementationOnce(async (...args) => {
    const made = await create(...args);
    stored.resolve();
    await answered.promise;
    return made;
  });
  events.normal(sync, "Synced", "it is");
  await stored.promise;
  events.normal(sync, "Synced", "it is");
  const flushed = events.flush();
  answered.resolve();
  await flushed;
  expect(await counts()).toEqual(["Synced ×2"]);
});

test("events of cluster-scoped objects are in the default namespace", async () => {
  const { events, stored } = start();
  events.normal({ apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } }, "Created", "made");
  await vi.waitFor(async () => expect((await stored()).map(({ metadata }) => metadata.namespace)).toEqual(["default"]));
});

test("the same again is counted, and written every thirty seconds at most", async () => {
  const { clock, kube, events, counts, stored } = start();
  events.normal(sync, "Synced", "it is");
  await vi.waitFor(async () => expect(await counts()).toEqual(["Synced ×1"]));
  for (let second = 0; second < 29; second++) {
    await clock.advance(1_000);
    events.normal(sync, "Synced", "it is");
  }
  expect(kube.writes).toHaveLength(1);
  await clock.advance(1_000);
  expect(await counts()).toEqual(["Synced ×30"]);
  expect((await stored())[0]).toMatchObject({ firstTimestamp: "2026-01-02T03:04:05Z", lastTimestamp: "2026-01-02T03:04:34Z" });
  expect(kube.writes).toHaveLength(2);
});

test.each<[string, KubeObject, string, string]>([
  ["another reason", sync, "Other", "it is"],
  ["another message", sync, "Synced", "it is not"],
  ["another object", { ...sync, metadata: { ...sync.metadata, name: "b", uid: "u2" } }, "Synced", "it is"],
  ["a new object of the same name", { ...sync, metadata: { ...sync.metadata, uid: "u2" } }, "Synced", "it is"],
])("%s is another event", async (_, object, reason, message) => {
  const { events, stored } = start();
  events.normal(sync, "Synced", "it is");
  events.normal(object, reason, message);
  await vi.waitFor(async () => expect(await stored()).toHaveLength(2));
});

test("after ten minutes of silence the same is a new event", async () => {
  const { clock, events, counts } = start();
  events.normal(sync, "Synced", "it is");
  await clock.advance(601_000);
  events.normal(sync, "Synced", "it is");
  await vi.waitFor(async () => expect(await counts()).toEqual(["Synced ×1", "Synced ×1"]));
});

test("a clock that is set neither delays a count nor begins a new event", async () => {
  const { clock, events, counts, stored } = start();
  events.normal(sync, "Synced", "it is");
  await vi.waitFor(async () => expect(await counts()).toEqual(["Synced ×1"]));
  clock.set(-3_600_000);
  await clock.advance(10_000);
  events.normal(sync, "Synced", "it is");
  await clock.advance(20_000);
  expect(await counts()).toEqual(["Synced ×2"]);
  clock.set(7_200_000);
  await clock.advance(10_000);
  events.normal(sync, "Synced", "it is");
  await clock.advance(20_000);
  expect(await counts()).toEqual(["Synced ×3"]);
  expect((await stored())[0]).toMatchObject({ lastTimestamp: "2026-01-02T04:04:45Z" });
});

test("an event that the API server has forgotten is made anew", async () => {
  const { clock, kube, events, counts, stored } = start();
  events.normal(sync, "Synced", "it is");
  await vi.waitFor(async () => expect(await stored()).toHaveLength(1));
  const [{ metadata }] = (await stored()) as [KubeObject];
  await kube.delete({ ...kind, namespace: "shop", name: metadata.name }, {}, signal);
  events.normal(sync, "Synced", "it is");
  await clock.advance(30_000);
  expect(await counts()).toEqual(["Synced ×2"]);
});

test("flush writes what waits without regard to the pace", async () => {
  const { events, counts } = start();
  events.normal(sync, "Synced", "it is");
  await vi.waitFor(async () => expect(await counts()).toEqual(["Synced ×1"]));
  events.normal(sync, "Synced", "it is");
  await events.flush();
  expect(await counts()).toEqual(["Synced ×2"]);
});

test("a server that refuses or hangs holds up nobody, and flush gives up", async () => {
  const { clock, kube, events } = start();
  kube.before = () => {
    throw new KubeError(403, "Forbidden", "no");
  };
  events.normal(sync, "Synced", "it is");
  await vi.waitFor(() => expect(kube.writes).toHaveLength(1));
  kube.before = () => new Promise<never>(() => {});
  events.normal(sync, "Other", "it is");
  events.normal(sync, "Third", "it is");
  const flushed = events.flush();
  await clock.advance(10_000);
  await flushed;
});

test("a flood is bounded: the oldest that wait are dropped, and it is said", async () => {
  const { kube, events, logged } = start();
  kube.before = () => new Promise<never>(() => {});
  for (let index = 0; index < 1_100; index++) events.normal(sync, "Synced", `number ${index}`);
  expect(logged.length).toBeGreaterThan(50);
});
