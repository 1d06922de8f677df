import type { ServerResponse } from "node:http";
import { expect, onTestFinished, test, vi } from "vitest";
import { type ManualClock, manualClock } from "../../test/fakes/manual-clock.ts";
import { type Script, sendJson, sendStatus, startScriptedApi, withDiscovery } from "../../test/fakes/scripted-api.ts";
import type { KindRef, KubeObject } from "../api/object.ts";
import { type Logger, silentLogger } from "../lib/log.ts";
import { createKube } from "./client.ts";
import { createInformers } from "./informers.ts";
import type { Change, Informer } from "./kube.ts";
import { serverAt } from "./kubeconfig.ts";

const kind = { apiVersion: "v1", kind: "ConfigMap" };
const aMap = (name: string, version: number, more: object = {}): KubeObject => ({
  ...kind, metadata: { namespace: "shop", name, uid: `uid-${name}`, resourceVersion: String(version), ...more },
});

/** A server with a list that a test can change and watches that it can hold in its hands. */
interface World {
  readonly clock: ManualClock;
  readonly informer: Informer;
  /** Names in the cache. */
  names(): string[];
  /** What handlers saw, e.g. `+a`, `~a`, `-a`. */
  readonly seen: string[];
  readonly lists: URLSearchParams[];
  readonly watches: { query: URLSearchParams; response: ServerResponse }[];
  items: KubeObject[];
  version: number;
  /** Faults for the next lists and watches, first come first served. */
  readonly listFaults: Script[];
  readonly watchFaults: Script[];
  readonly logged: string[];
  /** Whether the server knows the kind Odd of example.com/v1. */
  oddsServed: boolean;
}

interface WorldOptions {
  readonly namespaces?: readonly string[];
  readonly everywhere?: readonly KindRef[];
  readonly items?: KubeObject[];
  readonly listFaults?: Script[];
  readonly watchFaults?: Script[];
  readonly of?: { apiVersion: string; kind: string };
}

async function start(options: WorldOptions = {}): Promise<World> {
  const clock = manualClock();
  const abort = new AbortController();
  const state = {
    lists: [] as URLSearchParams[],
    watches: [] as World["watches"],
    items: options.items ?? [aMap("a", 1)],
    version: 1,
    listFaults: options.listFaults ?? [],
    watchFaults: options.watchFaults ?? [],
    seen: [] as string[],
    logged: [] as string[],
    oddsServed: false,
  };
  const odds = { resources: [{ name: "odds", kind: "Odd", namespaced: true, verbs: [] }] };
  const discovered = withDiscovery((request, response) => {
    const { query } = request;
    if (query.get("watch")) {
      state.watches.push({ query, response });
      const fault = state.watchFaults.shift();
      if (fault) return fault(request, response);
      response.writeHead(200, { "content-type": "application/json" });
      return response.flushHeaders();
    }
    state.lists.push(query);
    const fault = state.listFaults.shift();
    if (fault) return fault(request, response);
    const namespace = /namespaces\/([^/]+)\//.exec(request.path)?.[1];
    const items = state.items.filter(({ metadata }) => namespace === undefined || metadata.namespace === namespace);
    sendJson(response, { kind: "ConfigMapList", metadata: { resourceVersion: String(state.version) }, items });
  });
  const api = await startScriptedApi((request, response) => {
    if (state.oddsServed && request.path === "/apis/example.com/v1") sendJson(response, odds);
    else discovered(request, response);
  });
  const kube = createKube(serverAt(api.url), { clock, limits: { attempts: 1 } });
  onTestFinished(async () => {
    abort.abort(new Error("test over"));
    await kube.close();
    await api.close();
  });
  const say = (_: object, message: string): void => void state.logged.push(message);
  const log: Logger = { ...silentLogger, warn: say, error: say, child: () => log };
  const { namespaces, everywhere = [] } = options;
  const informers = createInformers({ watch: kube, log, clock, namespaces, everywhere, signal: abort.signal, random: () => 0.5 });
  const informer = informers.of(options.of ?? kind);
  expect(informers.of({ ...informer.kind })).toBe(informer);
  informer.onChange(({ before, after, key }: Change) => state.seen.push(`${before && after ? "~" : after ? "+" : "-"}${key.replace("shop/", "")}`));
  return Object.assign(state, { clock, informer, names: () => informer.list().map(({ metadata }) => metadata.name).sort() });
}

/** Until the condition holds, the clock moving on: backoffs and timeouts pass. */
async function meanwhile(world: World, stepMs: number, condition: () => void): Promise<void> {
  await vi.waitFor(async () => {
    await world.clock.advance(stepMs);
    condition();
  }, { timeout: 10_000, interval: 5 });
}

const watching = (world: World, count: number) => vi.waitFor(() => expect(world.watches).toHaveLength(count));
const event = (type: string, object: object): string => `${JSON.stringify({ type, object })}\n`;
const gone = event("ERROR", { kind: "Status", code: 410, reason: "Expired", message: "too old" });

test("lists, watches with bookmarks from there, and keeps the cache and its handlers current", async () => {
  const world = await start();
  await watching(world, 1);
  expect(world.informer.synced).toBe(true);
  const { query, response } = world.watches[0]!;
  expect(query.toString()).toBe("watch=true&allowWatchBookmarks=true&resourceVersion=1&timeoutSeconds=450");
  response.write(event("ADDED", aMap("b", 2)) + event("MODIFIED", aMap("a", 3)) + event("DELETED", aMap("b", 4)));
  await vi.waitFor(() => expect(world.seen).toEqual(["+a", "+b", "~a", "-b"]));
  expect(world.informer.find("shop/a")?.metadata.resourceVersion).toBe("3");
  expect(world.names()).toEqual(["a"]);
});

test.each<[string, (response: ServerResponse) => void]>([
  ["a reset connection", (response) => response.socket?.resetAndDestroy()],
  ["a clean close", (response) => response.end()],
  ["a malformed line", (response) => response.write("this is no JSON\n")],
  ["a line that is no event", (response) => response.write('{"type":"ADDED"}\n')],
  ["half a line", (response) => response.end('{"type":"ADDED","object":{"metadata":{"na')],
])("resumes after %s from the last version it saw, without a new list", async (_, fault) => {
  const world = await start();
  await watching(world, 1);
  world.watches[0]!.response.write(event("ADDED", aMap("b", 5)) + event("BOOKMARK", { ...kind, metadata: { resourceVersion: "9" } }));
  await vi.waitFor(() => expect(world.names()).toEqual(["a", "b"]));
  fault(world.watches[0]!.response);
  await meanwhile(world, 500, () => expect(world.watches).toHaveLength(2));
  expect(world.watches[1]!.query.get("resourceVersion")).toBe("9");
  expect(world.lists).toHaveLength(1);
  world.watches[1]!.response.write(event("DELETED", aMap("a", 10)));
  await vi.waitFor(() => expect(world.seen).toEqual(["+a", "+b", "-a"]));
});

test.each<[string, WorldOptions]>([
  ["410 as an event", { watchFaults: [(_, response) => response.writeHead(200).end(gone)] }],
  ["410 as the answer", { watchFaults: [(_, response) => sendStatus(response, 410, "Expired")] }],
])("lists anew after %s, and tells what vanished meanwhile", async (_, options) => {
  const world = await start({ items: [aMap("a", 1), aMap("b", 1), aMap("c", 1)], ...options });
  await vi.waitFor(() => expect(world.names()).toEqual(["a", "b", "c"]));
  world.items = [aMap("a", 1), aMap("b", 6), aMap("d", 7)];
  world.version = 8;
  await meanwhile(world, 500, () => expect(world.watches).toHaveLength(2));
  expect(world.watches[1]!.query.get("resourceVersion")).toBe("8");
  expect(world.seen.slice(3).sort()).toEqual(["+d", "-c", "~b"]);
  expect(world.names()).toEqual(["a", "b", "d"]);
});

test.each<[string, WorldOptions]>([
  ["list answered with 500", { listFaults: [(_, response) => sendStatus(response, 500, "InternalError")] }],
  ["list answered with 429", { listFaults: [(_, response) => sendStatus(response, 429, "TooManyRequests")] }],
  ["list answered with HTML", { listFaults: [(_, response) => response.writeHead(200).end("<html>log in</html>")] }],
  ["list reset", { listFaults: [(_, response) => response.socket?.resetAndDestroy()] }],
  ["list forbidden for now", { listFaults: [(_, response) => sendStatus(response, 403, "Forbidden")] }],
  ["watch answered with 500", { watchFaults: [(_, response) => sendStatus(response, 500, "InternalError")] }],
  ["watch answered with 429", { watchFaults: [(_, response) => sendStatus(response, 429, "TooManyRequests")] }],
  ["watch answered with HTML", { watchFaults: [(_, response) => response.writeHead(200).end("<html>log in</html>")] }],
])("recovers from a %s", async (_, options) => {
  const faults = (options.watchFaults?.length ?? 0) + 1;
  const world = await start(options);
  await meanwhile(world, 500, () => expect(world.watches).toHaveLength(faults));
  await vi.waitFor(() => expect(world.names()).toEqual(["a"]));
});

test("a server that keeps failing is asked less and less often, and it is logged", async () => {
  const world = await start({
    listFaults: Array.from({ length: 100 }, (): Script => (_, response) => sendStatus(response, 500, "InternalError")),
  });
  await meanwhile(world, 5_000, () => expect(world.lists.length).toBeGreaterThan(8));
  expect(world.informer.synced).toBe(false);
  expect(world.logged).toContain("watch failed, trying again");
  await vi.waitFor(() => expect(world.clock.sleeping()[0]).toBeGreaterThan(15_000));
});

test("watches that the server closes at once are not reopened in a busy loop", async () => {
  const world = await start({ watchFaults: Array.from({ length: 50 }, (): Script => (_, response) => response.writeHead(200).end()) });
  await meanwhile(world, 100, () => expect(world.watches).toHaveLength(3));
  await vi.waitFor(() => expect(world.clock.sleeping()[0]).toBeGreaterThan(1_000));
});

test("nor while somebody sets the clock ahead again and again", async () => {
  const close: Script = (_, response) => response.writeHead(200).end();
  const setAndClose: Script = (request, response) => {
    world.clock.set(3_600_000);
    return close(request, response);
  };
  const world = await start({ watchFaults: [close, ...Array.from({ length: 50 }, () => setAndClose)] });
  await meanwhile(world, 100, () => expect(world.watches).toHaveLength(3));
  await vi.waitFor(() => expect(world.clock.sleeping()[0]).toBeGreaterThan(1_000));
});

test("a watch that outlives its timeout in silence is ended and resumed", async () => {
  const world = await start();
  await watching(world, 1);
  await world.clock.advance(479_000);
  expect(world.watches).toHaveLength(1);
  await meanwhile(world, 500, () => expect(world.watches).toHaveLength(2));
  expect(world.lists).toHaveLength(1);
});

test("events and characters split across chunks arrive whole", async () => {
  const world = await start();
  await watching(world, 1);
  const bytes = Buffer.from(event("ADDED", aMap("b", 2, { annotations: { note: "größer – 日本 🚀" } })));
  const { response } = world.watches[0]!;
  for (const byte of bytes) {
    response.write(Buffer.of(byte));
    await new Promise(setImmediate);
  }
  await vi.waitFor(() => expect(world.informer.find("shop/b")?.metadata.annotations?.["note"]).toBe("größer – 日本 🚀"));
});

test("a huge list comes in pages of 500", async () => {
  const all = Array.from({ length: 1_200 }, (_, index) => aMap(`m${index}`, 1));
  const piece: Script = ({ query }, response) => {
    const from = Number(query.get("continue") ?? 0);
    const to = from + Number(query.get("limit"));
    sendJson(response, {
      metadata: { resourceVersion: "1", ...(to < all.length ? { continue: String(to) } : {}) },
      items: all.slice(from, to),
    });
  };
  const world = await start({ listFaults: [piece, piece, piece] });
  await watching(world, 1);
  expect(world.names()).toHaveLength(1_200);
  expect(world.lists.map((query) => query.get("continue"))).toEqual([null, "500", "1000"]);
});

test("a list whose pages expire starts again and is not synced with half of it", async () => {
  const half: Script = (_, response) =>
    sendJson(response, { metadata: { resourceVersion: "1", continue: "next" }, items: [aMap("half", 1)] });
  const world = await start({ listFaults: [half, (_, response) => sendStatus(response, 410, "Expired")] });
  await meanwhile(world, 500, () => expect(world.watches).toHaveLength(1));
  expect(world.seen).toEqual(["+a"]);
});

test("an unknown kind is synced and empty, and found when it comes", async () => {
  const world = await start({ of: { apiVersion: "example.com/v1", kind: "Odd" } });
  await world.informer.whenSynced(AbortSignal.timeout(5_000));
  expect(world.informer.list()).toEqual([]);
  expect(world.logged).toEqual([]);
  world.oddsServed = true;
  await meanwhile(world, 500, () => expect(world.names()).toEqual(["a"]));
});

test("objects are given up when their kind is gone, but not on the server's first word", async () => {
  const unknown: Script = (_, response) => sendStatus(response, 404, "NotFound");
  const world = await start({ watchFaults: [unknown], listFaults: [] });
  await vi.waitFor(() => expect(world.names()).toEqual(["a"]));
  await meanwhile(world, 500, () => expect(world.watches).toHaveLength(2));
  expect(world.seen).toEqual(["+a"]);
  world.watchFaults.push(unknown);
  world.listFaults.push(unknown);
  world.watches[1]!.response.socket?.resetAndDestroy();
  await meanwhile(world, 500, () => expect(world.seen).toEqual(["+a", "-a"]));
});

test("of managedFields only our own and those of people are kept", async () => {
  const managedFields = [{ manager: "kubectl" }, { manager: "serin-sync" }, { manager: "kube-controller-manager" }];
  const world = await start({
    items: [aMap("a", 1, { managedFields }), aMap("b", 1, { managedFields: [{ manager: "kube-controller-manager" }] })],
  });
  await watching(world, 1);
  expect(world.informer.find("shop/a")?.metadata.managedFields).toEqual([{ manager: "kubectl" }, { manager: "serin-sync" }]);
  expect(world.informer.find("shop/b")?.metadata).not.toHaveProperty("managedFields");
});

test("indexes follow every change, and may be defined late", async () => {
  const world = await start({ items: [aMap("a", 1, { labels: { app: "x" } }), aMap("b", 1, { labels: { app: "y" } })] });
  await watching(world, 1);
  world.informer.addIndex("app", ({ metadata }) => [metadata.labels?.["app"] ?? "none"]);
  const named = (app: string): string[] => world.informer.byIndex("app", app).map(({ metadata }) => metadata.name).sort();
  expect([named("x"), named("y")]).toEqual([["a"], ["b"]]);
  world.watches[0]!.response.write(
    event("MODIFIED", aMap("a", 2, { labels: { app: "y" } })) + event("DELETED", aMap("b", 3)) + event("ADDED", aMap("c", 4)),
  );
  await vi.waitFor(() => expect([named("x"), named("y"), named("none")]).toEqual([[], ["a"], ["c"]]));
  expect(() => world.informer.addIndex("app", () => [])).toThrow("defined twice");
  expect(() => world.informer.byIndex("nope", "x")).toThrow("no index nope");
});

test("a handler that throws is logged, and the others still hear", async () => {
  const world = await start();
  await watching(world, 1);
  const heard: string[] = [];
  world.informer.onChange(() => {
    throw new Error("bug");
  });
  const stop = world.informer.onChange(({ key }) => heard.push(key));
  world.watches[0]!.response.write(event("ADDED", aMap("b", 2)));
  await vi.waitFor(() => expect(heard).toEqual(["shop/a", "shop/b"]));
  expect(world.logged).toEqual(["change handler failed", "change handler failed"]);
  stop();
  world.watches[0]!.response.write(event("ADDED", aMap("c", 3)));
  await vi.waitFor(() => expect(world.names()).toEqual(["a", "b", "c"]));
  expect(heard).toEqual(["shop/a", "shop/b"]);
});

test("with a list of namespaces it watches each, and is synced when all are", async () => {
  const items = ["shop", "web", "other"].map((namespace) => aMap("a", 1, { namespace }));
  const world = await start({
    namespaces: ["shop", "web"],
    everywhere: [{ ...kind, kind: "Secret" }, { ...kind, apiVersion: "example.com/v1" }],
    items,
    listFaults: [(_, response) => sendStatus(response, 500, "InternalError")],
  });
  await watching(world, 1);
  expect(world.informer.synced).toBe(false);
  await meanwhile(world, 500, () => expect(world.watches).toHaveLength(2));
  expect(world.informer.synced).toBe(true);
  expect(world.informer.list().map(({ metadata }) => metadata.namespace)).toEqual(expect.arrayContaining(["shop", "web"]));
});

test("with a list of namespaces some kinds are watched everywhere all the same", async () => {
  const items = ["shop", "gateway"].map((namespace) => aMap("a", 1, { namespace }));
  const world = await start({ namespaces: ["shop", "web"], everywhere: [kind], items });
  await watching(world, 1);
  expect(world.informer.synced).toBe(true);
  expect(world.informer.list().map(({ metadata }) => metadata.namespace)).toEqual(["shop", "gateway"]);
});
