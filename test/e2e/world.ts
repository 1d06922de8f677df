import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { request } from "undici";
import { type GitServer, startGitServer } from "../../src/sandbox/git-server/git-server.ts";
import { runGit } from "../git-remote.ts";
import type { Pull } from "./git-api.ts";

const ada = { login: "ada", password: "ada", token: "token-of-ada" };
const bot = { login: "renovate-bot", password: "renovate", token: "token-of-renovate" };
const serin = { login: "serin", password: "serin", token: "token-of-serin", readOnlyToken: "reading-token-of-serin" };

/** Tokens of those who have an account on the Git server. */
export const tokens = { person: ada.token, bot: bot.token, serin: serin.token, readOnly: serin.readOnlyToken };

/** A signal that never aborts. */
export const never = new AbortController().signal;

/** Where everything takes place: a Git host, and clusters that follow it. */
export interface Site {
  readonly git: GitServer;
  /** A folder of its own. */
  readonly dir: string;
  close(): Promise<void>;
}

/** Starts the Git server. */
export async function startSite(): Promise<Site> {
  const dir = mkdtempSync(join(tmpdir(), "serin-e2e-"));
  mkdirSync(join(dir, "repositories"));
  const git = await startGitServer({ dir: join(dir, "repositories"), users: [ada, bot, serin] });
  return {
    git,
    dir,
    close: async () => {
      await git.close();
      rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

/** Content of files by path; `null` deletes one. */
export type Files = Readonly<Record<string, string | null>>;

/** A repository on the Git host and those who work on it. */
export interface Team {
  readonly name: string;
  readonly cloneUrl: string;
  /** Writes files, commits on main and pushes. Returns the commit's id. */
  commit(files: Files, message?: string): string;
  /** Writes files and commits on what is checked out, without a push. */
  commitHere(files: Files, message: string): string;
  /** Runs git in the team's work tree. */
  work(...args: string[]): string;
  /** Runs git on the repository of the Git host. */
  bare(...args: string[]): string;
  /** Calls the host's API below the repository. */
  api(method: "GET" | "POST" | "PATCH" | "DELETE", path: string, body?: object, token?: string): Promise<{ status: number; json: unknown }>;
  /** All pull requests, oldest first. */
  pulls(): Promise<Pull[]>;
  comments(number: number): Promise<string[]>;
  /** Our branches. */
  branches(): string[];
}

/** Makes an empty repository and a work tree for it. */
export async function startTeam({ git, dir }: Site, name: string): Promise<Team> {
  const { cloneUrl, dir: bareDir } = await git.createRepository("acme", name);
  const workDir = join(dir, `${name}.work`);
  runGit(["init", "-q", "-b", "main", workDir]);
  const work = (...args: string[]): string => runGit(["-C", workDir, ...args]);
  const bare = (...args: string[]): string => runGit(["--git-dir", bareDir, ...args]);
  work("remote", "add", "origin", bareDir);
  const api: Team["api"] = async (method, path, body, token = tokens.person) => {
    const headers = { authorization: `token ${token}`, "content-type": "application/json" };
    const reply = await request(`${git.url}/api/v1/repos/acme/${name}${path}`, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) });
    const text = await reply.body.text();
    return { status: reply.statusCode, json: text === "" ? undefined : JSON.parse(text) };
  };
  let lastPushed = "";
  const commitHere: Team["commitHere"] = (files, message) => {
    for (const [path, content] of Object.entries(files)) {
      const file = join(workDir, path);
      rmSync(file, { recursive: true, force: true });
      mkdirSync(dirname(file), { recursive: true });
      if (content !== null) writeFileSync(file, content);
    }
    work("add", "-A");
    work("commit", "-q", "--allow-empty", "-m", message);
    return work("rev-parse", "HEAD");
  };
  return {
    name,
    cloneUrl,
    work,
    bare,
    api,
    commitHere,
    commit: (files, message = "Change") => {
      // Processes are what these tests spend their time on: others' pushes are fetched only when there were some.
      if (bare("for-each-ref", "--format=%(objectname)", "refs/heads/main") !== lastPushed) {
        work("fetch", "-q", "origin", "main");
        work("reset", "-q", "--hard", "FETCH_HEAD");
      }
      lastPushed = commitHere(files, message);
      work("push", "-q", "origin", "HEAD:refs/heads/main");
      return lastPushed;
    },
    pulls: async () => ((await api("GET", "/pulls?state=all")).json as Pull[]).sort((a, b) => a.number - b.number),
    comments: async (number) => ((await api("GET", `/issues/${number}/comments`)).json as { body: string }[]).map(({ body }) => body),
    branches: () => bare("for-each-ref", "--format=%(refname:short)", "refs/heads/serin/").split("\n").filter((line) => line !== ""),
  };
}
