import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer, request as httpRequest } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { expect, onTestFinished, test, vi } from "vitest";
import { type Authority, certificateAuthority } from "../../test/fakes/certificates.ts";
import { sendJson, startScriptedApi } from "../../test/fakes/scripted-api.ts";
import { messageOf } from "../lib/errors.ts";
import { createKube } from "./client.ts";
import { KubeError } from "./kube.ts";
import { loadKubeConfig, serverAt } from "./kubeconfig.ts";

const signal = new AbortController().signal;

/** A kubeconfig file of one context; JSON is YAML. */
function file({
  cluster = {},
  user = {},
  context = {},
  current = "here",
  name = "c",
}: Record<string, object | string> & { name?: string }): string {
  const dir = mkdtempSync(join(tmpdir(), "kubeconfig-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const path = join(dir, "config");
  writeFileSync(path, JSON.stringify({
    apiVersion: "v1", kind: "Config", "current-context": current,
    clusters: [{ name, cluster: { server: "https://10.0.0.1:6443/", ...(cluster as object) } }],
    users: [{ name: `${name}-user`, user }],
    contexts: [{ name: current === "" ? "here" : current, context: { cluster: name, user: `${name}-user`, ...(context as object) } }],
  }));
  return path;
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");

test.each<[string, object, object]>([
  ["a token", { token: "secret" }, { headers: { Authorization: "Bearer secret" }, tls: {} }],
  ["a password", { username: "me", password: "p:w" }, { headers: { Authorization: `Basic ${base64("me:p:w")}` }, tls: {} }],
  ["a client certificate", { "client-certificate-data": base64("C"), "client-key-data": base64("K") }, { headers: {}, tls: { cert: Buffer.from("C"), key: Buffer.from("K") } }],
  ["nothing at all", {}, { headers: {}, tls: {} }],
])("logs in with %s", async (_, user, want) => {
  const connection = await loadKubeConfig({ path: file({ user }) });
  expect(connection).toMatchObject({ server: "https://10.0.0.1:6443", namespace: "default" });
  expect(await connection.credentials()).toEqual(want);
});

test("takes the CA, the server's name, the namespace and a chosen context", async () => {
  const cluster = { "certificate-authority-data": base64("CA"), "tls-server-name": "api.example.com", "insecure-skip-tls-verify": true };
  const connection = await loadKubeConfig({ path: file({ cluster, context: { namespace: "shop" }, current: "there" }), context: "there" });
  expect(connection.namespace).toBe("shop");
  expect((await connection.credentials()).tls).toEqual({ ca: Buffer.from("CA"), servername: "api.example.com", rejectUnauthorized: false });
});

test("where nothing says which API server is meant, none is guessed", async () => {
  onTestFinished(() => void vi.unstubAllEnvs());
  for (const variable of ["KUBECONFIG", "HOMEDRIVE", "HOMEPATH", "USERPROFILE"]) vi.stubEnv(variable, undefined);
  vi.stubEnv("HOME", "/nonexistent");
  await expect(loadKubeConfig({})).rejects.toThrow(/^there is no kubeconfig: --kubeconfig and KUBECONFIG name none, .*; name one$/);
});

test("several files are one, and the first names the current context", async () => {
  const path = [file({ current: "one", name: "c1" }), file({ current: "two", name: "c2", cluster: { server: "https://two:6443" } })].join(
    ":",
  );
  expect((await loadKubeConfig({ path })).server).toBe("https://10.0.0.1:6443");
  expect((await loadKubeConfig({ path, context: "two" })).server).toBe("https://two:6443");
});

test.each<[string, () => { path: string; context?: string }, string]>([
  ["a missing file", () => ({ path: "/nowhere/config" }), "there is no kubeconfig /nowhere/config; correct --kubeconfig or KUBECONFIG"],
  ["no current context", () => ({ path: file({ current: "" }) }), "has no current context"],
  ["an unknown context", () => ({ path: file({}), context: "prod" }), 'has no context "prod"'],
  ["a context without its cluster", () => ({ path: file({ context: { cluster: "gone" } }) }), 'names the cluster "gone", which is not there'],
  ["a proxy that cannot be used", () => ({ path: file({ cluster: { "proxy-url": "socks5://me:secret@proxy:1080" } }) }), "socks5://… is not supported"],
])("%s is said by name", async (_, source, message) => {
  const error = await loadKubeConfig(source()).then(() => undefined, (thrown: Error) => thrown);
  expect(error?.message).toContain(message);
  expect(error?.message).not.toContain("secret");
});

test("an exec plugin is asked for a token, again when it has expired or was refused", async () => {
  const count = join(mkdtempSync(join(tmpdir(), "plugin-")), "count");
  const script = `
    const fs = require("node:fs");
    const n = fs.existsSync(${JSON.stringify(count)}) ? Number(fs.readFileSync(${JSON.stringify(count)})) + 1 : 1;
    fs.writeFileSync(${JSON.stringify(count)}, String(n));
    const expirationTimestamp = n === 1 ? "2020-01-01T00:00:00Z" : "2120-01-01T00:00:00Z";
    const kind = { apiVersion: "client.authentication.k8s.io/v1", kind: "ExecCredential" };
    console.log(JSON.stringify({ ...kind, status: { token: "t" + n, expirationTimestamp } }));`;
  const connection = await loadKubeConfig({
    path: file({ user: { exec: { apiVersion: "client.authentication.k8s.io/v1", command: process.execPath, args: ["-e", script] } } }),
  });
  const token = async (): Promise<string | undefined> => (await connection.credentials()).headers["Authorization"];
  expect([await token(), await token(), await token()]).toEqual(["Bearer t1", "Bearer t2", "Bearer t2"]);
  connection.refresh();
  expect(await token()).toBe("Bearer t3");
  expect(readFileSync(count, "utf8")).toBe("3");
});

test("a plugin that fails is named as the cause, and is not taken for a server that does not answer", async () => {
  const exec = { apiVersion: "client.authentication.k8s.io/v1", command: process.execPath, args: ["-e", "console.error('please log in'); process.exit(1)"] };
  const kube = createKube(await loadKubeConfig({ path: file({ user: { exec } }) }));
  const error = await kube.raw("/version", signal).then(() => undefined, (thrown: unknown) => thrown);
  expect(error).not.toBeInstanceOf(KubeError);
  expect(messageOf(error)).toBe("GET /version: get credentials for the API server: please log in\n");
  await kube.close();
});

/** An HTTPS server that demands a client certificate and answers with the client's name. */
async function startTls(authority: Authority): Promise<{ url: string; server: Server }> {
  const server = createServer({ ...authority.issue("server"), ca: authority.cert, requestCert: true }, (request, response) => {
    const socket = request.socket as TLSSocket;
    sendJson(response, { client: socket.getPeerCertificate().subject.CN });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

test("a real TLS server is trusted by the kubeconfig's CA and knows us by our certificate", async () => {
  const authority = certificateAuthority("test CA");
  const { url } = await startTls(authority);
  const { cert, key } = authority.issue("serin");
  const user = { "client-certificate-data": base64(cert), "client-key-data": base64(key) };
  const kube = createKube(
    await loadKubeConfig({ path: file({ cluster: { server: url, "certificate-authority-data": base64(authority.cert) }, user }) }),
  );
  expect(await kube.raw("/version", signal)).toEqual({ client: "serin" });
  await kube.close();
});

test("a server that another CA vouches for is not talked to", async () => {
  const { url } = await startTls(certificateAuthority("test CA"));
  const other = certificateAuthority("other CA");
  const connection = await loadKubeConfig({
    path: file({ cluster: { server: url, "certificate-authority-data": base64(other.cert) }, user: { token: "secret" } }),
  });
  const kube = createKube(connection, { limits: { attempts: 1 } });
  const error = await kube.raw("/version", signal).then(() => undefined, (thrown: unknown) => thrown);
  expect(messageOf(error)).toBe("GET /version: the API server gave no answer: self-signed certificate in certificate chain");
  await kube.close();
});

test("a renewed client certificate is used from the next request on", async () => {
  const authority = certificateAuthority("test CA");
  const { url } = await startTls(authority);
  let pair = authority.issue("before");
  const kube = createKube({ ...serverAt(url), credentials: async () => ({ headers: {}, tls: { ca: authority.cert, ...pair } }) });
  expect(await kube.raw("/version", signal)).toEqual({ client: "before" });
  pair = authority.issue("after");
  expect(await kube.raw("/version", signal)).toEqual({ client: "after" });
  await kube.close();
});

test("a plain HTTP server needs no permission, and may be behind a path and a proxy", async () => {
  const api = await startScriptedApi(({ path }, response) => sendJson(response, { path }));
  const proxied: string[] = [];
  const proxy = createHttpServer((request, response) => {
    proxied.push(request.url ?? "");
    httpRequest(request.url ?? "", { method: request.method, headers: request.headers }, (answer) => answer.pipe(response)).end();
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const cluster = { server: `${api.url}/clusters/one/` };
  const direct = createKube(await loadKubeConfig({ path: file({ cluster }) }));
  expect(await direct.raw("/version", signal)).toEqual({ path: "/clusters/one/version" });
  const proxyUrl = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const behind = createKube(await loadKubeConfig({ path: file({ cluster: { ...cluster, "proxy-url": proxyUrl } }) }));
  expect(await behind.raw("/version", signal)).toEqual({ path: "/clusters/one/version" });
  expect(proxied).toEqual([`${api.url}/clusters/one/version`]);
  await Promise.all([direct.close(), behind.close(), api.close()]);
  proxy.closeAllConnections();
  proxy.close();
});

test.each<[string, string | undefined, object]>([
  ["nothing", undefined, {}],
  ["a token", "t0ken", { authorization: "Bearer t0ken" }],
])("a server that asks for %s gets that and no more", async (_, token, headers) => {
  const connection = serverAt("http://127.0.0.1:8080/", token);
  expect(connection.server).toBe("http://127.0.0.1:8080");
  expect(await connection.credentials()).toEqual({ headers, tls: {} });
});
