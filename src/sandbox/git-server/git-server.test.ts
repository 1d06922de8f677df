import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { cp, mkdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { Registry } from "prom-client";
import { request } from "undici";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { silentLogger } from "../../lib/log.ts";
import { hookReceiver } from "../../server/hooks.ts";
import { startServer } from "../../server/server.ts";
import { type GitServerOptions, startGitServer } from "./git-server.ts";

const run = promisify(execFile);
const ada = { login: "ada", password: "ada-password", token: "ada-token" };
const serin = { login: "serin", password: "serin-password", token: "serin-token", readOnlyToken: "reader-token" };

type Change = Readonly<Record<string, string | null>>;

type Options = Partial<GitServerOptions> & { isPrivate?: boolean };

/** A server with one repository, a clone of it, and its API; ends with the test. */
async function start(options: Options = {}) {
  const lab = await launch(options);
  onTestFinished(lab.stop);
  return lab;
}

async function launch(options: Options = {}) {
  const root = mkdtempSync(join(tmpdir(), "serin-git-server-"));
  const server = await startGitServer({ dir: join(root, "repositories"), users: [ada, serin], ...options });
  const stop = async () => {
    await server.close();
    rmSync(root, { recursive: true, force: true });
  };
  const { cloneUrl, dir } = await server.createRepository("team", "app", { private: options.isPrivate ?? false });
  const as = (credentials: string) => cloneUrl.replace("http://", `http://${credentials}@`);
  const work = join(root, "work");
  await run("git", ["init", "-q", "-b", "main", work]);
  // Nobody is there to be asked for a password.
  const config = ["user.name=Ada", "user.email=ada@x", "core.askPass=true", "credential.helper="].flatMap((entry) => ["-c", entry]);
  const git = async (...args: string[]) => (await run("git", ["-C", work, ...config, ...args])).stdout.trim();
  const bare = async (...args: string[]) => (await run("git", ["--git-dir", dir, ...args])).stdout.trim();
  const commit = async (change: Change, message: string) => {
    for (const [path, text] of Object.entries(change)) {
      await mkdir(dirname(join(work, path)), { recursive: true });
      await writeFile(join(work, path), text ?? "");
    }
    await git("add", "-A");
    await git("commit", "-q", "-m", message);
  };
  const push = (...args: string[]) => git("push", "-q", as("ada:ada-password"), ...args);
  const api = async (method: "GET" | "POST" | "PATCH" | "DELETE", path: string, body?: object, token = "ada-token") => {
    const headers = { ...(token ? { authorization: `token ${token}` } : {}), "content-type": "application/json" };
    const reply = await request(`${server.url}/api/v1${path}`, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) });
    const text = await reply.body.text();
    return { status: reply.statusCode, json: text === "" ? undefined : JSON.parse(text) };
  };
  return { stop, server, dir, as, work, git, bare, commit, push, api, at: "/repos/team/app" };
}

let template: string;
beforeAll(async () => {
  const lab = await launch();
  await lab.commit({ "a.yaml": "a: 1\n", "b.yaml": "b: 1\n" }, "start");
  await lab.git("checkout", "-q", "-b", "feature");
  await lab.commit({ "a.yaml": "a: 2\n" }, "change a\n\nWith a body.");
  await lab.commit({ "b.yaml": "b: 2\n" }, "change b");
  await lab.git("checkout", "-q", "main");
  await lab.commit({ "c.yaml": "c: 1\n" }, "meanwhile");
  template = mkdtempSync(join(tmpdir(), "serin-git-template-"));
  await cp(lab.work, template, { recursive: true });
  await lab.stop();
});
afterAll(() => rmSync(template, { recursive: true, force: true }));

/** Two commits on `feature` that change one file each, one on main since, and a pull request. */
async function startWithPull(title = "Feature") {
  const lab = await start();
  await openPull(lab, title);
  return lab;
}

async function openPull({ work, push, api, at }: Awaited<ReturnType<typeof launch>>, title: string) {
  await cp(template, work, { recursive: true });
  await push("main", "feature");
  const opened = await api("POST", `${at}/pulls`, { head: "feature", base: "main", title, body: "Why <b>not</b>?" });
  expect(opened).toMatchObject({ status: 201 });
}

const merging = "Merge pull request 'Feature' (#1) from feature into main";

test.each<[string, string[]]>([
  ["merge", [merging, "meanwhile", "change b", "change a", "start"]],
  ["squash", ["Feature (#1)", "meanwhile", "start"]],
  ["rebase", ["change b", "change a", "meanwhile", "start"]],
  ["rebase-merge", [merging, "change b", "change a", "meanwhile", "start"]],
])("merging by %s really merges", async (style, subjects) => {
  const { api, at, bare } = await startWithPull();
  const done = await api("POST", `${at}/pulls/1/merge`, { do: style, delete_branch_after_merge: true });
  expect(done).toEqual({ status: 200, json: undefined });
  expect((await bare("log", "--topo-order", "--format=%s", "main")).split("\n").toSorted()).toEqual(subjects.toSorted());
  for (const text of ["a: 2", "b: 2", "c: 1"]) expect(await bare("show", `main:${text[0]}.yaml`)).toBe(text);
  expect(await bare("for-each-ref", "--format=%(refname:short)", "refs/heads")).toBe("main");
  expect(await bare("fsck", "--strict", "--no-dangling")).toBe("");
  const merged = await api("GET", `${at}/pulls/1`);
  const tip = await bare("rev-parse", "main");
  expect(merged.json).toMatchObject({ state: "closed", merged: true, merge_commit_sha: tip, merged_by: { login: "ada" } });
  const again = await api("POST", `${at}/pulls/1/merge`, { do: style });
  expect(again).toMatchObject({ status: 405, json: { message: "The PR is already merged" } });
});

test("a rebase keeps author, message and date, and the merger commits", async () => {
  const { api, at, bare, git } = await startWithPull();
  await api("POST", `${at}/pulls/1/merge`, { do: "rebase" }, "serin-token");
  const format = ["log", "-1", "--format=%an <%ae> %ad|%B"];
  expect(await bare(...format, "main~1")).toBe(await git(...format, "feature~1"));
  expect(await bare("log", "-1", "--format=%cn", "main~1")).toBe("serin");
});

test.each(["merge", "squash", "rebase"])("a conflict is refused by %s, and main stays", async (style) => {
  const { api, at, bare, commit, push } = await startWithPull();
  await commit({ "a.yaml": "a: 3\n" }, "other");
  await push("main");
  const before = await bare("rev-parse", "main");
  expect(await api("POST", `${at}/pulls/1/merge`, { do: style })).toMatchObject({ status: 409, json: { message: "conflict in a.yaml" } });
  expect(await bare("rev-parse", "main")).toBe(before);
  expect((await api("GET", `${at}/pulls/1`)).json).toMatchObject({ state: "open", merged: false });
});

test("a merge of another commit than the one looked at is refused", async () => {
  const { api, at } = await startWithPull();
  const refused = await api("POST", `${at}/pulls/1/merge`, { do: "merge", head_commit_id: "0".repeat(40) });
  expect(refused).toMatchObject({ status: 409, json: { message: "head out of date" } });
});

test("a pull request whose branch is deleted is closed by who deleted it, and keeps its commit", async () => {
  const { api, at, push, git } = await startWithPull();
  await push("--delete", "feature");
  await vi.waitFor(async () => expect((await api("GET", `${at}/pulls/1`)).json).toMatchObject({ state: "closed", merged: false }));
  const { head } = (await api("GET", `${at}/pulls/1`)).json;
  expect(head).toMatchObject({ label: "feature", ref: "refs/pull/1/head", sha: await git("rev-parse", "feature") });
  expect((await api("GET", `${at}/issues/1/timeline`)).json).toMatchObject([{ type: "close", user: { login: "ada" } }]);
});

test("a push to a protected branch is refused in Gitea's words; other branches and merging go on", async () => {
  const { api, at, bare, commit, push } = await startWithPull();
  expect(await api("POST", `${at}/branch_protections`, { rule_name: "main" })).toMatchObject({ status: 201 });
  const before = await bare("rev-parse", "main");
  await commit({ "a.yaml": "a: 9\n" }, "straight to main");
  await expect(push("main")).rejects.toMatchObject({ stderr: expect.stringContaining("Not allowed to push to protected branch main") });
  expect(await bare("rev-parse", "main")).toBe(before);
  expect(await api("DELETE", `${at}/branches/main`)).toMatchObject({ status: 403 });
  await push("HEAD:other");
  expect(await api("GET", `${at}/branches/main`)).toMatchObject({ json: { protected: true, commit: { id: before } } });
  expect(await api("POST", `${at}/pulls/1/merge`, { do: "merge" })).toMatchObject({ status: 200 });
  expect(await api("DELETE", `${at}/branch_protections/main`)).toMatchObject({ status: 204 });
});

test("an archived repository takes nothing but words about its pull requests, can be read, and can be unarchived", async () => {
  const { api, at, push, commit, git, as } = await startWithPull();
  await api("PATCH", at, { archived: true });
  await commit({ "a.yaml": "a: 9\n" }, "late");
  await expect(push("main")).rejects.toMatchObject({ stderr: expect.stringMatching(/403|archived/) });
  const refused = { status: 423, json: { message: "team/app is archived" } };
  expect(await api("POST", `${at}/pulls`, { title: "x", head: "late", base: "main" })).toMatchObject(refused);
  expect(await api("PATCH", `${at}/pulls/1`, { title: "x" })).toMatchObject({ status: 201 });
  expect(await git("ls-remote", as("x:x").replace("x:x@", ""), "main")).toContain("refs/heads/main");
  expect(await api("PATCH", at, { archived: false })).toMatchObject({ status: 200 });
  await push("main");
});

test.each<[string, string, RegExp]>([
  ["a wrong password", "ada:wrong", /Authentication failed|401/],
  ["an unknown user", "eve:ada-password", /Authentication failed|401/],
  ["a token that may only read", "serin:reader-token", /403/],
])("%s pushes nothing", async (_, credentials, words) => {
  const { as, bare, commit, git } = await start();
  await commit({ "a.yaml": "a: 1\n" }, "start");
  const refused = { stderr: expect.stringMatching(words) };
  await expect(git("push", as(credentials), "main")).rejects.toMatchObject(refused);
  expect(await bare("for-each-ref")).toBe("");
});

const good = ["ada:ada-password", "ada:ada-token", "anything:ada-token", "ada-token:x-oauth-basic", "serin:serin-token"];
test.each(good)("%s pushes", async (credentials) => {
  const { as, bare, commit, git } = await start();
  await commit({ "a.yaml": "a: 1\n" }, "start");
  await git("push", "-q", as(credentials), "main");
  expect(await bare("rev-parse", "main")).toBe(await git("rev-parse", "main"));
});

test("a private repository looks like a missing one to strangers, and is read with a token", async () => {
  const { api, at, as, git, commit, push, server } = await start({ isPrivate: true });
  await commit({ "a.yaml": "a: 1\n" }, "start");
  await push("main");
  expect(await api("GET", at, undefined, "")).toMatchObject({ status: 404 });
  expect(await api("GET", at, undefined, "reader-token")).toMatchObject({ status: 200, json: { private: true, full_name: "team/app" } });
  expect(await git("ls-remote", as("x:reader-token"), "main")).toContain("refs/heads/main");
  const stranger = await request(`${server.url}/team/app.git/info/refs?service=git-upload-pack`);
  expect(stranger.statusCode).toBe(401);
  await stranger.body.dump();
});

describe("what cannot be is refused in Gitea's words, and nothing changes", () => {
  let lab: Awaited<ReturnType<typeof launch>>;
  beforeAll(async () => {
    lab = await launch();
    await openPull(lab, "Feature");
  });
  afterAll(() => lab.stop());

  test.each<["GET" | "POST" | "PATCH" | "DELETE", string, object | undefined, string, number, RegExp]>([
    ["GET", "/repos/team/app", undefined, "wrong", 401, /invalid username, password or token/],
    ["POST", "/repos/team/app/pulls", {}, "", 401, /token is required/],
    ["POST", "/repos/team/app/pulls", {}, "reader-token", 403, /required=\[write:repository\]/],
    ["POST", "/repos/team/app/pulls", { head: "feature" }, "ada-token", 422, /base/],
    ["POST", "/repos/team/app/pulls", { head: "main", base: "main", title: "x" }, "ada-token", 422, /no changes between/],
    ["POST", "/repos/team/app/pulls", { head: "gone", base: "main", title: "x" }, "ada-token", 404, /not found/],
    ["POST", "/repos/team/app/pulls", { head: "feature", base: "main", title: "x" }, "ada-token", 409, /already exists/],
    ["PATCH", "/repos/team/app/pulls/1", { state: "odd" }, "ada-token", 412, /unknown state/],
    ["PATCH", "/repos/team/app/pulls/2", {}, "ada-token", 404, /not found/],
    ["GET", "/repos/team/gone", undefined, "ada-token", 404, /not found/],
    ["GET", "/repos/team/app/milestones", undefined, "ada-token", 404, /does not|has no GET/],
    ["POST", "/user/repos", { name: "../x" }, "ada-token", 422, /name is invalid/],
    ["POST", "/user/repos", { name: "x" }, "", 401, /token is required/],
    ["DELETE", "/repos/team/app/branches/gone", undefined, "ada-token", 404, /not found/],
  ])("%s %s with %j is refused to %j with %d", async (...row) => {
    const [method, path, body, token, status, message] = row;
    expect(await lab.api(method, path, body, token)).toMatchObject({ status, json: { message: expect.stringMatching(message) } });
    const pulls = await lab.api("GET", `${lab.at}/pulls?state=all`);
    expect(pulls.json).toMatchObject([{ number: 1, state: "open", title: "Feature" }]);
  });
});

test("a user makes a repository of their own, once", async () => {
  const { api, server } = await start();
  const made = await api("POST", "/user/repos", { name: "own", private: true });
  expect(made).toMatchObject({ status: 201, json: { full_name: "ada/own", clone_url: `${server.url}/ada/own.git`, empty: true } });
  expect(await api("POST", "/user/repos", { name: "OWN" })).toMatchObject({ status: 409 });
});

test("pushes reach Serin's own receiver, signed: a new branch, a commit, a deleted branch", async () => {
  const asked: string[] = [];
  const registry = new Registry();
  const hooks = hookReceiver({
    find: async () => ({ token: "shared", suspended: false }),
    request: async (namespace, name) => void asked.push(`${namespace}/${name}`),
    nowMs: () => 0,
    log: silentLogger,
    registry,
  });
  const health = { unhealthy: () => undefined, notReady: () => undefined };
  const receiver = await startServer({ port: 0, host: "127.0.0.1", hooks, health, registry, log: silentLogger });
  const hookURL = `http://127.0.0.1:${receiver.port}/hooks/shop`;
  onTestFinished(() => receiver.close());
  const { api, at, commit, push } = await start({ webhook: { url: `${hookURL}/fleet`, secret: "shared" } });
  const config = { url: `${hookURL}/own`, content_type: "json", secret: "wrong" };
  const hook = { type: "gitea", active: true, config };
  expect(await api("POST", `${at}/hooks`, hook)).toMatchObject({ status: 201 });
  const count = async (status: number) => {
    const line = new RegExp(`serin_hooks_requests_total\\{provider="gitea",status="${status}"\\} (\\d+)`);
    return Number(line.exec(await registry.metrics())?.[1] ?? 0);
  };
  await commit({ "a.yaml": "a: 1\n" }, "start");
  await push("main");
  await vi.waitFor(async () => expect(await count(200)).toBe(2));
  await push("main:other");
  await push("--delete", "other");
  await vi.waitFor(async () => expect([await count(200), await count(400)]).toEqual([5, 5]));
  expect(asked).toEqual(Array.from({ length: 5 }, () => "shop/fleet"));
});

async function browse(url: string, options: Parameters<typeof request>[1] = {}) {
  const reply = await request(url, options);
  return { status: reply.statusCode, headers: reply.headers, text: await reply.body.text() };
}

test("pages show what was written, as text, and load nothing from elsewhere", async () => {
  const { server, api, at } = await startWithPull("<script>alert(1)</script>");
  await api("POST", `${at}/issues/1/comments`, { body: "<img src=x>&\"'\n\n<!-- serin:hidden -->" });
  const page = await browse(`${server.url}/team/app/pulls/1`);
  expect(page.headers["content-security-policy"]).toContain("default-src 'none'");
  expect(page.text).toContain("&#60;script&#62;alert(1)&#60;/script&#62;");
  expect(page.text).toContain("Why &#60;b&#62;not&#60;/b&#62;?");
  expect(page.text).toContain("&#60;img src=x&#62;&#38;&#34;&#39;");
  expect(page.text).toContain('<span class="add">+a: 2</span>');
  expect(page.text).not.toMatch(/<script|<img|serin:hidden/);
  expect((await browse(`${server.url}/`)).text).toContain('href="/team/app"');
  expect((await browse(`${server.url}/team/app`)).text).toContain("meanwhile");
  expect((await browse(`${server.url}/team/gone`)).status).toBe(404);
});

test.each<[string, string, object]>([
  ["merge", "merged", { state: "closed", merged: true, merged_by: { login: "ada" } }],
  ["close", "closed", { state: "closed", merged: false }],
])("the %s button works, and only from our own page", async (action, word, want) => {
  const { server, api, at } = await startWithPull();
  const page = `${server.url}/team/app/pulls/1`;
  const key = /name="key" value="(\w+)"/.exec((await browse(page)).text)?.[1] ?? "";
  const press = (sent: string) => browse(`${page}/${action}`, { method: "POST", body: new URLSearchParams({ key: sent }).toString() });
  expect((await press("guessed")).status).toBe(403);
  expect((await browse(`${page}/${action}`)).status).toBe(405);
  expect((await browse(page, { headers: { host: "evil.example" } })).status).toBe(421);
  expect((await api("GET", `${at}/pulls/1`)).json).toMatchObject({ state: "open" });
  expect(await press(key)).toMatchObject({ status: 303, headers: { location: "/team/app/pulls/1" } });
  expect((await api("GET", `${at}/pulls/1`)).json).toMatchObject(want);
  expect((await browse(page)).text).toContain(`<strong class="${word}">`);
});

test("pull requests are listed newest first, by state, base and page", async () => {
  const { api, at, git, push } = await startWithPull();
  await git("branch", "second", "feature");
  await push("second");
  await api("POST", `${at}/pulls`, { head: "second", base: "main", title: "Second" });
  await api("POST", `${at}/pulls`, { head: "second", base: "feature", title: "Third" });
  await api("PATCH", `${at}/pulls/1`, { state: "closed" });
  const numbers = async (query: string) => (await api("GET", `${at}/pulls${query}`)).json.map(({ number }: { number: number }) => number);
  expect(await numbers("?state=all")).toEqual([3, 2, 1]);
  expect(await numbers("")).toEqual([3, 2]);
  expect(await numbers("?state=closed")).toEqual([1]);
  expect(await numbers("?base_branch=main")).toEqual([2]);
  expect(await numbers("?state=all&limit=2&page=2")).toEqual([1]);
});

test("without git on the machine it says what is missing", async () => {
  const script = `import { startGitServer } from ${JSON.stringify(join(import.meta.dirname, "git-server.ts"))};
await startGitServer({ dir: "/nowhere", users: [{ login: "a", password: "a", token: "a" }] });`;
  const failed = run(process.execPath, ["--input-type=module-typescript", "--eval", script], { env: { PATH: "/nowhere" } });
  await expect(failed).rejects.toMatchObject({ stderr: expect.stringContaining("there is no `git` on PATH. Install Git") });
});
