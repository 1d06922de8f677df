import { expect, onTestFinished, test, vi } from "vitest";
import { manualClock } from "../../test/fakes/manual-clock.ts";
import { type Script, type ScriptedApi, sendJson, sendStatus, startScriptedApi, withDiscovery } from "../../test/fakes/scripted-api.ts";
import { createKube, type KubeClient, type KubeOptions } from "./client.ts";
import { KubeError } from "./kube.ts";
import { serverAt } from "./kubeconfig.ts";

const signal = new AbortController().signal;
const ref = { apiVersion: "v1", kind: "ConfigMap", namespace: "shop", name: "a" };
const map = { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: "shop", name: "a" }, data: { size: "1" } };
const options = { fieldManager: "serin-test" };

/** A clock on which every pause is over at once, and which remembers them. */
function impatientClock() {
  const slept: number[] = [];
  const sleep = async (durationMs: number): Promise<void> => void slept.push(durationMs);
  return { slept, nowMs: () => Date.now(), elapsedMs: () => performance.now(), sleep };
}

async function serve(script: Script, more: KubeOptions = {}): Promise<{ kube: KubeClient; api: ScriptedApi }> {
  const api = await startScriptedApi(withDiscovery(script));
  const kube = createKube(serverAt(api.url), { clock: impatientClock(), ...more });
  onTestFinished(async () => {
    await kube.close();
    await api.close();
  });
  return { kube, api };
}

/** Plays the answers one after another, the last for ever. Discovery is not counted. */
function inTurn(...scripts: Script[]): { script: Script; count: () => number } {
  let turn = 0;
  return { count: () => turn, script: (request, response) => scripts[Math.min(turn++, scripts.length - 1)]!(request, response) };
}

const good: Script = (_, response) => sendJson(response, map);
const reset: Script = (_, response) => response.socket?.resetAndDestroy();
const status =
  (code: number, reason: string, headers: Record<string, string> = {}): Script =>
  (_, response) =>
    sendStatus(response, code, reason, { headers });

async function errorOf(promise: Promise<unknown>): Promise<KubeError> {
  const error = await promise.then(() => undefined, (thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(KubeError);
  return error as KubeError;
}

test.each<[string, Script]>([
  ["HTTP 500", status(500, "InternalError")],
  ["HTTP 503", status(503, "ServiceUnavailable")],
  ["HTTP 429", status(429, "TooManyRequests", { "retry-after": "1" })],
  ["a reset connection", reset],
  ["a clean close without an answer", (_, response) => response.socket?.end()],
  ["an answer that breaks off", (_, response) => {
    response.writeHead(200, { "content-length": "1000" });
    response.write("{", () => response.socket?.resetAndDestroy());
  }],
])("a read is sent again after %s", async (_, fault) => {
  const turns = inTurn(fault, good);
  const { kube } = await serve(turns.script);
  expect(await kube.get(ref, signal)).toEqual(map);
  expect(turns.count()).toBe(2);
});

test.each<[string, Script, number]>([
  ["not after a reset connection, as it may have arrived", reset, 1],
  ["not after HTTP 500, as it may have been done", status(500, "InternalError"), 1],
  ["but after HTTP 429, which refuses before anything is done", status(429, "TooManyRequests"), 2],
])("a create is sent again: %s", async (_, fault, times) => {
  const turns = inTurn(fault, good);
  const { kube } = await serve(turns.script);
  await kube.create(map, options, signal).catch(() => {});
  expect(turns.count()).toBe(times);
});

test("Retry-After is honoured, in the header and in the Status", async () => {
  const clock = impatientClock();
  const inStatus: Script = (_, response) => sendStatus(response, 503, "ServiceUnavailable", { details: { retryAfterSeconds: 3 } });
  const { kube } = await serve(inTurn(status(429, "TooManyRequests", { "retry-after": "7" }), inStatus, good).script, { clock });
  await kube.get(ref, signal);
  expect(clock.slept).toEqual([7_000, 3_000]);
});

test("a server that never recovers is given up on, with its own words", async () => {
  const turns = inTurn((_, response) => sendStatus(response, 503, "ServiceUnavailable", { message: "etcd is away" }));
  const { kube } = await serve(turns.script);
  const error = await errorOf(kube.get(ref, signal));
  expect([error.code, error.reason, error.message]).toEqual([503, "ServiceUnavailable", "etcd is away"]);
  expect(turns.count()).toBe(5);
});

test("no server at all is KubeError 0 Unreachable", async () => {
  const kube = createKube(serverAt("http://127.0.0.1:1"), { clock: impatientClock() });
  const error = await errorOf(kube.get(ref, signal));
  expect([error.code, error.reason]).toEqual([0, "Unreachable"]);
  expect((error.cause as { code?: string }).code).toBe("ECONNREFUSED");
  await kube.close();
});

test("a server that accepts and never answers is given up on after the time limit", async () => {
  const { kube } = await serve(() => {}, { limits: { timeoutMs: 50, attempts: 2 } });
  const error = await errorOf(kube.get(ref, signal));
  expect(error.reason).toBe("Unreachable");
  expect((error.cause as Error).message).toBe("no answer within 50 ms");
});

test("an abort ends a waiting call at once, with the signal's reason", async () => {
  const abort = new AbortController();
  const { kube, api } = await serve(() => {});
  const call = kube.get(ref, abort.signal).then(() => undefined, (error: unknown) => error);
  await vi.waitFor(() => expect(api.requests.some(({ path }) => path.endsWith("/configmaps/a"))).toBe(true));
  const reason = new Error("enough");
  abort.abort(reason);
  expect(await call).toBe(reason);
});

test.each<[string, string, string]>([
  ["an HTML page", "<!DOCTYPE html><title>Log in</title>", "an HTML page"],
  ["half an answer", '{"kind":"Conf', '"{"kind":"Conf"'],
  ["nothing", "", "nothing"],
])("%s instead of JSON is named", async (_, text, named) => {
  const { kube } = await serve((__, response) => response.writeHead(200, { "content-type": "text/html" }).end(text));
  const error = await errorOf(kube.get(ref, signal));
  expect(error.reason).toBe("NotKubernetes");
  expect(error.message).toContain(`HTTP 200 with ${named} instead of JSON`);
});

test("a refusal carries code, reason, message and causes of the Status", async () => {
  const causes = [{ reason: "FieldValueInvalid", message: "must be positive", field: "spec.replicas" }];
  const { kube } = await serve((_, response) => sendStatus(response, 422, "Invalid", { message: "it is invalid", details: { causes } }));
  const error = await errorOf(kube.apply(map, options, signal));
  expect(error).toMatchObject({ code: 422, reason: "Invalid", message: "it is invalid", causes });
});

test("an answer larger than the limit is refused", async () => {
  const { kube } = await serve((_, response) => sendJson(response, { ...map, data: { size: "x".repeat(5_000) } }), {
    limits: { maxAnswerBytes: 1_000 },
  });
  expect((await errorOf(kube.get(ref, signal))).reason).toBe("ResponseTooLarge");
});

test("a missing object and a missing kind are undefined to find and NotFound to get", async () => {
  const { kube } = await serve(status(404, "NotFound"));
  const odd = { ...ref, apiVersion: "example.com/v1", kind: "Odd" };
  expect(await kube.find(ref, signal)).toBeUndefined();
  expect(await kube.find(odd, signal)).toBeUndefined();
  expect((await errorOf(kube.get(ref, signal))).reason).toBe("NotFound");
  expect((await errorOf(kube.get(odd, signal))).message).toContain("does not know the kind Odd of example.com/v1");
});

test.each<[string, (kube: KubeClient) => Promise<unknown>, object]>([
  ["apply", (kube) => kube.apply(map, options, signal),
    { method: "PATCH", path: "/api/v1/namespaces/shop/configmaps/a", query: "fieldManager=serin-test&force=true&fieldValidation=Strict", type: "application/apply-patch+yaml" }],
  ["apply as a dry run without force", (kube) => kube.apply(map, { ...options, dryRun: true, force: false, strict: false }, signal),
    { method: "PATCH", path: "/api/v1/namespaces/shop/configmaps/a", query: "fieldManager=serin-test&dryRun=All&force=false", type: "application/apply-patch+yaml" }],
  ["patch of a subresource", (kube) => kube.patch(ref, { status: {} }, { ...options, subresource: "status" }, signal),
    { method: "PATCH", path: "/api/v1/namespaces/shop/configmaps/a/status", query: "fieldManager=serin-test", type: "application/merge-patch+json" }],
  ["replace", (kube) => kube.replace(map, options, signal),
    { method: "PUT", path: "/api/v1/namespaces/shop/configmaps/a", query: "fieldManager=serin-test", type: "application/json" }],
  ["create", (kube) => kube.create(map, options, signal),
    { method: "POST", path: "/api/v1/namespaces/shop/configmaps", query: "fieldManager=serin-test", type: "application/json" }],
  ["delete", (kube) => kube.delete(ref, { uid: "u1" }, signal),
    { method: "DELETE", path: "/api/v1/namespaces/shop/configmaps/a", query: "", type: "application/json" }],
])("%s is sent as the API wants it", async (_, call, want) => {
  const { kube, api } = await serve(good);
  await call(kube);
  const sent = api.requests.at(-1)!;
  expect({ method: sent.method, path: sent.path, query: sent.query.toString(), type: sent.headers["content-type"] }).toEqual(want);
});

test("impersonation is a header of that one request", async () => {
  const { kube, api } = await serve(good);
  await kube.apply(map, { ...options, impersonate: "system:serviceaccount:shop:deployer" }, signal);
  await kube.apply(map, options, signal);
  expect(api.requests.slice(-2).map(({ headers }) => headers["impersonate-user"])).toEqual([
    "system:serviceaccount:shop:deployer",
    undefined,
  ]);
});

test("a delete of what is gone, or of an older object of the same name, is no error", async () => {
  const gone = await serve(status(404, "NotFound"));
  await gone.kube.delete(ref, {}, signal);
  const another: Script = ({ method }, response) => {
    if (method === "DELETE") sendStatus(response, 409, "Conflict");
    else sendJson(response, { ...map, metadata: { ...map.metadata, uid: "u2" } });
  };
  const { kube } = await serve(another);
  await kube.delete(ref, { uid: "u1" }, signal);
  expect((await errorOf(kube.delete(ref, { uid: "u2", resourceVersion: "1" }, signal))).reason).toBe("Conflict");
});

test("no request ends the connection it was sent on", async () => {
  const sockets = new Set<unknown>();
  const { kube } = await serve((_, response) => {
    sockets.add(response.socket);
    sendJson(response, map);
  });
  for (const _ of Array.from({ length: 5 })) {
    await kube.apply(map, options, signal);
    await kube.patch(ref, {}, options, signal);
    await kube.find(ref, signal);
    await kube.delete(ref, {}, signal);
  }
  // Discovery asks two questions at once.
  expect(sockets.size).toBeLessThanOrEqual(2);
});

test("a namespaced object without a namespace is refused before it is sent", async () => {
  const { kube } = await serve(good);
  expect((await errorOf(kube.apply({ ...map, metadata: { name: "a" } }, options, signal))).message).toContain(
    "metadata.namespace is missing",
  );
});

test("no write is sent while another may lead, but reads and dry runs are", async () => {
  const { kube, api } = await serve(good, { canWrite: () => false });
  expect((await errorOf(kube.apply(map, options, signal))).reason).toBe("NotLeader");
  expect((await errorOf(kube.create(map, options, signal))).reason).toBe("NotLeader");
  expect((await errorOf(kube.delete(ref, {}, signal))).reason).toBe("NotLeader");
  await kube.apply(map, { ...options, dryRun: true }, signal);
  await kube.get(ref, signal);
  expect(api.requests.filter(({ method }) => method !== "GET").map(({ query }) => query.get("dryRun"))).toEqual(["All"]);
});

test("a write is not sent again once leading has ended in between", async () => {
  let leads = true;
  const turns = inTurn((_, response) => {
    leads = false;
    sendStatus(response, 503, "ServiceUnavailable");
  });
  const { kube } = await serve(turns.script, { canWrite: () => leads });
  expect((await errorOf(kube.apply(map, options, signal))).reason).toBe("NotLeader");
  expect(turns.count()).toBe(1);
});

test("credentials are asked for with each request, and read anew once after 401", async () => {
  let token = "old";
  const api = await startScriptedApi(
    withDiscovery(({ headers }, response) => {
      if (headers.authorization === "Bearer new") sendJson(response, map);
      else sendStatus(response, 401, "Unauthorized");
    }),
  );
  const connection = {
    ...serverAt(api.url),
    credentials: async () => ({ headers: { authorization: `Bearer ${token}` }, tls: {} }),
    refresh: () => void (token = "new"),
  };
  const kube = createKube(connection, { clock: impatientClock() });
  expect(await kube.get(ref, signal)).toEqual(map);
  token = "wrong";
  connection.refresh = () => {};
  expect((await errorOf(kube.get(ref, signal))).code).toBe(401);
  await kube.close();
  await api.close();
});

const page = (names: string[], more: object = {}): object => ({
  kind: "ConfigMapList",
  metadata: { resourceVersion: "7", ...more },
  items: names.map((name) => ({ metadata: { namespace: "shop", name } })),
});

test("a list is read in pages, and its items get the kind that the server leaves out", async () => {
  const { kube, api } = await serve(({ query }, response) =>
    sendJson(response, query.get("continue") === "next" ? page(["c"]) : page(["a", "b"], { continue: "next" })));
  const items = await kube.list(ref, { namespace: "shop", labelSelector: "x=y" }, signal);
  expect(items.map(({ apiVersion, kind, metadata: { name } }) => [apiVersion, kind, name])).toEqual([
    ["v1", "ConfigMap", "a"],
    ["v1", "ConfigMap", "b"],
    ["v1", "ConfigMap", "c"],
  ]);
  expect(api.requests.slice(-2).map(({ query }) => query.toString())).toEqual([
    "labelSelector=x%3Dy&limit=500",
    "labelSelector=x%3Dy&limit=500&continue=next",
  ]);
});

test("a list whose pages expire half-way starts again", async () => {
  const turns = inTurn(
    (_, response) => sendJson(response, page(["a"], { continue: "old" })),
    status(410, "Expired"),
    (_, response) => sendJson(response, page(["b"], { continue: "new" })),
    (_, response) => sendJson(response, page(["c"])),
  );
  const { kube } = await serve(turns.script);
  expect((await kube.list(ref, {}, signal)).map(({ metadata }) => metadata.name)).toEqual(["b", "c"]);
});

test("a page that is too large is asked for in smaller pieces", async () => {
  const { kube, api } = await serve(
    ({ query }, response) => sendJson(response, page([Number(query.get("limit")) > 50 ? "x".repeat(2_000) : "small"])),
    { limits: { maxAnswerBytes: 1_000 } },
  );
  expect((await kube.list(ref, {}, signal)).map(({ metadata }) => metadata.name)).toEqual(["small"]);
  expect(api.requests.slice(-2).map(({ query }) => query.get("limit"))).toEqual(["500", "50"]);
});

test("raw reads what is no object", async () => {
  const { kube } = await serve((_, response) => sendJson(response, { gitVersion: "v1.36.3" }));
  expect(await kube.raw("/version", signal)).toEqual({ gitVersion: "v1.36.3" });
});

const aggregated = (group: string | undefined, version: string, kind: string): object => ({
  kind: "APIGroupDiscoveryList",
  items: [
    {
      metadata: group ? { name: group } : {},
      versions: [
        { version, resources: [{ resource: `${kind.toLowerCase()}s`, responseKind: { kind }, scope: "Namespaced", verbs: ["get"] }] },
      ],
    },
  ],
});

test("discovery asks once for everything, and again for a kind that is missing, at most once a second", async () => {
  const clock = manualClock();
  let installed = false;
  const api = await startScriptedApi(({ path }, response) => {
    if (path === "/api") return sendJson(response, aggregated(undefined, "v1", "Pod"));
    if (path === "/apis") return sendJson(response, aggregated("apps", "v1", "Deployment"));
    if (!installed) return sendStatus(response, 404, "NotFound");
    sendJson(response, { kind: "APIResourceList", resources: [{ name: "syncs", kind: "Sync", namespaced: true, verbs: [] }] });
  });
  const kube = createKube(serverAt(api.url), { clock });
  const sync = { apiVersion: "serin.dev/v1beta1", kind: "Sync" };
  const asked = (): number => api.requests.filter(({ path }) => path === "/apis/serin.dev/v1beta1").length;
  expect(await kube.resource({ apiVersion: "apps/v1", kind: "Deployment" }, signal)).toMatchObject({
    plural: "deployments",
    namespaced: true,
  });
  expect(await kube.resource({ apiVersion: "v1", kind: "Pod" }, signal)).toMatchObject({ plural: "pods" });
  expect(api.requests).toHaveLength(2);
  expect(await kube.resource(sync, signal)).toBeUndefined();
  expect(await kube.resource(sync, signal)).toBeUndefined();
  expect(asked()).toBe(1);
  installed = true;
  // A clock that is set back hides a new kind from nobody.
  clock.set(-3_600_000);
  clock.jump(1_000);
  expect(await kube.resource(sync, signal)).toMatchObject({ plural: "syncs" });
  expect(asked()).toBe(2);
  await kube.close();
  await api.close();
});

test("a kind that was removed and came back elsewhere is found again", async () => {
  let plural = "widgets";
  const kind = { apiVersion: "example.com/v1", kind: "Widget" };
  const api = await startScriptedApi(({ path }, response) => {
    if (path === "/api" || path === "/apis") return sendJson(response, {});
    if (path === "/apis/example.com/v1")
      return sendJson(response, { resources: [{ name: plural, kind: "Widget", namespaced: false, verbs: [] }] });
    if (path === `/apis/example.com/v1/${plural}`) return sendJson(response, page([]));
    response.writeHead(404, { "content-type": "text/plain" }).end("404 page not found");
  });
  const kube = createKube(serverAt(api.url));
  expect(await kube.list(kind, {}, signal)).toEqual([]);
  plural = "gadgets";
  expect((await errorOf(kube.list(kind, {}, signal))).code).toBe(404);
  expect(await kube.list(kind, {}, signal)).toEqual([]);
  await kube.close();
  await api.close();
});

test("an observer hears of every request that is sent, again when it is sent again, with its verb and answer", async () => {
  const heard: string[] = [];
  const turns = inTurn(reset, status(503, "ServiceUnavailable"), good);
  const { kube } = await serve(turns.script, { observer: ({ verb, code }) => heard.push(`${verb} ${code}`) });
  await kube.get(ref, signal);
  expect(heard.slice(-3)).toEqual(["get 0", "get 503", "get 200"]);
  heard.length = 0;
  await kube.apply(map, options, signal);
  await kube.patch(ref, {}, options, signal);
  await kube.create(map, options, signal);
  await kube.replace(map, options, signal);
  await kube.delete(ref, {}, signal);
  await kube.listPage(map, { limit: 5 }, signal).catch(() => {});
  for await (const _ of kube.watch(map, { resourceVersion: "1", timeoutSeconds: 1 }, signal)) break;
  expect(heard).toEqual(["apply 200", "patch 200", "create 200", "update 200", "delete 200", "list 200", "watch 200"]);
});

test("what has no name is not asked for: it would be all of its kind", async () => {
  const turns = inTurn(good);
  const { kube } = await serve(turns.script);
  const nameless = { ...ref, name: "" };
  for (const call of [
    () => kube.find(nameless, signal),
    () => kube.delete(nameless, {}, signal),
    () => kube.patch(nameless, { data: {} }, options, signal),
    () => kube.apply({ ...map, metadata: { ...map.metadata, name: "" } }, options, signal),
  ])
    expect(await errorOf(call())).toMatchObject({ code: 422, reason: "Invalid", message: "ConfigMap: metadata.name is empty" });
  expect(turns.count()).toBe(0);
});
