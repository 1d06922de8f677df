import { execFile } from "node:child_process";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { gitEnvironment } from "../../src/cli/demo/developer.ts";
import type { Files } from "./manifests.ts";
import type { Account } from "./place.ts";

const run = promisify(execFile);

/** Somebody's clone of a repository: they commit and push over HTTP, as users do. */
export interface Clone {
  /** Runs git in it. Throws with what git said. */
  git(...args: string[]): Promise<string>;
  /** Writes files and commits them on what is checked out. Returns the commit's id. */
  commit(message: string, files: Files): Promise<string>;
  /** Commits on top of the newest `main` and pushes, again when somebody else was faster. Returns the commit's id. */
  push(message: string, files: Files): Promise<string>;
  /** What a file says on the newest `main` of the host. */
  fileAtMain(path: string): Promise<string>;
}

/** Makes an empty clone. */
export async function startClone(options: { url: string; dir: string; account: Account; name: string }): Promise<Clone> {
  const { dir, account, name } = options;
  const url = new URL(options.url);
  url.username = account.login;
  url.password = account.password;
  const environment = gitEnvironment({ name, login: account.login, searchPath: process.env["PATH"] ?? "" });
  await mkdir(dir, { recursive: true });
  const git = async (...args: string[]): Promise<string> =>
    (await run("git", ["-C", dir, ...args], { env: environment, timeout: 60_000 })).stdout.trim();
  await git("init", "--quiet", "--initial-branch", "main");
  await git("remote", "add", "origin", url.href);
  const commit: Clone["commit"] = async (message, files) => {
    for (const [path, content] of Object.entries(files)) {
      const file = join(dir, path);
      await rm(file, { recursive: true, force: true });
      await mkdir(dirname(file), { recursive: true });
      if (content !== null) await writeFile(file, content);
    }
    await git("add", "--all");
    await git("commit", "--quiet", "--allow-empty", "--message", message);
    return git("rev-parse", "HEAD");
  };
  const catchUp = async (): Promise<void> => {
    await git("fetch", "--quiet", "origin", "main").then(() => git("reset", "--quiet", "--hard", "FETCH_HEAD"), () => {});
  };
  // One folder, one command at a time.
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(act: () => Promise<T>): Promise<T> => {
    const next = last.then(act, act);
    last = next;
    return next;
  };
  const push = async (message: string, files: Files): Promise<string> => {
    for (let attempt = 1; ; attempt += 1) {
      await catchUp();
      const oid = await commit(message, files);
      try {
        await git("push", "--quiet", "origin", "HEAD:refs/heads/main");
        return oid;
      } catch (error) {
        if (attempt === 10) throw error;
      }
    }
  };
  return {
    git: (...args) => inTurn(() => git(...args)),
    commit: (...args) => inTurn(() => commit(...args)),
    push: (...args) => inTurn(() => push(...args)),
    fileAtMain: (path) =>
      inTurn(async () => {
        await git("fetch", "--quiet", "origin", "main");
        return git("show", `FETCH_HEAD:${path}`);
      }),
  };
}
