import { createHmac } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { Readable } from "node:stream";
import { Registry } from "prom-client";
import { request } from "undici";
import { afterEach, expect, test } from "vitest";
import { silentLogger } from "../lib/log.ts";
import { type HookOptions, hookReceiver, type HookTarget } from "./hooks.ts";
import { type RunningServer, startServer } from "./server.ts";

const token = "s3cret";
const body = '{"ref":"refs/heads/main"}';
const hmac = (text: string | Buffer, key = token) => createHmac("sha256", key).update(text).digest("hex");

let running: RunningServer | undefined;
afterEach(async () => {
  await running?.close();
  running = undefined;
});

interface Setup {
  readonly target?: HookTarget | "busy" | undefined;
  readonly request?: HookOptions["request"];
  readonly notReady?: string;
  readonly unhealthy?: string;
}

async function start(setup: Setup = {}) {
  const asked: string[] = [];
  const found: string[] = [];
  const target = "target" in setup ? setup.target : { token, suspended: false };
  const registry = new Registry();
  const hooks = hookReceiver({
    find: async (namespace, name) => {
      found.push(`${namespace}/${name}`);
      return `${namespace}/${name}` === "shop/fleet" ? target : undefined;
    },
    request: setup.request ?? (async (namespace, name, at) => void asked.push(`${namespace}/${name} ${at}`)),
    nowMs: () => Date.UTC(2026, 0, 2, 3, 4, 5),
    log: silentLogger,
    registry,
  });
  const health = { unhealthy: () => setup.unhealthy, notReady: () => setup.notReady };
  running = await startServer({ port: 0, host: "127.0.0.1", hooks, health, registry, log: silentLogger });
  return { asked, found, url: `http://127.0.0.1:${running.port}` };
}

type Sent = { headers: Record<string, string>; body?: string | Buffer; path?: string; method?: "POST" | "GET" | "PUT" };

async function send(url: string, { headers, body: text = body, path = "/hooks/shop/fleet", method = "POST" }: Sent) {
  const reply = await request(`${url}${path}`, { method, headers, ...(method === "GET" ? {} : { body: text }) });
  return { status: reply.statusCode, text: await reply.body.text(), headers: reply.headers };
}

const signed = hmac(body);
const github = (event: string) => ({ "x-github-event": event, "x-hub-signature-256": `sha256=${signed}` });
const gitea = { "x-gitea-event": "push", "x-gitea-signature": signed, "x-github-event": "push", "x-hub-signature-256": `sha256=${signed}` };

test.each<[string, Sent, number, boolean]>([
  ["a push from GitHub asks for a fetch", { headers: github("push") }, 200, true],
  ["a deleted branch on GitHub asks for a fetch", { headers: github("delete") }, 200, true],
  ["GitHub's ping is answered and asks for nothing", { headers: github("ping") }, 200, false],
  ["a comment on GitHub asks for nothing", { headers: github("issue_comment") }, 200, false],
  ["a push from Gitea asks for a fetch, though it wears GitHub's headers too", { headers: gitea }, 200, true],
  ["Gitea's signature counts for Gitea, not GitHub's", { headers: { ...gitea, "x-gitea-signature": hmac(body, "other") } }, 400, false],
  ["a push from GitLab asks for a fetch", { headers: { "x-gitlab-event": "Push Hook", "x-gitlab-token": token } }, 200, true],
  ["a tag from GitLab asks for a fetch", { headers: { "x-gitlab-event": "Tag Push Hook", "x-gitlab-token": token } }, 200, true],
  ["a note from GitLab asks for nothing", { headers: { "x-gitlab-event": "Note Hook", "x-gitlab-token": token } }, 200, false],
  ["GitLab's wrong token is refused", { headers: { "x-gitlab-event": "Push Hook", "x-gitlab-token": "s3cre" } }, 400, false],
  ["a generic HMAC asks for a fetch", { headers: { "x-signature": `sha256=${signed}` } }, 200, true],
  ["upper-case hex is the same signature", { headers: { "x-signature": `sha256=${signed.toUpperCase()}` } }, 200, true],
  ["a generic HMAC without its algorithm is refused", { headers: { "x-signature": signed } }, 400, false],
  ["a signature of another body is refused", { headers: { "x-signature": `sha256=${hmac("other")}` } }, 400, false],
  ["a signature with another key is refused", { headers: { "x-signature": `sha256=${hmac(body, "other")}` } }, 400, false],
  ["an empty signature is refused", { headers: { "x-signature": "sha256=" } }, 400, false],
  ["SHA-1 alone is not enough", { headers: { "x-github-event": "push", "x-hub-signature": "sha1=abc" } }, 400, false],
  ["no signature is refused", { headers: {} }, 400, false],
  ["an unknown repository is not found", { headers: gitea, path: "/hooks/shop/other" }, 404, false],
  ["a path that names nothing is not found", { headers: gitea, path: "/hooks/shop" }, 404, false],
  ["a path with more is not found", { headers: gitea, path: "/hooks/shop/fleet/more" }, 404, false],
  ["a query is allowed", { headers: gitea, path: "/hooks/shop/fleet?from=gitea" }, 200, true],
  ["GET is not allowed", { headers: gitea, method: "GET" }, 405, false],
  ["PUT is not allowed", { headers: gitea, method: "PUT" }, 405, false],
])("%s", async (_, sent, status, asks) => {
  const { url, asked } = await start();
  expect(await send(url, sent)).toMatchObject({ status });
  expect(asked).toEqual(asks ? ["shop/fleet 2026-01-02T03:04:05.000Z"] : []);
});

test("what claims no signature is refused before anything is looked up", async () => {
  const { url, found } = await start();
  const reply = await send(url, { headers: { "x-github-event": "push" } });
  expect(reply).toMatchObject({ status: 400, text: expect.stringMatching(/no signature/) });
  expect(found).toEqual([]);
});

test.each<[string, HookTarget | "busy" | undefined, number, RegExp]>([
  ["a repository without a webhook is not found", undefined, 404, /spec\.webhook/],
  ["a suspended repository is not available", { token, suspended: true }, 503, /suspended/],
  ["too many at once are to be sent again", "busy", 503, /send it again/],
  ["an empty token opens nothing to those who sign with it", { token: "", suspended: false }, 503, /has no token/],
])("%s", async (_, target, status, text) => {
  const { url, asked } = await start({ target });
  const reply = await send(url, { headers: { "x-signature": `sha256=${createHmac("sha256", "").update(body).digest("hex")}` } });
  expect(reply).toMatchObject({ status, text: expect.stringMatching(text) });
  expect(asked).toEqual([]);
});

test("a body of 3 MiB is taken, a longer one is refused, with and without its length said", async () => {
  const { url, asked } = await start();
  const largest = Buffer.alloc(3 * 1024 * 1024, "x");
  expect(await send(url, { headers: { "x-signature": `sha256=${hmac(largest)}` }, body: largest })).toMatchObject({ status: 200 });
  const tooLong = Buffer.alloc(largest.length + 1, "x");
  const headers = { "x-signature": `sha256=${hmac(tooLong)}` };
  expect(await send(url, { headers, body: tooLong })).toMatchObject({ status: 413 });
  const chunked = await request(`${url}/hooks/shop/fleet`, { method: "POST", headers, body: Readable.from([tooLong]) });
  expect(chunked.statusCode).toBe(413);
  await chunked.body.dump();
  expect(asked).toHaveLength(1);
});

test("a dead API server is answered with 500, without its words", async () => {
  const { url } = await start({ request: async () => { throw new Error("10.0.0.1 refused"); } });
  const reply = await send(url, { headers: gitea });
  expect(reply).toMatchObject({ status: 500, text: expect.not.stringContaining("10.0.0.1") });
});

test("requests are counted by sender and answer", async () => {
  const { url } = await start();
  await send(url, { headers: gitea });
  await send(url, { headers: {} });
  const metrics = await send(url, { headers: {}, path: "/metrics", method: "GET" });
  expect(metrics.headers["content-type"]).toMatch(/^text\/plain; version=0\.0\.4/);
  expect(metrics.text).toContain('serin_hooks_requests_total{provider="gitea",status="200"} 1');
  expect(metrics.text).toContain('serin_hooks_requests_total{provider="unknown",status="400"} 1');
});

test.each<[string, Setup, string, { status: number; text: string }]>([
  ["a running process is healthy", {}, "/healthz", { status: 200, text: "ok\n" }],
  ["a process that is not ready is healthy all the same", { notReady: "not synced" }, "/healthz", { status: 200, text: "ok\n" }],
  ["a process that should be started anew says why", { unhealthy: "the controllers have ended" }, "/healthz", { status: 503, text: "the controllers have ended\n" }],
  ["a ready process says so", {}, "/readyz", { status: 200, text: "ok\n" }],
  ["a process that is not ready says why", { notReady: "informers are not synced" }, "/readyz", { status: 503, text: "informers are not synced\n" }],
  ["anything else is not found", {}, "/", { status: 404, text: "not found\n" }],
])("%s", async (_, setup, path, answer) => {
  const { url } = await start(setup);
  expect(await send(url, { headers: {}, path, method: "GET" })).toMatchObject(answer);
});

test("a client that breaks off harms nobody", async () => {
  const { url, asked } = await start();
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  await once(socket, "connect");
  socket.write(`POST /hooks/shop/fleet HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nX-Signature: sha256=${signed}\r\n\r\n{`);
  socket.destroy();
  expect(await send(url, { headers: gitea })).toMatchObject({ status: 200 });
  expect(asked).toHaveLength(1);
});

test("a taken port is an error, and closing twice is none", async () => {
  await start();
  const port = running!.port;
  const registry = new Registry();
  const hooks = async () => ({ status: 200, text: "" });
  const health = { unhealthy: () => undefined, notReady: () => undefined };
  const options = { port, host: "127.0.0.1", hooks, health, registry, log: silentLogger };
  await expect(startServer(options)).rejects.toThrow(/EADDRINUSE/);
  await running!.close();
  await running!.close();
});
