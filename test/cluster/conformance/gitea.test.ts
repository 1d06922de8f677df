import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";
import { request } from "undici";
import { describe } from "vitest";
import { giteaHost } from "../../../src/githost/gitea.ts";
import { type HostLab, testGitHost } from "../../conformance/git-host.ts";
import { openContract } from "../../contract/contract.ts";
import { startContractServer, type UpstreamReply, type UpstreamRequest } from "../../contract/contract-server.ts";
import { factsHere } from "./subject.ts";

const contract = openContract(
  JSON.parse(readFileSync(join(import.meta.dirname, "../../contract/gitea-api.json"), "utf8")),
  "#/components/schemas/Error",
);
const run = promisify(execFile);

async function call(url: string, { method, path, query, authorization, body }: UpstreamRequest): Promise<UpstreamReply> {
  const reply = await request(`${url}/api/v1${path}?${query.toString()}`, {
    method: method as "GET",
    headers: { ...(authorization ? { authorization } : {}), "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await reply.body.text();
  return { status: reply.statusCode, json: text === "" ? undefined : JSON.parse(text) };
}

/** A token of somebody who may write, which itself may only read. */
async function readingToken(url: string, { login, password }: { login: string; password: string }): Promise<string> {
  const { json } = await call(url, {
    method: "POST",
    path: `/users/${login}/tokens`,
    query: new URLSearchParams(),
    authorization: `Basic ${Buffer.from(`${login}:${password}`).toString("base64")}`,
    body: { name: randomUUID(), scopes: ["read:repository", "read:issue"] },
  });
  return (json as { sha1: string }).sha1;
}

/** A new repository on the real Gitea, behind a server that reads along. */
async function startLab(): Promise<HostLab> {
  const { url, organization, accounts } = factsHere().gitea;
  const { person, bot, serin } = accounts;
  const name = `lab-${randomUUID().slice(0, 8)}`;
  const repository = `/repos/${organization}/${name}`;
  const api = async (token: string, method: string, path: string, body?: object): Promise<unknown> => {
    const { status, json } = await call(url, { method, path, query: new URLSearchParams(), authorization: `token ${token}`, body });
    if (status >= 300) throw new Error(`${method} ${path}: ${status} ${JSON.stringify(json)}`);
    return json;
  };
  await api(person.token, "POST", `/orgs/${organization}/repos`, { name, default_branch: "main", private: true });
  const dir = mkdtempSync(join(tmpdir(), "serin-lab-"));
  const git = async (...args: string[]): Promise<string> => (await run("git", ["-C", dir, ...args])).stdout.trim();
  await git("init", "-q", "-b", "main");
  await git("config", "user.name", "ada");
  await git("config", "user.email", "ada@example.com");
  const { host } = new URL(url);
  await git("remote", "add", "origin", `http://${person.login}:${person.password}@${host}/${organization}/${name}.git`);
  await git("commit", "-q", "--allow-empty", "-m", "start");
  await git("push", "-q", "origin", "main");
  // It takes note of a push a moment later; a repository that it holds for empty has no pull requests.
  while (((await api(person.token, "GET", repository)) as { empty: boolean }).empty) await setTimeout(20);
  const reader = await readingToken(url, serin);
  const server = await startContractServer(contract, (asked) => call(url, asked));
  const options = (token: string, of = name) => ({
    apiURL: server.url,
    owner: organization,
    timeoutMs: 10_000,
    repository: of,
    credentials: { token },
  });
  const tokens = { person: person.token, bot: bot.token };
  let pushed = 0;
  return {
    server,
    options: {
      writer: options(`${serin.token}\n`), // as a Secret made from a file holds it
      reader: options(reader),
      stranger: options("wrong-token"),
      elsewhere: options(serin.token, "gone"),
    },
    push: async (branch, change = true) => {
      await git("fetch", "-q", "origin", "main");
      await git("checkout", "-q", "--detach", "origin/main");
      if (change) {
        pushed += 1;
        writeFileSync(join(dir, `file-${pushed}`), "");
        await git("add", "-A");
        await git("commit", "-q", "-m", `change ${pushed}`);
      }
      await git("push", "-q", "--force", "origin", `HEAD:refs/heads/${branch}`);
      return git("rev-parse", "HEAD");
    },
    deleteBranch: async (branch) => void (await api(person.token, "DELETE", `${repository}/branches/${encodeURIComponent(branch)}`)),
    merge: async (number, style) => {
      await api(person.token, "POST", `${repository}/pulls/${number}/merge`, { do: style });
      await git("fetch", "-q", "origin", "main");
      return git("rev-parse", "origin/main");
    },
    close: async (number, login) => void (await api(tokens[login], "PATCH", `${repository}/pulls/${number}`, { state: "closed" })),
    review: async (number, login, says) => {
      const event = says === "approve" ? "APPROVED" : "REQUEST_CHANGES";
      await api(tokens[login], "POST", `${repository}/pulls/${number}/reviews`, { event, body: "A word." });
    },
    archive: async () => void (await api(person.token, "PATCH", repository, { archived: true })),
    comments: async (number) =>
      ((await api(person.token, "GET", `${repository}/issues/${number}/comments`)) as { body: string }[]).map(({ body }) => body),
    stop: async () => {
      await server.close();
      await api(person.token, "DELETE", repository);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

describe("Gitea itself", () => {
  testGitHost(giteaHost, startLab, { person: "ada", bot: "renovate-bot" });
});
