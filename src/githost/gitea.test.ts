import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { request } from "undici";
import { describe, expect, test } from "vitest";
import { startGitServer } from "../sandbox/git-server/git-server.ts";
import { openContract } from "../../test/contract/contract.ts";
import { startContractServer, type UpstreamReply, type UpstreamRequest } from "../../test/contract/contract-server.ts";
import { giteaHost } from "./gitea.ts";
import { type HostLab, testGitHost } from "../../test/conformance/git-host.ts";

const contract = openContract(
  JSON.parse(readFileSync(join(import.meta.dirname, "../../test/contract/gitea-api.json"), "utf8")),
  "#/components/schemas/Error",
);

const users = [
  { login: "ada", password: "ada", token: "ada-token" },
  { login: "serin", password: "serin", token: "serin-token", readOnlyToken: "reader-token" },
  { login: "renovate-bot", password: "bot", token: "bot-token" },
] as const;

const run = promisify(execFile);

/** Stands between the host under test and Gitea. */
type Proxy = (asked: UpstreamRequest, send: (asked: UpstreamRequest) => Promise<UpstreamReply>) => Promise<UpstreamReply>;

/** The sandbox's Git server behind a server that reads along. */
async function startLab(proxy: Proxy = (asked, send) => send(asked)): Promise<HostLab> {
  const dir = mkdtempSync(join(tmpdir(), "serin-gitea-"));
  const gitea = await startGitServer({ dir, users: [...users] });
  const { dir: repository } = await gitea.createRepository("team", "app");
  const git = async (...args: string[]) => (await run("git", ["--git-dir", repository, ...args])).stdout.trim();
  const commit = (...parents: string[]) => git("-c", "user.name=ada", "-c", "user.email=ada@example.com", "commit-tree", ...parents);
  const tree = await git("hash-object", "-t", "tree", "-w", "/dev/null");
  await git("update-ref", "refs/heads/main", await commit(tree, "-m", "start"));
  const api = async (token: string, method: "GET" | "POST" | "PATCH" | "DELETE", path: string, body?: object) => {
    const reply = await request(`${gitea.url}/api/v1/repos/team/app${path}`, {
      method,
      headers: { authorization: `token ${token}`, "content-type": "application/json" },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    const text = await reply.body.text();
    if (reply.statusCode >= 300) throw new Error(`${method} ${path}: ${reply.statusCode} ${text}`);
    return text === "" ? undefined : JSON.parse(text);
  };
  const tokens = { person: "ada-token", bot: "bot-token" };
  const server = await startContractServer(contract, (asked) => proxy(asked, (sent) => forward(`${gitea.url}/api/v1`, sent)));
  const at = { apiURL: server.url, owner: "team", timeoutMs: 10_000 };
  const options = (token: string, name = "app") => ({ ...at, repository: name, credentials: { token } });
  let pushed = 0;
  return {
    server,
    options: {
      writer: options("serin-token\n"), // as a Secret made from a file holds it
      reader: options("reader-token"),
      stranger: options("wrong-token"),
      elsewhere: options("serin-token", "gone"),
    },
    push: async (branch, change = true) => {
      pushed += 1;
      const main = await git("rev-parse", "main");
      const next = change ? await commit(await treeOfOneFile(repository, `file-${pushed}`), "-p", main, "-m", `change ${pushed}`) : main;
      await git("update-ref", `refs/heads/${branch}`, next);
      return next;
    },
    deleteBranch: async (branch) => void (await api("ada-token", "DELETE", `/branches/${encodeURIComponent(branch)}`)),
    merge: async (number, style) => {
      await api("ada-token", "POST", `/pulls/${number}/merge`, { do: style });
      return git("rev-parse", "main");
    },
    close: async (number, login) => void (await api(tokens[login], "PATCH", `/pulls/${number}`, { state: "closed" })),
    review: async (number, login, says) => {
      const event = says === "approve" ? "APPROVED" : "REQUEST_CHANGES";
      await api(tokens[login], "POST", `/pulls/${number}/reviews`, { event, body: "" });
    },
    archive: async () => void (await api("ada-token", "PATCH", "", { archived: true })),
    comments: async (number) => (await api("ada-token", "GET", `/issues/${number}/comments`)).map(({ body }: { body: string }) => body),
    stop: async () => {
      await server.close();
      await gitea.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function treeOfOneFile(repository: string, name: string): Promise<string> {
  const { stdout: blob } = await run("git", ["--git-dir", repository, "hash-object", "-w", "/dev/null"]);
  const made = run("git", ["--git-dir", repository, "mktree"]);
  made.child.stdin?.end(`100644 blob ${blob.trim()}\t${name}\n`);
  return (await made).stdout.trim();
}

async function forward(api: string, { method, path, query, authorization, body }: UpstreamRequest): Promise<UpstreamReply> {
  const reply = await request(`${api}${path}?${query.toString()}`, {
    method: method as "GET",
    headers: { ...(authorization ? { authorization } : {}), "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await reply.body.text();
  return { status: reply.statusCode, json: text === "" ? undefined : JSON.parse(text) };
}

describe("gitea", () => {
  testGitHost(giteaHost, () => startLab(), { person: "ada", bot: "renovate-bot" });
});

const signal = () => AbortSignal.timeout(20_000);
const wanted = { head: "serin/revert/x", base: "main", title: "Revert", body: "Why." };

async function withLab(proxy: Proxy, use: (lab: HostLab) => Promise<void>): Promise<void> {
  const lab = await startLab(proxy);
  try {
    await use(lab);
  } finally {
    await lab.stop();
  }
  expect(lab.server.violations).toEqual([]);
}

/** Lists first one that is like the newest, but comes from a fork. */
const withFork: Proxy = async (asked, send) => {
  const { status, json } = await send(asked);
  if (asked.method !== "GET" || !asked.path.endsWith("/pulls") || !Array.isArray(json) || json.length === 0) return { status, json };
  const [newest] = json;
  return { status, json: [{ ...newest, number: 99, title: "Evil", head: { ...newest.head, repo_id: newest.base.repo_id + 1 } }, ...json] };
};

test("a pull request from a fork's branch of the same name is not ours", () =>
  withLab(withFork, async (lab) => {
    await lab.push(wanted.head);
    const host = giteaHost(lab.options.writer);
    await host.createPullRequest(wanted, signal());
    expect(await host.findPullRequest(wanted.head, signal())).toMatchObject({ number: 1, title: "Revert" });
    expect(await host.createPullRequest(wanted, signal())).toMatchObject({ number: 1 });
  }));

/** As with MAX_RESPONSE_ITEMS = 1 in Gitea's settings. */
const oneAPage: Proxy = (asked, send) => {
  const query = new URLSearchParams(asked.query);
  if (query.has("limit")) query.set("limit", "1");
  return send({ ...asked, query });
};

test("a server with smaller pages than asked for: what is not on the first page is found", () =>
  withLab(oneAPage, async (lab) => {
    const host = giteaHost(lab.options.writer);
    for (const head of [wanted.head, "serin/revert/y", "serin/revert/z"]) {
      await lab.push(head);
      await host.createPullRequest({ ...wanted, head }, signal());
    }
    await lab.review(1, "bot", "approve");
    await lab.review(1, "person", "approve");
    expect(await host.findPullRequest(wanted.head, signal())).toMatchObject({ number: 1, approved: true });
  }));

test("an App's credentials are refused at once: Gitea has no apps", () => {
  const credentials = { appId: "1", installationId: "2", privateKey: "key" };
  const options = { apiURL: "http://127.0.0.1:1", owner: "team", repository: "app", credentials, timeoutMs: 1_000 };
  expect(() => giteaHost(options)).toThrow(expect.objectContaining({ name: "StalledError", reason: "HostCredentialsInvalid" }));
});

test.each(["", " \n", "two words", "new\nline"])("the token %j is refused without being shown", (token) => {
  const options = { apiURL: "http://127.0.0.1:1", owner: "team", repository: "app", credentials: { token }, timeoutMs: 1_000 };
  expect(() => giteaHost(options)).toThrow("spec.host.secretRef: the token is empty or holds spaces or control characters");
});
